//! The packets of a TCP handshake and of the first answers in, round trips out.

use std::num::NonZeroU16;
use std::time::Duration;

use crate::facts::Sender;
use crate::time::Timestamp;

/// How far the opening of a flow has come, and what was measured on the way.
///
/// ```text
///  client          tap          server
///     │── SYN ──────┼─────────────▶│  ┐ server_rtt
///     │◀────────────┼─── SYN/ACK ──│  ┘ ┐ client_rtt
///     │── ACK ──────┼─────────────▶│    ┘
///     │── question ─┼─────────────▶│
///     │◀────────────┼──── flight ──│
///     │◀────────────┼── …its last ─│  ┐ flight_rtt
///     │── answer ───┼─────────────▶│  ┘
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    stage: Stage,
    /// The IPv4 identification of the first SYN, where it says anything.
    syn_id: Option<NonZeroU16>,
    /// When the packet of the stage was seen; none where it was repeated, because then it is not known which one was
    /// answered (Karn's rule).
    mark: Option<Lapse>,
    client_rtt: Option<Lapse>,
    server_rtt: Option<Lapse>,
    flight_rtt: Option<Lapse>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Nothing, or packets from amid the flow: what comes first is not seen.
    Unseen,
    Syn,
    SynAck,
    /// The handshake is over and the client has not spoken.
    Open,
    Question,
    Flight,
    Over,
}

impl Timing {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Unseen, syn_id: None, mark: None, client_rtt: None, server_rtt: None, flight_rtt: None }
    }

    pub(super) const fn client_rtt(&self) -> Option<Duration> {
        Lapse::duration(self.client_rtt)
    }

    pub(super) const fn server_rtt(&self) -> Option<Duration> {
        Lapse::duration(self.server_rtt)
    }

    pub(super) const fn flight_rtt(&self) -> Option<Duration> {
        Lapse::duration(self.flight_rtt)
    }

    pub(super) fn syn_id(&self) -> Option<u16> {
        self.syn_id.map(NonZeroU16::get)
    }

    pub(super) fn on_syn(&mut self, at: Timestamp, ip_id: Option<u16>) {
        match self.stage {
            Stage::Unseen => {
                self.syn_id = ip_id.and_then(NonZeroU16::new);
                self.enter(Stage::Syn, at);
            }
            Stage::Syn => self.mark = None,
            _ => {}
        }
    }

    pub(super) fn on_syn_ack(&mut self, at: Timestamp) {
        match self.stage {
            Stage::Unseen => self.enter(Stage::SynAck, at),
            Stage::Syn => {
                self.server_rtt = self.since_mark(at);
                self.enter(Stage::SynAck, at);
            }
            Stage::SynAck => self.mark = None,
            _ => {}
        }
    }

    /// A packet with ACK and without SYN; `fresh` where it brought payload that was not seen before.
    pub(super) fn on_ack(&mut self, at: Timestamp, sender: Sender, fresh: bool) {
        match (self.stage, sender) {
            (Stage::Over | Stage::Unseen | Stage::Syn, _) => return,
            (Stage::SynAck, Sender::Client) => {
                self.client_rtt = self.since_mark(at);
                self.enter(Stage::Open, at);
            }
            _ => {}
        }
        match (self.stage, sender) {
            (Stage::Open, Sender::Client) if fresh => self.enter(Stage::Question, at),
            (Stage::Question | Stage::Flight, Sender::Server) if fresh => self.enter(Stage::Flight, at),
            (Stage::Flight, Sender::Client) if fresh => {
                self.flight_rtt = self.since_mark(at);
                self.enter(Stage::Over, at);
            }
            _ => {}
        }
    }

    const fn enter(&mut self, stage: Stage, at: Timestamp) {
        self.stage = stage;
        self.mark = Some(Lapse::from_nanos(at.as_nanos()));
    }

    fn since_mark(&self, at: Timestamp) -> Option<Lapse> {
        let mark = self.mark?;
        Some(Lapse::from_nanos(at.as_nanos().saturating_sub(mark.nanos())))
    }
}

/// Nanoseconds, such that an `Option` of it takes no more memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Lapse(std::num::NonZeroU64);

impl Lapse {
    const fn from_nanos(nanos: u64) -> Self {
        Self(std::num::NonZeroU64::MIN.saturating_add(nanos))
    }

    const fn nanos(self) -> u64 {
        self.0.get().saturating_sub(1)
    }

    const fn duration(lapse: Option<Self>) -> Option<Duration> {
        match lapse {
            Some(lapse) => Some(Duration::from_nanos(lapse.nanos())),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn shown(timing: &Timing) -> [Option<u128>; 3] {
        [timing.server_rtt(), timing.client_rtt(), timing.flight_rtt()].map(|rtt| rtt.map(|rtt| rtt.as_millis()))
    }

    fn opened() -> Timing {
        let mut timing = Timing::new();
        timing.on_syn(ms(0), Some(7));
        timing.on_syn_ack(ms(2));
        timing.on_ack(ms(32), Sender::Client, false);
        timing
    }

    #[test]
    fn a_tls_handshake_gives_three_round_trips() {
        let mut timing = opened();
        timing.on_ack(ms(33), Sender::Client, true);
        timing.on_ack(ms(34), Sender::Server, false);
        timing.on_ack(ms(35), Sender::Server, true);
        timing.on_ack(ms(36), Sender::Server, true);
        timing.on_ack(ms(70), Sender::Client, false);
        timing.on_ack(ms(186), Sender::Client, true);
        timing.on_ack(ms(500), Sender::Server, true);
        timing.on_ack(ms(900), Sender::Client, true);
        assert_eq!(shown(&timing), [Some(2), Some(30), Some(150)]);
    }

    #[test]
    fn a_repeated_handshake_packet_is_measured_by_nobody() {
        let mut timing = Timing::new();
        timing.on_syn(ms(0), Some(7));
        timing.on_syn(ms(1000), Some(8));
        timing.on_syn_ack(ms(1002));
        assert_eq!(shown(&timing), [None, None, None]);
        assert_eq!(timing.syn_id(), Some(7));
        timing.on_syn_ack(ms(1500));
        timing.on_ack(ms(1501), Sender::Client, false);
        assert_eq!(shown(&timing), [None, None, None]);
    }

    #[test]
    fn a_server_that_speaks_first_has_not_answered() {
        let mut timing = opened();
        timing.on_ack(ms(40), Sender::Server, true);
        timing.on_ack(ms(41), Sender::Client, true);
        timing.on_ack(ms(45), Sender::Server, true);
        timing.on_ack(ms(60), Sender::Client, true);
        assert_eq!(shown(&timing), [Some(2), Some(30), Some(15)]);
    }

    #[test]
    fn amid_a_flow_nothing_is_measured() {
        let mut timing = Timing::new();
        timing.on_ack(ms(1), Sender::Client, true);
        timing.on_ack(ms(2), Sender::Server, true);
        timing.on_ack(ms(3), Sender::Client, true);
        assert_eq!(shown(&timing), [None, None, None]);
    }
}
