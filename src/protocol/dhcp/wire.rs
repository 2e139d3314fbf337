//! A DHCP message in (RFC 2131 §2), its options in the order sent out (RFC 2132): the order tells client programs
//! apart, so a reader that sorts them will not do.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use crate::net::Mac;
use crate::protocol::cursor::Cursor;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Operation {
    /// From a client.
    Request,
    /// From a server.
    Reply,
}

#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    /// None is one that nobody knows.
    pub(super) operation: Option<Operation>,
    /// The operation is one, the hardware address fits its field, and there were no more relays than there may be.
    pub(super) is_sound: bool,
    /// The hardware address of the client, where it is one of Ethernet.
    pub(super) mac: Option<Mac>,
    /// The address the client already has.
    pub(super) client_address: Option<Ipv4Addr>,
    /// The address the server gives.
    pub(super) your_address: Option<Ipv4Addr>,
    pub(super) options: Vec<DhcpOption<'a>>,
    /// The magic cookie of DHCP was there; without it the message is BOOTP's.
    pub(super) has_options: bool,
    /// A message of BOOTP without anything of a vendor's, though its field may be short, or as long as one is whose vendor
    /// uses the field.
    pub(super) is_plain_bootp: bool,
    /// The snap length cut its end off.
    pub(super) is_cut: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct DhcpOption<'a> {
    pub(super) code: u8,
    pub(super) value: &'a [u8],
}

/// Option codes (RFC 2132, RFC 4702).
pub(super) mod option {
    pub(in super::super) const HOST_NAME: u8 = 12;
    pub(in super::super) const REQUESTED_ADDRESS: u8 = 50;
    pub(super) const OVERLOAD: u8 = 52;
    pub(in super::super) const MESSAGE_TYPE: u8 = 53;
    pub(in super::super) const SERVER: u8 = 54;
    pub(in super::super) const PARAMETERS: u8 = 55;
    pub(in super::super) const VENDOR_CLASS: u8 = 60;
    pub(super) const CLIENT_ID: u8 = 61;
    pub(in super::super) const CLIENT_FQDN: u8 = 81;
}

const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
// Hardware types, whose addresses are alike (RFC 1700, "Number Hardware Type").
const ETHERNET: u8 = 1;
const IEEE_802: u8 = 6;
const ADDRESS_BYTES_MAX: u8 = 16;
/// A relay drops what went through more (RFC 1542 §4.1.1).
const HOPS_MAX: u8 = 16;
/// RFC 951 §3.
const VENDOR_BYTES: usize = 64;
const OPTIONS_MAX: usize = 128;
const PAD: u8 = 0;
const END: u8 = 255;

impl<'a> Message<'a> {
    /// `missing` bytes are behind those of the datagram that were captured.
    pub(super) fn parse(datagram: &'a [u8], missing: u32) -> Option<Self> {
        let is_cut = missing > 0;
        let mut cursor = Cursor::new(datagram);
        let operation = match cursor.u8()? {
            1 => Some(Operation::Request),
            2 => Some(Operation::Reply),
            _ => None,
        };
        let (hardware, address_bytes, hops) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
        let is_sound = operation.is_some() && address_bytes <= ADDRESS_BYTES_MAX && hops <= HOPS_MAX;
        // Transaction, seconds, flags.
        cursor.skip(8)?;
        let (client_address, your_address) = (address(&mut cursor)?, address(&mut cursor)?);
        // The next server and the relay.
        cursor.skip(8)?;
        let mut hardware_address = cursor.sub(16)?;
        let mac = Mac(hardware_address.array()?);
        let mut field = |len: usize| cursor.sub(if is_cut { len.min(cursor.len()) } else { len });
        let (server_name, file) = (field(64)?, field(128)?);
        let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        let is_plain_bootp = !is_cut
            && match cursor.len() {
                0 | VENDOR_BYTES => is_zero(hardware_address.rest()),
                len => is_zero(cursor.rest()) && (len > VENDOR_BYTES || is_zero(hardware_address.rest())),
            };
        let has_options = cursor.array() == Some(COOKIE);
        let options = if has_options { options(cursor, file, server_name) } else { Vec::new() };
        let has_mac = matches!(hardware, ETHERNET | IEEE_802) && address_bytes == 6 && mac != Mac::default();
        let is_in_field = (1..=ADDRESS_BYTES_MAX).contains(&address_bytes);
        let mac = if !is_in_field { identified(&options) } else { Some(mac).filter(|_| has_mac) };
        Some(Self {
            operation,
            is_sound,
            mac,
            client_address,
            your_address,
            options,
            has_options,
            is_plain_bootp,
            is_cut,
        })
    }

