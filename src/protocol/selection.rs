//! The first byte of an opening in, the protocols that can begin with it out: one look-up selects who is probed.

use std::sync::OnceLock;

use crate::net::Transport;
use crate::protocol::{ALL, COUNT_MAX, Opening, Probe, Protocol, ProtocolSpec};

/// A set of protocols, a bit each in probing order. Every flow that is read has several of them: a `u128` would hold twice as
/// many, and take 8 MB of a million flows.
pub(super) type Set = u64;

const _: () = assert!(COUNT_MAX == Set::BITS as usize);

/// A list of protocols in probing order, and by transport and first byte the set of those to probe.
pub(super) struct Selection {
    specs: &'static [&'static ProtocolSpec],
    ah: [Set; 256],
    esp: [Set; 256],
    l2tp: [Set; 256],
    link: [Set; 256],
    tcp: [Set; 256],
    udp: [Set; 256],
}

impl Selection {
    pub(super) fn of(specs: &'static [&'static ProtocolSpec]) -> Self {
        let table = |transport: Transport| {
            let mut table: [Set; 256] = [0; 256];
            for (byte, set) in (0_u8..=0xff).zip(&mut table) {
                for (bit, spec) in (0..).map(bit).zip(specs) {
                    let opens = spec.opens_with.iter().any(|&(low, high)| (low..=high).contains(&byte));
                    if opens && spec.transports.contains(&transport) {
                        *set |= bit;
                    }
                }
            }
            table
        };
        let (ah, esp, link) = (table(Transport::Ah), table(Transport::Esp), table(Transport::Link));
        let (l2tp, tcp, udp) = (table(Transport::L2tp), table(Transport::Tcp), table(Transport::Udp));
        Self { specs, ah, esp, l2tp, link, tcp, udp }
    }

    /// The set of those that can begin with these bytes.
    pub(super) fn candidates(&self, transport: Transport, bytes: &[u8]) -> Set {
        let table = match transport {
            Transport::Ah => &self.ah,
            Transport::Esp => &self.esp,
            Transport::L2tp => &self.l2tp,
            Transport::Link => &self.link,
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        };
        bytes.first().and_then(|&byte| table.get(usize::from(byte))).copied().unwrap_or(0)
    }

    /// The members of a set with their bits, in probing order.
    pub(super) fn members(&self, mut set: Set) -> impl Iterator<Item = (Set, &'static ProtocolSpec)> + use<> {
        let specs = self.specs;
        std::iter::from_fn(move || {
            let index = set.trailing_zeros();
            let spec = specs.get(usize::try_from(index).ok()?).copied()?;
            set &= !bit(index);
            Some((bit(index), spec))
        })
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

/// Whether an opening is that of another protocol than this one, in whichever role.
pub(super) fn is_anothers(opening: &Opening<'_>, own: Protocol) -> bool {
    let selection = of_all();
    let mut candidates = selection.members(selection.candidates(opening.transport, opening.bytes));
    let is_of = |spec: &ProtocolSpec| matches!((spec.probe)(opening), Probe::Match | Probe::Reversed);
    candidates.any(|(_, spec)| spec.protocol != own && is_of(spec))
}

/// The selection over [`ALL`].
pub(super) fn of_all() -> &'static Selection {
    static SELECTION: OnceLock<Selection> = OnceLock::new();
    const { assert!(ALL.len() <= COUNT_MAX, "more protocols than a set of candidates holds") };
    SELECTION.get_or_init(|| Selection::of(ALL))
}

const fn bit(index: u32) -> Set {
    (1 as Set).wrapping_shl(index)
}
