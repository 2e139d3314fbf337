//! RFB, the protocol of VNC (RFC 6143): the handshake in, up to the desktop's name or to where it is encrypted; one
//! [`RemoteDesktop`] out. Challenges and responses are passed over. Amid a session on a display's port, what the viewer
//! sends is enough.

mod midway;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use crate::facts::{RemoteDesktop, Sender, Statement};
use crate::net::{Text, Transport};
use crate::protocol::cursor::Cursor;
use crate::protocol::rfb::midway::{Judgement, Midway};
use crate::protocol::rfb::wire::{SecuritySubtype, SecurityType, ServerInit, Version};
use crate::protocol::{Chunk, FieldSpec, Opening, Parser, Probe, Progress, Protocol, ProtocolSpec, tls};

pub const PROTOCOL: Protocol = Protocol::new(&"rfb");

pub const SPEC: ProtocolSpec = ProtocolSpec {
    protocol: PROTOCOL,
    transports: &[Transport::Tcp],
    // An identifier or a version, or a message of a viewer.
    opens_with: &[(0x02, 0x05), (b'I', b'I'), (b'R', b'R')],
    probe,
    start: |start| Box::new(Rfb { midway: start.is_midway.then(Midway::default), ..Rfb::default() }),
    fields: &[
        FieldSpec {
            name: "rfb.server_version",
            help: "The version the server announced, as `003.008` (RFC 6143 §7.1.1)",
        },
        FieldSpec { name: "rfb.client_version", help: "The version the client answered with (RFC 6143 §7.1.1)" },
        FieldSpec { name: "rfb.security_types", help: "The security types the server offered (RFC 6143 §7.1.2)" },
        FieldSpec { name: "rfb.security_type", help: "The security type taken (RFC 6143 §7.1.2)" },
        FieldSpec { name: "rfb.security_subtype", help: "The type taken within VeNCrypt or Tight" },
        FieldSpec {
            name: "rfb.authentication_success",
            help: "Whether the server let the client in (RFC 6143 §7.1.3)",
        },
        FieldSpec { name: "rfb.failure_reason", help: "Why it did not, in the server's words (RFC 6143 §7.1.3)" },
        FieldSpec { name: "rfb.desktop_name", help: "The name of the desktop (RFC 6143 §7.3.2)" },
        FieldSpec { name: "rfb.width", help: "The width of the framebuffer in pixels (RFC 6143 §7.3.2)" },
        FieldSpec { name: "rfb.height", help: "The height of the framebuffer in pixels (RFC 6143 §7.3.2)" },
        FieldSpec { name: "rfb.repeater_id", help: "The number a server registers with at an UltraVNC repeater" },
    ],
};

const DISPLAY_PORTS: std::ops::RangeInclusive<u16> = 5900..=5999;

/// The server speaks first. A flow's client that does is the server of a reverse connection, unless it connected to a
/// display's port and only its own side is seen.
fn probe(opening: &Opening<'_>) -> Probe {
    let speaker_is_server = match opening.sender {
        Sender::Server => Probe::Match,
        Sender::Client if DISPLAY_PORTS.contains(&opening.server_port) => Probe::Match,
        Sender::Client => Probe::Reversed,
    };
    let mut cursor = Cursor::new(opening.bytes);
    if opening.bytes.starts_with(b"I") {
        return match cursor.take(wire::REPEATER_ID_BYTES) {
            Some(bytes) if wire::repeater_id(bytes).is_none() => Probe::No,
            Some(_) => speaker_is_server,
            None if wire::repeater_id(opening.bytes).is_some() || b"ID:".starts_with(opening.bytes) => Probe::More,
            None => Probe::No,
        };
    }
    match cursor.array() {
        Some(bytes) if Version::of(&bytes).is_some() => speaker_is_server,
        None if b"RFB ".starts_with(opening.bytes) || opening.bytes.starts_with(b"RFB ") => Probe::More,
        _ if opening.is_midway => midway::probe(opening),
        _ => Probe::No,
    }
}

#[derive(Default)]
struct Rfb {
    phase: Phase,
    seen: Seen,
    /// What the client answers to a server whose side is not seen.
    unasked: Option<Version>,
    /// As long as the session may have begun before.
    midway: Option<Midway>,
    said: bool,
}

/// The message that comes next, and by that who speaks.
#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    #[default]
    ServerVersion,
    ClientVersion,
    RepeaterTarget,
    SecurityType,
    SecurityTypes,
    SecurityChoice,
    VncChallenge,
    VncResponse,
    MsLogonKeys,
    MsLogonReply,
    AppleKeys,
    AppleReply {
        key_len: usize,
    },
    UserPassword,
    VencryptVersion,
    VencryptVersionReply,
    VencryptSubtypes,
    VencryptChoice,
    VencryptAck,
    TightTunnels,
    TightTunnelChoice,
    TightTypes,
    TightChoice,
    Result,
    Reason,
    ClientInit,
    ServerInit,
}

