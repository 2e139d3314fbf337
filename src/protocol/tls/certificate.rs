//! DER in, the names of a certificate out (RFC 5280), read by `x509-parser`. Keys and signatures are not looked at.

use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr};

use ring::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::AttributeTypeAndValue;

use crate::facts::Certificate;
use crate::net::Text;
use crate::protocol::hex::Hex;
use crate::protocol::memo::Memo;
use crate::time::Timestamp;

/// The most alternative names that are kept of a certificate.
pub const ALTERNATIVE_NAMES_MAX: usize = 64;
/// The most bytes of a serial number that are kept; RFC 5280 §4.1.2.2 allows 20.
const SERIAL_BYTES_MAX: usize = 32;

thread_local! {
    static KNOWN: RefCell<Memo<Option<Certificate>>> = RefCell::new(Memo::new(CERTIFICATES_MAX));
}

/// The certificates that are known by their DER: those of the servers that a network's machines ask most.
const CERTIFICATES_MAX: usize = 256;

/// Reads a certificate; none where the DER is not one.
pub fn of_der(der: &[u8]) -> Option<Certificate> {
    KNOWN.with_borrow_mut(|known| known.get_or_make(der, || parse(der)))
}

fn parse(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let serial = certificate.raw_serial();
    let validity = certificate.validity();
    Some(Certificate {
        sha256: Hex(digest::digest(&digest::SHA256, der).as_ref()).to_string().into(),
        subject: text(&certificate.subject().to_string()),
        issuer: text(&certificate.issuer().to_string()),
        subject_common_name: certificate.subject().iter_common_name().next().and_then(attribute),
        issuer_common_name: certificate.issuer().iter_common_name().next().and_then(attribute),
        alternative_names: alternative_names(&certificate),
        serial: Hex(serial.get(..SERIAL_BYTES_MAX).unwrap_or(serial)).to_string().into(),
        not_before: timestamp(validity.not_before.timestamp()),
        not_after: timestamp(validity.not_after.timestamp()),
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<Text> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(general_name).take(ALTERNATIVE_NAMES_MAX).collect()
}

fn general_name(name: &GeneralName<'_>) -> Option<Text> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => text(name),
        GeneralName::IPAddress(bytes) => ip_address(bytes),
        _ => None,
    }
}

fn ip_address(bytes: &[u8]) -> Option<Text> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(octets).to_string().into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).to_string().into())
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Option<Text> {
    match attribute.as_str() {
        Ok(value) => text(value),
        Err(_) => Some(Text::from_latin1(attribute.as_slice())).filter(|value| !value.is_empty()),
    }
}

fn text(value: &str) -> Option<Text> {
    Some(Text::from(value)).filter(|text| !text.is_empty())
}

/// Dates before 1970 are as good as 1970, and those behind the end of time as good as that.
fn timestamp(seconds: i64) -> Timestamp {
    u64::try_from(seconds).map_or(Timestamp::ZERO, Timestamp::from_secs)
}
