//! A SYN or SYN/ACK in, its signature in p0f notation out: what tells one TCP/IP stack from another.
//!
//! The notation is the one p0f 3 documents (`ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass`); the reading is our
//! own. A signature is a plain value and becomes text where an event shows it.

mod kept;
mod notation;

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::decode::{Head, TcpHeader};
use crate::protocol::cursor::Cursor;

pub(super) use kept::{SignaturePlace, Signatures};

/// What a side's first packet tells about its TCP/IP stack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SynSignature {
    quirks: Quirks,
    window: u16,
    /// 0 where the option is missing.
    mss: u16,
    ip_options_len: u16,
    ttl: u8,
    window_scale: u8,
    /// The bytes behind the end-of-options mark.
    padding_len: u8,
    kinds_len: u8,
    /// The option kinds in their order, the first [`Self::KINDS_MAX`] of them.
    kinds: [u8; Self::KINDS_MAX],
    v6: bool,
    has_payload: bool,
}

impl SynSignature {
    /// The most options a signature keeps; what real stacks send is half of it.
    pub const KINDS_MAX: usize = 20;

    pub fn read(head: &Head, tcp: &TcpHeader) -> Self {
        let mut signature = Self {
            quirks: Quirks::of_headers(head, tcp),
            window: tcp.window,
            mss: 0,
            ip_options_len: head.ip.options_len,
            ttl: head.ip.ttl,
            window_scale: 0,
            padding_len: 0,
            kinds_len: 0,
            kinds: [0; Self::KINDS_MAX],
            v6: head.source.ip.is_ipv6(),
            has_payload: head.payload_len > 0,
        };
        let options = tcp.options.get(..usize::from(tcp.options_len)).unwrap_or(&tcp.options);
        if signature.read_options(Cursor::new(options), tcp).is_none() {
            signature.quirks.set(Quirks::BAD_OPTIONS);
        }
        signature
    }

    /// The maximum segment size option.
    pub const fn mss(&self) -> Option<u16> {
        if self.mss == 0 { None } else { Some(self.mss) }
    }

    /// The part of the notation that is the same on every path: `ittl:wsize,scale:olayout:quirks`, the window as it is.
    pub fn stack(&self) -> String {
        let whole = self.to_string();
        let mut parts = whole.split(':').skip(5);
        let (layout, quirks) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        format!("{}:{},{}:{layout}:{quirks}", initial_ttl(self.ttl), self.window, self.window_scale)
    }

    /// Whether the TTL and the options are those of Linux: 64, and `mss,sok,ts,nop,ws`.
    pub fn is_of_linux(&self) -> bool {
        const LAYOUT: [u8; 5] =
            [option::MSS, option::SACK_PERMITTED, option::TIMESTAMPS, option::NOP, option::WINDOW_SCALE];
        initial_ttl(self.ttl) == 64 && self.kinds() == LAYOUT
    }

    /// Whether the TTL and the options are those of Windows: 128, and `mss,nop,ws,nop,nop,sok`, with timestamps
    /// `mss,nop,ws,sok,ts`.
    pub fn is_of_windows(&self) -> bool {
        const LAYOUT: [u8; 6] =
            [option::MSS, option::NOP, option::WINDOW_SCALE, option::NOP, option::NOP, option::SACK_PERMITTED];
        const WITH_TIMESTAMPS: [u8; 5] =
            [option::MSS, option::NOP, option::WINDOW_SCALE, option::SACK_PERMITTED, option::TIMESTAMPS];
        initial_ttl(self.ttl) == 128 && (self.kinds() == LAYOUT || self.kinds() == WITH_TIMESTAMPS)
    }

    /// Over how many routers it came, most likely.
    pub const fn hops(&self) -> u8 {
        initial_ttl(self.ttl).saturating_sub(self.ttl)
    }

