//! Bytes to values: the SYN and SYN+ACK datagrams of [MS-RDPEUDP] §2.2.2 and §3.1.5.1, and the data after them.

use crate::protocol::cursor::Cursor;

/// A handshake datagram is as long as the largest that the path is asked to carry.
const DATAGRAM_BYTES: std::ops::RangeInclusive<usize> = 1132..=1232;
const MTU_BYTES: std::ops::RangeInclusive<u16> = 1132..=1232;
/// The `snSourceAck` of a SYN, which has nothing to acknowledge.
const NOTHING_ACKNOWLEDGED: u32 = 0xffff_ffff;

const SYN: u16 = 0x0001;
const ACK: u16 = 0x0004;
const DATA: u16 = 0x0008;
/// The datagram repairs others.
const FEC: u16 = 0x0010;
const ACK_OF_ACKS: u16 = 0x0100;
const SYN_LOSSY: u16 = 0x0200;
const CORRELATION_ID: u16 = 0x0800;
const SYN_EX: u16 = 0x1000;
/// `uSynExFlags`: the version is valid.
const VERSION_INFO_VALID: u16 = 0x0001;
/// RDPUDP_PROTOCOL_VERSION_3, with which a SYN carries the hash of a cookie.
pub const VERSION_3: u16 = 0x0101;

/// A SYN, or with `acknowledges` a SYN+ACK.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Syn {
    pub sequence: u32,
    /// The sequence number of the SYN that it answers.
    pub acknowledges: Option<u32>,
    pub is_lossy: bool,
    pub version: Option<u16>,
}

/// Reads a whole datagram. What follows the headers must be zeros up to its end.
pub fn syn(datagram: &[u8]) -> Option<Syn> {
    DATAGRAM_BYTES.contains(&datagram.len()).then_some(())?;
    let mut cursor = Cursor::new(datagram);
    let source_ack = cursor.u32()?;
    cursor.skip(2)?; // receive window
    let flags = cursor.u16()?;
    let acknowledges = match flags & !(SYN_LOSSY | CORRELATION_ID | SYN_EX) {
        SYN if source_ack == NOTHING_ACKNOWLEDGED => None,
        flags if flags == SYN | ACK => Some(source_ack),
        _ => return None,
    };
    let sequence = cursor.u32()?;
    (MTU_BYTES.contains(&cursor.u16()?) && MTU_BYTES.contains(&cursor.u16()?)).then_some(())?;
    if flags & CORRELATION_ID != 0 {
        cursor.skip(32)?; // the identifier, and as many reserved bytes
    }
    let version = if flags & SYN_EX == 0 { None } else { syn_ex(&mut cursor, acknowledges.is_none())? };
    let is_padded = cursor.rest().iter().all(|&byte| byte == 0);
    is_padded.then_some(Syn { sequence, acknowledges, is_lossy: flags & SYN_LOSSY != 0, version })
}

/// What a datagram after the handshake carries, and its place.
pub struct Data<'a> {
    pub sequence: u32,
    /// Counts what repairs others, too.
    pub coded: u32,
    pub bytes: &'a [u8],
}

/// Reads a datagram with data in the first format of the transport: fixed header, acknowledgements padded to words,
/// source payload header (§2.2.2.4).
pub fn data(datagram: &[u8]) -> Option<Data<'_>> {
    let mut cursor = Cursor::new(datagram);
    cursor.skip(6)?; // acknowledged sequence number, receive window
    let flags = cursor.u16()?;
    (flags & (DATA | FEC | SYN) == DATA).then_some(())?;
    if flags & ACK != 0 {
        let elements = usize::from(cursor.u16()?);
        cursor.skip(elements.saturating_add(2).next_multiple_of(4).saturating_sub(2))?;
    }
    if flags & ACK_OF_ACKS != 0 {
        cursor.skip(4)?;
    }
    let (coded, sequence) = (cursor.u32()?, cursor.u32()?);
    Some(Data { sequence, coded, bytes: cursor.rest() })
}

/// As [`data`], where nothing before said that it is this transport's: no flag but those of data, as many
/// acknowledgements as a datagram may have (§2.2.2.7), and something carried.
pub fn data_midway(datagram: &[u8]) -> Option<Data<'_>> {
    const CONGESTION: u16 = 0x0020;
    const CONGESTION_RESET: u16 = 0x0040;
    const ACK_DELAYED: u16 = 0x0400;
    const KNOWN: u16 = ACK | DATA | CONGESTION | CONGESTION_RESET | ACK_OF_ACKS | ACK_DELAYED;
    const ELEMENTS_MAX: u16 = 2048;
    let mut cursor = Cursor::new(datagram);
    cursor.skip(6)?;
    let flags = cursor.u16()?;
    let has_room = flags & ACK == 0 || cursor.u16()? <= ELEMENTS_MAX;
    data(datagram).filter(|data| flags & !KNOWN == 0 && has_room && !data.bytes.is_empty())
}

/// RDPUDP_SYNDATAEX_PAYLOAD (§2.2.2.9).
fn syn_ex(cursor: &mut Cursor<'_>, is_syn: bool) -> Option<Option<u16>> {
    let (flags, version) = (cursor.u16()?, cursor.u16()?);
    if version == VERSION_3 && is_syn {
        cursor.skip(32)?; // the SHA-256 hash of the cookie
    }
    Some(Some(version).filter(|_| flags & VERSION_INFO_VALID != 0))
}
