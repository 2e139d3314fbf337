//! The datagrams of a tunnel in, how far away its client is out.
//!
//! As long as a tunnel carries anything its peers agree on a new session every two minutes (white paper §6.2), and each
//! answers the other's new index at once: an initiation with a response, a response with data, if only with none in it
//! (§6.5). So a tunnel of an hour tells its client's distance thirty times, without anything of it being read.

use std::time::Duration;

use super::wire::{Index, Message};
use crate::facts::Sender;
use crate::protocol::Chunk;
use crate::time::Timestamp;

/// The handshakes within a tunnel.
#[derive(Debug, Default)]
pub struct Rekeying {
    /// The index that the server told last, and when, until the client uses it.
    told: Option<(Index, Timestamp)>,
}

impl Rekeying {
    /// The round trip from the tap to the client, where the datagram completes one. What the client still sends within the
    /// old session is for another index.
    pub fn on_datagram(&mut self, datagram: Chunk<'_>) -> Option<Duration> {
        match (datagram.sender, Message::parse(datagram.bytes, datagram.missing)?) {
            (Sender::Server, Message::Initiation { sender, .. } | Message::Response { sender, .. }) => {
                self.told = Some((sender, datagram.at));
                None
            }
            (Sender::Client, Message::Response { receiver, .. } | Message::Data { receiver, .. }) => {
                let (_, at) = self.told.take_if(|(index, _)| *index == receiver)?;
                Some(datagram.at.since(at))
            }
            _ => None,
        }
    }
}
