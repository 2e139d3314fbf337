//! Bytes to values: version, time to live, checksum, then elements of a type, a length over all and a value.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::Text;
use crate::protocol::cursor::Cursor;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Announcement {
    pub(super) device: Option<Text>,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: Option<Text>,
    pub(super) capabilities: Vec<&'static str>,
    pub(super) software: Option<Text>,
    pub(super) platform: Option<Text>,
    pub(super) native_vlan: Option<u16>,
}

mod element {
    pub(super) const DEVICE: u16 = 0x0001;
    pub(super) const ADDRESSES: u16 = 0x0002;
    pub(super) const PORT: u16 = 0x0003;
    pub(super) const CAPABILITIES: u16 = 0x0004;
    pub(super) const SOFTWARE: u16 = 0x0005;
    pub(super) const PLATFORM: u16 = 0x0006;
    pub(super) const NATIVE_VLAN: u16 = 0x000a;
}

/// From the lowest bit.
const CAPABILITIES: [&str; 8] =
    ["router", "transparent_bridge", "source_route_bridge", "switch", "host", "igmp", "repeater", "phone"];

impl Announcement {
    /// The most elements of a frame that are looked at.
    const ELEMENTS_MAX: usize = 96;

    /// Reads a frame that says something of its device: what it is called, or its port, address, hardware or software.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(frame);
        let (version, _time_to_live, _checksum) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        if !(1..=2).contains(&version) {
            return None;
        }
        let mut announcement = Self {
            device: None,
            ip: None,
            port: None,
            capabilities: Vec::new(),
            software: None,
            platform: None,
            native_vlan: None,
        };
        for _ in 0..Self::ELEMENTS_MAX {
            let Some((kind, value)) = element(&mut cursor) else { break };
            announcement.learn(kind, value);
        }
        let Self { device, port, platform, software, ip, .. } = &announcement;
        let says_something = [device, port, platform, software].iter().any(|text| text.is_some()) || ip.is_some();
        says_something.then_some(announcement)
    }

    fn learn(&mut self, kind: u16, value: &[u8]) {
        match kind {
            element::DEVICE => self.device = text(value),
            element::ADDRESSES => self.ip = ip(value),
            element::PORT => self.port = text(value),
            element::CAPABILITIES => self.capabilities = capabilities(value).unwrap_or_default(),
            element::SOFTWARE => self.software = text(value),
            element::PLATFORM => self.platform = text(value),
            element::NATIVE_VLAN => self.native_vlan = Cursor::new(value).u16(),
            _ => {}
        }
    }
}

fn element<'a>(cursor: &mut Cursor<'a>) -> Option<(u16, &'a [u8])> {
    let (kind, len) = (cursor.u16()?, cursor.u16()?);
    Some((kind, cursor.take(usize::from(len).checked_sub(4)?)?))
}

/// The first address, where it is of IP: their count, then protocol type and length, protocol, length, address.
fn ip(value: &[u8]) -> Option<IpAddr> {
    const NLPID: u8 = 1;
    const IP: &[u8] = &[0xcc];
    let mut cursor = Cursor::new(value);
    let (_count, kind) = (cursor.u32()?, cursor.u8()?);
    let protocol = cursor.vec8()?;
    let address = cursor.vec16()?;
    let is_ip = kind == NLPID && protocol.rest() == IP;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(address.rest()).ok().filter(|_| is_ip)?).into())
}

fn capabilities(value: &[u8]) -> Option<Vec<&'static str>> {
    let bits = Cursor::new(value).u32()?;
    let is_set = |bit: u32| bits.checked_shr(bit).is_some_and(|bits| bits & 1 == 1);
    Some((0..).zip(CAPABILITIES).filter(|(bit, _)| is_set(*bit)).map(|(_, name)| name).collect())
}

fn text(value: &[u8]) -> Option<Text> {
    let end = value.iter().rposition(|&byte| byte != 0)?;
    value.get(..=end).map(Text::from_utf8)
}
