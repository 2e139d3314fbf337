//! Addresses and names as every stage shares them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use compact_str::CompactString;
use ipnetwork::IpNetwork;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// A MAC address (IEEE 802, 48 bits), shown in lower case with colons.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether the address was made up by software (the locally administered bit), so that its OUI names nobody.
    pub fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Reads twelve hexadecimal digits in pairs with colons or dashes between, or in fours with dots.
    pub fn parse(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split([':', '-', '.']).collect();
        let length = match groups.len() {
            6 => 2,
            3 => 4,
            _ => return None,
        };
        if !groups.iter().all(|group| group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return None;
        }
        let [_, _, bytes @ ..] = u64::from_str_radix(&groups.concat(), 16).ok()?.to_be_bytes();
        Some(Self(bytes))
    }

    /// The address as a number.
    pub fn bits(self) -> u64 {
        self.0.iter().fold(0, |bits, &byte| (bits << 8) | u64::from(byte))
    }

    /// Whether the address is one interface's: neither a group's nor all zeros.
    pub fn is_a_machine(self) -> bool {
        self.0[0] & 0x01 == 0 && self != Self::default()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    /// Six bytes of two hexadecimal digits, with colons or dashes between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |part: &str| if part.len() == 2 { u8::from_str_radix(part, 16).ok() } else { None };
        let bytes: Option<Vec<u8>> = text.split([':', '-']).map(digits).collect();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| format!("{text:?} is no MAC address; write it as 00:11:22:aa:bb:cc"))
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One end of a flow. The port is 0 where the transport has none (ESP, AH), and of a link's own frames the address is
/// unspecified and the port what they carry, see [`Transport::Link`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    pub ip: IpAddr,
    pub port: u16,
}

impl Endpoint {
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip, port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddr =
            text.parse().map_err(|_| format!("{text:?} is no address and port, such as 192.0.2.1:443"))?;
        Ok(Self::new(address.ip(), address.port()))
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A network as the configuration names it: `10.20.0.0/16`, `2001:db8::/32`, or one address. Never with host bits set,
/// so that a slip of the prefix length is found when it is written.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network(IpNetwork);

impl Network {
    pub fn contains(self, ip: IpAddr) -> bool {
        self.0.contains(ip)
    }

    pub fn prefix(self) -> u8 {
        self.0.prefix()
    }

    pub fn first(self) -> IpAddr {
        self.0.network()
    }

    pub fn last(self) -> IpAddr {
        self.0.broadcast()
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "a network such as 10.20.0.0/16 or 2001:db8::/32";
        let network: IpNetwork = text.parse().map_err(|_| format!("`{text}` is not {example}"))?;
        if network.ip() != network.network() {
            let (right, prefix) = (network.network(), network.prefix());
            return Err(format!("`{text}` has host bits set: the network is {right}/{prefix}"));
        }
        Ok(Self(network))
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The VLAN identifiers of a frame: of its outermost 802.1Q tag, and of the one inside that (QinQ).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "(Option<u16>, Option<u16>)", into = "(Option<u16>, Option<u16>)")]
pub struct Vlans {
    outer: u16,
    inner: u16,
}

impl Vlans {
    /// No tag; an identifier has 12 bits.
    const UNTAGGED: u16 = u16::MAX;
    pub const NONE: Self = Self { outer: Self::UNTAGGED, inner: Self::UNTAGGED };

    pub fn new(outer: Option<u16>, inner: Option<u16>) -> Self {
        Self { outer: outer.unwrap_or(Self::UNTAGGED), inner: inner.unwrap_or(Self::UNTAGGED) }
    }

    pub fn outer(self) -> Option<u16> {
        Some(self.outer).filter(|&id| id != Self::UNTAGGED)
    }

    pub fn inner(self) -> Option<u16> {
        Some(self.inner).filter(|&id| id != Self::UNTAGGED)
    }
}

impl From<(Option<u16>, Option<u16>)> for Vlans {
    fn from((outer, inner): (Option<u16>, Option<u16>)) -> Self {
        Self::new(outer, inner)
    }
}

impl From<Vlans> for (Option<u16>, Option<u16>) {
    fn from(vlans: Vlans) -> Self {
        (vlans.outer(), vlans.inner())
    }
}

/// What carries a flow.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Ah,
    Esp,
    /// Version 3 directly over IP (RFC 3931 §4.1.1).
    L2tp,
    /// Frames of the link itself, without IP: both ports are their EtherType, and only their MACs tell the ends.
    Link,
    Tcp,
    Udp,
}

