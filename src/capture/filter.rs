//! Capture filters: an expression of pcap-filter(7) in, a yes or no for each frame out, the same live and in a replay.
//!
//! libpcap's own meaning of an expression differs between the two. Live, the kernel takes the outer VLAN tag out of
//! the frame before the filter sees it, so that `tcp port 443` matches a tagged frame; in a file the tag stands in the
//! way, and the same expression does not match. Here an expression is judged as if an Ethernet frame's VLAN tags, up to
//! two, were not there, in both. One that itself speaks of `vlan` is taken as libpcap takes it. Nothing looks behind
//! MPLS labels, PPPoE or tunnels unless the expression says so.

use std::borrow::Cow;

use pcap::{BpfProgram, Capture, Linktype};

use super::{CaptureError, LinkType};
use crate::protocol::cursor::Cursor;

/// A capture filter.
pub struct Filter {
    expression: String,
    /// One for each link type that was met.
    programs: Vec<(LinkType, BpfProgram)>,
}

impl Filter {
    /// Compiles an expression for Ethernet, to know that it is one.
    pub fn new(expression: &str) -> Result<Self, CaptureError> {
        if let Some(word) = name_to_look_up(expression) {
            return Err(CaptureError::FilterName { expression: expression.to_owned(), word: word.to_owned() });
        }
        let mut filter = Self { expression: expression.to_owned(), programs: Vec::new() };
        filter.compile(LinkType::Ethernet)?;
        Ok(filter)
    }

    /// Whether a frame of a file is wanted. Frames of unknown link types are: it is for decoding to refuse them.
    pub fn matches(&mut self, link: LinkType, frame: &[u8]) -> Result<bool, CaptureError> {
        let (link, frame) = match link {
            LinkType::Unknown(_) => return Ok(true),
            // The byte order of the address family is the writer's, which nobody knows; the IP version tells as much.
            LinkType::Null => (LinkType::Raw, Cow::Borrowed(frame.get(4..).unwrap_or_default())),
            LinkType::Ethernet if self.untagged_by_kernel() => (link, without_outer_tag(frame)),
            link => (link, Cow::Borrowed(frame)),
        };
        if !self.programs.iter().any(|(compiled, _)| *compiled == link) {
            self.compile(link)?;
        }
        Ok(self.programs.iter().any(|(compiled, program)| *compiled == link && program.filter(&frame)))
    }

    /// The expression for frames of a link type, in libpcap's own meaning.
    pub(super) fn for_link(&self, link: LinkType) -> String {
        let plain = &self.expression;
        if link != LinkType::Ethernet || SHIFTING.iter().any(|keyword| words(plain).any(|word| word == *keyword)) {
            return plain.clone();
        }
        // Each `vlan` moves all offsets behind it by one tag more, so the second stands inside the first; and a frame
        // with a tag left is not judged yet, lest `not port 22` match it for having no port at all.
        let untagged = format!("(({plain}) and not ({TAGGED}))");
        format!("{untagged} or (vlan and ({untagged} or (vlan and ({plain}))))")
    }

    fn compile(&mut self, link: LinkType) -> Result<(), CaptureError> {
        let program = Capture::dead(datalink(link)).and_then(|dead| dead.compile(&self.for_link(link), true));
        let program = program.map_err(|error| self.refused(&error))?;
        self.programs.push((link, program));
        Ok(())
    }

    pub(super) fn refused(&self, error: &pcap::Error) -> CaptureError {
        CaptureError::Filter { expression: self.expression.clone(), reason: reason(error) }
    }

    /// Whether the kernel's taking the outer tag away makes a difference to the expression that cannot be written
    /// into it.
    fn untagged_by_kernel(&self) -> bool {
        let has = |keyword| words(&self.expression).any(|word| word == keyword);
        !has("vlan") && SHIFTING.into_iter().any(has)
    }
}

/// libpcap's own words, without those of the crate around them.
pub(super) fn reason(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(reason) => reason.clone(),
        other => other.to_string(),
    }
}

/// Ethernet types that libpcap takes for a VLAN tag.
const TAGGED: &str = "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100";

/// Keywords that move the offsets of what stands behind them, so that an expression with one cannot be repeated.
const SHIFTING: [&str; 6] = ["geneve", "mpls", "pppoed", "pppoes", "vlan", "vxlan"];

