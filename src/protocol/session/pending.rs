//! What a side sent and a parser has not consumed in, the same before what comes next out.

use crate::facts::Sender;

/// By the protocol's role, not the flow's. Most parsers consume everything at once: it takes no memory until one does not.
#[derive(Default)]
pub(super) struct Pending(Option<Box<Sides>>);

#[derive(Default)]
struct Sides {
    client: Vec<u8>,
    server: Vec<u8>,
}

impl Pending {
    pub(super) fn take(&mut self, sender: Sender) -> Vec<u8> {
        self.0.as_mut().map(|sides| std::mem::take(sides.of(sender))).unwrap_or_default()
    }

    pub(super) fn keep(&mut self, sender: Sender, bytes: Vec<u8>) {
        if bytes.capacity() > 0 {
            *self.0.get_or_insert_default().of(sender) = bytes;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |sides| sides.client.len().saturating_add(sides.server.len()))
    }
}

impl Sides {
    const fn of(&mut self, sender: Sender) -> &mut Vec<u8> {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_gets_back_its_own_and_once() {
        let mut pending = Pending::default();
        assert_eq!((pending.take(Sender::Client), pending.len()), (vec![], 0));
        pending.keep(Sender::Client, vec![1, 2]);
        pending.keep(Sender::Server, vec![3]);
        assert_eq!(pending.len(), 3);
        assert_eq!((pending.take(Sender::Client), pending.len()), (vec![1, 2], 1));
        assert_eq!((pending.take(Sender::Client), pending.take(Sender::Server)), (vec![], vec![3]));
    }
}
