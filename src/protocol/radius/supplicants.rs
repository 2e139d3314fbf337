//! The EAP conversations of those who log on through one access server.

use std::collections::VecDeque;

use super::Who;
use crate::facts::Statement;
use crate::net::Text;
use crate::protocol::eap::{Conversation, Packet};
use crate::time::Timestamp;

/// The latest conversations, that of the latest newcomer last.
pub(super) struct Supplicants(VecDeque<(Who, Conversation)>);

impl Supplicants {
    /// The most log-ons that are followed at a time; a new one puts out the oldest.
    const MAX: usize = 16;

    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Takes the next EAP packet of one of them. Returns the method agreed on so far.
    pub(super) fn on_packet(
        &mut self,
        at: Timestamp,
        who: &Who,
        packet: &Packet<'_>,
        facts: &mut Vec<Statement>,
    ) -> Option<Text> {
        if !self.0.iter().any(|(known, _)| known == who) {
            if self.0.len() >= Self::MAX {
                self.0.pop_front();
            }
            self.0.push_back((who.clone(), Conversation::default()));
        }
        let (_, conversation) = self.0.iter_mut().find(|(known, _)| known == who)?;
        conversation.on_packet(at, packet, facts);
        conversation.method()
    }
}