impl Phase {
    const fn speaker(self) -> Sender {
        match self {
            Self::ClientVersion
            | Self::RepeaterTarget
            | Self::SecurityChoice
            | Self::VncResponse
            | Self::MsLogonReply
            | Self::AppleReply { .. }
            | Self::UserPassword
            | Self::VencryptVersionReply
            | Self::VencryptChoice
            | Self::TightTunnelChoice
            | Self::TightChoice
            | Self::ClientInit => Sender::Client,
            Self::ServerVersion
            | Self::SecurityType
            | Self::SecurityTypes
            | Self::VncChallenge
            | Self::MsLogonKeys
            | Self::AppleKeys
            | Self::VencryptVersion
            | Self::VencryptSubtypes
            | Self::VencryptAck
            | Self::TightTunnels
            | Self::TightTypes
            | Self::Result
            | Self::Reason
            | Self::ServerInit => Sender::Server,
        }
    }
}

/// What the handshake has shown so far.
#[derive(Default)]
struct Seen {
    server_version: Option<Version>,
    client_version: Option<Version>,
    offered: Vec<SecurityType>,
    security: Option<SecurityType>,
    subtype: Option<SecuritySubtype>,
    user: Option<Text>,
    success: Option<bool>,
    reason: Option<Text>,
    desktop: Option<ServerInit>,
    repeater_id: Option<Text>,
}

enum Step {
    Next(Phase),
    /// The handshake is over, or goes on in a way that cannot be read.
    Over,
    /// TLS follows on both sides.
    Tls,
    /// The message is not there whole yet.
    Wait,
}

impl Parser for Rfb {
    fn on_bytes(&mut self, chunk: Chunk<'_>, facts: &mut Vec<Statement>) -> Progress {
        let mut cursor = Cursor::new(chunk.bytes);
        if matches!(self.phase, Phase::ServerVersion) && chunk.sender == Sender::Client {
            self.unasked = self.unasked.or(Cursor::new(chunk.bytes).array().as_ref().and_then(Version::of));
        }
        if let Some(progress) = self.on_midway(&chunk, facts) {
            return progress;
        }
        while self.phase.speaker() == chunk.sender {
            match self.step(&mut cursor) {
                Ok(Step::Next(phase)) => self.phase = phase,
                Ok(Step::Wait) => break,
                Ok(Step::Over) => {
                    self.on_end(facts);
                    return Progress::Done;
                }
                Ok(Step::Tls) => {
                    self.on_end(facts);
                    let consumed = chunk.bytes.len().saturating_sub(cursor.len());
                    return Progress::Upgrade { to: tls::PROTOCOL, consumed };
                }
                Err(reason) => {
                    self.on_end(facts);
                    return Progress::Malformed(reason);
                }
            }
        }
        Progress::Continue { consumed: chunk.bytes.len().saturating_sub(cursor.len()) }
    }

    /// Amid a session the next segment mostly begins with a message.
    fn on_gap(&mut self, _sender: Sender, _len: u32) -> Progress {
        if self.may_be_amid() { Progress::Continue { consumed: 0 } } else { Progress::Done }
    }

    fn on_end(&mut self, facts: &mut Vec<Statement>) {
        self.seen.client_version = self.seen.client_version.or(self.unasked);
        let is_certain =
            self.unasked.is_some() || self.seen.server_version.is_some() || self.seen.repeater_id.is_some();
        if is_certain && !self.said {
            self.said = true;
            facts.push(Statement::RemoteDesktop(Box::new(self.seen.describe())));
        }
    }
}

impl Rfb {
    const fn may_be_amid(&self) -> bool {
        self.midway.is_some() && matches!(self.phase, Phase::ServerVersion) && self.unasked.is_none()
    }

    /// What follows a beginning that was not seen; none where this is one.
    fn on_midway(&mut self, chunk: &Chunk<'_>, facts: &mut Vec<Statement>) -> Option<Progress> {
        let begins = |opening: &[u8]| chunk.bytes.starts_with(opening) || opening.starts_with(chunk.bytes);
        if !self.may_be_amid() || begins(b"RFB ") || begins(b"ID:") {
            return None;
        }
        let judgement = match chunk.sender {
            Sender::Client => self.midway.as_mut()?.on_viewer(chunk.bytes),
            Sender::Server => Judgement::Undecided(chunk.bytes.len()),
        };
        Some(match judgement {
            Judgement::Foreign => Progress::Reject,
            Judgement::Undecided(consumed) => Progress::Continue { consumed },
            Judgement::Rfb => {
                facts.push(Statement::RemoteDesktop(Box::default()));
                Progress::Done
            }
        })
    }

    fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, &'static str> {
        Ok(match self.phase {
            Phase::ServerVersion if cursor.peek() == Some(b'I') => self.on_repeater_id(cursor)?,
            Phase::ServerVersion => self.on_server_version(cursor)?,
            Phase::ClientVersion => self.on_client_version(cursor)?,
            Phase::RepeaterTarget => passed(cursor.skip(wire::REPEATER_ID_BYTES), Phase::ServerVersion),
            Phase::SecurityType => self.on_security_type(cursor),
            Phase::SecurityTypes => self.on_security_types(cursor),
            Phase::SecurityChoice => self.on_security_choice(cursor),
            Phase::VncChallenge => passed(cursor.skip(16), Phase::VncResponse),
            Phase::VncResponse => passed(cursor.skip(16), Phase::Result),
            Phase::MsLogonKeys => passed(cursor.skip(24), Phase::MsLogonReply),
            Phase::MsLogonReply => passed(cursor.skip(328), Phase::Result),
            Phase::AppleKeys => {
                wire::apple_keys(cursor).map_or(Step::Wait, |key_len| Step::Next(Phase::AppleReply { key_len }))
            }
            Phase::AppleReply { key_len } => passed(cursor.skip(key_len.saturating_add(128)), Phase::Result),
            Phase::UserPassword => {
                self.seen.user = wire::user(cursor)?;
                passed(self.seen.user.as_ref().map(|_| ()), Phase::Result)
            }
            Phase::VencryptVersion => passed(cursor.skip(2), Phase::VencryptVersionReply),
            Phase::VencryptVersionReply => passed(cursor.skip(2), Phase::VencryptSubtypes),
            Phase::VencryptSubtypes => passed(wire::vencrypt_subtypes(cursor)?, Phase::VencryptChoice),
            Phase::VencryptChoice => self.on_vencrypt_choice(cursor),
            Phase::VencryptAck => cursor.u8().map_or(Step::Wait, |ack| if ack == 1 { Step::Tls } else { Step::Over }),
            Phase::TightTunnels => match wire::capabilities(cursor)? {
                Some(0) => Step::Next(Phase::TightTypes),
                tunnels => passed(tunnels.map(|_| ()), Phase::TightTunnelChoice),
            },
            Phase::TightTunnelChoice => passed(cursor.skip(4), Phase::TightTypes),
            Phase::TightTypes => match wire::capabilities(cursor)? {
                Some(0) => self.after_none(),
                types => passed(types.map(|_| ()), Phase::TightChoice),
            },
            Phase::TightChoice => self.on_tight_choice(cursor),
            Phase::Result => self.on_result(cursor),
            Phase::Reason => {
                self.seen.reason = wire::text(cursor)?;
                if self.seen.reason.is_some() { Step::Over } else { Step::Wait }
            }
            Phase::ClientInit => passed(cursor.skip(1), Phase::ServerInit),
            Phase::ServerInit => {
                self.seen.desktop = wire::server_init(cursor)?;
                self.seen.success = self.seen.success.or(self.seen.desktop.is_some().then_some(true));
                if self.seen.desktop.is_some() { Step::Over } else { Step::Wait }
            }
        })
    }

    fn on_repeater_id(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, &'static str> {
        let Some(bytes) = cursor.take(wire::REPEATER_ID_BYTES) else { return Ok(Step::Wait) };
        self.seen.repeater_id = Some(wire::repeater_id(bytes).ok_or("rfb_repeater_id")?);
        Ok(Step::Next(Phase::ServerVersion))
    }

    fn on_server_version(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, &'static str> {
        let Some(bytes) = cursor.array() else { return Ok(Step::Wait) };
        let version = Version::of(&bytes).ok_or("rfb_version")?;
        self.seen.server_version = Some(version);
        Ok(Step::Next(if version.is_repeater() { Phase::RepeaterTarget } else { Phase::ClientVersion }))
    }

    fn on_client_version(&mut self, cursor: &mut Cursor<'_>) -> Result<Step, &'static str> {
        let Some(bytes) = cursor.array() else { return Ok(Step::Wait) };
        let version = Version::of(&bytes).ok_or("rfb_version")?;
        self.seen.client_version = Some(version);
        Ok(Step::Next(if version.has_type_list() { Phase::SecurityTypes } else { Phase::SecurityType }))
    }

    fn on_security_type(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let Some(number) = cursor.u32() else { return Step::Wait };
        if SecurityType(number) == SecurityType::INVALID {
            self.seen.success = Some(false);
            return Step::Next(Phase::Reason);
        }
        self.seen.offered = vec![SecurityType(number)];
        self.choose(SecurityType(number))
    }

    fn on_security_types(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let Some(offered) = wire::security_types(cursor) else { return Step::Wait };
        if offered.is_empty() {
            self.seen.success = Some(false);
            return Step::Next(Phase::Reason);
        }
        self.seen.offered = offered;
        Step::Next(Phase::SecurityChoice)
    }

    fn on_security_choice(&mut self, cursor: &mut Cursor<'_>) -> Step {
        cursor.u8().map_or(Step::Wait, |number| self.choose(SecurityType(number.into())))
    }

    fn choose(&mut self, security: SecurityType) -> Step {
        self.seen.security = Some(security);
        if self.seen.client_version.is_some_and(Version::is_proprietary) {
            return Step::Over;
        }
        Step::Next(match security {
            SecurityType::NONE => return self.after_none(),
            SecurityType::TLS => return Step::Tls,
            SecurityType::VNC_AUTH => Phase::VncChallenge,
            SecurityType::TIGHT => Phase::TightTunnels,
            SecurityType::VENCRYPT => Phase::VencryptVersion,
            SecurityType::APPLE_DH => Phase::AppleKeys,
            SecurityType::MS_LOGON_II => Phase::MsLogonKeys,
            _ => return Step::Over,
        })
    }

    fn on_vencrypt_choice(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let Some(subtype) = cursor.u32().map(SecuritySubtype) else { return Step::Wait };
        self.seen.subtype = Some(subtype);
        match subtype {
            SecuritySubtype::PLAIN => Step::Next(Phase::UserPassword),
            subtype if subtype.is_tls() => Step::Next(Phase::VencryptAck),
            _ => Step::Over,
        }
    }

    fn on_tight_choice(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let Some(subtype) = cursor.u32().map(SecuritySubtype) else { return Step::Wait };
        self.seen.subtype = Some(subtype);
        match subtype {
            SecuritySubtype::TIGHT_NONE => self.after_none(),
            SecuritySubtype::TIGHT_VNC_AUTH => Step::Next(Phase::VncChallenge),
            SecuritySubtype::TIGHT_UNIX_LOGIN => Step::Next(Phase::UserPassword),
            _ => Step::Over,
        }
    }

    /// Without authentication a result follows from 3.8 on only (§7.1.3).
    fn after_none(&self) -> Step {
        let has_result = self.seen.client_version.is_some_and(Version::has_reasons);
        Step::Next(if has_result { Phase::Result } else { Phase::ClientInit })
    }

    fn on_result(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let Some(result) = cursor.u32() else { return Step::Wait };
        self.seen.success = Some(result == 0);
        if result == 0 {
            return Step::Next(Phase::ClientInit);
        }
        let has_reason = self.seen.client_version.is_some_and(Version::has_reasons);
        if has_reason { Step::Next(Phase::Reason) } else { Step::Over }
    }
}

