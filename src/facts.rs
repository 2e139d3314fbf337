//! Facts: the narrow waist between the shards that read packets and the analysis that judges.
//!
//! A fact names a behaviour (a remote desktop, a tunnel, a name asked for), never a protocol, so a parser knows no
//! detector and a detector knows no parser. What only events and rules need travels beside the typed members as
//! [`Fields`], under its Elastic Common Schema name.

mod fields;
mod minute;
mod numbers;
mod shape;
mod statement;
mod tunnel;
pub mod words;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use arrayvec::{ArrayString, ArrayVec};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::flow::SynSignature;
use crate::net::{Endpoint, Mac, Text, Transport, Vlans, is_default};
use crate::protocol::Protocol;
use crate::time::{Timestamp, nanos};
use words::Word;

pub use fields::{Fields, Value};
pub use minute::{Channel, Groups, Minute, Quarters, Rhythm};
pub use numbers::Numbers;
pub use shape::Shape;
pub use statement::Statement;
pub use tunnel::{Confidence, Tunnel, TunnelBasis};

/// Something that was seen on the wire, at a moment of packet time.
#[derive(Clone, Debug)]
pub struct Fact {
    pub at: Timestamp,
    /// The frame that showed it; a fact that a deadline made carries the flow's id. Facts order by `(at, seq)`.
    pub seq: u64,
    pub flow: FlowRef,
    /// The parser that spoke; none for facts of the flow itself.
    pub protocol: Option<Protocol>,
    pub kind: FactKind,
}

/// How far the facts of a shard are complete: it will make none that is ordered before this place any more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Watermark {
    pub at: Timestamp,
    pub seq: u64,
}

impl Watermark {
    /// The shard is finished.
    pub const END: Self = Self { at: Timestamp::MAX, seq: u64::MAX };
    pub const START: Self = Self { at: Timestamp::ZERO, seq: 0 };

    /// Every fact of a time before `at` is there.
    pub const fn before(at: Timestamp) -> Self {
        Self { at, seq: 0 }
    }
}

/// Names a flow for its lifetime: the sequence number of its first frame.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct FlowId(pub u64);

/// What every fact tells about the flow it was seen on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowRef {
    pub id: FlowId,
    /// The side that opened the flow.
    pub client: Endpoint,
    pub server: Endpoint,
    pub transport: Transport,
    pub direction: Direction,
    /// The link addresses of the first frame, client then server; none on links without them.
    pub client_mac: Option<Mac>,
    pub server_mac: Option<Mac>,
    /// The tags of each side's first frame: a mirror may see the directions on different VLANs.
    pub client_vlans: Vlans,
    pub server_vlans: Vlans,
    /// What the mirror or the network wrapped the flow in.
    pub tunnel: Option<Encapsulation>,
    /// The first protocol recognised on the flow.
    pub protocol: Option<Protocol>,
    /// A parser has said another fact of the flow before this one.
    pub has_spoken: bool,
    pub started: Timestamp,
}

/// How it is known which side opened a flow.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A SYN or SYN/ACK was seen.
    Handshake,
    /// The configured home networks decided.
    HomeNetwork,
    /// The bytes of the protocol told which side is the server.
    Protocol,
    /// The side that was seen first, or the higher port where the capture began amid the flow.
    Guess,
}

/// The innermost header that a packet was unwrapped from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encapsulation {
    /// An Authentication Header (RFC 4302), which hides nothing.
    Ah,
    Ayiya,
    Capwap,
    Erspan,
    /// Ethernet directly over IP (RFC 3378).
    EtherIp,
    Geneve,
    Gre,
    Gtp,
    IpInIp,
    L2tp,
    /// The data of the Locator/ID Separation Protocol (RFC 9300).
    Lisp,
    Mpls,
    Pppoe,
    Teredo,
    /// TaZmen Sniffer Protocol, by which access points and routers mirror.
    Tzsp,
    Vxlan,
}

impl Encapsulation {
    pub const ALL: &'static [Self] = &[
        Self::Ah,
        Self::Ayiya,
        Self::Capwap,
        Self::Erspan,
        Self::EtherIp,
        Self::Geneve,
        Self::Gre,
        Self::Gtp,
        Self::IpInIp,
        Self::L2tp,
        Self::Lisp,
        Self::Mpls,
        Self::Pppoe,
        Self::Teredo,
        Self::Tzsp,
        Self::Vxlan,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ah => "ah",
            Self::Ayiya => "ayiya",
            Self::Capwap => "capwap",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::Geneve => "geneve",
            Self::Gre => "gre",
            Self::Gtp => "gtp",
            Self::IpInIp => "ipip",
            Self::L2tp => "l2tp",
            Self::Lisp => "lisp",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Teredo => "teredo",
            Self::Tzsp => "tzsp",
            Self::Vxlan => "vxlan",
        }
    }
}

/// The two ends of a conversation, as roles. Never a `bool`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    Client,
    Server,
}