impl Transport {
    /// The IANA protocol number; that of a link's own frames is the reserved one.
    pub const fn number(self) -> u8 {
        match self {
            Self::Ah => 51,
            Self::Esp => 50,
            Self::L2tp => 115,
            Self::Link => 255,
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// Whether the transport has ports.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }

    /// Whether the ends have IP addresses.
    pub const fn is_over_ip(self) -> bool {
        !matches!(self, Self::Link)
    }

    /// The name for `network.transport`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ah => "ah",
            Self::Esp => "esp",
            Self::L2tp => "l2tp",
            Self::Link => "link",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text read from the wire: bounded, valid UTF-8, its control characters kept.
///
/// `Display` escapes what could steer a terminal or hide in a page; use [`Text::as_str`] only where the writer
/// escapes for itself (JSON) or where the text is compared.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "String")]
pub struct Text(CompactString);

impl Text {
    /// The most bytes a name keeps; what is longer is cut.
    pub const BYTES_MAX: usize = 512;

    /// Takes UTF-8, what is not valid replaced by U+FFFD.
    pub fn from_utf8(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..Self::BYTES_MAX).unwrap_or(bytes);
        // Nearly all of it is UTF-8, and checked faster than it is mended.
        std::str::from_utf8(bytes).map_or_else(|_| Self::from(&*String::from_utf8_lossy(bytes)), Self::from)
    }

    /// Takes bytes as Latin-1, one character each.
    pub fn from_latin1(bytes: &[u8]) -> Self {
        Self::from(bytes.iter().take(Self::BYTES_MAX).map(|&byte| char::from(byte)).collect::<String>())
    }

    /// Takes UTF-16 little-endian up to the first NUL, as Windows protocols carry it.
    pub fn from_utf16_le(bytes: &[u8]) -> Self {
        let units = bytes
            .chunks_exact(2)
            .take(Self::BYTES_MAX)
            .map(|pair| u16::from_le_bytes([pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0)]))
            .take_while(|&unit| unit != 0);
        Self::from(
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>(),
        )
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.get(..text.floor_char_boundary(Self::BYTES_MAX)).unwrap_or_default().into())
    }
}

impl From<String> for Text {
    fn from(mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(Self::BYTES_MAX));
        Self(text.into())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            // Bidirectional controls (Unicode UAX #9) reorder what is read; they are escaped with the control characters.
            let steers = c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Whether a value says nothing, and need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_escaped_when_shown() {
        let long = "é".repeat(400);
        assert_eq!(Text::from(long.as_str()).as_str().len(), Text::BYTES_MAX);
        assert_eq!(Text::from_utf8(b"a\x1b[31m\xff").to_string(), "a\\u{1b}[31m\u{fffd}");
        assert_eq!(Text::from("\u{202e}gnp.exe").to_string(), "\\u{202e}gnp.exe");
    }

    #[test]
    fn utf16_ends_at_the_first_nul() {
        assert_eq!(Text::from_utf16_le(b"P\0C\0\0\0x\0").as_str(), "PC");
        assert_eq!(Text::from_utf16_le(b"P\0\x00\xd8").as_str(), "P\u{fffd}");
    }

    #[test]
    fn a_network_with_host_bits_is_refused_with_the_right_one() {
        let message = |text: &str| text.parse::<Network>().unwrap_err();
        assert_eq!(message("10.20.3.7/16"), "`10.20.3.7/16` has host bits set: the network is 10.20.0.0/16");
        assert_eq!(message("2001:db8::1/32"), "`2001:db8::1/32` has host bits set: the network is 2001:db8::/32");
        assert_eq!(message("10.20"), "`10.20` is not a network such as 10.20.0.0/16 or 2001:db8::/32");
        let one: Network = "192.0.2.1".parse().unwrap();
        assert!(one.contains(IpAddr::from([192, 0, 2, 1])) && !one.contains(IpAddr::from([192, 0, 2, 2])));
    }

    #[test]
    fn a_mac_tells_whether_it_was_made_up() {
        assert!(Mac([0x02, 0, 0, 0, 0, 1]).is_local());
        assert!(!Mac([0x00, 0x50, 0x56, 0, 0, 1]).is_local());
        assert_eq!(Mac([0, 0x50, 0x56, 0xc0, 0, 8]).to_string(), "00:50:56:c0:00:08");
    }
}
