//! Bytes to values: the elements of a frame, each a type of 7 bits and a length of 9 (IEEE 802.1AB §8.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::{Mac, Text};
use crate::protocol::cursor::Cursor;
use crate::protocol::hex::Hex;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Announcement {
    pub(super) chassis: Text,
    pub(super) port: Text,
    pub(super) port_description: Option<Text>,
    pub(super) system_name: Option<Text>,
    pub(super) system_description: Option<Text>,
    pub(super) capabilities: Vec<&'static str>,
    pub(super) management_ip: Option<IpAddr>,
}

mod element {
    pub(super) const END: u8 = 0;
    pub(super) const CHASSIS: u8 = 1;
    pub(super) const PORT: u8 = 2;
    pub(super) const TIME_TO_LIVE: u8 = 3;
    pub(super) const PORT_DESCRIPTION: u8 = 4;
    pub(super) const SYSTEM_NAME: u8 = 5;
    pub(super) const SYSTEM_DESCRIPTION: u8 = 6;
    pub(super) const CAPABILITIES: u8 = 7;
    pub(super) const MANAGEMENT_ADDRESS: u8 = 8;
}

/// The bits of §8.5.8.1 from the lowest.
const CAPABILITIES: [&str; 11] = [
    "other",
    "repeater",
    "bridge",
    "wlan_access_point",
    "router",
    "telephone",
    "docsis",
    "station_only",
    "c_vlan_component",
    "s_vlan_component",
    "two_port_mac_relay",
];

impl Announcement {
    /// The most elements of a frame that are looked at.
    const ELEMENTS_MAX: usize = 96;

    /// Reads a frame whose first three elements are chassis, port and time to live, as they must be (§8.2).
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(frame);
        let mut mandatory = |kind| element(&mut cursor).filter(|(known, _)| *known == kind).map(|(_, value)| value);
        let chassis = identifier(mandatory(element::CHASSIS)?, 4, 5)?;
        let port = identifier(mandatory(element::PORT)?, 3, 4)?;
        (mandatory(element::TIME_TO_LIVE)?.len() == 2).then_some(())?;
        let mut announcement = Self {
            chassis,
            port,
            port_description: None,
            system_name: None,
            system_description: None,
            capabilities: Vec::new(),
            management_ip: None,
        };
        for _ in 0..Self::ELEMENTS_MAX {
            match element(&mut cursor) {
                None | Some((element::END, _)) => break,
                Some((kind, value)) => announcement.learn(kind, value),
            }
        }
        Some(announcement)
    }

    fn learn(&mut self, kind: u8, value: &[u8]) {
        match kind {
            element::PORT_DESCRIPTION => self.port_description = text(value),
            element::SYSTEM_NAME => self.system_name = text(value),
            element::SYSTEM_DESCRIPTION => self.system_description = text(value),
            element::CAPABILITIES => self.capabilities = capabilities(value).unwrap_or_default(),
            element::MANAGEMENT_ADDRESS => self.management_ip = self.management_ip.or_else(|| management_ip(value)),
            _ => {}
        }
    }
}

fn element<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let head = cursor.u16()?;
    let value = cursor.take(usize::from(head & 0x01ff))?;
    Some((u8::try_from(head >> 9).ok()?, value))
}

/// What names a chassis or a port: of its kinds one is a MAC and one an address, the others are words.
fn identifier(value: &[u8], of_mac: u8, of_address: u8) -> Option<Text> {
    let (&kind, id) = value.split_first()?;
    if id.is_empty() || !(1..=7).contains(&kind) {
        return None;
    }
    if kind == of_mac
        && let Ok(mac) = <[u8; 6]>::try_from(id)
    {
        return Some(Mac(mac).to_string().into());
    }
    if kind == of_address
        && let Some(address) = address(id)
    {
        return Some(address.to_string().into());
    }
    if id.iter().any(u8::is_ascii_control) {
        return Some(Hex(id).to_string().into());
    }
    Some(Text::from_utf8(id))
}

/// An IANA address family, 1 or 2, and the address.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let (&family, address) = bytes.split_first()?;
    match family {
        1 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?).into()),
        2 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?).into()),
        _ => None,
    }
}

fn management_ip(value: &[u8]) -> Option<IpAddr> {
    address(Cursor::new(value).vec8()?.rest())
}

/// What the device can do, then what of it is switched on.
fn capabilities(value: &[u8]) -> Option<Vec<&'static str>> {
    let mut cursor = Cursor::new(value);
    let (_can, does) = (cursor.u16()?, cursor.u16()?);
    let is_set = |bit: u32| does.checked_shr(bit).is_some_and(|bits| bits & 1 == 1);
    Some((0..).zip(CAPABILITIES).filter(|(bit, _)| is_set(*bit)).map(|(_, name)| name).collect())
}

/// Some devices pad their texts with NULs.
fn text(value: &[u8]) -> Option<Text> {
    let end = value.iter().rposition(|&byte| byte != 0)?;
    value.get(..=end).map(Text::from_utf8)
}