    /// `None` where the options contradict themselves.
    fn read_options(&mut self, mut options: Cursor<'_>, tcp: &TcpHeader) -> Option<()> {
        while let Some(kind) = options.u8() {
            self.push(kind);
            match kind {
                option::END => {
                    self.padding_len = u8::try_from(options.len()).unwrap_or(u8::MAX);
                    if options.rest().iter().any(|&byte| byte != 0) {
                        self.quirks.set(Quirks::PADDING_NOT_ZERO);
                    }
                    return Some(());
                }
                option::NOP => {}
                _ => {
                    let len = options.u8()?.checked_sub(2)?;
                    self.read_option(kind, options.sub(usize::from(len))?, tcp)?;
                }
            }
        }
        Some(())
    }

    fn read_option(&mut self, kind: u8, mut body: Cursor<'_>, tcp: &TcpHeader) -> Option<()> {
        match kind {
            option::MSS => self.mss = body.u16()?,
            option::WINDOW_SCALE => {
                self.window_scale = body.u8()?;
                if self.window_scale > 14 {
                    self.quirks.set(Quirks::SCALE_EXCESSIVE);
                }
            }
            option::TIMESTAMPS => {
                let (own, peer) = (body.u32()?, body.u32()?);
                if own == 0 {
                    self.quirks.set(Quirks::TIMESTAMP_ZERO);
                }
                if peer != 0 && !tcp.has(TcpHeader::ACK) {
                    self.quirks.set(Quirks::PEER_TIMESTAMP);
                }
            }
            option::SACK_PERMITTED => {}
            _ => return Some(()),
        }
        body.is_empty().then_some(())
    }

    fn push(&mut self, kind: u8) {
        if let Some(place) = self.kinds.get_mut(usize::from(self.kinds_len)) {
            *place = kind;
            self.kinds_len = self.kinds_len.saturating_add(1);
        }
    }

    fn kinds(&self) -> &[u8] {
        self.kinds.get(..usize::from(self.kinds_len)).unwrap_or(&self.kinds)
    }

    /// The window as a multiple of the segment or packet size, where it is one.
    ///
    /// The alternate form is always the number, so that nothing is lost.
    fn write_window(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return write!(f, "{}", self.window);
        }
        const MULTIPLE_MAX: u16 = 255;
        const MSS_MIN: u16 = 100;
        let header_len = if self.v6 { 60 } else { 40 };
        let timestamps_len = if self.kinds().contains(&option::TIMESTAMPS) { 12 } else { 0 };
        let units = [("mss", 0, 0), ("mss", 0, timestamps_len), ("mtu", header_len, 0)];
        for (unit, more, less) in units {
            let size = self.mss.saturating_add(more).saturating_sub(less);
            let multiple = self.window.checked_div(size).unwrap_or(0);
            let exact = multiple.checked_mul(size) == Some(self.window);
            if self.mss >= MSS_MIN && exact && (1..=MULTIPLE_MAX).contains(&multiple) {
                return write!(f, "{unit}*{multiple}");
            }
        }
        write!(f, "{}", self.window)
    }

    fn write_layout(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, &kind) in self.kinds().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match kind {
                option::END => write!(f, "eol+{}", self.padding_len)?,
                option::NOP => f.write_str("nop")?,
                option::MSS => f.write_str("mss")?,
                option::WINDOW_SCALE => f.write_str("ws")?,
                option::SACK_PERMITTED => f.write_str("sok")?,
                option::SACK => f.write_str("sack")?,
                option::TIMESTAMPS => f.write_str("ts")?,
                other => write!(f, "?{other}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for SynSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.v6 { 6 } else { 4 };
        write!(f, "{version}:{}+{}:{}:{}:", self.ttl, self.hops(), self.ip_options_len, self.mss)?;
        self.write_window(f)?;
        write!(f, ",{}:", self.window_scale)?;
        self.write_layout(f)?;
        write!(f, ":{}:{}", self.quirks, if self.has_payload { '+' } else { '0' })
    }
}

