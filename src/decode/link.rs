//! Link headers in, the IP packet or the link's own frame behind them out: Ethernet with its tags, 802.2, Linux cooked
//! captures, BSD loopback. What is read elsewhere: PPP in [`tunnel`], IEEE 802.11 in [`wlan`], other media in [`media`],
//! what capturing programs put before a frame in [`preamble`].

use super::layer::{Layer, Position};
use super::{Skip, media, preamble, tunnel, wlan};
use crate::capture::LinkType;
use crate::net::Mac;
use crate::protocol::cursor::Cursor;

// EtherTypes (IEEE registration authority).
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const TRANSPARENT_ETHERNET: u16 = 0x6558;
pub(super) const MPLS: u16 = 0x8847;
pub(super) const MPLS_MULTICAST: u16 = 0x8848;
pub(super) const ARP: u16 = 0x0806;
pub(super) const VLAN: u16 = 0x8100;
pub(super) const VLAN_SERVICE: u16 = 0x88a8;
/// Service tags from before IEEE 802.1ad.
pub(super) const VLAN_QINQ_1: u16 = 0x9100;
pub(super) const VLAN_QINQ_2: u16 = 0x9200;
pub(super) const PPPOE_SESSION: u16 = 0x8864;
/// B.A.T.M.A.N. advanced.
const MESH: u16 = 0x4305;
const MACSEC: u16 = 0x88e5;
const CISCO_METADATA: u16 = 0x8909;
const VNTAG: u16 = 0x8926;
const ETAG: u16 = 0x893f;
const FABRICPATH: u16 = 0x8903;
/// The service instance tag of a provider's backbone.
const ITAG: u16 = 0x88e7;
pub(super) const CDP: u16 = 0x2000;
const EAPOL: u16 = 0x888e;
const EAPOL_PREAUTHENTICATION: u16 = 0x88c7;
const LLDP: u16 = 0x88cc;
/// EAP alone, as it has no EtherType: its protocol number in PPP (RFC 3748 §3.1).
pub(super) const EAP: u16 = 0xc227;
/// Smaller values are the length of an IEEE 802.3 frame.
const ETHER_TYPE_MIN: u16 = 0x0600;

/// What a frame of this link type begins with.
pub(super) const fn first_layer(link: LinkType) -> Option<Layer> {
    match link {
        LinkType::Arcnet => Some(Layer::Arcnet),
        LinkType::ArcnetLinux => Some(Layer::ArcnetLinux),
        LinkType::CiscoHdlc | LinkType::Ppp => Some(Layer::Ppp),
        LinkType::Ethernet => Some(Layer::Ethernet),
        LinkType::FrameRelay => Some(Layer::FrameRelay),
        LinkType::Ieee80211 => Some(Layer::Wlan),
        LinkType::Ieee80211Avs | LinkType::Ieee80211Prism => Some(Layer::Prism),
        LinkType::Ieee80211Radiotap => Some(Layer::Radiotap),
        LinkType::Infiniband => Some(Layer::Infiniband),
        LinkType::LinuxSll => Some(Layer::Sll),
        LinkType::LinuxSll2 => Some(Layer::Sll2),
        LinkType::Nflog => Some(Layer::Nflog),
        LinkType::Null => Some(Layer::Null),
        LinkType::Pktap => Some(Layer::Pktap),
        LinkType::Ppi => Some(Layer::Ppi),
        LinkType::PppEther => Some(Layer::EtherType(PPPOE_SESSION)),
        LinkType::Raw => Some(Layer::Ip),
        LinkType::TokenRing => Some(Layer::TokenRing),
        LinkType::User2 => Some(Layer::User2),
        LinkType::Unknown(_) => None,
    }
}

