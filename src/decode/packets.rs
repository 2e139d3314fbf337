//! Packets out of their frames in, the same packets out later: so that several can wait, or go to another thread.

use super::{Head, Packet};

#[derive(Default)]
pub struct Packets {
    /// Each packet's head and where its payload ends.
    heads: Vec<(Head, usize)>,
    /// The payloads one after the other.
    payloads: Vec<u8>,
}

impl Packets {
    pub const fn len(&self) -> usize {
        self.heads.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub const fn payload_bytes(&self) -> usize {
        self.payloads.len()
    }

    pub fn push(&mut self, packet: &Packet<'_>) {
        self.payloads.extend_from_slice(packet.payload);
        self.heads.push((*packet.head, self.payloads.len()));
    }

    pub fn clear(&mut self) {
        self.heads.clear();
        self.payloads.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = Packet<'_>> + Clone {
        self.from(0, &self.heads)
    }

    /// The packets, so many at a time.
    pub fn groups(&self, len: usize) -> impl Iterator<Item = impl Iterator<Item = Packet<'_>> + Clone> {
        let starts = self.heads.chunks(len).scan(0, |next, heads| {
            let start = *next;
            *next = heads.last()?.1;
            Some(start)
        });
        starts.zip(self.heads.chunks(len)).map(|(start, heads)| self.from(start, heads))
    }

    fn from<'a>(&'a self, start: usize, heads: &'a [(Head, usize)]) -> impl Iterator<Item = Packet<'a>> + Clone {
        heads.iter().scan(start, |start, (head, end)| {
            let payload = self.payloads.get(*start..*end)?;
            *start = *end;
            Some(Packet { head, payload })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Frame, LinkType};
    use crate::decode::{Decoder, Limits};
    use crate::time::Timestamp;

    /// A UDP datagram over raw IPv4.
    fn frame(payload: &[u8]) -> Vec<u8> {
        let udp_len = 8 + payload.len() as u8;
        let ip = [0x45, 0, 0, 20 + udp_len, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        [&ip[..], &[0x9c, 0x40, 0, 53, 0, udp_len, 0, 0], payload].concat()
    }

    #[test]
    fn packets_come_out_as_they_went_in_alone_or_in_groups() {
        let mut decoder = Decoder::new(Limits::default());
        let mut packets = Packets::default();
        let payloads: [&[u8]; 5] = [b"a", b"", b"bcd", b"ef", b"g"];
        for (payload, seq) in payloads.iter().zip(0..) {
            let bytes = &frame(payload);
            let at = Timestamp::from_secs(seq);
            let frame = Frame { at, seq, link: LinkType::Raw, wire_len: bytes.len() as u32, bytes };
            packets.push(&decoder.decode(frame).unwrap());
        }
        assert_eq!((packets.len(), packets.payload_bytes()), (5, 7));
        let shown = |packet: Packet<'_>| (packet.head.seq, String::from_utf8(packet.payload.to_vec()).unwrap());
        let expected: Vec<_> = (0..).zip(["a", "", "bcd", "ef", "g"].map(str::to_owned)).collect();
        assert_eq!(packets.iter().map(shown).collect::<Vec<_>>(), expected);
        let groups: Vec<Vec<_>> = packets.groups(2).map(|group| group.map(shown).collect()).collect();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(groups.concat(), expected);
        packets.clear();
        assert!(packets.is_empty() && packets.groups(2).next().is_none());
    }
}
