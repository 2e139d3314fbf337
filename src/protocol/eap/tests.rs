use super::*;
use crate::protocol::tests::hex;

fn read(conversation: &mut Conversation, packets: &[&str]) -> Vec<Statement> {
    let mut facts = Vec::new();
    for bytes in packets {
        let bytes = hex(bytes);
        let packet = Packet::parse(&bytes).unwrap_or_else(|| panic!("{bytes:02x?}"));
        conversation.on_packet(Timestamp::ZERO, &packet, &mut facts);
    }
    facts
}

#[test]
fn a_conversation_knows_who_and_how() {
    let mut conversation = Conversation::default();
    read(&mut conversation, &["01 01 0005 01", "02 01 0008 01 616e6e", "01 02 0006 19 20", "02 02 0006 03 0d"]);
    assert_eq!(conversation.identity().map(Text::as_str), Some("ann"));
    assert_eq!(conversation.method().as_ref().map(Text::as_str), Some("peap"));
    read(&mut conversation, &["02 09 0008 01 626f62"]);
    assert_eq!(conversation.identity().map(Text::as_str), Some("bob"));
    assert_eq!(conversation.method(), None);
}

#[test]
fn a_server_hello_in_two_fragments_is_one_hello_inside() {
    let hello = format!("16 0303 002a 02 000026 0303 {} 00 c02f 00", "5a".repeat(32));
    let bytes = hex(&hello);
    let (first, second) = bytes.split_at(20);
    let packet = |identifier: u8, flags: &[u8], piece: &[u8]| {
        let len = u16::try_from(5 + flags.len() + piece.len()).unwrap().to_be_bytes();
        [&[1, identifier], &len[..], &[0x0d], flags, piece].concat()
    };
    let packets = [packet(1, &[0x20], &[]), packet(2, &[0xc0, 0, 0, 0, 47], first), packet(3, &[0x00], second)];
    let (mut conversation, mut facts) = (Conversation::default(), Vec::new());
    // A packet is sent again where its answer is lost.
    for bytes in [&packets[0], &packets[1], &packets[1], &packets[2]] {
        conversation.on_packet(Timestamp::ZERO, &Packet::parse(bytes).unwrap(), &mut facts);
    }
    let [Statement::Hello(hello)] = &facts[..] else { panic!("one hello: {facts:?}") };
    assert_eq!((hello.sender, hello.inside.map(Protocol::as_str)), (Sender::Server, Some("tls")));
}

#[test]
fn the_answer_to_a_challenge_is_not_kept() {
    let mut conversation = Conversation::default();
    let facts = read(&mut conversation, &["01 02 0016 04 10 73656372657421736563726574217365", "03 02 0004"]);
    assert!(facts.is_empty() && !format!("{:?}", conversation.credential(None)).contains("secret"));
}

#[test]
fn what_does_not_add_up_is_no_packet() {
    for bytes in ["01 01 0004", "05 01 0005 01", "03 01 0005 00", "02 01 0009 01 616e6e", "02 01 0003", "02 01 0005 00"]
    {
        assert!(Packet::parse(&hex(bytes)).is_none(), "{bytes}");
    }
}