/// libpcap's number for a link type.
fn datalink(link: LinkType) -> Linktype {
    match link {
        LinkType::Arcnet => Linktype(7),
        LinkType::ArcnetLinux => Linktype(129),
        LinkType::CiscoHdlc => Linktype(104),
        LinkType::Ethernet => Linktype::ETHERNET,
        LinkType::FrameRelay => Linktype(107),
        LinkType::Ieee80211 => Linktype(105),
        LinkType::Ieee80211Avs => Linktype(163),
        LinkType::Ieee80211Prism => Linktype(119),
        LinkType::Ieee80211Radiotap => Linktype(127),
        LinkType::Infiniband => Linktype(242),
        LinkType::LinuxSll => Linktype::LINUX_SLL,
        LinkType::LinuxSll2 => Linktype(276),
        LinkType::Nflog => Linktype(239),
        LinkType::Null => Linktype::NULL,
        LinkType::Pktap => Linktype(258),
        LinkType::Ppi => Linktype(192),
        LinkType::Ppp => Linktype(9),
        LinkType::PppEther => Linktype(51),
        LinkType::Raw => Linktype(12),
        LinkType::TokenRing => Linktype(6),
        LinkType::User2 => Linktype(149),
        LinkType::Unknown(value) => Linktype(i32::from(value)),
    }
}

/// An Ethernet frame as a live filter sees it.
fn without_outer_tag(frame: &[u8]) -> Cow<'_, [u8]> {
    let mut rest = Cursor::new(frame);
    let (Some(addresses), Some(0x8100 | 0x88a8), Some(_)) = (rest.take(12), rest.u16(), rest.u16()) else {
        return Cow::Borrowed(frame);
    };
    Cow::Owned([addresses, rest.rest()].concat())
}

fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.:/\\".contains(c)).filter(|word| !word.is_empty())
}

/// The first word of an expression that libpcap would ask a name server for.
fn name_to_look_up(expression: &str) -> Option<&str> {
    let before = std::iter::once("").chain(words(expression));
    words(expression).zip(before).find_map(|(word, before)| {
        let names_itself = NAME_TAKERS.contains(&before) || KEYWORDS.contains(&word);
        let is_constant = ["tcp-", "icmp-", "icmp6-", "\\"].iter().any(|prefix| word.starts_with(prefix));
        let is_number = word.starts_with(|c: char| c.is_ascii_digit()) || word.contains(':');
        (!names_itself && !is_constant && !is_number).then_some(word)
    })
}

/// Keywords before a name that is not a host's or a network's.
const NAME_TAKERS: [&str; 7] = ["dir", "port", "portrange", "proto", "protochain", "subtype", "type"];