impl Sender {
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The numbers of a flow lie in the fact itself: every flow has one, and few have another. Memory that one thread takes
/// and another gives back costs more than the space.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[allow(clippy::large_enum_variant)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// The flow is still open: said at 1, 10 and 60 minutes of its life, then hourly.
    Activity(FlowSummary),
    Credential(Box<Credential>),
    /// The flow is over.
    FlowEnded(FlowSummary),
    Hello(Box<Hello>),
    Lease(Box<Lease>),
    /// A parser gave the flow up, for a reason out of a closed set.
    Malformed(#[serde(deserialize_with = "words::word")] Word),
    Minute(Box<Minute>),
    Name(Box<Name>),
    RemoteDesktop(Box<RemoteDesktop>),
    Tunnel(Box<Tunnel>),
}

impl FactKind {
    /// The names a rule's `logsource.category` takes for facts.
    pub const CATEGORIES: &'static [&'static str] = &[
        "activity",
        "credential",
        "flow",
        "hello",
        "lease",
        "malformed",
        "minute",
        "name",
        "remote_desktop",
        "tunnel",
    ];

    pub const fn category(&self) -> &'static str {
        Self::CATEGORIES[self.category_index()]
    }

    /// The place of the category in [`Self::CATEGORIES`].
    pub const fn category_index(&self) -> usize {
        match self {
            Self::Activity(_) => 0,
            Self::Credential(_) => 1,
            Self::FlowEnded(_) => 2,
            Self::Hello(_) => 3,
            Self::Lease(_) => 4,
            Self::Malformed(_) => 5,
            Self::Minute(_) => 6,
            Self::Name(_) => 7,
            Self::RemoteDesktop(_) => 8,
            Self::Tunnel(_) => 9,
        }
    }

    /// The fields that the parser set beside the typed members.
    pub const fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Credential(credential) => Some(&credential.fields),
            Self::Hello(hello) => Some(&hello.fields),
            Self::Lease(lease) => Some(&lease.fields),
            Self::Name(name) => Some(&name.fields),
            Self::RemoteDesktop(desktop) => Some(&desktop.fields),
            Self::Tunnel(tunnel) => Some(&tunnel.fields),
            Self::Activity(_) | Self::FlowEnded(_) | Self::Malformed(_) | Self::Minute(_) => None,
        }
    }
}

/// Who logged on, from where, how and whether it succeeded. Never a secret: no password, hash, ticket or token.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Credential {
    /// What proved it, where that travels inside the flow's protocol: NTLM in SMB, Kerberos in LDAP.
    pub protocol: Option<Protocol>,
    pub user: Option<Text>,
    pub domain: Option<Text>,
    /// The name the logging-on host gives itself.
    pub host: Option<Text>,
    pub outcome: Option<Outcome>,
    /// The session that an access server gave or accounts for: then the flow's client is that server, not the user's.
    pub access: Option<Access>,
    pub fields: Fields,
}

/// A session at an access server (a VPN gateway, an access point), as the server tells of it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Access {
    /// The address the client comes from.
    pub outside: Option<IpAddr>,
    /// The address it is given inside.
    pub inside: Option<IpAddr>,
    /// The hardware address it comes from, on a link.
    pub station: Option<Mac>,
    pub phase: AccessPhase,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessPhase {
    /// Somebody asks to be let in: nothing is proved yet.
    #[default]
    Asked,
    /// The session is open.
    Open,
    Over,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Failure,
    Success,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Success => "success",
        }
    }
}

/// One side introduced itself: a ClientHello, a ServerHello, a certificate, a banner, a key-exchange offer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Hello {
    pub sender: Sender,
    /// The protocol of the hello, where the protocol that spoke carries it inside its own (TLS in QUIC, RFC 9001).
    pub inside: Option<Protocol>,
    pub server_name: Option<Text>,
    pub alpn: SmallVec<[Text; 2]>,
    pub fingerprints: ArrayVec<Fingerprint, 2>,
    pub certificate: Option<Box<Certificate>>,
    /// What the side says it runs (an SSH identification string).
    pub software: Option<Text>,
    pub fields: Fields,
}

impl Hello {
    pub fn new(sender: Sender) -> Self {
        Self {
            sender,
            inside: None,
            server_name: None,
            alpn: SmallVec::new(),
            fingerprints: ArrayVec::new(),
            certificate: None,
            software: None,
            fields: Fields::default(),
        }
    }
}

const FINGERPRINT_LEN: usize = 36;

/// A fingerprint of a device's software, with the published method that made it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Fingerprint {
    pub method: FingerprintMethod,
    /// 32 hexadecimal digits, or the 36 characters of a JA4.
    pub value: ArrayString<FINGERPRINT_LEN>,
}

impl Fingerprint {
    /// What is longer than any method makes it is cut.
    pub fn new(method: FingerprintMethod, value: &str) -> Self {
        let value = value.get(..value.floor_char_boundary(FINGERPRINT_LEN)).unwrap_or_default();
        Self { method, value: ArrayString::from(value).unwrap_or_default() }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FingerprintMethod {
    Hassh,
    HasshServer,
    Ja3,
    Ja3s,
    Ja4,
}

impl FingerprintMethod {
    /// The event field that carries it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Hassh => "ssh.client_hassh",
            Self::HasshServer => "ssh.server_hassh",
            Self::Ja3 => "tls.client.ja3",
            Self::Ja3s => "tls.server.ja3s",
            Self::Ja4 => "tls.client.ja4",
        }
    }
}

