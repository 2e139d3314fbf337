//! Traffic that carries other traffic: what it was recognised by, and how sure that is.

use serde::{Deserialize, Serialize};

use crate::facts::Fields;
use crate::protocol::Protocol;

/// A VPN or tunnel was opened.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tunnel {
    /// What it is, where that travels inside the flow's protocol: SSTP in HTTP.
    pub protocol: Option<Protocol>,
    pub basis: TunnelBasis,
    pub confidence: Confidence,
    /// Both sides took part in the handshake.
    pub established: bool,
    pub fields: Fields,
}

impl Tunnel {
    pub fn new(basis: TunnelBasis, confidence: Confidence, established: bool) -> Self {
        Self { protocol: None, basis, confidence, established, fields: Fields::default() }
    }
}

/// What a tunnel is recognised by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelBasis {
    /// What one side sends amid it: numbers that rise, names that stay.
    Data,
    /// What both sides open it with, and that fits together.
    Exchange,
    /// How long the messages are that open it, all of whose bytes are hidden.
    Lengths,
    /// What it is asked for with, alone.
    Request,
    /// What that is answered with, alone.
    Response,
}

impl TunnelBasis {
    /// What the words of [`Self::as_str`] mean.
    pub const MEANING: &str = "What the tunnel is recognised by: `exchange`, what both sides open it with and that fits \
        together; `request` or `response`, one side's part of that alone; `data`, what is sent amid it, by numbers that rise and \
        names that stay; `lengths` of the messages that open it, all of whose bytes are hidden.";

    /// Of an opening that was answered or was not.
    pub const fn of_opening(is_answered: bool) -> Self {
        if is_answered { Self::Exchange } else { Self::Request }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Exchange => "exchange",
            Self::Lengths => "lengths",
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Likely,
    Certain,
}

impl Confidence {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
        }
    }
}
