//! What is first seen of a TLS connection whose beginning was not: records of one version that fill the segment, and what
//! says that they are none by chance.

use crate::facts::Sender;
use crate::protocol::Probe;
use crate::protocol::cursor::Cursor;
use crate::protocol::tls::messages::Messages;
use crate::protocol::tls::wire::{Record, alert, content, handshake, is_record_version};

/// The fewest bytes that encryption and authentication leave of a message (RFC 5246 §6.2.3, RFC 8446 §5.2).
pub(super) const ENCRYPTED_BYTES_MIN: usize = 18;
/// A Finished of TLS 1.2 encrypted: 16 bytes, and 16 of a nonce or a tag at least.
const FINISHED_BYTES_MIN: usize = 32;

/// Whether the bytes are records amid a connection, and who sends them where that can be told.
pub(super) fn probe(bytes: &[u8]) -> (Probe, Option<Sender>) {
    let version = bytes.get(1..3);
    let mut cursor = Cursor::new(bytes);
    let (mut is_proof, mut is_changed, mut from) = (false, false, None);
    // Of a certificate that goes on in the next record.
    let mut missing = 0;
    while !cursor.is_empty() {
        let is_of_version = cursor.rest().get(1..3).is_none_or(|other| Some(other) == version);
        if is_of_version && missing == 0 && !is_changed && begins_with_certificate(cursor) {
            return (Probe::Match, from);
        }
        let record = match Record::read(&mut cursor) {
            Ok(Some(record)) if is_of_version => record,
            Ok(None) if is_of_version => return (Probe::More, None),
            _ => return (Probe::No, None),
        };
        let fits = match record.content {
            _ if missing > 0 && record.content != content::HANDSHAKE => false,
            content::CHANGE_CIPHER_SPEC => record.body == [1],
            content::ALERT => is_alert(record.body) || record.body.len() >= ENCRYPTED_BYTES_MIN,
            content::HANDSHAKE if is_changed => record.body.len() >= FINISHED_BYTES_MIN,
            content::HANDSHAKE => is_flight(record.body, &mut missing, &mut from),
            _ => record.body.len() >= ENCRYPTED_BYTES_MIN,
        };
        if !fits {
            return (Probe::No, None);
        }
        // What is behind a change of the cipher says that it was one.
        is_proof |= record.content != content::CHANGE_CIPHER_SPEC;
        is_changed |= record.content == content::CHANGE_CIPHER_SPEC;
    }
    if is_proof && missing == 0 { (Probe::Match, from) } else { (Probe::More, None) }
}

/// Whether a record begins with a Certificate whose lengths agree down to that of the first one's DER: then it is one,
/// wherever the bytes end.
pub(super) fn begins_with_certificate(mut record: Cursor<'_>) -> bool {
    is_certificate_record(&mut record).is_some_and(|is| is && agree(&mut record).unwrap_or(false))
}

fn is_certificate_record(record: &mut Cursor<'_>) -> Option<bool> {
    let is_handshake = record.u8()? == content::HANDSHAKE && is_record_version(record.u16()?);
    let has_room = (1..=Record::BODY_BYTES_MAX).contains(&usize::from(record.u16()?));
    Some(is_handshake && has_room && record.u8()? == handshake::CERTIFICATE)
}

/// The lengths of the message, the list, its first entry and the DER in it.
fn agree(message: &mut Cursor<'_>) -> Option<bool> {
    let lengths = [message.u24()?, message.u24()?, message.u24()?];
    let [message_len, list, first] = lengths.map(|len| usize::try_from(len).unwrap_or(usize::MAX));
    let der = match message.array()? {
        [0x30, 0x82] => usize::from(message.u16()?).checked_add(4)?,
        [0x30, 0x83] => usize::try_from(message.u24()?).ok()?.checked_add(5)?,
        _ => return None,
    };
    let is_within = list >= first.checked_add(3)? && message_len <= Messages::MESSAGE_BYTES_MAX;
    Some(message_len == list.checked_add(3)? && is_within && first == der)
}