/// The words of pcap-filter(7), without those for ATM, SS7, FDDI, 802.11 and packet-filter logs.
#[rustfmt::skip]
const KEYWORDS: [&str; 87] = [
    "aarp", "ah", "and", "arp", "atalk", "broadcast", "byte", "carp", "clnp", "csnp", "decnet", "dir", "dst", "es-is",
    "esis", "esp", "ether", "gateway", "geneve", "greater", "host", "icmp", "icmp6", "icmp6code", "icmp6type",
    "icmpcode", "icmptype", "ifindex", "igmp", "igrp", "iih", "inbound", "ip", "ip6", "ipx", "is-is", "isis", "iso",
    "l1", "l2", "lat", "len", "length", "less", "link", "llc", "lsp", "mask", "mopdl", "moprc", "mpls", "multicast",
    "net", "netbeui", "not", "or", "outbound", "pim", "port", "portrange", "ppp", "pppoed", "pppoes", "proto",
    "protochain", "psnp", "radio", "rarp", "rnr", "sca", "sctp", "slip", "snp", "src", "stp", "subtype", "tcp",
    "tcpflags", "tr", "type", "udp", "vlan", "vrrp", "vxlan", "wlan", "xor", "bcc",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ethernet frame with VLAN tags, outermost first, that carries a UDP datagram from port 1111.
    fn frame(tags: &[u16], port: u8) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tag in tags {
            frame.extend([0x81, 0x00]);
            frame.extend(tag.to_be_bytes());
        }
        frame.extend([0x08, 0x00]);
        frame.extend(ip_packet(port));
        frame
    }

    /// 10.0.0.1:1111 → 10.0.0.2:port
    fn ip_packet(port: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0x04, 0x57, 0, port, 0, 8, 0, 0]);
        packet
    }

    fn matches(expression: &str, link: LinkType, frame: &[u8]) -> bool {
        Filter::new(expression).unwrap().matches(link, frame).unwrap()
    }

    #[test]
    fn vlan_tags_do_not_hide_a_frame_from_the_filter() {
        for tags in [&[][..], &[5], &[5, 6]] {
            for (expression, wanted) in [("udp port 53", true), ("not udp port 53", false), ("udp port 54", false)] {
                assert_eq!(matches(expression, LinkType::Ethernet, &frame(tags, 53)), wanted, "{expression} {tags:?}");
            }
        }
    }

    #[test]
    fn an_expression_about_vlans_is_taken_as_it_is() {
        assert!(matches("vlan 5 and udp port 53", LinkType::Ethernet, &frame(&[5], 53)));
        assert!(!matches("vlan 6 and udp port 53", LinkType::Ethernet, &frame(&[5], 53)));
        assert!(!matches("vlan", LinkType::Ethernet, &frame(&[], 53)));
        assert!(matches("not vlan", LinkType::Ethernet, &frame(&[], 53)));
    }

    #[test]
    fn an_expression_about_mpls_sees_the_frame_without_its_outer_tag_as_in_live_capture() {
        let mut tagged = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0, 5, 0x88, 0x47, 0, 0x01, 0x01, 64];
        tagged.extend(ip_packet(53));
        assert!(matches("mpls and udp port 53", LinkType::Ethernet, &tagged));
        assert!(!matches("mpls and udp port 54", LinkType::Ethernet, &tagged));
    }

    #[test]
    fn every_link_type_is_filtered_by_its_own_program() {
        let packet = ip_packet(53);
        let null = [&[2, 0, 0, 0], &packet[..]].concat();
        let sll = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x08, 0x00], &packet[..]].concat();
        let sll2 = [&[0x08, 0x00, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &packet[..]].concat();
        let mut filter = Filter::new("udp port 53").unwrap();
        let mut other = Filter::new("udp port 54").unwrap();
        for (link, frame) in [
            (LinkType::Raw, &packet),
            (LinkType::Null, &null),
            (LinkType::LinuxSll, &sll),
            (LinkType::LinuxSll2, &sll2),
        ] {
            assert!(filter.matches(link, frame).unwrap(), "{link:?}");
            assert!(!other.matches(link, frame).unwrap(), "{link:?}");
        }
        assert!(other.matches(LinkType::Unknown(147), &packet).unwrap());
    }

    #[test]
    fn a_bad_expression_is_quoted_with_the_reason() {
        let error = Filter::new("tcp prt 443").err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "capture filter \"tcp prt 443\" names \"prt\", which would have to be looked up, and spanwatch resolves \
                 no names; write the address or the number"
            )
        );
        let error = Filter::new("tcp port port 443").err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "capture filter \"tcp port port 443\" is not understood: can't parse filter expression: syntax error; \
                 the language is that of the manual page pcap-filter(7)"
            )
        );
        let mut ether = Filter::new("ether src 02:00:00:00:00:01").unwrap();
        let error = ether.matches(LinkType::Raw, &ip_packet(53)).err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "capture filter \"ether src 02:00:00:00:00:01\" is not understood: ethernet addresses supported only \
                 on ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel; the language is that of the manual page \
                 pcap-filter(7)"
            )
        );
    }

    #[test]
    fn names_are_not_looked_up() {
        for refused in ["host example.com", "src laptop or dst 10.0.0.1", "net office", "gateway router"] {
            assert!(matches!(Filter::new(refused), Err(CaptureError::FilterName { .. })), "{refused}");
        }
        for taken in [
            "host 10.0.0.1 and not port 22",
            "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
            "ip6 host fe80::1 or ether host 02:aa:bb:cc:dd:ee",
            "udp port domain or tcp portrange 8000-8080",
            "ip proto \\tcp and (vlan 7 or len > 100)",
            "icmp[icmptype] = icmp-echo && ip[8] < 0x05 || ether[12:2] == 0x88cc",
        ] {
            assert!(Filter::new(taken).is_ok(), "{taken}: {}", Filter::new(taken).err().unwrap());
        }
    }
}
