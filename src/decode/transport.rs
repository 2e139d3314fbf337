//! What an IP packet carries in, ports and payload out: TCP (RFC 9293), UDP (RFC 768), and ESP and AH, which have no
//! ports.

use etherparse::err::tcp::HeaderSliceError;
use etherparse::{TcpSlice, UdpHeaderSlice};

use super::layer::Rest;
use super::{Skip, TcpHeader};

/// A transport's header and what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) source_port: u16,
    pub(super) target_port: u16,
    pub(super) tcp: Option<TcpHeader>,
    pub(super) payload: &'a [u8],
    /// The payload's length on the wire.
    pub(super) payload_len: u32,
}

pub(super) fn tcp(mut rest: Rest<'_>) -> Result<Segment<'_>, Skip> {
    let slice = TcpSlice::from_slice(rest.bytes()).map_err(|error| match error {
        HeaderSliceError::Len(_) => Skip::Truncated,
        HeaderSliceError::Content(_) => Skip::Malformed,
    })?;
    rest.skip(slice.header_len())?;
    let mut options = [0; 40];
    let mut options_len = 0;
    if let Some(kept) = options.get_mut(..slice.options().len()) {
        kept.copy_from_slice(slice.options());
        options_len = u8::try_from(kept.len()).unwrap_or(0);
    }
    let [offset_and_reserved, flags] =
        slice.slice().get(12..).and_then(|bytes| bytes.first_chunk::<2>()).copied().unwrap_or_default();
    Ok(Segment {
        source_port: slice.source_port(),
        target_port: slice.destination_port(),
        tcp: Some(TcpHeader {
            sequence: slice.sequence_number(),
            acknowledgment: slice.acknowledgment_number(),
            flags,
            reserved: offset_and_reserved & 0x0f != 0,
            window: slice.window_size(),
            urgent: slice.urgent_pointer(),
            options,
            options_len,
        }),
        payload: rest.bytes(),
        payload_len: rest.wire_len(),
    })
}

pub(super) fn udp(mut rest: Rest<'_>) -> Result<Segment<'_>, Skip> {
    let slice = UdpHeaderSlice::from_slice(rest.bytes()).map_err(|_| Skip::Truncated)?;
    let (source_port, target_port) = (slice.source_port(), slice.destination_port());
    // A length of 0 means that the datagram ends with its packet (RFC 2675 §4, and segmentation offload).
    let len = u32::from(slice.length());
    if len != 0 {
        rest.end_after(len);
    }
    rest.skip(slice.slice().len()).map_err(|_| Skip::Malformed)?;
    Ok(Segment { source_port, target_port, tcp: None, payload: rest.bytes(), payload_len: rest.wire_len() })
}

/// ESP (RFC 4303) and AH (RFC 4302): the payload begins with their header.
///
/// What AH protects is not read as a flow of its own: a packet has one transport, and a flow under AH is named by it.
pub(super) fn portless(rest: Rest<'_>) -> Segment<'_> {
    Segment { source_port: 0, target_port: 0, tcp: None, payload: rest.bytes(), payload_len: rest.wire_len() }
}
