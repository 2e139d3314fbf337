//! A stream whose beginning was not seen, or that has a hole before anybody knows it: the first segments of a side may end
//! what went before, and a later one be the opening of something.

use crate::facts::{Sender, Statement};
use crate::protocol::session::late::Late;
use crate::protocol::session::proxy::Preamble;
use crate::protocol::session::{Candidates, Session, State};
use crate::protocol::{Progress, Protocol};

/// What was asked about in vain.
#[derive(Default)]
pub(super) struct Midway {
    /// How often what a side sent was the beginning of nothing.
    client: u8,
    server: u8,
    /// A stream that was seen from its beginning has a hole.
    is_behind_hole: bool,
    /// What was sent by a side that nobody is asked about any more.
    passed_bytes: u32,
}

impl Midway {
    pub(super) const fn is_behind_hole(&self) -> bool {
        self.is_behind_hole
    }

    const fn beginnings(&mut self, sender: Sender) -> &mut u8 {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }

    const fn is_used_up(&self, sender: Sender) -> bool {
        let beginnings = match sender {
            Sender::Client => self.client,
            Sender::Server => self.server,
        };
        beginnings >= Session::BEGINNINGS_MAX
    }
}

impl Session {
    /// `len` bytes of the flow's `sender` were lost.
    pub fn on_gap(&mut self, sender: Sender, len: u32, facts: &mut Vec<(Protocol, Statement)>) {
        if sender == Sender::Client {
            self.preamble = Preamble::Over;
        }
        self.end_turn(facts);
        match &mut self.state {
            State::Done => {}
            State::Unknown => self.finish(),
            State::Probing(candidates) => {
                let candidates = *candidates;
                self.begin_behind_hole(sender, len, candidates);
            }
            State::Parsing(parsing) => {
                let sender = self.roles.of(sender);
                parsing.pending.take(sender);
                match parsing.parser.on_gap(sender, len) {
                    Progress::Continue { .. } => {}
                    Progress::Malformed(reason) if self.protocol.is_some() => {
                        facts.push((parsing.protocol, Statement::Malformed(reason)));
                        self.finish();
                    }
                    _ => self.on_end(facts),
                }
            }
        }
    }

    /// The most segments of a side amid a flow that may be the beginning of nothing.
    pub const BEGINNINGS_MAX: u8 = 8;
    /// The most bytes that one side may go on to send then, while the other one may still begin with something: a download
    /// is not read to its end.
    pub const PASSED_BYTES_MAX: u32 = 512 << 10;

    /// Whether nobody is asked about what this side sends any more.
    pub(super) const fn is_used_up(&self, sender: Sender) -> bool {
        self.midway.is_used_up(sender)
    }

    pub(super) fn pass_over(&mut self, len: usize) {
        self.midway.passed_bytes = self.midway.passed_bytes.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        if self.midway.passed_bytes > Self::PASSED_BYTES_MAX {
            self.finish();
        }
    }

    /// What the side said so far is the beginning of nothing.
    pub(super) fn begin_again(&mut self, sender: Sender, mut candidates: Candidates) {
        self.history.retain(|said| said.sender != sender);
        self.history_bytes = self.history.iter().fold(0, |sum, said| sum.saturating_add(said.bytes.len()));
        let beginnings = self.midway.beginnings(sender);
        *beginnings = beginnings.saturating_add(1);
        if self.is_used_up(sender) && self.is_used_up(sender.other()) {
            return self.give_up();
        }
        *candidates.side(sender) = if self.is_used_up(sender) { Some(0) } else { None };
        self.state = State::Probing(candidates);
    }

    /// What follows a hole is no opening: from here on the stream is as one that was not seen from its beginning.
    fn begin_behind_hole(&mut self, sender: Sender, len: u32, candidates: Candidates) {
        if !self.start.is_midway {
            self.judge_shape();
            self.late = Late::default();
            self.start.is_midway = true;
            self.midway.is_behind_hole = true;
        }
        if self.is_used_up(sender) {
            return self.pass_over(usize::try_from(len).unwrap_or(usize::MAX));
        }
        self.begin_again(sender, candidates);
    }
}