/// In a few whole words: each of its members by itself would take longer.
impl Hash for SynSignature {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [quirks, window, mss, ip_options] =
            [u64::from(self.quirks.0), self.window.into(), self.mss.into(), self.ip_options_len.into()];
        state.write_u64((quirks << 32) | (window << 16) | mss);
        state.write_u64((ip_options << 16) | (u64::from(self.v6) << 1) | u64::from(self.has_payload));
        let [ttl, scale, padding, kinds] =
            [self.ttl, self.window_scale, self.padding_len, self.kinds_len].map(u32::from);
        state.write_u32((ttl << 24) | (scale << 16) | (padding << 8) | kinds);
        state.write(&self.kinds);
    }
}

/// The TTL a packet was most likely sent with: the next of the values that operating systems use.
pub const fn initial_ttl(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        129..=255 => 255,
    }
}

/// TCP option kinds (IANA "TCP Option Kind Numbers").
mod option {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
}

/// Peculiarities of the headers, a bit each in the order the notation lists them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Quirks(u32);

impl Quirks {
    const DONT_FRAGMENT: u32 = 1 << 0;
    const ID_WITH_DONT_FRAGMENT: u32 = 1 << 1;
    const ID_ZERO: u32 = 1 << 2;
    const ECN: u32 = 1 << 3;
    const RESERVED_FLAG: u32 = 1 << 4;
    const FLOW_LABEL: u32 = 1 << 5;
    const SEQUENCE_ZERO: u32 = 1 << 6;
    const ACKNOWLEDGMENT_WITHOUT_FLAG: u32 = 1 << 7;
    const ACKNOWLEDGMENT_ZERO: u32 = 1 << 8;
    const URGENT_WITHOUT_FLAG: u32 = 1 << 9;
    const URGENT: u32 = 1 << 10;
    const PUSH: u32 = 1 << 11;
    const TIMESTAMP_ZERO: u32 = 1 << 12;
    const PEER_TIMESTAMP: u32 = 1 << 13;
    const PADDING_NOT_ZERO: u32 = 1 << 14;
    const SCALE_EXCESSIVE: u32 = 1 << 15;
    const BAD_OPTIONS: u32 = 1 << 16;

    const NAMES: [&'static str; 17] = [
        "df", "id+", "id-", "ecn", "0+", "flow", "seq-", "ack+", "ack-", "uptr+", "urgf+", "pushf+", "ts1-", "ts2+",
        "opt+", "exws", "bad",
    ];

    fn of_headers(head: &Head, tcp: &TcpHeader) -> Self {
        let ip = &head.ip;
        let acknowledges = tcp.has(TcpHeader::ACK);
        let urges = tcp.has(TcpHeader::URG);
        let mut quirks = Self::default();
        for (is_so, quirk) in [
            (ip.dont_fragment, Self::DONT_FRAGMENT),
            (ip.dont_fragment && ip.id.is_some_and(|id| id != 0), Self::ID_WITH_DONT_FRAGMENT),
            (!ip.dont_fragment && ip.id == Some(0), Self::ID_ZERO),
            (ip.ecn != 0 || tcp.reserved || tcp.flags & (TcpHeader::ECE | TcpHeader::CWR) != 0, Self::ECN),
            (ip.reserved_flag, Self::RESERVED_FLAG),
            (ip.flow_label != 0, Self::FLOW_LABEL),
            (tcp.sequence == 0, Self::SEQUENCE_ZERO),
            (!acknowledges && tcp.acknowledgment != 0, Self::ACKNOWLEDGMENT_WITHOUT_FLAG),
            (acknowledges && tcp.acknowledgment == 0, Self::ACKNOWLEDGMENT_ZERO),
            (!urges && tcp.urgent != 0, Self::URGENT_WITHOUT_FLAG),
            (urges, Self::URGENT),
            (tcp.has(TcpHeader::PSH), Self::PUSH),
        ] {
            if is_so {
                quirks.set(quirk);
            }
        }
        quirks
    }

    const fn set(&mut self, quirk: u32) {
        self.0 |= quirk;
    }
}

impl fmt::Display for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (bit, name) in (0..).zip(Self::NAMES) {
            if self.0.checked_shr(bit).unwrap_or(0) & 1 == 1 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::IpHeader;
    use crate::net::{Endpoint, Transport};
    use crate::time::Timestamp;

