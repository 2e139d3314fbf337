//! OpenVPN under a "scramble": the first messages of both sides in, a hello and a likely tunnel of OpenVPN's out.
//!
//! The patch that consumer VPNs carry turns each message's bytes over (`xormask` with a password, `xorptrpos` with their
//! place, `reverse`, or `obfuscate`: all of them) and leaves the lengths alone. A server's reset is 12 bytes longer than
//! the client's, for it names the client's session and acknowledges a packet. And whatever the mask is, it cancels out
//! between the two: of the opcodes, which stay in front, and of what both messages have in the same place.

use crate::facts::{Confidence, Fields, Hello, Sender, Statement, Tunnel, TunnelBasis};
use crate::net::Transport;
use crate::protocol::openvpn::{self, Framed, framed};
use crate::protocol::{ANY_BYTE, Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"openvpn-scramble"),
    transports: &[Transport::Tcp, Transport::Udp],
    opens_with: ANY_BYTE,
    probe,
    start: |start| Box::new(Scramble { transport: start.transport, reset: None, messages: 0 }),
    fields: &[FieldSpec { name: SCRAMBLE, help: "How the bytes are turned over: `xor`, `reverse` or `obfuscate`." }],
};

const SCRAMBLE: &str = "openvpn.scramble";

/// What a reset measures without more, with an HMAC of MD5, SHA-1, SHA-256 or SHA-512, and under tls-crypt.
const RESET_BYTES: [usize; 5] = [14, 38, 42, 54, 86];
/// The client's session and one acknowledgement.
const ANSWER_BYTES_MORE: usize = 12;
/// A client's reset (opcode 7) against a server's (opcode 8), each before a key's number.
const OPCODES: u8 = CLIENT_RESET ^ (8 << 3);
const CLIENT_RESET: u8 = 7 << 3;
/// Opcode and session.
const HEAD_BYTES: usize = 9;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.sender == Sender::Server {
        return Probe::No;
    }
    let len = match opening.transport {
        Transport::Tcp => match framed(opening.bytes) {
            Framed::Message { message, .. } => message.len(),
            Framed::Wanting { len } if len.is_none_or(|len| RESET_BYTES.contains(&len)) => return Probe::More,
            Framed::Wanting { .. } => return Probe::No,
        },
        _ => opening.bytes.len(),
    };
    if RESET_BYTES.contains(&len) { Probe::Match } else { Probe::No }
}

struct Scramble {
    transport: Transport,
    /// The client's first message; it may repeat it with another counter in it.
    reset: Option<Box<[u8]>>,
    messages: u32,
}

impl Scramble {
    /// A client repeats itself a few times at most before it is answered.
    const MESSAGES_MAX: u32 = 4;

    fn on_message(&mut self, message: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        self.messages = self.messages.saturating_add(1);
        match (message.sender, &self.reset) {
            (Sender::Client, _)
                if self.messages <= Self::MESSAGES_MAX && RESET_BYTES.contains(&message.bytes.len()) =>
            {
                self.reset.get_or_insert_with(|| message.bytes.into());
                Progress::Continue { consumed: 0 }
            }
            (Sender::Server, Some(reset)) => {
                let Some(scramble) = scramble(reset, message.bytes) else { return Progress::Reject };
                let mut fields = Fields::default();
                fields.push(SCRAMBLE, scramble);
                let protocol = Some(openvpn::SPEC.protocol);
                let tunnel = Tunnel { protocol, fields, ..Tunnel::new(TunnelBasis::Lengths, Confidence::Likely, true) };
                facts.push(Statement::Hello(Box::new(Hello::new(Sender::Client))));
                facts.push(Statement::Tunnel(Box::new(tunnel)));
                Progress::Done
            }
            _ => Progress::Reject,
        }
    }
}

impl Parser for Scramble {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        if self.transport != Transport::Tcp {
            return self.on_message(chunk, facts);
        }
        let mut consumed = 0_usize;
        loop {
            match framed(chunk.bytes.get(consumed..).unwrap_or_default()) {
                Framed::Message { message, consumed: len } => {
                    match self.on_message(Chunk { bytes: message, ..chunk }, facts) {
                        Progress::Continue { .. } => consumed = consumed.saturating_add(len),
                        other => return other,
                    }
                }
                Framed::Wanting { len } if len.is_some_and(|len| len > RESET_BYTES_MAX) => return Progress::Reject,
                Framed::Wanting { .. } => return Progress::Continue { consumed },
            }
        }
    }
}

const RESET_BYTES_MAX: usize = 86 + ANSWER_BYTES_MORE;

/// How both resets are scrambled; none where they are not, or not in a known way.
fn scramble(client: &[u8], server: &[u8]) -> Option<&'static str> {
    if client.len().checked_add(ANSWER_BYTES_MORE) != Some(server.len()) {
        return None;
    }
    let between = Between { client, server };
    if between.at(0)? != OPCODES || client.get(1..HEAD_BYTES) == server.get(1..HEAD_BYTES) {
        return None;
    }
    if between.is_in_place()? {
        // A first byte that is left alone is OpenVPN's own, unless the rest is turned over.
        return (client.first() != Some(&CLIENT_RESET)).then_some("xor");
    }
    let is_reversed = |turn: fn(u8, u8) -> u8| {
        (1..=4_u8)
            .all(|at| between.at(usize::from(at)) == Some(turn(number_of_end(client, at), number_of_end(server, at))))
    };
    if is_reversed(|_, _| 0) {
        return Some("reverse");
    }
    is_reversed(|client, server| client ^ server).then_some("obfuscate")
}

/// The difference of two messages, in which a mask over their places is gone.
struct Between<'a> {
    client: &'a [u8],
    server: &'a [u8],
}

impl Between<'_> {
    fn at(&self, place: usize) -> Option<u8> {
        Some(self.client.get(place)? ^ self.server.get(place)?)
    }

    /// Whether what both messages have in the same place is there: behind the head the acknowledgements, none of the
    /// client's and one of the server's, and the number 0; or behind an HMAC, or under tls-crypt at once, the replay
    /// counter 1 of each.
    fn is_in_place(&self) -> Option<bool> {
        let is = |at: usize, difference: &[u8]| {
            let places = at..at.saturating_add(difference.len());
            Some(places.map(|place| self.at(place)).collect::<Option<Vec<u8>>>()? == difference)
        };
        let plain_bytes = HEAD_BYTES.saturating_add(5);
        if self.client.len() == plain_bytes {
            return is(HEAD_BYTES, &[1, 0, 0, 0, 0]);
        }
        let hmac_bytes = self.client.len().checked_sub(plain_bytes.saturating_add(8))?;
        let is_authenticated = is(HEAD_BYTES.saturating_add(hmac_bytes), &[0; 4])?;
        Some(is_authenticated || is(HEAD_BYTES, &[0; 4])?)
    }
}

/// The number that `xorptrpos` gives the place which a reversal brings to `at`.
fn number_of_end(message: &[u8], at: u8) -> u8 {
    let len = u8::try_from(message.len()).unwrap_or(0);
    len.wrapping_sub(at).wrapping_add(1)
}

#[cfg(test)]
#[path = "scramble_tests.rs"]
pub(crate) mod tests;
