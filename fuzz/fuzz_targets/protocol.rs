//! Conversations to facts. Input: a byte for the transport and where streams are cut, the ports of client and server
//! (two bytes each), then what client and server say by turns, with `SEPARATOR` between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanwatch::facts::{Statement, Sender};
use spanwatch::net::Transport;
use spanwatch::protocol::session::Session;
use spanwatch::protocol::{Chunk, Protocol, Start};
use spanwatch::time::Timestamp;

const SEPARATOR: &[u8] = b"\xfa\x17|\xfa";

/// Longer conversations are cut in two only.
const BYTEWISE_MAX: usize = 512;

const TRANSPORTS: [Transport; 6] =
    [Transport::Tcp, Transport::Udp, Transport::Esp, Transport::Ah, Transport::Link, Transport::L2tp];

fuzz_target!(|input: &[u8]| {
    let Some((&[selector, c0, c1, s0, s1], conversation)) = input.split_first_chunk() else { return };
    let start = Start {
        transport: TRANSPORTS[usize::from(selector & 7) % TRANSPORTS.len()],
        client_port: u16::from_be_bytes([c0, c1]),
        server_port: u16::from_be_bytes([s0, s1]),
        is_midway: selector & 0x80 == 0,
    };
    let said = said(conversation);
    let whole = facts(start, &said);
    // Amid a flow a segment is all there is to go by.
    if start.transport != Transport::Tcp || start.is_midway {
        return;
    }
    let whole = shown(&whole);
    let place = usize::from(selector >> 3 & 15);
    let in_two = said.iter().flat_map(|&(sender, bytes)| {
        let (before, behind) = bytes.split_at(place * bytes.len() / 16);
        [(sender, before), (sender, behind)]
    });
    let in_bytes = said.iter().flat_map(|&(sender, bytes)| bytes.chunks(1).map(move |byte| (sender, byte)));
    let cut: Vec<_> = in_two.collect();
    assert_eq!(shown(&facts(start, &cut)), whole, "the facts depend on how the stream was cut in two");
    if conversation.len() <= BYTEWISE_MAX {
        let cut: Vec<_> = in_bytes.collect();
        assert_eq!(shown(&facts(start, &cut)), whole, "the facts depend on how the stream was cut into bytes");
    }
});

fn said(mut conversation: &[u8]) -> Vec<(Sender, &[u8])> {
    let mut said = Vec::new();
    let mut sender = Sender::Client;
    while let Some(at) = conversation.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        let (bytes, rest) = conversation.split_at(at);
        said.push((sender, bytes));
        conversation = &rest[SEPARATOR.len()..];
        sender = sender.other();
    }
    said.push((sender, conversation));
    said.retain(|(_, bytes)| !bytes.is_empty());
    said
}

fn facts(start: Start, said: &[(Sender, &[u8])]) -> Vec<(Protocol, Statement)> {
    let mut session = Session::new(start);
    let mut facts = Vec::new();
    for &(sender, bytes) in said {
        session.on_bytes(Chunk { at: Timestamp::from_secs(1), sender, bytes, missing: 0 }, &mut facts);
    }
    session.on_end(&mut facts);
    facts
}

fn shown(facts: &[(Protocol, Statement)]) -> Vec<String> {
    facts.iter().map(|fact| format!("{fact:?}")).collect()
}