/// The leaf of a certificate chain seen in clear (TLS up to 1.2). Names only, no key.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Certificate {
    /// Lower-case hex of the SHA-256 over the DER.
    pub sha256: Box<str>,
    pub subject: Option<Text>,
    pub issuer: Option<Text>,
    pub subject_common_name: Option<Text>,
    pub issuer_common_name: Option<Text>,
    pub alternative_names: Vec<Text>,
    /// Lower-case hex of the serial number.
    pub serial: Box<str>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub self_signed: bool,
}

/// A DHCP client and what it was told.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Lease {
    pub mac: Option<Mac>,
    /// The address asked for or given, where the message says one.
    pub address: Option<IpAddr>,
    pub granted: bool,
    pub host_name: Option<Text>,
    pub vendor_class: Option<Text>,
    /// The option numbers in the order sent, then the requested ones: `53,61,12,60,55/1,3,6,15`.
    pub fingerprint: Option<Box<str>>,
    pub fields: Fields,
}

/// A name asked for or answered.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Name {
    /// Who asks, where that travels inside the flow's protocol: DNS in HTTP.
    pub protocol: Option<Protocol>,
    pub question: Option<Text>,
    /// The type of the question (`A`, `AAAA`, `HTTPS`, or its number).
    pub kind: Option<Cow<'static, str>>,
    pub answered: bool,
    pub addresses: SmallVec<[IpAddr; 2]>,
    pub fields: Fields,
}

/// Somebody drives a machine from another one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct RemoteDesktop {
    /// What drives it, where that travels inside the flow's protocol: RFB in a WebSocket.
    pub protocol: Option<Protocol>,
    /// The name the driving machine gives itself.
    pub client_name: Option<Text>,
    /// The user asked for before authentication.
    pub user: Option<Text>,
    /// The security layer agreed on, in the protocol's own terms (`nla`, `vnc-auth`, `none`).
    #[serde(deserialize_with = "words::maybe_word")]
    pub security: Option<Word>,
    pub fields: Fields,
}

/// A flow in numbers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FlowSummary {
    pub client: SideSummary,
    pub server: SideSummary,
    /// First to last packet seen so far.
    #[serde(with = "nanos")]
    pub duration: Duration,
    /// The tap to the client and back: SYN/ACK → ACK of the handshake.
    #[serde(default, skip_serializing_if = "is_default", with = "nanos::maybe")]
    pub client_rtt: Option<Duration>,
    /// The tap to the server and back: SYN → SYN/ACK.
    #[serde(default, skip_serializing_if = "is_default", with = "nanos::maybe")]
    pub server_rtt: Option<Duration>,
    /// The last packet of the server's first flight → the client's answer to it: one layer above [`Self::client_rtt`],
    /// so a relay between them shows (Xue et al., NDSS 2025).
    #[serde(default, skip_serializing_if = "is_default", with = "nanos::maybe")]
    pub flight_rtt: Option<Duration>,
    /// The IPv4 identification of the client's SYN: where a machine counts its packets to a server, its connections follow
    /// each other (Bellovin, IMW 2002).
    #[serde(default, skip_serializing_if = "is_default")]
    pub syn_id: Option<u16>,
    /// What a flow that no protocol claimed, a shell or a TLS connection looks like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shape: Option<Shape>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub end: Option<EndReason>,
}

/// One side of a flow in numbers.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct SideSummary {
    pub packets: u64,
    /// Bytes of the IP packets, headers and all.
    pub bytes: u64,
    /// Bytes of transport payload, each counted once.
    pub payload_bytes: u64,
    /// Bytes of TCP payload that were seen before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retransmitted_bytes: u64,
    /// Bytes of TCP payload that the stream has and the capture does not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lost_bytes: u64,
    /// The TTL or hop limit of the side's first packet as seen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ttl: Option<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub mss: Option<u16>,
    /// The SYN or SYN/ACK, shown in p0f notation: `ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub syn_signature: Option<SynSignature>,
}

/// Why a flow is over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The capture ended, or the sensor stopped.
    CaptureEnd,
    /// The table was full and this flow weighed least.
    Evicted,
    /// Both sides sent FIN.
    Finished,
    /// Nothing was heard for the idle time of its state.
    Idle,
    /// A RST was seen.
    Reset,
    /// A new handshake reused the ports.
    Reused,
}

impl EndReason {
    pub const ALL: &'static [Self] =
        &[Self::CaptureEnd, Self::Evicted, Self::Finished, Self::Idle, Self::Reset, Self::Reused];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CaptureEnd => "capture_end",
            Self::Evicted => "evicted",
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::Reset => "reset",
            Self::Reused => "reused",
        }
    }
}
