use super::*;
use crate::protocol::tests::hex;

/// An AUTHENTICATE_MESSAGE with its names in Unicode and 24 bytes of each response.
pub(crate) fn authenticate(domain: &str, user: &str, host: &str) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let payload = [vec![0xaa; 24], vec![0xbb; 24], utf16(domain), utf16(user), utf16(host)];
    let mut message = [SIGNATURE.as_slice(), &[3, 0, 0, 0]].concat();
    let mut offset = 64;
    for part in &payload {
        let len = u16::try_from(part.len()).unwrap().to_le_bytes();
        message.extend([len, len].concat());
        message.extend(u32::try_from(offset).unwrap().to_le_bytes());
        offset += part.len();
    }
    message.extend([0; 8]); // no session key
    message.extend([0x01, 0x02, 0x00, 0x00]); // Unicode, NTLM
    message.extend(payload.concat());
    message
}

/// A CHALLENGE_MESSAGE with a version, of FILES in example.com.
pub(crate) fn challenge() -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut attributes = Vec::new();
    for (kind, value) in
        [(1_u16, utf16("FILES")), (4, utf16("example.com")), (3, utf16("files.example.com")), (0, vec![])]
    {
        attributes.extend(kind.to_le_bytes());
        attributes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        attributes.extend(value);
    }
    let len = u16::try_from(attributes.len()).unwrap().to_le_bytes();
    let mut message = [SIGNATURE.as_slice(), &[2, 0, 0, 0]].concat();
    message.extend(hex("00 00 00 00 38 00 00 00 01 02 00 02 c0 c1 c2 c3 c4 c5 c6 c7 00 00 00 00 00 00 00 00"));
    message.extend([len, len].concat());
    message.extend(hex("38 00 00 00 0a 00 63 45 00 00 00 0f"));
    message.extend(attributes);
    message
}

#[test]
fn an_authentication_names_user_domain_and_host() {
    let Some(Message::Authenticate(read)) = message(&authenticate("CORP", "alice", "LAPTOP-7")) else { panic!() };
    assert_eq!(read.user, Some("alice".into()));
    assert_eq!(read.domain, Some("CORP".into()));
    assert_eq!(read.host, Some("LAPTOP-7".into()));
}

#[test]
fn an_anonymous_log_on_has_no_names() {
    let Some(Message::Authenticate(read)) = message(&authenticate("", "", "")) else { panic!() };
    assert_eq!(read, Authenticate::default());
}

#[test]
fn a_challenge_names_the_server_and_its_version() {
    let Some(Message::Challenge(read)) = message(&challenge()) else { panic!() };
    assert_eq!(read.computer, Some("FILES".into()));
    assert_eq!(read.dns_computer, Some("files.example.com".into()));
    assert_eq!(read.dns_domain, Some("example.com".into()));
    assert_eq!(read.version, Some("10.0.17763".into()));
}

#[test]
fn a_name_that_lies_outside_the_message_is_not_read() {
    let mut bytes = authenticate("CORP", "alice", "LAPTOP-7");
    bytes.truncate(bytes.len() - 1);
    assert!(message(&bytes).is_none());
    assert!(message(b"NTLMSSP\0").is_none());
    assert!(message(b"NTLMSSQ\0\x01\0\0\0").is_none());
}
