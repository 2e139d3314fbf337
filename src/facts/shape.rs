//! What a flow looks like, where that is all that can be said of it.

use serde::{Deserialize, Serialize};

use crate::facts::Confidence;

/// What a flow looks like of which nothing can be read, or not any more. It proves nothing: ordinary flows look so, too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// An SSH session whose client opens channels for connections that it carries to where the server reaches.
    Forwarding,
    /// Without order from its first byte on, as proxies are that want to look like nothing.
    FullyEncrypted,
    /// A shell in which the server begins and the client answers, as where the client lets somebody in through it.
    Reversed,
    /// An SSH session whose server opens such channels.
    ReversedChannels,
    /// A handshake of TLS 1.2 goes through a TLS connection, as the lengths of its records show.
    Tls12InTls,
    /// The same of TLS 1.3.
    Tls13InTls,
}

impl Shape {
    /// What the words of [`Self::as_str`] mean.
    pub const MEANING: &str = "`fully_encrypted`: a TCP flow that no protocol claimed and whose first bytes are without order; \
        one in sixteen ordinary flows looks so. `forwarding`: an SSH session that carried three connections or more to where its \
        server reaches (`ssh -L`, `ssh -D`), by the sizes of the packets that open, confirm and end a channel. It is not told of a \
        session that began before the capture, that is compressed, or that carries one connection for long, such as a remote \
        desktop; and late or never where those packets are mostly sent together with others, as a browser's are, or where windows \
        are shown or arrow keys pressed beside. `reversed`: a shell in which the server begins and the client answers at once, as \
        where the client lets somebody in through it (`ssh -R`) or shows the server's windows, or in which the server opens such \
        channels. `tls_in_tls`: a TLS connection whose first records have the lengths of a second handshake, as those to HTTPS \
        proxies have, and of Trojan, VLESS and stunnel; of 4,400 ordinary connections none looked so, of 900 WebSockets with short \
        messages three. Each is likely and proves nothing alone.";
    /// What the words of [`Self::basis`] mean.
    pub const BASIS_MEANING: &str = "What the shape is recognised by: `channels`, `first_bytes`, `turns`; of `tls_in_tls` the \
        record with which a client ends a handshake (`finished_of_tls_1_3`) or sends its keys and changes its cipher \
        (`key_exchange_of_tls_1_2`).";

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarding => "forwarding",
            Self::FullyEncrypted => "fully_encrypted",
            Self::Reversed | Self::ReversedChannels => "reversed",
            Self::Tls12InTls | Self::Tls13InTls => "tls_in_tls",
        }
    }

    /// No shape is certain.
    pub const fn confidence(self) -> Confidence {
        Confidence::Likely
    }

    /// What it was recognised by.
    pub const fn basis(self) -> &'static str {
        match self {
            Self::Forwarding | Self::ReversedChannels => "channels",
            Self::FullyEncrypted => "first_bytes",
            Self::Reversed => "turns",
            Self::Tls12InTls => "key_exchange_of_tls_1_2",
            Self::Tls13InTls => "finished_of_tls_1_3",
        }
    }
}
