//! What an IP packet carries in, ports and payload out: TCP (RFC 9293), UDP (RFC 768), and ESP, AH and L2TP, which have
//! no ports; and the frames of the link itself.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::err::tcp::HeaderSliceError;
use etherparse::{TcpSlice, UdpHeaderSlice};

use super::layer::{Layer, Position};
use super::{IpHeader, Skip, TcpHeader};
use crate::facts::Encapsulation;
use crate::net::{Endpoint, Transport};

pub(super) fn tcp(position: &mut Position<'_>) -> Result<(), Skip> {
    let Position { head, rest, .. } = position;
    let slice = TcpSlice::from_slice(rest.bytes()).map_err(|error| match error {
        HeaderSliceError::Len(_) => Skip::Truncated,
        HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    let [offset_and_reserved, flags] =
        slice.slice().get(12..).and_then(|bytes| bytes.first_chunk::<2>()).copied().unwrap_or_default();
    let tcp = head.tcp.insert(TcpHeader {
        sequence: slice.sequence_number(),
        acknowledgment: slice.acknowledgment_number(),
        flags,
        reserved: offset_and_reserved & 0x0f != 0,
        window: slice.window_size(),
        urgent: slice.urgent_pointer(),
        options: [0; 40],
        options_len: 0,
    });
    if let Some(kept) = tcp.options.get_mut(..slice.options().len()) {
        kept.copy_from_slice(slice.options());
        tcp.options_len = u8::try_from(slice.options().len()).unwrap_or(0);
    }
    head.transport = Transport::Tcp;
    head.source.port = slice.source_port();
    head.target.port = slice.destination_port();
    rest.skip(slice.header_len())?;
    head.payload_len = rest.wire_len();
    Ok(())
}

pub(super) fn udp(position: &mut Position<'_>) -> Result<(), Skip> {
    let Position { head, rest, .. } = position;
    let slice = UdpHeaderSlice::from_slice(rest.bytes()).map_err(|_| Skip::Truncated)?;
    head.transport = Transport::Udp;
    head.source.port = slice.source_port();
    head.target.port = slice.destination_port();
    // A length of 0 means that the datagram ends with its packet (RFC 2675 §4, and segmentation offload).
    if slice.length() != 0 {
        rest.end_after(u32::from(slice.length()));
    }
    rest.skip(slice.slice().len()).map_err(|_| Skip::Malformed)?;
    head.payload_len = rest.wire_len();
    Ok(())
}

/// A frame of the link: no addresses but its MACs, no ports but what announced it.
pub(super) fn link(position: &mut Position<'_>, ether_type: u16) {
    const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    position.body = position.rest;
    let Position { head, rest, .. } = position;
    head.transport = Transport::Link;
    head.source = Endpoint::new(NOWHERE, ether_type);
    head.target = head.source;
    head.ip = IpHeader { len: rest.wire_len(), ..IpHeader::default() };
    head.payload_len = rest.wire_len();
}

/// An Authentication Header (RFC 4302 §2); the IANA number of what it protects, which the position then is at.
pub(super) fn authentication(position: &mut Position<'_>) -> Result<u8, Skip> {
    let [next_header, words, _, _] = position.rest.array()?;
    let (spi, _sequence) = (position.rest.u32()?, position.rest.u32()?);
    // In words of 4 bytes, less 2; the fixed fields are 3 of them.
    let authenticator = usize::from(words).checked_sub(1).ok_or(Skip::Malformed)?;
    if spi == 0 || authenticator == 0 {
        return Err(Skip::Malformed);
    }
    position.rest.skip(authenticator.saturating_mul(4))?;
    position.head.is_authenticated = true;
    position.enter(Encapsulation::Ah, Layer::Ip)?;
    Ok(next_header)
}

/// ESP (RFC 4303), and AH (RFC 4302) and L2TP (RFC 3931) around what is no packet of a flow: the payload begins with
/// their header.
pub(super) fn portless(position: &mut Position<'_>, transport: Transport) {
    let Position { head, rest, .. } = position;
    head.transport = transport;
    (head.source.port, head.target.port) = (0, 0);
    head.payload_len = rest.wire_len();
}
