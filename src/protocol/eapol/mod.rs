//! EAP over LANs in (IEEE 802.1X-2010 §11), or alone over PPP (RFC 3748 §3.1), who logs on to a port, a wireless network
//! or a line out, by which method and with which outcome. Keys are never read.

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{Credential, Fields, Outcome, Sender, Statement};
use crate::net::Transport;
use crate::protocol::cursor::Cursor;
use crate::protocol::dns::budget::Budget;
use crate::protocol::eap::{self, Code, Conversation};
use crate::protocol::tls::hello;
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec};

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: Protocol::new(&"eapol"),
    transports: &[Transport::Link],
    // The version; the code of EAP alone.
    opens_with: &[(0x01, 0x04)],
    probe,
    start: |start| Box::new(Eapol::new(Form::of(|port| start.on_port(port)))),
    fields: &[
        FieldSpec {
            name: "eapol.packet_type",
            help: "What is sent beside EAP: start, logoff, key, mka, announcement or announcement_request (IEEE \
                   802.1X-2010 §11.3.2).",
        },
        eap::METHOD,
        hello::VERSION,
        hello::VERSION_PROTOCOL,
        hello::CIPHER,
    ],
};

/// The EtherTypes of EAPOL and of preauthentication (IEEE 802.11 §12.6.10.2).
const ETHER_TYPES: [u16; 2] = [0x888e, 0x88c7];

/// PPP's number of EAP.
const PPP_PROTOCOL: u16 = 0xc227;

/// What the packets of EAP come in.
#[derive(Clone, Copy)]
enum Form {
    /// Frames of EAP over LANs.
    Framed,
    /// Nothing: PPP announces them itself.
    Alone,
}

impl Form {
    fn of(on_port: impl Fn(u16) -> bool) -> Option<Self> {
        if ETHER_TYPES.into_iter().any(&on_port) {
            return Some(Self::Framed);
        }
        on_port(PPP_PROTOCOL).then_some(Self::Alone)
    }
}

fn probe(opening: &Opening<'_>) -> Probe {
    let form = Form::of(|port| opening.on_port(port));
    let Some(frame) = form.and_then(|form| Frame::parse(form, opening.bytes)) else {
        return Probe::No;
    };
    match frame.sender() {
        Some(sender) if sender != opening.sender => Probe::Reversed,
        _ => Probe::Match,
    }
}

#[derive(Clone, Copy)]
enum Frame<'a> {
    /// What networks there are at a port.
    Announcement,
    AnnouncementRequest,
    Eap(eap::Packet<'a>),
    Key {
        is_authenticators: bool,
    },
    Logoff,
    /// MACsec key agreement.
    Mka,
    Start,
}

impl<'a> Frame<'a> {
    fn parse(form: Form, bytes: &'a [u8]) -> Option<Self> {
        match form {
            Form::Framed => Self::framed(bytes),
            Form::Alone => eap::Packet::parse(bytes).map(Self::Eap),
        }
    }

    fn framed(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (version, kind) = (cursor.u8()?, cursor.u8()?);
        let body = cursor.vec16()?.rest();
        if !(1..=3).contains(&version) {
            return None;
        }
        match kind {
            0 => eap::Packet::parse(body).map(Self::Eap),
            1 => Some(Self::Start),
            2 => Some(Self::Logoff),
            3 => Some(Self::Key { is_authenticators: is_authenticators(body)? }),
            5 => Some(Self::Mka),
            6 | 7 => Some(Self::Announcement),
            8 => Some(Self::AnnouncementRequest),
            _ => None,
        }
    }

    /// Who sends such a frame; the supplicant is the client.
    const fn sender(self) -> Option<Sender> {
        match self {
            Self::Eap(packet) => Some(packet.code.sender()),
            Self::Key { is_authenticators: true } => Some(Sender::Server),
            Self::Key { is_authenticators: false } | Self::Logoff | Self::Start => Some(Sender::Client),
            Self::Announcement | Self::AnnouncementRequest | Self::Mka => None,
        }
    }

    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Announcement => Some("announcement"),
            Self::AnnouncementRequest => Some("announcement_request"),
            Self::Eap(_) => None,
            Self::Key { .. } => Some("key"),
            Self::Logoff => Some("logoff"),
            Self::Mka => Some("mka"),
            Self::Start => Some("start"),
        }
    }
}