/// A message that is read only to get past it.
fn passed(message: Option<()>, next: Phase) -> Step {
    message.map_or(Step::Wait, |()| Step::Next(next))
}

impl Seen {
    fn describe(&self) -> RemoteDesktop {
        let mut desktop = RemoteDesktop { user: self.user.clone(), ..RemoteDesktop::default() };
        desktop.security = match self.subtype {
            Some(subtype) => subtype.name(),
            None => self.security.and_then(SecurityType::name),
        };
        let fields = &mut desktop.fields;
        fields.push_some("rfb.server_version", self.server_version.map(Version::text));
        fields.push_some("rfb.client_version", self.client_version.map(Version::text));
        if !self.offered.is_empty() {
            let offered: Vec<Text> = self.offered.iter().map(|security| security.text()).collect();
            fields.push("rfb.security_types", offered);
        }
        fields.push_some("rfb.security_type", self.security.map(SecurityType::text));
        fields.push_some("rfb.security_subtype", self.subtype.map(SecuritySubtype::text));
        fields.push_some("rfb.authentication_success", self.success);
        fields.push_some("rfb.failure_reason", self.reason.clone());
        if let Some(init) = &self.desktop {
            fields.push("rfb.desktop_name", init.name.clone());
            fields.push("rfb.width", init.width);
            fields.push("rfb.height", init.height);
        }
        fields.push_some("rfb.repeater_id", self.repeater_id.clone());
        desktop
    }
}
