//! Hellos, certificates and alerts in, facts out: what TLS, DTLS and QUIC tell alike.

use arrayvec::ArrayVec;
use tls_parser::TlsCipherSuite;

use crate::facts::{Hello, Sender, Value};
use crate::net::Text;
use crate::protocol::FieldSpec;
use crate::protocol::tls::certificate;
use crate::protocol::tls::fingerprint::{self, Carrier};
use crate::protocol::tls::wire::{ClientHello, ServerHello, is_1_3, leaf_certificate};

/// The most application protocols that are kept of an offer.
pub const ALPN_MAX: usize = 16;

pub const ALERT: FieldSpec = FieldSpec {
    name: "tls.alert",
    help: "The fatal alert, sent in clear, with which this side gave up the handshake (RFC 8446 §6.2).",
};
pub const CIPHER: FieldSpec = FieldSpec {
    name: "tls.cipher",
    help: "The cipher suite the server chose, by its IANA name, or its number in hex.",
};
pub const ESTABLISHED: FieldSpec = FieldSpec {
    name: "tls.established",
    help: "True where the session was encrypted already when it was first seen: nothing else can be read of it.",
};
pub const HELLO_RETRY: FieldSpec = FieldSpec {
    name: "tls.hello_retry",
    help: "Whether the server asked for a second ClientHello (RFC 8446 §4.1.4).",
};
pub const RESUMED: FieldSpec = FieldSpec {
    name: "tls.resumed",
    help: "Whether an earlier session goes on; absent where the ClientHello was not seen.",
};
pub const VERSION: FieldSpec =
    FieldSpec { name: "tls.version", help: "The version the server chose: `1.2`. A draft of 1.3 counts as 1.3." };
pub const VERSION_PROTOCOL: FieldSpec =
    FieldSpec { name: "tls.version_protocol", help: "What `tls.version` counts: `ssl`, `tls` or `dtls`." };

/// The fact of a ClientHello.
pub fn of_client(hello: &ClientHello<'_>, carrier: Carrier) -> Hello {
    let mut fact = Hello::new(Sender::Client);
    fact.server_name = hello.server_name().map(Text::from_utf8);
    fact.alpn = hello.alpn().take(ALPN_MAX).map(Text::from_utf8).collect();
    if hello.is_whole {
        fact.fingerprints = fingerprint::of_client(hello, carrier);
    }
    fact
}

/// The fact of a ServerHello. `offered_session_id` is the ClientHello's, where that was seen.
pub fn of_server(hello: &ServerHello<'_>, offered_session_id: Option<&[u8]>) -> Hello {
    let mut fact = Hello::new(Sender::Server);
    if hello.has_all_extensions() {
        fact.fingerprints = ArrayVec::from_iter([fingerprint::of_server(hello)]);
    }
    if !hello.has_doubtful_version() {
        set_version(&mut fact, hello.version());
    }
    fact.fields.push(CIPHER.name, cipher(hello.cipher));
    fact.alpn = hello.alpn().map(Text::from_utf8).into_iter().collect();
    if hello.is_retry {
        fact.fields.push(HELLO_RETRY.name, true);
        return fact;
    }
    if hello.has_all_extensions() {
        fact.fields.push_some(RESUMED.name, resumed(hello, offered_session_id));
    }
    fact
}

/// The fact of the certificate that a side showed, without it where it cannot be decoded; none where the side has none.
pub fn of_certificates(message: &[u8], sender: Sender) -> Result<Option<Hello>, &'static str> {
    let Some(leaf) = leaf_certificate(message)? else { return Ok(None) };
    let mut fact = Hello::new(sender);
    fact.certificate = certificate::of_der(leaf).map(Box::new);
    Ok(Some(fact))
}

/// The fact of a session that was encrypted already when it was first seen.
pub fn of_established(sender: Sender) -> Hello {
    let mut fact = Hello::new(sender);
    fact.fields.push(ESTABLISHED.name, true);
    fact
}

/// The fact of a fatal alert: all this side has to say.
pub fn of_alert(description: u8, sender: Sender) -> Hello {
    let mut fact = Hello::new(sender);
    fact.fields.push(ALERT.name, alert(description));
    fact
}

/// Says which version of what the side speaks, where it is a known one.
pub fn set_version(fact: &mut Hello, version: u16) {
    let Some((protocol, version)) = version_name(version) else { return };
    fact.fields.push(VERSION.name, version);
    fact.fields.push(VERSION_PROTOCOL.name, protocol);
}

fn version_name(version: u16) -> Option<(&'static str, &'static str)> {
    Some(match version {
        0x0002 => ("ssl", "2.0"),
        0x0300 => ("ssl", "3.0"),
        0x0301 => ("tls", "1.0"),
        0x0302 => ("tls", "1.1"),
        0x0303 => ("tls", "1.2"),
        // 0x0100 is what OpenSSL sent before RFC 4347 was final; Cisco's AnyConnect kept it.
        0x0100 | 0xfeff => ("dtls", "1.0"),
        0xfefd => ("dtls", "1.2"),
        0xfefc => ("dtls", "1.3"),
        _ if is_1_3(version) => ("tls", "1.3"),
        _ => return None,
    })
}

/// A session goes on when the server takes a pre-shared key (1.3) or gives back the session the client offered (before;
/// a client with a ticket offers a made-up one, RFC 5077 §3.4).
fn resumed(hello: &ServerHello<'_>, offered_session_id: Option<&[u8]>) -> Option<bool> {
    if is_1_3(hello.version()) {
        return Some(hello.takes_pre_shared_key);
    }
    offered_session_id.map(|offered| !offered.is_empty() && offered == hello.session_id)
}

fn cipher(number: u16) -> Value {
    TlsCipherSuite::from_id(number).map_or_else(|| format!("0x{number:04x}").into(), |suite| suite.name.into())
}

/// The names of RFC 8446 §6 and of the RFCs before it.
fn alert(description: u8) -> Value {
    match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        number => return number.to_string().into(),
    }
    .into()
}
