//! A DHCPv6 message in (RFC 8415 §8, §9), its options in the order sent out.

use std::net::Ipv6Addr;

use crate::net::{Mac, Text};
use crate::protocol::cursor::Cursor;

#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    /// The type of the client's or server's message, out of the relays' around it.
    pub(super) kind: u8,
    options: Vec<DhcpOption<'a>>,
    /// The client's hardware address as the relay saw it (RFC 6939).
    relayed_mac: Option<Mac>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct DhcpOption<'a> {
    code: u16,
    value: &'a [u8],
}

pub(super) const REPLY: u8 = 7;
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;
/// HOP_COUNT_LIMIT of RFC 8415 §7.6.
const RELAYS_MAX: u8 = 8;
const OPTIONS_MAX: usize = 128;
const ETHERNET: u16 = 1;

// Option codes (RFC 8415 §21, RFC 4704, RFC 6939).
const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const NON_TEMPORARY: u16 = 3;
const TEMPORARY: u16 = 4;
const ADDRESS: u16 = 5;
const REQUESTED: u16 = 6;
const RELAY_MESSAGE: u16 = 9;
const VENDOR_CLASS: u16 = 16;
const FQDN: u16 = 39;
const LINK_LAYER_ADDRESS: u16 = 79;

impl<'a> Message<'a> {
    /// Reads a message whose options fill it, or name the client, the server or another message before something that is
    /// none. An information request may have none.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut bytes = datagram;
        let mut relayed_mac = None;
        for _ in 0..=RELAYS_MAX {
            let mut cursor = Cursor::new(bytes);
            let kind = cursor.u8()?;
            kind_name(kind)?;
            let is_relayed = matches!(kind, RELAY_FORWARD | RELAY_REPLY);
            // Hops, link and peer; or a transaction id.
            cursor.skip(if is_relayed { 33 } else { 3 })?;
            let (options, are_all) = options(cursor);
            if !are_all && ![CLIENT_ID, SERVER_ID, RELAY_MESSAGE].iter().any(|&code| find(&options, code).is_some()) {
                return None;
            }
            if !is_relayed {
                return Some(Self { kind, options, relayed_mac });
            }
            relayed_mac = relayed_mac.or(find(&options, LINK_LAYER_ADDRESS).and_then(hardware_address));
            bytes = find(&options, RELAY_MESSAGE)?;
        }
        None
    }

    /// The hardware address: the relay's word, or what the client's identifier was made of.
    pub(super) fn mac(&self) -> Option<Mac> {
        const WITH_TIME: u16 = 1;
        const PLAIN: u16 = 3;
        let from_duid = || {
            let mut cursor = Cursor::new(find(&self.options, CLIENT_ID)?);
            let (kind, hardware) = (cursor.u16()?, cursor.u16()?);
            if kind == WITH_TIME {
                cursor.skip(4)?;
            }
            let is_ethernet = matches!(kind, WITH_TIME | PLAIN) && hardware == ETHERNET;
            cursor.array().map(Mac).filter(|_| is_ethernet)
        };
        self.relayed_mac.or_else(from_duid)
    }

    pub(super) fn duid(&self) -> Option<Text> {
        /// RFC 8415 §11.1.
        const BYTES_MAX: usize = 130;
        let duid = find(&self.options, CLIENT_ID).filter(|duid| (3..=BYTES_MAX).contains(&duid.len()))?;
        Some(duid.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The first address in an association. One that a server withdraws (§18.3.4) has no lifetime left; a client that asks
    /// sets none (§18.2.1).
    pub(super) fn address(&self) -> Option<Ipv6Addr> {
        let is_usable = |valid: u32| self.kind != REPLY || valid > 0;
        self.options.iter().find_map(|option| {
            let mut cursor = Cursor::new(option.value);
            match option.code {
                // Its id, and the times of renewal.
                NON_TEMPORARY => cursor.skip(12)?,
                TEMPORARY => cursor.skip(4)?,
                _ => return None,
            }
            let addresses = options(cursor).0.into_iter().filter(|inner| inner.code == ADDRESS);
            addresses.into_iter().find_map(|inner| {
                let mut cursor = Cursor::new(inner.value);
                let address = Ipv6Addr::from(cursor.array::<16>()?);
                let (_preferred, valid) = (cursor.u32()?, cursor.u32()?);
                Some(address).filter(|address| !address.is_unspecified() && is_usable(valid))
            })
        })
    }

    /// The enterprise number, and what the class says (§21.16).
    pub(super) fn vendor_class(&self) -> Option<Text> {
        let mut cursor = Cursor::new(find(&self.options, VENDOR_CLASS)?);
        let _enterprise = cursor.u32()?;
        let class = cursor.vec16()?;
        (!class.is_empty()).then(|| Text::from_utf8(class.rest()))
    }

    /// The client's name, full or not: flags, and labels that may lack their end.
    pub(super) fn client_name(&self) -> Option<String> {
        let mut cursor = Cursor::new(find(&self.options, FQDN)?);
        let _flags = cursor.u8()?;
        let mut labels = Vec::new();
        while let Some(label) = cursor.vec8().filter(|label| !label.is_empty()) {
            labels.push(String::from_utf8_lossy(label.rest()).into_owned());
        }
        (!labels.is_empty()).then(|| labels.join("."))
    }

    /// Option codes in the order sent, then those asked for.
    pub(super) fn fingerprint(&self) -> Box<str> {
        let list =
            |codes: &mut dyn Iterator<Item = u16>| codes.map(|code| code.to_string()).collect::<Vec<_>>().join(",");
        let sent = list(&mut self.options.iter().map(|option| option.code));
        let Some(requested) = find(&self.options, REQUESTED) else {
            return sent.into();
        };
        let mut cursor = Cursor::new(requested);
        let asked = list(&mut std::iter::from_fn(|| cursor.u16()));
        format!("{sent}/{asked}").into()
    }
}

fn find<'a>(options: &[DhcpOption<'a>], code: u16) -> Option<&'a [u8]> {
    options.iter().find(|option| option.code == code).map(|option| option.value)
}