/// Whether the bytes begin with an alert in clear.
pub(super) fn begins_with_alert(bytes: &[u8]) -> Probe {
    match Record::read(&mut Cursor::new(bytes)) {
        Ok(None) if bytes.get(3..).is_none_or(|len| [0, 2].starts_with(len) || len.starts_with(&[0, 2])) => Probe::More,
        Ok(Some(record)) if is_alert(record.body) => Probe::Match,
        _ => Probe::No,
    }
}

/// An alert in clear of a known description (RFC 8446 §6 and before).
pub(super) fn is_alert(body: &[u8]) -> bool {
    let is_known = |description| {
        matches!(
            description,
            0 | 10 | 20..=22 | 30 | 40..=51 | 60 | 70 | 71 | 80 | 86 | 90 | 100 | 109..=116 | 120 | 121
        )
    };
    alert(body).is_some_and(|(_, description)| is_known(description))
}

/// Whether a record is filled by messages of a handshake up to TLS 1.2 behind its hellos (RFC 5246 §7.4, RFC 5077 §3.3, RFC
/// 6066 §8).
fn is_flight(body: &[u8], missing: &mut usize, from: &mut Option<Sender>) -> bool {
    let mut messages = Cursor::new(body);
    let rest = messages.len().min(*missing);
    messages.skip(rest);
    *missing = missing.saturating_sub(rest);
    let mut fits = true;
    while fits && !messages.is_empty() {
        fits = message(&mut messages, missing, from).is_some();
    }
    fits
}

fn message(messages: &mut Cursor<'_>, missing: &mut usize, from: &mut Option<Sender>) -> Option<()> {
    let kind = messages.u8()?;
    let mut ahead = *messages;
    let len = usize::try_from(ahead.u24()?).ok()?;
    if kind == handshake::CERTIFICATE && len > ahead.len() && len <= Messages::MESSAGE_BYTES_MAX {
        *missing = len.saturating_sub(ahead.len());
        messages.skip(messages.len());
        return (usize::try_from(ahead.u24()?).ok()?.checked_add(3) == Some(len)).then_some(());
    }
    *from = from.or(fitting(kind, messages.vec24()?)?);
    Some(())
}

/// Who sends a message of this kind, if its lengths fit; either, where there is none.
fn fitting(kind: u8, mut body: Cursor<'_>) -> Option<Option<Sender>> {
    const NEW_SESSION_TICKET: u8 = 4;
    const SERVER_KEY_EXCHANGE: u8 = 12;
    const CERTIFICATE_REQUEST: u8 = 13;
    const SERVER_HELLO_DONE: u8 = 14;
    const CLIENT_KEY_EXCHANGE: u8 = 16;
    const CERTIFICATE_STATUS: u8 = 22;
    let filled = |mut body: Cursor<'_>, list: fn(&mut Cursor<'_>) -> bool| list(&mut body) && body.is_empty();
    let fits = match kind {
        NEW_SESSION_TICKET => body.skip(4).is_some() && filled(body, |body| body.vec16().is_some()),
        handshake::CERTIFICATE => {
            let mut list = body.vec24()?;
            if !list.is_empty() {
                list.vec24().filter(|certificate| certificate.len() > 1)?;
            }
            while !list.is_empty() {
                list.vec24()?;
            }
            return body.is_empty().then_some(None);
        }
        // A named curve and a point (RFC 8422 §5.4), or a prime, a generator and a value.
        SERVER_KEY_EXCHANGE => {
            let mut curve = body;
            (curve.u8() == Some(3) && curve.skip(2).is_some() && curve.vec8().is_some())
                || (0..3).all(|_| body.vec16().is_some_and(|number| !number.is_empty()))
        }
        CERTIFICATE_REQUEST => body.vec8().is_some_and(|kinds| !kinds.is_empty()) && body.vec16().is_some(),
        SERVER_HELLO_DONE => body.is_empty(),
        CLIENT_KEY_EXCHANGE => {
            let is_point = filled(body, |body| body.vec8().is_some_and(|point| point.len() >= 32));
            is_point || filled(body, |body| body.vec16().is_some_and(|secret| secret.len() >= 32))
        }
        CERTIFICATE_STATUS => body.u8() == Some(1) && filled(body, |body| body.vec24().is_some()),
        _ => false,
    };
    let sender = if kind == CLIENT_KEY_EXCHANGE { Sender::Client } else { Sender::Server };
    fits.then_some(Some(sender))
}
