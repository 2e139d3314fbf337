//! The first byte of an opening in, the protocols that can begin with it out: one look-up selects who is probed.

use std::sync::OnceLock;

use crate::net::Transport;
use crate::protocol::{ALL, COUNT_MAX, Opening, Probe, Protocol, ProtocolSpec};

/// A list of protocols in probing order, and by transport and first byte the set of those to probe.
pub(super) struct Selection {
    specs: &'static [&'static ProtocolSpec],
    ah: [u64; 256],
    esp: [u64; 256],
    link: [u64; 256],
    tcp: [u64; 256],
    udp: [u64; 256],
}

impl Selection {
    pub(super) fn of(specs: &'static [&'static ProtocolSpec]) -> Self {
        let table = |transport: Transport| {
            let mut table = [0_u64; 256];
            for (byte, set) in (0_u8..=0xff).zip(&mut table) {
                for (bit, spec) in bits().zip(specs) {
                    let opens = spec.opens_with.iter().any(|&(low, high)| (low..=high).contains(&byte));
                    if opens && spec.transports.contains(&transport) {
                        *set |= bit;
                    }
                }
            }
            table
        };
        let (ah, esp, link) = (table(Transport::Ah), table(Transport::Esp), table(Transport::Link));
        Self { specs, ah, esp, link, tcp: table(Transport::Tcp), udp: table(Transport::Udp) }
    }

    /// The set of those that can begin with these bytes, a bit each in probing order.
    pub(super) fn candidates(&self, transport: Transport, bytes: &[u8]) -> u64 {
        let table = match transport {
            Transport::Ah => &self.ah,
            Transport::Esp => &self.esp,
            Transport::Link => &self.link,
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        };
        bytes.first().and_then(|&byte| table.get(usize::from(byte))).copied().unwrap_or(0)
    }

    /// The members of a set with their bits, in probing order.
    pub(super) fn members(&self, set: u64) -> impl Iterator<Item = (u64, &'static ProtocolSpec)> + use<> {
        bits().zip(self.specs.iter().copied()).filter(move |(bit, _)| set & bit != 0)
    }

    pub(super) fn spec(&self, protocol: Protocol) -> Option<&'static ProtocolSpec> {
        self.specs.iter().copied().find(|spec| spec.protocol == protocol)
    }
}

/// What is spoken within a tunnel.
pub(super) enum Inner {
    /// It cannot be told yet.
    More,
    None,
    Protocol(Protocol),
}

/// What the first bytes within a tunnel are. Whoever speaks them in the wrong role is nobody.
pub(super) fn inner(opening: &Opening<'_>) -> Inner {
    let selection = of_all();
    let mut waits = false;
    for (_, spec) in selection.members(selection.candidates(opening.transport, opening.bytes)) {
        match (spec.probe)(opening) {
            Probe::Match => return Inner::Protocol(spec.protocol),
            Probe::More => waits = true,
            Probe::No | Probe::Reversed => {}
        }
    }
    if waits { Inner::More } else { Inner::None }
}

/// The selection over [`ALL`].
pub(super) fn of_all() -> &'static Selection {
    static SELECTION: OnceLock<Selection> = OnceLock::new();
    const { assert!(ALL.len() <= COUNT_MAX, "more protocols than a set of candidates holds") };
    SELECTION.get_or_init(|| Selection::of(ALL))
}

fn bits() -> impl Iterator<Item = u64> {
    (0..u64::BITS).map(|index| 1_u64.wrapping_shl(index))
}
