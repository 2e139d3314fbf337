//! Conversations that nobody has: those of all protocols, cut, joined, turned round and mixed at random. Whatever is said, a
//! stream says it however it is cut.

use crate::facts::Sender;
use crate::net::Transport;
use crate::protocol::tests::{Fixture, fixtures, shown};

/// Numbers without order (xorshift), the same at each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 32) % bound.max(1) as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// How many are tried; more by the variable of this name.
const SPLICES: usize = 3000;

#[test]
fn a_spliced_stream_says_the_same_however_it_is_cut() {
    let known: Vec<Fixture> = fixtures().into_iter().filter(|fixture| fixture.transport == Transport::Tcp).collect();
    let splices = std::env::var("SPLICES").ok().and_then(|count| count.parse().ok()).unwrap_or(SPLICES);
    let seed = std::env::var("SPLICES_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15 ^ seed);
    for number in 0..splices {
        let fixture = spliced(&known, &mut draw);
        let whole = shown(&fixture.facts());
        let cut =
            fixture.chunks.iter().flat_map(|(sender, bytes)| pieces(*sender, bytes, &mut draw)).collect::<Vec<_>>();
        let of_bytes = shown(&fixture.facts_by_bytes());
        assert_eq!(of_bytes, whole, "splice {number}, byte by byte: {}", described(&fixture));
        assert_eq!(shown(&fixture.facts_of(&cut)), whole, "splice {number}, cut: {}", described(&fixture));
    }
}

fn spliced(known: &[Fixture], draw: &mut Draw) -> Fixture {
    let mut fixture = draw.of(known).clone();
    if draw.one_in(3) {
        let other = draw.of(known);
        (fixture.client_port, fixture.server_port) = (other.client_port, other.server_port);
    }
    for _ in 0..1 + draw.below(4) {
        let at = draw.below(fixture.chunks.len() + 1);
        let other = draw.of(known);
        let (sender, bytes) = draw.of(&other.chunks).clone();
        match (draw.below(7), fixture.chunks.get_mut(at)) {
            (0, Some(chunk)) => chunk.1.truncate(draw.below(chunk.1.len())),
            (1, Some(chunk)) => chunk.0 = chunk.0.other(),
            (2, Some(_)) => drop(fixture.chunks.remove(at)),
            (3, Some(chunk)) => chunk.1.extend(bytes),
            (4, Some(chunk)) if !chunk.1.is_empty() => {
                let place = draw.below(chunk.1.len());
                chunk.1[place] = u8::try_from(draw.below(256)).unwrap();
            }
            (5, _) => {
                let junk = (0..1 + draw.below(40)).map(|_| u8::try_from(draw.below(256)).unwrap()).collect();
                fixture.chunks.insert(at, (sender, junk));
            }
            _ => fixture.chunks.insert(at, (sender, bytes)),
        }
    }
    fixture
}

fn pieces(sender: Sender, bytes: &[u8], draw: &mut Draw) -> Vec<(Sender, Vec<u8>)> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(1 + draw.below(rest.len()));
        pieces.push((sender, piece.to_vec()));
        rest = behind;
    }
    pieces
}

fn described(fixture: &Fixture) -> String {
    let turns = fixture.chunks.iter().map(|(sender, bytes)| format!("{sender:?} \"{}\"", bytes.escape_ascii()));
    format!("{} to {}: {}", fixture.client_port, fixture.server_port, turns.collect::<Vec<_>>().join(", "))
}
