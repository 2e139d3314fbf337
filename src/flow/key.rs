//! A packet's head in, the key of its flow out: the same for both directions.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::Head;
use crate::net::{Endpoint, Mac, Transport};

/// Both ends of a flow in their order, and what carries it. The ends are addresses, and MACs where there is no IP.
///
/// VLANs and tunnels are no part of it: a mirror sees a routed flow in two VLANs, and its directions in different
/// tunnels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key {
    low: [u64; 2],
    high: [u64; 2],
    low_port: u16,
    high_port: u16,
    transport: Transport,
    v6: bool,
}

/// One of the two ends of a [`Key`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Low,
    High,
}

impl End {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl Key {
    /// The key of the flow, and the end that sent the packet.
    pub(super) fn of(head: &Head) -> (Self, End) {
        let (source, target) = match head.transport {
            Transport::Link => ([0, mac_bits(head.source_mac)], [0, mac_bits(head.target_mac)]),
            _ => (bits(head.source.ip), bits(head.target.ip)),
        };
        let (source_port, target_port) = (head.source.port, head.target.port);
        let (transport, v6) = (head.transport, head.source.ip.is_ipv6());
        if (source, source_port) <= (target, target_port) {
            (Self { low: source, high: target, low_port: source_port, high_port: target_port, transport, v6 }, End::Low)
        } else {
            (
                Self { low: target, high: source, low_port: target_port, high_port: source_port, transport, v6 },
                End::High,
            )
        }
    }

    pub(super) fn endpoint(&self, end: End) -> Endpoint {
        let ([first, second], port) = match end {
            End::Low => (self.low, self.low_port),
            End::High => (self.high, self.high_port),
        };
        let ip = if self.transport == Transport::Link {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else if self.v6 {
            IpAddr::V6(Ipv6Addr::from_bits((u128::from(first) << 64) | u128::from(second)))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(second).unwrap_or(0)))
        };
        Endpoint::new(ip, port)
    }

    pub(super) const fn transport(&self) -> Transport {
        self.transport
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low_first, low_second] = self.low;
        let [high_first, high_second] = self.high;
        if self.v6 {
            state.write_u64(low_first);
            state.write_u64(high_first);
        }
        state.write_u64(low_second);
        state.write_u64(high_second);
        let ports = (u64::from(self.low_port) << 16) | u64::from(self.high_port);
        state.write_u64((ports << 8) | u64::from(self.transport.number()));
    }
}

fn mac_bits(mac: Option<Mac>) -> u64 {
    mac.map_or(0, Mac::bits)
}

/// The address as two halves, an IPv4 one in the second.
fn bits(ip: IpAddr) -> [u64; 2] {
    match ip {
        IpAddr::V4(ip) => [0, u64::from(ip.to_bits())],
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments().map(u64::from);
            [(a << 48) | (b << 32) | (c << 16) | d, (e << 48) | (f << 32) | (g << 16) | h]
        }
    }
}
