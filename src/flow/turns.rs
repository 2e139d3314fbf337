//! The packets of a shell that brought payload in, who begins and who answers out.
//!
//! In an ordinary session of SSH the client begins: a key goes to the server, its echo comes back. Where the client lets
//! somebody in through the session (`ssh -R`), or shows the windows of the server's programs (X11 forwarding), the server
//! begins, and the client answers faster than a hand. It is a likelihood: whoever runs a program at the server that asks
//! the client at odd intervals looks the same.

use std::time::Duration;

use crate::facts::Sender;
use crate::time::Timestamp;

/// Counts the small packets of the server after silence, and those that the client answered at once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last_payload: Option<Timestamp>,
    /// When the server last began, and whether that waits for an answer.
    server_began: Option<Timestamp>,
    is_waiting: bool,
    last_gap: Option<Duration>,
    begun: u32,
    answered: u32,
}

impl Turns {
    /// A packet with no more payload is input, not output.
    const SMALL_BYTES_MAX: u32 = 200;
    /// Silence of both sides after which a packet of the server is no echo, beside the way to it and back.
    const SILENCE_MIN: Duration = Duration::from_millis(50);
    /// A program has answered by then, a hand has not, beside the way to the client and back.
    const ANSWER_MAX: Duration = Duration::from_millis(30);
    /// Hands do not rest for longer; who asks whether the other side is still there does.
    const GAP_MAX: Duration = Duration::from_secs(8);
    /// Gaps that are as equal are a clock's.
    const CLOCK_JITTER: Duration = Duration::from_millis(10);
    /// So many beginnings tell, and of ten of them so many that were answered.
    const BEGUN_MIN: u32 = 20;
    const ANSWERED_OF_TEN: u32 = 8;

    /// A packet with `fresh` bytes of payload; the round trips are those of the handshake from the tap.
    pub(super) fn on_payload(
        &mut self,
        at: Timestamp,
        sender: Sender,
        fresh: u32,
        (client_rtt, server_rtt): (Duration, Duration),
    ) {
        let silence = self.last_payload.replace(at).map(|last| at.since(last));
        match sender {
            Sender::Client => self.on_client(at, client_rtt),
            Sender::Server => {
                self.is_waiting = false;
                let is_echo = silence
                    .is_none_or(|silence| silence < Self::SILENCE_MIN.saturating_add(server_rtt.saturating_mul(2)));
                if !is_echo && fresh <= Self::SMALL_BYTES_MAX {
                    self.on_begin(at);
                }
            }
        }
    }

    /// Whether the server begins and the client answers, as far as it can be told.
    pub(super) fn are_reversed(&self) -> bool {
        self.begun >= Self::BEGUN_MIN
            && self.answered.saturating_mul(10) >= self.begun.saturating_mul(Self::ANSWERED_OF_TEN)
    }

    fn on_begin(&mut self, at: Timestamp) {
        let gap = self.server_began.replace(at).map(|last| at.since(last));
        let last_gap = std::mem::replace(&mut self.last_gap, gap);
        let Some(gap) = gap.filter(|&gap| gap <= Self::GAP_MAX) else { return };
        if last_gap.is_some_and(|last| last.abs_diff(gap) < Self::CLOCK_JITTER && gap >= Duration::from_secs(1)) {
            return;
        }
        self.begun = self.begun.saturating_add(1);
        self.is_waiting = true;
    }

    fn on_client(&mut self, at: Timestamp, client_rtt: Duration) {
        let is_waiting = std::mem::take(&mut self.is_waiting);
        let began = self.server_began.filter(|_| is_waiting);
        if began.is_some_and(|began| at.since(began) <= Self::ANSWER_MAX.saturating_add(client_rtt)) {
            self.answered = self.answered.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_BYTES: u32 = 36;
    const TAP: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(60));

    /// Keys at a person's pace: one side types, and the other answers so long after.
    fn typed(typist: Sender, keys: u64, answer: Duration) -> Turns {
        let mut turns = Turns::default();
        let mut at = Timestamp::from_secs(1000);
        for key in 0..keys {
            at = at + Duration::from_millis(200 + key * 53 % 170);
            turns.on_payload(at, typist, KEY_BYTES, TAP);
            turns.on_payload(at + answer, typist.other(), KEY_BYTES, TAP);
        }
        turns
    }

    #[test]
    fn keys_of_the_server_that_the_client_answers_at_once_are_a_reversed_session() {
        let enough = u64::from(Turns::BEGUN_MIN);
        // The first key has nothing before it that it could be told from.
        assert!(!typed(Sender::Server, enough, Duration::from_millis(3)).are_reversed());
        assert!(typed(Sender::Server, enough + 2, Duration::from_millis(3)).are_reversed());
    }

    #[test]
    fn keys_of_the_client_and_answers_of_a_hand_are_an_ordinary_one() {
        assert!(!typed(Sender::Client, 500, Duration::from_millis(61)).are_reversed());
        assert!(!typed(Sender::Server, 500, Duration::from_millis(60)).are_reversed());
    }

    #[test]
    fn questions_by_the_clock_and_pictures_begin_nothing() {
        for (gap, bytes) in [
            (Duration::from_secs(5), KEY_BYTES),
            (Duration::from_secs(60), KEY_BYTES),
            (Duration::from_millis(300), 1400),
        ] {
            let mut turns = Turns::default();
            for question in 0..100 {
                let at = Timestamp::from_secs(1000) + gap * question;
                turns.on_payload(at, Sender::Server, bytes, TAP);
                turns.on_payload(at + Duration::from_millis(1), Sender::Client, KEY_BYTES, TAP);
            }
            assert!(!turns.are_reversed(), "{gap:?} {bytes}: {turns:?}");
        }
    }

    #[test]
    fn a_client_that_goes_on_as_soon_as_it_was_answered_is_an_ordinary_one() {
        let mut turns = Turns::default();
        let mut at = Timestamp::from_secs(1000);
        for step in 0..200 {
            turns.on_payload(at, Sender::Client, 100, TAP);
            at = at + TAP.1 + Duration::from_millis(step % 40);
            turns.on_payload(at, Sender::Server, KEY_BYTES, TAP);
            at = at + Duration::from_millis(1);
        }
        assert!(!turns.are_reversed());
    }
}
