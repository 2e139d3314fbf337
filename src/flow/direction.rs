//! The first packet of a flow in, who opened it out.

use crate::decode::{Head, TcpHeader};
use crate::facts::Direction;
use crate::net::{Endpoint, Network};

/// Whether the sender of a flow's first packet is its client or its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opener {
    Source,
    Target,
}

/// Who opened the flow whose first packet this is, and how that is known.
///
/// A handshake says it. Amid a TCP flow the home networks decide: the side at home is the client, but where it uses a
/// system port (RFC 6335 section 6) and the other does not. Without them the lower port is the server's. Of a datagram
/// the sender is the client, until a parser knows better.
pub(super) fn opener(head: &Head, home_networks: &[Network]) -> (Opener, Direction) {
    let Some(tcp) = &head.tcp else {
        return (Opener::Source, Direction::Guess);
    };
    if tcp.has(TcpHeader::SYN) {
        return (if tcp.has(TcpHeader::ACK) { Opener::Target } else { Opener::Source }, Direction::Handshake);
    }
    let is_home = |end: Endpoint| home_networks.iter().any(|network| network.contains(end.ip));
    let is_service = |end: Endpoint| end.port < SYSTEM_PORTS_END;
    let (source, target) = (head.source, head.target);
    match (is_home(source), is_home(target)) {
        (true, false) if !is_service(source) || is_service(target) => (Opener::Source, Direction::HomeNetwork),
        (false, true) if !is_service(target) || is_service(source) => (Opener::Target, Direction::HomeNetwork),
        _ if source.port < target.port => (Opener::Target, Direction::Guess),
        _ => (Opener::Source, Direction::Guess),
    }
}

const SYSTEM_PORTS_END: u16 = 1024;
