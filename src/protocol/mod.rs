//! Bytes of a flow in, facts out. Each protocol is one folder: a [`ProtocolSpec`] that says when to try it, and a
//! sans-IO [`Parser`] that reads it. A parser knows no detector, no clock and no socket.
//!
//! To add one: its folder, its `mod` line and its line in [`ALL`].
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

pub mod cursor;
mod selection;
pub mod der;
pub mod hex;
pub mod memo;
pub mod pieces;
pub mod protobuf;
pub mod session;
mod shape;

pub mod amneziawg;
pub mod adb;
pub mod gss;
pub mod guacamole;
pub mod http;
pub mod kerberos;
pub mod ica;
pub mod ldap;
pub mod nebula;
pub mod ntlm;
pub mod nx;
pub mod radmin;
pub mod rdp;
pub mod rdpeudp;
pub mod rfb;
pub mod dtls;
pub mod quic;
pub mod rustdesk;
pub mod smb;
pub mod socks;
pub mod spice;
pub mod ssdp;
pub mod ssh;
pub mod stun;
pub mod rlogin;
pub mod rsh;
pub mod teamviewer;
pub mod telnet;
pub mod xdmcp;
pub mod ah;
pub mod arp;
pub mod cdp;
pub mod dameware;
pub mod dcerpc;
pub mod dhcp;
pub mod dns;
pub mod eap;
pub mod eapol;
pub mod esp;
pub mod ike;
pub mod lldp;
pub mod llmnr;
pub mod mdns;
pub mod mysql;
pub mod nbdgm;
pub mod nbns;
pub mod l2tp;
pub mod postgresql;
pub mod pptp;
pub mod tacacs;
pub mod dhcpv6;
pub mod radius;
pub mod openvpn;
pub mod softether;
pub mod starttls;
pub mod tailscale;
pub mod tds;
pub mod tinc;
pub mod tls;
pub mod wireguard;
pub mod x11;
pub mod zerotier;

#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod splice_tests;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::words::{self, Word};
use crate::facts::{Sender, Shape, Statement};
use crate::net::Transport;
use crate::time::Timestamp;

/// The most protocols there can be: as many as a set of candidates (`selection.rs`) has bits.
pub const COUNT_MAX: usize = 64;

/// Every protocol, in probing order: strong signatures first, those that must lean on more than one packet last.
#[rustfmt::skip]
pub const ALL: &[&ProtocolSpec] = &[
    &ssh::SPEC,
    &rdp::SPEC,
    &tls::SPEC,
    &http::SPEC,
    &rfb::SPEC,
    &spice::SPEC,
    &guacamole::SPEC,
    &rdpeudp::SPEC,
    &stun::SPEC,
    &kerberos::SPEC,
    &smb::SPEC,
    &socks::SPEC,
    &dcerpc::SPEC,
    &nx::SPEC,
    &ica::SPEC,
    &radmin::SPEC,
    &dameware::SPEC,
    &teamviewer::SPEC,
    &telnet::SPEC,
    &rlogin::SPEC,
    &rsh::SPEC,
    &x11::SPEC,
    &ldap::SPEC,
    &adb::SPEC,
    &mysql::SPEC,
    &postgresql::SPEC,
    &tds::SPEC,
    &starttls::FTP,
    &starttls::IMAP,
    &starttls::POP3,
    &starttls::SMTP,
    &dtls::SPEC,
    &quic::SPEC,
    &tailscale::SPEC,
    &tinc::SPEC,
    &softether::SPEC,
    &wireguard::SPEC,
    &wireguard::warp::SPEC,
    &nebula::SPEC,
    &tacacs::SPEC,
    &pptp::SPEC,
    &openvpn::SPEC,
    &ssdp::SPEC,
    &xdmcp::SPEC,
    &dhcp::SPEC,
    &dhcpv6::SPEC,
    &radius::SPEC,
    &dns::SPEC,
    &mdns::SPEC,
    &llmnr::SPEC,
    &nbns::SPEC,
    &nbdgm::SPEC,
    &ike::SPEC,
    &l2tp::SPEC,
    &esp::SPEC,
    &ah::SPEC,
    &rustdesk::SPEC,
    &zerotier::SPEC,
    &amneziawg::SPEC,
    &openvpn::scramble::SPEC,
    &arp::SPEC,
    &cdp::SPEC,
    &eapol::SPEC,
    &lldp::SPEC,
];

/// The protocols of a shell that is typed into.
pub const SHELLS: &[Protocol] = &[rlogin::SPEC.protocol, rsh::SPEC.protocol, ssh::SPEC.protocol, telnet::SPEC.protocol];

/// The name of a protocol, as `network.protocol` and the metrics carry it. It is a word long, since every flow has one and
/// every fact two.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Protocol(#[serde(deserialize_with = "words::place")] &'static Word);