    pub(super) fn option(&self, code: u8) -> Option<&'a [u8]> {
        find(&self.options, code)
    }

    /// An option that may be cut into several (RFC 3396). One that is said twice is one.
    pub(super) fn long_option(&self, code: u8) -> Option<Cow<'a, [u8]>> {
        let first = self.option(code)?;
        let parts = || self.options.iter().filter(|option| option.code == code).map(|option| option.value);
        if parts().all(|part| part == first) {
            return Some(Cow::Borrowed(first));
        }
        Some(Cow::Owned(parts().flatten().copied().collect()))
    }

    pub(super) fn address_option(&self, code: u8) -> Option<Ipv4Addr> {
        self.option(code).and_then(|value| <[u8; 4]>::try_from(value).ok()).map(Ipv4Addr::from)
    }

    /// Option codes in the order sent, then those asked for: `53,61,12,60,55/1,3,6,15`.
    pub(super) fn fingerprint(&self) -> Box<str> {
        let sent = list(self.options.iter().map(|option| option.code));
        match self.long_option(option::PARAMETERS) {
            Some(asked) => format!("{sent}/{}", list(asked.iter().copied())).into(),
            None => sent.into(),
        }
    }
}

fn address(cursor: &mut Cursor<'_>) -> Option<Option<Ipv4Addr>> {
    let address = Ipv4Addr::from(cursor.array::<4>()?);
    Some((!address.is_unspecified()).then_some(address))
}

fn find<'a>(options: &[DhcpOption<'a>], code: u8) -> Option<&'a [u8]> {
    options.iter().find(|option| option.code == code).map(|option| option.value)
}

/// The hardware address in a client's identifier, which stands for the one that does not fit its field (RFC 4390 §2.1).
fn identified(options: &[DhcpOption<'_>]) -> Option<Mac> {
    let mut identifier = Cursor::new(find(options, option::CLIENT_ID)?);
    identifier.u8().filter(|&hardware| matches!(hardware, ETHERNET | IEEE_802))?;
    identifier.array().map(Mac).filter(|mac| identifier.is_empty() && *mac != Mac::default())
}

/// The options of their field, and of those that one of them says have no other use (RFC 2132 §9.3, in the order of RFC
/// 2131 §4.1).
fn options<'a>(field: Cursor<'a>, file: Cursor<'a>, server_name: Cursor<'a>) -> Vec<DhcpOption<'a>> {
    let mut options = Vec::new();
    read(field, &mut options);
    let overload = match find(&options, option::OVERLOAD) {
        Some(&[overload @ 1..=3]) => overload,
        _ => 0,
    };
    if overload & 1 != 0 {
        read(file, &mut options);
    }
    if overload & 2 != 0 {
        read(server_name, &mut options);
    }
    options
}

/// Reads options to the end mark, or as far as they are sound.
fn read<'a>(mut cursor: Cursor<'a>, options: &mut Vec<DhcpOption<'a>>) {
    while let Some(code) = cursor.u8() {
        match code {
            PAD => continue,
            END => break,
            _ => {}
        }
        let Some(value) = cursor.vec8().filter(|_| options.len() < OPTIONS_MAX) else {
            break;
        };
        options.push(DhcpOption { code, value: value.rest() });
    }
}

fn list(codes: impl Iterator<Item = u8>) -> String {
    codes.map(|code| code.to_string()).collect::<Vec<_>>().join(",")
}

/// The name in a client FQDN option (RFC 4702 §2): in clear, or in labels where the E flag says so.
pub(super) fn fqdn(value: &[u8]) -> Option<String> {
    const LABELS: u8 = 0x04;
    let mut cursor = Cursor::new(value);
    let flags = cursor.u8()?;
    // Two result codes, deprecated.
    cursor.skip(2)?;
    if flags & LABELS == 0 {
        return Some(String::from_utf8_lossy(cursor.rest()).into_owned());
    }
    let mut labels = Vec::new();
    while let Some(label) = cursor.vec8().filter(|label| !label.is_empty()) {
        labels.push(String::from_utf8_lossy(label.rest()).into_owned());
    }
    Some(labels.join("."))
}