    const LINUX: &[u8] = &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

    fn syn(options: &[u8]) -> (Head, TcpHeader) {
        let end = Endpoint::new([192, 0, 2, 1].into(), 1);
        let ip = IpHeader {
            len: 60,
            ttl: 57,
            id: Some(0x1234),
            options_len: 0,
            dont_fragment: true,
            reserved_flag: false,
            ecn: 0,
            flow_label: 0,
        };
        let mut tcp = TcpHeader {
            sequence: 1,
            acknowledgment: 0,
            flags: TcpHeader::SYN,
            reserved: false,
            window: 64_240,
            urgent: 0,
            options: [0; 40],
            options_len: u8::try_from(options.len()).unwrap(),
        };
        tcp.options[..options.len()].copy_from_slice(options);
        let head = Head {
            at: Timestamp::ZERO,
            seq: 0,
            source: end,
            target: end,
            transport: Transport::Tcp,
            source_mac: None,
            target_mac: None,
            vlan: None,
            inner_vlan: None,
            tunnel: None,
            is_authenticated: false,
            ip,
            tcp: Some(tcp),
            payload_len: 0,
        };
        (head, tcp)
    }

    fn shown(options: &[u8], change: fn(&mut Head, &mut TcpHeader)) -> String {
        let (mut head, mut tcp) = syn(options);
        change(&mut head, &mut tcp);
        SynSignature::read(&head, &tcp).to_string()
    }