impl Protocol {
    pub const fn new(name: &'static Word) -> Self {
        Self(name)
    }

    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The same of a name that is worked out.
    #[cfg(test)]
    pub(crate) fn named(name: Word) -> Self {
        Self(Box::leak(Box::new(name)))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Bytes one side sent, in order and without holes. On UDP one datagram, on a link one frame.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    pub at: Timestamp,
    pub sender: Sender,
    pub bytes: &'a [u8],
    /// How many bytes of the datagram or frame are behind these, which the snap length cut off. A stream has holes instead.
    pub missing: u32,
}

/// What a parser is told when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub transport: Transport,
    pub client_port: u16,
    pub server_port: u16,
    /// The capture began amid the flow: no side's first bytes need be the first it sent.
    pub is_midway: bool,
}

impl Start {
    /// Whether either side uses this port.
    pub const fn on_port(&self, port: u16) -> bool {
        self.client_port == port || self.server_port == port
    }

    /// What a probe is shown where a side says this.
    pub const fn opening<'a>(&self, sender: Sender, bytes: &'a [u8]) -> Opening<'a> {
        let Self { transport, client_port, server_port, is_midway } = *self;
        Opening { transport, sender, client_port, server_port, is_midway, bytes, missing: 0 }
    }
}

/// The first bytes a side sent on a flow that nobody recognised yet. On TCP they grow from call to call; on UDP each
/// datagram is asked for alone.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    pub transport: Transport,
    pub sender: Sender,
    pub client_port: u16,
    pub server_port: u16,
    /// As of [`Start::is_midway`].
    pub is_midway: bool,
    pub bytes: &'a [u8],
    /// As of [`Chunk::missing`].
    pub missing: u32,
}

impl Opening<'_> {
    /// Whether either side uses this port.
    pub const fn on_port(&self, port: u16) -> bool {
        self.client_port == port || self.server_port == port
    }
}

/// What a protocol says of an [`Opening`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probe {
    /// It is this protocol, and the sender plays the role the flow gave it.
    Match,
    /// It cannot be told yet: ask again with more bytes.
    More,
    /// It is not this protocol.
    No,
    /// It is this protocol with the roles the other way round: what the flow calls the client speaks as its server
    /// (a capture that began amid the flow, or a reverse connection).
    Reversed,
}

/// A protocol's state machine for one flow.
///
/// `on_bytes` is handed every byte of a side once, in order; what it did not consume is handed in again with more
/// behind it. It must return the same facts however the stream was cut.
pub trait Parser: Send {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress;

    /// `len` bytes of `sender` were lost. The default gives the flow up; `on_end` then says what is known.
    fn on_gap(&mut self, _sender: Sender, _len: u32) -> Progress {
        Progress::Done
    }

    /// The flow ended, or was given up at a hole, while the parser was still listening: the last chance to say what is
    /// known.
    fn on_end(&mut self, _facts: &mut Vec<Statement>) {}

    /// What the flow looks like where nothing can be read any more; asked once, when the parser is done.
    fn shape(&self) -> Option<Shape> {
        None
    }

    /// Whether nothing more is to be told but a shape: then it is not worth waiting for once a side has finished.
    fn is_watching(&self) -> bool {
        false
    }

    /// The bytes of the flow that it keeps for itself, beyond some hundred: they count for the limit of what is buffered.
    fn kept_bytes(&self) -> usize {
        0
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Go on; `consumed` bytes of the chunk need not be shown again. On UDP it is ignored.
    Continue { consumed: usize },
    /// Everything worth knowing is known: hand in no more. Most flows end here after their first packets.
    Done,
    /// The stream breaks the protocol's rules; the reason is a counter's label.
    Malformed(&'static str),
    /// It is not this protocol after all: let the others look at the same bytes. Only before any fact was given.
    Reject,
    /// `consumed` bytes of the chunk were this protocol; the rest, and all that follows, is another one.
    Upgrade { to: Protocol, consumed: usize },
}

/// When to try a protocol and how to read it.
pub struct ProtocolSpec {
    pub protocol: Protocol,
    pub transports: &'static [Transport],
    /// The values the first byte of an opening can have, as inclusive ranges: one look-up by it selects who is probed.
    pub opens_with: &'static [(u8, u8)],
    pub probe: fn(&Opening<'_>) -> Probe,
    pub start: fn(&Start) -> Box<dyn Parser>,
    /// The event fields its facts carry beside the typed ones.
    pub fields: &'static [FieldSpec],
}

/// Any first byte.
pub const ANY_BYTE: &[(u8, u8)] = &[(0x00, 0xff)];

/// An event field, for the documentation.
pub struct FieldSpec {
    pub name: &'static str,
    /// What it holds, with its unit, and where it is defined.
    pub help: &'static str,
}

/// What is told of and has no spec of its own: it travels in another protocol, or looks like that from outside.
pub fn carried() -> impl Iterator<Item = Protocol> {
    http::gateways::protocols().chain([dtls::ANYCONNECT, eap::PROTOCOL, ntlm::PROTOCOL])
}

/// The spec of a protocol by its name.
pub fn spec(protocol: Protocol) -> Option<&'static ProtocolSpec> {
    ALL.iter().copied().find(|spec| spec.protocol == protocol)
}
