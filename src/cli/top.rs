//! `spanwatch top`: what a running sensor publishes in; a page for the terminal out, again and again.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client::{self, Client};
use super::{Failure, print};
use crate::net::Text;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    sensor: client::Asked,
    /// Seconds from one page to the next
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Print one page and end
    #[arg(long)]
    once: bool,
}

const INCIDENTS_SHOWN_MAX: usize = 10;
const SESSIONS_SHOWN_MAX: usize = 20;
/// Clear the terminal, and write from its first place on.
const CLEAR: &str = "\x1b[2J\x1b[H";

pub(super) fn top(options: &Options) -> Result<(), Failure> {
    let client = Client::open(&options.sensor).map_err(Failure::BeforeStart)?;
    let mut has_answered = false;
    loop {
        let page = match page(&client) {
            Ok(page) => page,
            // A sensor that is started anew answers again.
            Err(fault) if has_answered => format!("{}: {fault}; asked again until it answers\n", client.address),
            Err(fault) => {
                let fault = format!("{}: {fault}; give the address of server.listen", client.address);
                return Err(Failure::OnTheWay(fault));
            }
        };
        has_answered = true;
        if options.once || !io::stdout().is_terminal() {
            return print(&page);
        }
        print(&format!("{CLEAR}{page}"))?;
        std::thread::sleep(Duration::from_secs(options.interval));
    }
}

fn page(client: &Client) -> Result<String, String> {
    let status = client.ask("/api/v1/status")?;
    let incidents = client.ask(&format!("/api/v1/incidents?about=open&limit={INCIDENTS_SHOWN_MAX}"))?;
    let sessions = client.ask(&format!("/api/v1/sessions?limit={SESSIONS_SHOWN_MAX}"))?;
    Ok(shown(&client.address, &status["sensor"], &incidents, &sessions))
}

fn shown(address: &str, sensor: &Value, incidents: &Value, sessions: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (one, both) = (number(&sensor["tcp_flows"]["one_side"]), number(&sensor["tcp_flows"]["both_sides"]));
    let mut page = format!(
        "spanwatch {} at {address}, last packet {}\n\n\
         Packets {}   dropped {}   flows open {}   one-sided TCP {} %   devices {}   alerts {} by {} rules\n\n",
        word(&sensor["version"]),
        time(&sensor["last"]),
        number(&sensor["packets"]),
        number(&sensor["dropped"]["kernel"]) + number(&sensor["dropped"]["interface"]),
        number(&sensor["flows_active"]),
        one * 100 / (one + both).max(1),
        number(&sensor["devices"]),
        number(&sensor["alerts"]),
        number(&sensor["rules"]),
    );
    let _ = writeln!(page, "INCIDENTS  {} open", number(&incidents["total"]));
    for incident in incidents["items"].as_array().into_iter().flatten() {
        let _ = writeln!(
            page,
            "  {:9} {:>5.1} nats  since {}  {} {}",
            word(&incident["spanwatch.incident.level"]),
            incident["spanwatch.incident.score"].as_f64().unwrap_or(0.0),
            time(&incident["spanwatch.incident.opened"]),
            word(&incident["spanwatch.entity.kind"]),
            word(&incident["spanwatch.entity.id"]),
        );
    }
    let _ = writeln!(page, "\nSESSIONS  {} remembered", number(&sessions["total"]));
    let sessions = sessions["items"].as_array().map_or(&[][..], Vec::as_slice);
    let width = |end: &str| sessions.iter().map(|session| word(&session[end]["ip"]).len()).max().unwrap_or(0);
    let (clients, servers) = (width("client"), width("server"));
    for session in sessions {
        let with = if session["application"].is_string() { &session["application"] } else { &session["protocol"] };
        let _ = writeln!(
            page,
            "  {}  {:5} {:14} {:12} {:>clients$} > {:servers$} {}",
            time(&session["started"]),
            if session["is_over"] == false { "open" } else { "over" },
            word(&session["kind"]),
            word(with),
            word(&session["client"]["ip"]),
            word(&session["server"]["ip"]),
            word(&session["user"]),
        );
    }
    page
}

/// A word that may come from the wire.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".into(), |text| Text::from(text).to_string())
}

/// To the second.
fn time(value: &Value) -> String {
    value.as_str().and_then(|text| text.get(..19)).map_or_else(|| "-".into(), |text| text.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_shows_health_incidents_and_sessions_and_no_name_steers_the_terminal() {
        let sensor = json!({
            "version": "0.1.0", "last": "2026-11-25T00:11:56.793965000Z", "packets": 7, "flows_active": 1, "devices": 2,
            "dropped": {"kernel": 1, "interface": 2}, "tcp_flows": {"one_side": 1, "both_sides": 3}, "alerts": 4, "rules": 5,
        });
        let incidents = json!({"total": 1, "items": [{
            "spanwatch.incident.level": "high", "spanwatch.incident.score": 15.25, "spanwatch.entity.kind": "site",
            "spanwatch.entity.id": "198.51.100.7", "spanwatch.incident.opened": "2026-11-25T00:06:00.000000000Z",
        }]});
        let sessions = json!({"total": 1, "items": [{
            "kind": "remote_desktop", "protocol": "rdp", "application": null, "started": "2026-11-25T00:06:00.000000000Z",
            "is_over": false, "client": {"ip": "198.51.100.7"}, "server": {"ip": "10.20.0.2"}, "user": "a\u{1b}[2J",
        }]});
        let page = shown("127.0.0.1:9787", &sensor, &incidents, &sessions);
        assert!(page.starts_with("spanwatch 0.1.0 at 127.0.0.1:9787, last packet 2026-11-25 00:11:56\n"), "{page}");
        assert!(page.contains("dropped 3 ") && page.contains("one-sided TCP 25 %"), "{page}");
        assert!(page.contains("  high       15.2 nats  since 2026-11-25 00:06:00  site 198.51.100.7\n"), "{page}");
        assert!(page.contains(" 198.51.100.7 > 10.20.0.2 a"), "{page}");
        assert!(page.contains("open  remote_desktop rdp ") && page.ends_with(" a\\u{1b}[2J\n"), "{page}");
        assert!(!page.contains('\u{1b}'));
    }
}
