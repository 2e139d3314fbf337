//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers in, addresses and what they carry out. Checksums are not looked at: a
//! mirror sees packets whose checksums the interface would have filled in.

use etherparse::err::{ipv4, ipv6};
use etherparse::{Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice};

use super::layer::{Position, Rest};
use super::{IpHeader, Skip};

// IANA protocol numbers.
const HOP_BY_HOP: u8 = 0;
pub(super) const IPV4: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
pub(super) const GRE: u8 = 47;
pub(super) const ESP: u8 = 50;
pub(super) const AH: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
pub(super) const ETHERIP: u8 = 97;
pub(super) const L2TP: u8 = 115;
const MOBILITY: u8 = 135;
pub(super) const MPLS: u8 = 137;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// The most extension headers of an IPv6 packet.
const EXTENSIONS_MAX: usize = 8;

/// What an IP header carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// Its IANA number.
    pub(super) protocol: u8,
    /// Where it is a part of a datagram.
    pub(super) part: Option<Part>,
}

/// A fragment's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) id: u32,
    /// In bytes of what the datagram carries.
    pub(super) offset: u32,
    /// More fragments follow.
    pub(super) more: bool,
}

/// Reads an IP header; the position then is at what it carries, without the link's padding.
pub(super) fn read(position: &mut Position<'_>) -> Result<Carried, Skip> {
    let carried = match position.rest.bytes().first().map(|byte| byte >> 4) {
        Some(4) => v4(position)?,
        Some(6) => v6(position)?,
        Some(_) => return Err(Skip::Malformed),
        None => return Err(Skip::Truncated),
    };
    position.body = position.rest;
    Ok(carried)
}

fn v4(position: &mut Position<'_>) -> Result<Carried, Skip> {
    let Position { head, rest, .. } = position;
    let slice = Ipv4HeaderSlice::from_slice(rest.bytes()).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => Skip::Truncated,
        ipv4::HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    let total_len = u32::from(slice.total_len());
    // A length of 0 is left by hosts whose network interface cuts large segments (TSO) behind the capture.
    if total_len != 0 {
        rest.end_after(total_len);
    }
    head.source.ip = slice.source_addr().into();
    head.target.ip = slice.destination_addr().into();
    head.ip = IpHeader {
        len: rest.wire_len(),
        ttl: slice.ttl(),
        id: Some(slice.identification()),
        options_len: u16::from(slice.ihl()).saturating_mul(4).saturating_sub(20),
        dont_fragment: slice.dont_fragment(),
        reserved_flag: slice.slice().get(6).is_some_and(|byte| byte & 0x80 != 0),
        ecn: slice.ecn().value(),
        flow_label: 0,
    };
    rest.skip(slice.slice().len()).map_err(|_| Skip::Malformed)?;
    let offset = u32::from(slice.fragments_offset().value()).saturating_mul(8);
    let more = slice.more_fragments();
    let part = (more || offset != 0).then(|| Part { id: u32::from(slice.identification()), offset, more });
    Ok(Carried { protocol: slice.protocol().0, part })
}

fn v6(position: &mut Position<'_>) -> Result<Carried, Skip> {
    const HEADER_LEN: u32 = 40;
    let Position { head, rest, .. } = position;
    let slice = Ipv6HeaderSlice::from_slice(rest.bytes()).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(_) => Skip::Truncated,
        ipv6::HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    // A length of 0 is a jumbogram's (RFC 2675), or a large segment's as in IPv4.
    if slice.payload_length() != 0 {
        rest.end_after(u32::from(slice.payload_length()).saturating_add(HEADER_LEN));
    }
    let len = rest.wire_len();
    rest.skip(slice.slice().len())?;
    let carried = extensions(slice.next_header().0, rest)?;
    let options_len = len.saturating_sub(HEADER_LEN).saturating_sub(rest.wire_len());
    head.source.ip = slice.source_addr().into();
    head.target.ip = slice.destination_addr().into();
    head.ip = IpHeader {
        len,
        ttl: slice.hop_limit(),
        id: None,
        options_len: u16::try_from(options_len).unwrap_or(u16::MAX),
        dont_fragment: false,
        reserved_flag: false,
        ecn: slice.ecn().value(),
        flow_label: slice.flow_label().value(),
    };
    Ok(carried)
}

/// Skips extension headers (RFC 8200 §4) up to the first that is none, or to a fragment's.
fn extensions(mut protocol: u8, rest: &mut Rest<'_>) -> Result<Carried, Skip> {
    for _ in 0..=EXTENSIONS_MAX {
        match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => {
                let [next, units] = rest.array()?;
                rest.skip(usize::from(units).saturating_mul(8).saturating_add(6))?;
                protocol = next;
            }
            FRAGMENT => {
                let slice = Ipv6FragmentHeaderSlice::from_slice(rest.bytes()).map_err(|_| Skip::Truncated)?;
                rest.skip(slice.slice().len())?;
                protocol = slice.next_header().0;
                // An atomic fragment (RFC 6946) is a whole packet.
                if slice.is_fragmenting_payload() {
                    let offset = u32::from(slice.fragment_offset().value()).saturating_mul(8);
                    let part = Part { id: slice.identification(), offset, more: slice.more_fragments() };
                    return Ok(Carried { protocol, part: Some(part) });
                }
            }
            _ => return Ok(Carried { protocol, part: None }),
        }
    }
    Err(Skip::TooDeep)
}