    #[test]
    fn ordinary_stacks_are_written_in_the_public_notation() {
        assert_eq!(shown(LINUX, |_, _| {}), "4:57+7:0:1460:mss*44,7:mss,sok,ts,nop,ws:df,id+:0");
        let windows = [2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
        let windows = shown(&windows, |head, tcp| {
            head.ip.ttl = 128;
            tcp.window = 65_535;
        });
        assert_eq!(windows, "4:128+0:0:1460:65535,8:mss,nop,ws,nop,nop,sok:df,id+:0");
        let scanner = shown(&[], |head, tcp| {
            head.ip.dont_fragment = false;
            head.ip.ttl = 240;
            tcp.window = 1024;
        });
        assert_eq!(scanner, "4:240+15:0:0:1024,0:::0");
    }

    #[test]
    fn the_window_is_a_multiple_of_the_segment_or_the_packet_where_it_is_one() {
        let window = |options: &[u8], window: u16| {
            let (head, mut tcp) = syn(options);
            tcp.window = window;
            SynSignature::read(&head, &tcp).to_string().split(':').nth(4).unwrap().to_string()
        };
        assert_eq!(window(LINUX, 1460), "mss*1,7");
        // With timestamps a segment carries twelve bytes less.
        assert_eq!(window(LINUX, 1448 * 10), "mss*10,7");
        assert_eq!(window(&[2, 4, 5, 0xb4], 1448 * 10), "14480,0");
        assert_eq!(window(&[2, 4, 5, 0xb4], 1500 * 4), "mtu*4,0");
        assert_eq!(window(&[2, 4, 0, 99], 99), "99,0");
        assert_eq!(window(&[2, 4, 0, 100], 100 * 256), "25600,0");
        assert_eq!(window(LINUX, 0), "0,7");
    }

    #[test]
    fn each_quirk_has_its_word() {
        let quirks = |options: &[u8], change: fn(&mut Head, &mut TcpHeader)| {
            shown(options, change).split(':').nth(6).unwrap().to_string()
        };
        assert_eq!(quirks(&[], |head, _| head.ip.id = Some(0)), "df");
        assert_eq!(quirks(&[], |head, _| (head.ip.id, head.ip.dont_fragment) = (Some(0), false)), "id-");
        assert_eq!(quirks(&[], |_, tcp| tcp.flags |= TcpHeader::ECE | TcpHeader::CWR), "df,id+,ecn");
        assert_eq!(quirks(&[], |head, _| head.ip.reserved_flag = true), "df,id+,0+");
        assert_eq!(quirks(&[], |_, tcp| (tcp.sequence, tcp.acknowledgment) = (0, 1)), "df,id+,seq-,ack+");
        assert_eq!(quirks(&[], |_, tcp| tcp.flags |= TcpHeader::ACK), "df,id+,ack-");
        assert_eq!(quirks(&[], |_, tcp| tcp.urgent = 1), "df,id+,uptr+");
        assert_eq!(quirks(&[], |_, tcp| tcp.flags |= TcpHeader::URG | TcpHeader::PSH), "df,id+,urgf+,pushf+");
        assert_eq!(quirks(&[8, 10, 0, 0, 0, 0, 0, 0, 0, 1], |_, _| {}), "df,id+,ts1-,ts2+");
        assert_eq!(quirks(&[0, 1, 0, 0], |_, _| {}), "df,id+,opt+");
        assert_eq!(quirks(&[3, 3, 15], |_, _| {}), "df,id+,exws");
        let v6 = |head: &mut Head, _: &mut TcpHeader| {
            head.source.ip = std::net::Ipv6Addr::LOCALHOST.into();
            (head.ip.id, head.ip.dont_fragment, head.ip.flow_label) = (None, false, 7);
        };
        assert_eq!(quirks(&[], v6), "flow");
        assert!(shown(&[], v6).starts_with("6:57+7:"));
    }

    #[test]
    fn options_that_contradict_themselves_are_bad_and_cost_nothing_else() {
        for bad in [
            &[2][..],
            &[2, 0],
            &[2, 1],
            &[2, 4, 5],
            &[2, 3, 5],
            &[3, 4, 1, 1],
            &[4, 3, 0],
            &[8, 9, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(shown(bad, |_, _| {}).ends_with(",bad:0"), "{bad:?}");
        }
        assert_eq!(shown(&[254, 4, 1, 2, 34, 2, 0, 0], |_, _| {}), "4:57+7:0:0:64240,0:?254,?34,eol+1:df,id+:0");
        let nops = shown(&[1; 40], |_, _| {});
        assert_eq!(nops.matches("nop").count(), SynSignature::KINDS_MAX);
    }

    #[test]
    fn a_stack_is_the_same_on_every_path() {
        let stack = |options: &[u8], ttl: u8| {
            let (mut head, tcp) = syn(options);
            head.ip.ttl = ttl;
            SynSignature::read(&head, &tcp).stack()
        };
        let through_a_tunnel = [2, 4, 5, 0x64, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        assert_eq!(stack(LINUX, 57), "64:64240,7:mss,sok,ts,nop,ws:df,id+");
        assert_eq!(stack(&through_a_tunnel, 43), stack(LINUX, 57));
    }

    #[test]
    fn linux_and_windows_are_told_by_their_ttl_and_their_options() {
        let read = |options: &[u8], ttl: u8| {
            let (mut head, tcp) = syn(options);
            head.ip.ttl = ttl;
            SynSignature::read(&head, &tcp)
        };
        let is_of_linux = |options: &[u8], ttl: u8| read(options, ttl).is_of_linux();
        assert!(is_of_linux(LINUX, 64) && is_of_linux(LINUX, 43));
        assert!(!is_of_linux(LINUX, 65), "a Windows machine, say, some hops away");
        assert!(!is_of_linux(&[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2], 64), "the options of Windows");
        assert!(!is_of_linux(LINUX.get(..8).unwrap(), 64), "the first of the options alone");
        let is_of_windows = |options: &[u8], ttl: u8| read(options, ttl).is_of_windows();
        let windows: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
        let with_timestamps: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
        assert!(is_of_windows(windows, 128) && is_of_windows(with_timestamps, 127));
        assert!(!is_of_windows(windows, 64) && !is_of_windows(LINUX, 128));
        assert_eq!((read(windows, 128).hops(), read(windows, 126).hops()), (0, 2));
    }

    #[test]
    fn payload_on_a_syn_is_shown() {
        assert!(shown(&[], |head, _| head.payload_len = 1).ends_with(":+"));
    }
}
