use super::*;
use crate::event::tests::{fact, flow, summary, world};
use crate::facts::{Confidence, Credential, Fields, RemoteDesktop, Tunnel, TunnelBasis};
use crate::net::Transport;

fn see(history: &mut History, client: &str, server: &str, secs: u64, kind: FactKind) {
    let fact = fact(flow(client, server, Transport::Tcp), secs, kind);
    let mut world = world("");
    let application = world.observe(&fact);
    history.on_event(&Event::of_fact(&fact, application.as_ref(), &world));
}

fn tunnel() -> FactKind {
    FactKind::Tunnel(Box::new(Tunnel {
        basis: TunnelBasis::Exchange,
        confidence: Confidence::Certain,
        established: true,
        protocol: None,
        fields: Fields::default(),
    }))
}

fn desktop(user: &str) -> FactKind {
    FactKind::RemoteDesktop(Box::new(RemoteDesktop {
        client_name: Some("OP-DESK".into()),
        user: Some(user.into()),
        ..RemoteDesktop::default()
    }))
}

const HOUSE: &str = "203.0.113.9:40000";
const LAPTOP: &str = "10.0.0.2:3389";

#[test]
fn a_desktop_from_outside_is_a_session_of_its_household_device_and_account() {
    let mut history = History::new(Limits::default());
    see(&mut history, HOUSE, LAPTOP, 10, desktop("CORP\\Kim"));
    see(&mut history, HOUSE, LAPTOP, 11, desktop("CORP\\Kim"));
    see(&mut history, HOUSE, LAPTOP, 70, FactKind::FlowEnded(summary(60)));

    let [(_, session)] = history.sessions().collect::<Vec<_>>()[..] else { panic!("one session") };
    assert_eq!((session.kind, session.is_over), (SessionKind::RemoteDesktop, true));
    assert_eq!(session.site.map(|site| site.to_string()).as_deref(), Some("203.0.113.9"));
    assert_eq!(session.client_name.as_ref().map(Text::as_str), Some("OP-DESK"));
    let sites: Vec<_> = history.sites().map(|(site, seen)| (site.to_string(), seen.sessions)).collect();
    assert_eq!(sites, [("203.0.113.9".to_owned(), 1)]);
    let account = crate::identity::account(&"CORP\\Kim".into()).unwrap();
    assert_eq!(history.accounts().map(|(account, _)| account).collect::<Vec<_>>(), [&account]);
    let device = history.device(session.server_device.unwrap()).unwrap();
    assert_eq!(device.users().collect::<Vec<_>>(), [&account]);
}

#[test]
fn a_failed_log_on_puts_nobody_anywhere() {
    let mut history = History::new(Limits::default());
    let failed = Credential { user: Some("eve".into()), outcome: Some(Outcome::Failure), ..Credential::default() };
    see(&mut history, HOUSE, LAPTOP, 10, FactKind::Credential(Box::new(failed)));
    assert_eq!(history.accounts().count(), 0);
}

#[test]
fn sessions_are_bounded_and_those_inside_belong_to_no_household() {
    let limits = Limits { sessions: Retention { entries_max: 2, ..Limits::default().sessions }, ..Limits::default() };
    let mut history = History::new(limits);
    for port in 1..=3 {
        see(&mut history, &format!("10.0.0.3:{port}"), LAPTOP, port, tunnel());
    }
    assert_eq!(history.sessions().map(|(_, session)| session.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(history.sites().count(), 0);
}
