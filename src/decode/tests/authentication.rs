//! Packets under an Authentication Header.

use super::*;

/// RFC 4302 §2: what follows, length, reserved, index, sequence, check value.
fn authenticated(protocol: u8, body: &[u8]) -> Vec<u8> {
    [&[protocol][..], &hex("04 0000 00001000 00000001 000000000000000000000000"), body].concat()
}

#[test]
fn what_an_authentication_header_protects_is_read() {
    let esp = hex("00001000 00000001 deadbeef");
    let cases = [
        (ip::TCP, hex(SYN), Transport::Tcp, 443),
        (ip::UDP, hex("c000 0035 000c 0000 01020304"), Transport::Udp, 53),
        (ip::ESP, esp.clone(), Transport::Esp, 0),
        (ip::IPV4, ipv4(ip::TCP, &hex(SYN)), Transport::Tcp, 443),
        (ip::IPV6, ipv6(ip::TCP, &hex(SYN)), Transport::Tcp, 443),
        (ip::AH, authenticated(ip::ESP, &esp), Transport::Esp, 0),
    ];
    for (protocol, body, transport, port) in cases {
        let body = authenticated(protocol, &body);
        for packet in [ipv4(ip::AH, &body), ipv6(ip::AH, &body)] {
            let mut decoder = decoder();
            let head = decoder.decode(frame(LinkType::Raw, &packet)).unwrap().head;
            assert_eq!((head.transport, head.target.port), (transport, port), "{protocol}");
            assert_eq!((head.tunnel, head.is_authenticated), (Some(Encapsulation::Ah), true));
        }
    }
}

#[test]
fn a_tunnel_under_an_authentication_header_is_both() {
    let gre = [hex("0000 0800"), ipv4(ip::TCP, &hex(SYN))].concat();
    for (packet, is_authenticated) in
        [(ipv4(ip::AH, &authenticated(ip::GRE, &gre)), true), (ipv4(ip::GRE, &gre), false)]
    {
        let mut decoder = decoder();
        let head = decoder.decode(frame(LinkType::Raw, &packet)).unwrap().head;
        assert_eq!((head.tunnel, head.is_authenticated), (Some(Encapsulation::Gre), is_authenticated));
    }
}

#[test]
fn a_header_around_no_packet_of_a_flow_is_a_packet_itself() {
    let icmp = hex("0800 f7ff 0000 0000");
    let mut unknown = authenticated(ip::TCP, &hex(SYN));
    unknown[4..8].fill(0);
    let bodies =
        [authenticated(1, &icmp), authenticated(ip::IPV4, &ipv4(1, &icmp)), authenticated(ip::TCP, &[0; 8]), unknown];
    for body in bodies {
        let packet = ipv4(ip::AH, &body);
        let mut decoder = decoder();
        let Packet { head, payload } = decoder.decode(frame(LinkType::Raw, &packet)).unwrap();
        assert_eq!((head.transport, head.tunnel, head.is_authenticated), (Transport::Ah, None, false));
        assert_eq!(payload, body);
    }
}

#[test]
fn a_frame_cut_within_what_is_protected_is_no_packet() {
    let packet = ipv4(ip::AH, &authenticated(ip::TCP, &hex(SYN)));
    let whole = frame(LinkType::Raw, &packet);
    for len in 44..packet.len() {
        let cut = decoder().decode(Frame { bytes: &packet[..len], ..whole }).map(|packet| packet.head.transport);
        assert_eq!(cut, Err(Skip::Truncated), "cut at {len}");
    }
}

#[test]
fn headers_of_authentication_in_each_other_have_a_limit() {
    let body = (0..32).fold(hex(SYN), |body, nth| authenticated(if nth == 0 { ip::TCP } else { ip::AH }, &body));
    let packet = ipv4(ip::AH, &body);
    assert_eq!(decoder().decode(frame(LinkType::Raw, &packet)).unwrap_err(), Skip::TooDeep);
}
