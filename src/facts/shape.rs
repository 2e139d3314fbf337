//! What a flow looks like, where that is all that can be said of it.

use serde::{Deserialize, Serialize};

use super::Confidence;

/// What a flow looks like of which nothing can be read, or not any more. It proves nothing: ordinary flows look so, too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Without order from its first byte on, as proxies are that want to look like nothing.
    FullyEncrypted,
    /// A shell in which the server begins and the client answers, as where the client lets somebody in through it.
    Reversed,
    /// A handshake of TLS 1.2 goes through a TLS connection, as the lengths of its records show.
    Tls12InTls,
    /// The same of TLS 1.3.
    Tls13InTls,
}

impl Shape {
    pub const HELP: &str = "`fully_encrypted`: a TCP flow that no protocol claimed and whose first bytes are without order; \
        one in sixteen ordinary flows looks so. `reversed`: a shell in which the server begins and the client answers at once, \
        as where the client lets somebody in through it (`ssh -R`) or shows the server's windows. `tls_in_tls`: a TLS \
        connection whose first records have the lengths of a second handshake, as those to HTTPS proxies have, and of Trojan, \
        VLESS and stunnel; of 4,400 ordinary connections none looked so, of 900 WebSockets with short messages three. Each is \
        likely and proves nothing alone.";
    pub const REASON_HELP: &str = "What the shape was recognised by: `first_bytes_without_order`, `server_begins`; of \
        `tls_in_tls` the record with which a client ends a handshake (`finished_of_tls_1_3`) or sends its keys and changes \
        its cipher (`key_exchange_of_tls_1_2`).";

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullyEncrypted => "fully_encrypted",
            Self::Reversed => "reversed",
            Self::Tls12InTls | Self::Tls13InTls => "tls_in_tls",
        }
    }

    /// No shape is certain.
    pub const fn confidence(self) -> Confidence {
        Confidence::Likely
    }

    /// What it was recognised by.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::FullyEncrypted => "first_bytes_without_order",
            Self::Reversed => "server_begins",
            Self::Tls12InTls => "key_exchange_of_tls_1_2",
            Self::Tls13InTls => "finished_of_tls_1_3",
        }
    }
}