/// Reads every header before the next IP header, or before a frame of the link itself.
pub(super) fn unwrap(position: &mut Position<'_>) -> Result<(), Skip> {
    loop {
        match position.layer {
            Layer::Ip | Layer::Link(_) | Layer::UncompressedTcp => return Ok(()),
            Layer::Arcnet => media::arcnet(position)?,
            Layer::ArcnetLinux => media::arcnet_linux(position)?,
            Layer::EtherType(value) => ether_type(position, value)?,
            Layer::Ethernet => ethernet(position)?,
            Layer::FrameRelay => media::frame_relay(position)?,
            Layer::Infiniband => media::infiniband(position)?,
            Layer::Llc => llc(position)?,
            Layer::Nflog => preamble::nflog(position)?,
            Layer::Null => null(position)?,
            Layer::Pktap => preamble::pktap(position)?,
            Layer::Ppi => preamble::ppi(position)?,
            Layer::Ppp => tunnel::ppp(position)?,
            Layer::Prism => preamble::prism(position)?,
            Layer::Radiotap => preamble::radiotap(position)?,
            Layer::Sll => sll(position)?,
            Layer::Sll2 => sll2(position)?,
            Layer::TokenRing => media::token_ring(position)?,
            Layer::User2 => preamble::user_2(position)?,
            Layer::Wlan | Layer::WlanPadded => wlan::data(position)?,
        }
    }
}

fn ethernet(position: &mut Position<'_>) -> Result<(), Skip> {
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = position.rest.array()?;
    position.set_link(Mac([s0, s1, s2, s3, s4, s5]), Some(Mac([d0, d1, d2, d3, d4, d5])));
    length_or_type(position, u16::from_be_bytes([t0, t1]));
    Ok(())
}

fn length_or_type(position: &mut Position<'_>, value: u16) {
    if value >= ETHER_TYPE_MIN {
        position.layer = Layer::EtherType(value);
        return;
    }
    position.rest.end_after(u32::from(value));
    position.layer = Layer::Llc;
}

fn ether_type(position: &mut Position<'_>, value: u16) -> Result<(), Skip> {
    match value {
        IPV4 | IPV6 => {
            position.layer = Layer::Ip;
            Ok(())
        }
        VLAN | VLAN_SERVICE | VLAN_QINQ_1 | VLAN_QINQ_2 => vlan(position),
        CISCO_METADATA => cisco_metadata(position),
        CDP | EAPOL | EAPOL_PREAUTHENTICATION | LLDP => {
            position.layer = Layer::Link(value);
            Ok(())
        }
        ARP if is_arp_probe(position.rest.bytes()) => {
            position.layer = Layer::Link(value);
            Ok(())
        }
        ETAG => etag(position),
        FABRICPATH => {
            // A tree and a time to live; the frame behind is whole.
            position.rest.skip(2)?;
            position.descend(Layer::Ethernet)
        }
        ITAG => {
            // IEEE 802.1Q §9.7: priority, flags and the service; the customer's frame begins with its addresses.
            position.rest.skip(4)?;
            position.descend(Layer::Ethernet)
        }
        MACSEC => macsec(position),
        MESH => media::mesh(position),
        MPLS | MPLS_MULTICAST => tunnel::mpls(position),
        PPPOE_SESSION => tunnel::pppoe(position),
        VNTAG => vntag(position),
        _ => Err(Skip::NotIp),
    }
}

/// RFC 5227 §1.1: a request without an address of its sender's. Other ARP is no packet: every segment is full of it.
fn is_arp_probe(bytes: &[u8]) -> bool {
    let mut arp = Cursor::new(bytes);
    let request = arp.array() == Some([0, 1, 8, 0, 6, 4, 0, 1]);
    request && arp.skip(6).is_some() && arp.u32() == Some(0)
}

/// IEEE 802.1Q §9.6: three bits of priority, one of drop eligibility, the identifier. Identifier 0 names no VLAN.
fn vlan(position: &mut Position<'_>) -> Result<(), Skip> {
    let id = position.rest.u16()? & 0x0fff;
    if id != 0 {
        position.push_vlan(id);
    }
    let value = position.rest.u16()?;
    position.descend(position.layer)?;
    length_or_type(position, value);
    Ok(())
}

/// IEEE 802.1BR's predecessor (Cisco VN-Tag): direction, interfaces and version in four bytes.
fn vntag(position: &mut Position<'_>) -> Result<(), Skip> {
    position.rest.skip(4)?;
    let value = position.rest.u16()?;
    position.descend(Layer::EtherType(value))
}

/// IEEE 802.1BR §7.5: priority, and the channels that a frame came from and goes to, in six bytes.
fn etag(position: &mut Position<'_>) -> Result<(), Skip> {
    position.rest.skip(6)?;
    let value = position.rest.u16()?;
    position.descend(Layer::EtherType(value))
}

/// Cisco's security group tag: version 1, length 1, an option's length and type, the tag.
fn cisco_metadata(position: &mut Position<'_>) -> Result<(), Skip> {
    let [version, len, ..] = position.rest.array::<6>()?;
    if (version, len) != (1, 1) {
        return Err(Skip::NotIp);
    }
    let value = position.rest.u16()?;
    position.descend(Layer::EtherType(value))
}

