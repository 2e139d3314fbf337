use super::*;
use crate::facts::{Direction, FlowId, FlowSummary};
use crate::net::{Endpoint, Transport};

/// A flow between two ends, written as `192.0.2.1:80` or `[2001:db8::1]:80`.
pub(crate) fn flow(client: &str, server: &str, transport: Transport) -> FlowRef {
    let end = |text: &str| {
        let end: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(end.ip(), end.port())
    };
    FlowRef {
        id: FlowId(1),
        client: end(client),
        server: end(server),
        transport,
        direction: Direction::Handshake,
        client_mac: None,
        server_mac: None,
        vlan: None,
        inner_vlan: None,
        tunnel: None,
        protocol: None,
        started: Timestamp::ZERO,
    }
}

pub(crate) fn fact(flow: FlowRef, at_secs: u64, kind: FactKind) -> Fact {
    Fact { at: Timestamp::from_secs(at_secs), seq: flow.id.0, flow, protocol: flow.protocol, kind }
}

pub(crate) fn fact_at(secs: u64, seq: u64) -> Fact {
    let flow = flow("10.0.0.1:1000", "192.0.2.1:443", Transport::Tcp);
    Fact { seq, ..fact(flow, secs, FactKind::Malformed("test")) }
}

pub(crate) fn summary(duration_secs: u64) -> FlowSummary {
    FlowSummary {
        client: SideSummary::default(),
        server: SideSummary::default(),
        duration: std::time::Duration::from_secs(duration_secs),
        client_rtt: None,
        server_rtt: None,
        flight_rtt: None,
        end: None,
    }
}

#[test]
fn the_reference_of_events_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md");
    let expected = catalogue::markdown();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == expected, "{} is out of date; UPDATE=1 cargo test writes it anew", path.display());
}
