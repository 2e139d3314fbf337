//! The signatures of open flows in, each of them kept once: flows are many, and their stacks few.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::SynSignature;
use crate::index::Index;
use crate::slab::{Slab, Slot};

/// As many entries at most as there are sides of open flows. Whoever keeps a signature gives it back.
pub(in crate::flow) struct Signatures {
    hasher: DefaultHashBuilder,
    index: Index,
    entries: Slab<Entry>,
}

struct Entry {
    signature: SynSignature,
    /// Of the signature, as the index knows it.
    hash: u32,
    /// How many sides of flows have it.
    sides: u32,
}

/// Where the signature of a side is kept; nowhere, where its SYN was not seen.
#[derive(Clone, Copy, Debug)]
pub(in crate::flow) struct SignaturePlace(Slot);

impl SignaturePlace {
    pub(in crate::flow) const NONE: Self = Self(Slot::NONE);
}

impl Signatures {
    pub(in crate::flow) fn new() -> Self {
        Self { hasher: DefaultHashBuilder::default(), index: Index::new(), entries: Slab::new() }
    }

    pub(in crate::flow) const fn allocated_bytes(&self) -> usize {
        self.index.allocated_bytes().saturating_add(self.entries.allocated_bytes())
    }

    pub(in crate::flow) fn keep(&mut self, signature: SynSignature) -> SignaturePlace {
        let hash = u32::try_from(self.hasher.hash_one(signature) >> 32).unwrap_or(0);
        let is_it = |slot: Slot| self.entries.get(slot).is_some_and(|entry| entry.signature == signature);
        let known = self.index.find(hash, is_it);
        if let Some(entry) = known.and_then(|slot| self.entries.get_mut(slot)) {
            entry.sides = entry.sides.saturating_add(1);
        }
        SignaturePlace(known.unwrap_or_else(|| {
            let slot = self.entries.insert(Entry { signature, hash, sides: 1 });
            self.index.insert(hash, slot);
            slot
        }))
    }

    pub(in crate::flow) fn get(&self, SignaturePlace(slot): SignaturePlace) -> Option<SynSignature> {
        self.entries.get(slot).map(|entry| entry.signature)
    }

    /// A side that has kept a signature is no more.
    pub(in crate::flow) fn give_back(&mut self, SignaturePlace(slot): SignaturePlace) {
        let Some(entry) = self.entries.get_mut(slot) else {
            return;
        };
        entry.sides = entry.sides.saturating_sub(1);
        if entry.sides == 0 {
            self.index.remove(entry.hash, slot);
            self.entries.vacate(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(window: u16) -> SynSignature {
        format!("4:57+7:0:1460:{window},7:mss,sok,ts,nop,ws:df,id+:0").parse().unwrap()
    }

    #[test]
    fn a_signature_is_kept_once_and_as_long_as_a_side_has_it() {
        let mut signatures = Signatures::new();
        let places = [1, 2, 1].map(|window| signatures.keep(signature(window)));
        let shown = |signatures: &Signatures| {
            (places.map(|place| signatures.get(place).map(|kept| kept.window)), signatures.entries.len())
        };
        assert_eq!(shown(&signatures), ([Some(1), Some(2), Some(1)], 2));
        signatures.give_back(places[0]);
        assert_eq!(shown(&signatures), ([Some(1), Some(2), Some(1)], 2));
        signatures.give_back(places[2]);
        assert_eq!(shown(&signatures), ([None, Some(2), None], 1));
        signatures.give_back(SignaturePlace::NONE);
        assert_eq!(signatures.get(SignaturePlace::NONE), None);
        assert_eq!(signatures.keep(signature(1)).0, places[0].0, "and the place is free for another");
    }
}