/// Options as far as they are sound, and whether they fill what is left.
fn options(mut cursor: Cursor<'_>) -> (Vec<DhcpOption<'_>>, bool) {
    let mut options = Vec::new();
    while !cursor.is_empty() {
        let (Some(code), Some(value)) = (cursor.u16(), cursor.vec16()) else { return (options, false) };
        if code == 0 || options.len() >= OPTIONS_MAX {
            return (options, false);
        }
        options.push(DhcpOption { code, value: value.rest() });
    }
    (options, true)
}

fn hardware_address(value: &[u8]) -> Option<Mac> {
    let mut cursor = Cursor::new(value);
    let hardware = cursor.u16()?;
    cursor.array().map(Mac).filter(|_| hardware == ETHERNET && cursor.is_empty())
}

/// RFC 8415 §7.3; RFC 5007 §4.1 and RFC 5460 §5.2, RFC 6977 §6.2, RFC 7341 §6.
pub(super) fn kind_name(kind: u8) -> Option<&'static str> {
    let name = match kind {
        1 => "solicit",
        2 => "advertise",
        3 => "request",
        4 => "confirm",
        5 => "renew",
        6 => "rebind",
        7 => "reply",
        8 => "release",
        9 => "decline",
        10 => "reconfigure",
        11 => "information-request",
        RELAY_FORWARD => "relay-forw",
        RELAY_REPLY => "relay-repl",
        14 => "leasequery",
        15 => "leasequery-reply",
        16 => "leasequery-done",
        17 => "leasequery-data",
        18 => "reconfigure-request",
        19 => "reconfigure-reply",
        20 => "dhcpv4-query",
        21 => "dhcpv4-response",
        _ => return None,
    };
    Some(name)
}