/// The authenticator asks for an acknowledgement, or sends RC4 keys as they were before 802.11i (IEEE 802.11 §12.7.2).
fn is_authenticators(key: &[u8]) -> Option<bool> {
    const RC4: u8 = 1;
    const RSN: u8 = 2;
    const WPA: u8 = 254;
    const ACKNOWLEDGE: u16 = 0x0080;
    let mut cursor = Cursor::new(key);
    match cursor.u8()? {
        RC4 => Some(true),
        RSN | WPA => Some(cursor.u16()? & ACKNOWLEDGE != 0),
        _ => None,
    }
}

struct Eapol {
    form: Option<Form>,
    conversation: Conversation,
    /// What was told of beside EAP.
    told: [Option<&'static str>; 6],
    /// The packets of EAP until something was told of them.
    untold: u32,
    has_told: bool,
    budget: Budget,
}

impl Eapol {
    const FACTS_PER_MINUTE: u32 = 120;
    /// So many packets of EAP without a name are told of: an authenticator asks over and over (RFC 3748 §4.3).
    const UNTOLD_MAX: u32 = 8;

    fn new(form: Option<Form>) -> Self {
        let budget = Budget::per_minute(Self::FACTS_PER_MINUTE);
        Self { form, conversation: Conversation::default(), told: [None; 6], untold: 0, has_told: false, budget }
    }

    fn on_eap(&mut self, chunk: Chunk<'_>, packet: &eap::Packet<'_>, facts: &mut Vec<Statement>) {
        let mut hellos = Vec::new();
        let known = self.conversation.identity().cloned();
        self.conversation.on_packet(chunk.at, packet, &mut hellos);
        for hello in hellos {
            self.budget.push(chunk.at, hello, facts);
        }
        let outcome = match packet.code {
            Code::Success => Some(Outcome::Success),
            Code::Failure => Some(Outcome::Failure),
            Code::Response if self.conversation.identity() != known.as_ref() => None,
            Code::Response if packet.gives_identity() && !self.has_told => None,
            Code::Request | Code::Response => {
                self.untold = self.untold.saturating_add(1);
                if self.has_told || self.untold < Self::UNTOLD_MAX {
                    return;
                }
                None
            }
        };
        self.has_told = true;
        self.budget.push(chunk.at, Statement::Credential(Box::new(self.conversation.credential(outcome))), facts);
    }

    /// Tells of a frame without EAP the first time that its kind is sent.
    fn on_other(&mut self, chunk: Chunk<'_>, name: &'static str, facts: &mut Vec<Statement>) {
        let place = self.told.iter_mut().find(|told| told.is_none_or(|told| told == name));
        let Some(place) = place.filter(|told| told.is_none()) else { return };
        *place = Some(name);
        let mut fields = Fields::default();
        fields.push("eapol.packet_type", name);
        let credential = Credential { fields, ..Credential::default() };
        self.budget.push(chunk.at, Statement::Credential(Box::new(credential)), facts);
    }
}

impl Parser for Eapol {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        match self.form.and_then(|form| Frame::parse(form, chunk.bytes)) {
            Some(Frame::Eap(packet)) => self.on_eap(chunk, &packet, facts),
            Some(frame) => {
                if let Some(name) = frame.name() {
                    self.on_other(chunk, name, facts);
                }
            }
            None => {}
        }
        Progress::Continue { consumed: chunk.bytes.len() }
    }

    /// Nobody said who it is.
    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        if self.untold > 0 && !self.has_told {
            facts.push(Statement::Credential(Box::new(self.conversation.credential(None))));
        }
    }
}