/// IEEE 802.1AE §9: a frame that is only authenticated is read; its check value is cut off by the IP length.
fn macsec(position: &mut Position<'_>) -> Result<(), Skip> {
    const CHANNEL_IDENTIFIER: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    let [control, _short_len, _, _, _, _] = position.rest.array()?;
    if control & ENCRYPTED_OR_CHANGED != 0 {
        return Err(Skip::NotIp);
    }
    if control & CHANNEL_IDENTIFIER != 0 {
        position.rest.skip(8)?;
    }
    let value = position.rest.u16()?;
    position.descend(Layer::EtherType(value))
}

/// IEEE 802.2: IP by its own service access point, or a SNAP header (RFC 1042) of the Ethernet organisation or of Cisco.
fn llc(position: &mut Position<'_>) -> Result<(), Skip> {
    match position.rest.array()? {
        [0x06, 0x06, 0x03] => {
            position.layer = Layer::Ip;
            Ok(())
        }
        [0xaa, 0xaa, 0x03] => snap(position),
        _ => Err(Skip::NotIp),
    }
}

/// Behind what announces it: an organisation, and a protocol of its.
pub(super) fn snap(position: &mut Position<'_>) -> Result<(), Skip> {
    let organisation = position.rest.array()?;
    let value = position.rest.u16()?;
    match organisation {
        // The second is RFC 1042 bridged to 802.1H.
        [0x00, 0x00, 0x00] | [0x00, 0x00, 0xf8] => position.descend(Layer::EtherType(value)),
        [0x00, 0x00, 0x0c] if value == CDP => position.descend(Layer::EtherType(CDP)),
        _ => Err(Skip::NotIp),
    }
}

/// LINKTYPE_NULL carries the address family in the byte order of the machine that captured, LINKTYPE_LOOP in network
/// order. The values are AF_INET and AF_INET6 of the BSDs, macOS and Linux.
fn null(position: &mut Position<'_>) -> Result<(), Skip> {
    let family = position.rest.u32()?;
    match (family, family.swap_bytes()) {
        (2 | 10 | 24 | 28 | 30, _) | (_, 2 | 10 | 24 | 28 | 30) => {
            position.layer = Layer::Ip;
            Ok(())
        }
        _ => Err(Skip::NotIp),
    }
}

/// LINKTYPE_LINUX_SLL: packet type, ARPHRD type, address length, address, protocol.
fn sll(position: &mut Position<'_>) -> Result<(), Skip> {
    position.rest.skip(2)?;
    let hardware = position.rest.u16()?;
    let address_len = position.rest.u16()?;
    let address = position.rest.array()?;
    let protocol = position.rest.u16()?;
    cooked(position, hardware, address_len, address, protocol)
}

/// LINKTYPE_LINUX_SLL2: protocol, reserved, interface index, ARPHRD type, packet type, address length, address.
fn sll2(position: &mut Position<'_>) -> Result<(), Skip> {
    let protocol = position.rest.u16()?;
    position.rest.skip(6)?;
    let hardware = position.rest.u16()?;
    position.rest.skip(1)?;
    let address_len = position.rest.u8()?;
    let address = position.rest.array()?;
    cooked(position, hardware, u16::from(address_len), address, protocol)
}

fn cooked(
    position: &mut Position<'_>,
    hardware: u16,
    address_len: u16,
    address: [u8; 8],
    protocol: u16,
) -> Result<(), Skip> {
    const ETHERNET_HARDWARE: u16 = 1;
    const LOOPBACK_HARDWARE: u16 = 772;
    const NETLINK_HARDWARE: u16 = 824;
    const LLC: u16 = 0x0004;
    let [a, b, c, d, e, f, ..] = address;
    if matches!(hardware, ETHERNET_HARDWARE | LOOPBACK_HARDWARE) && address_len == 6 {
        position.set_link(Mac([a, b, c, d, e, f]), None);
    }
    position.layer = match protocol {
        _ if hardware == NETLINK_HARDWARE => return Err(Skip::NotIp),
        LLC => Layer::Llc,
        value if value < ETHER_TYPE_MIN => return Err(Skip::NotIp),
        value => Layer::EtherType(value),
    };
    Ok(())
}
