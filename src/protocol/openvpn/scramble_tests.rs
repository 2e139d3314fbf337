use super::*;
use crate::protocol::openvpn;
use crate::protocol::tests::Fixture;

/// OpenVPN's conversations under each way of scrambling that leaves something to be told by.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let of = |name: &str| openvpn::tests::fixtures().into_iter().find(|fixture| fixture.name == name).unwrap();
    let (plain, auth, crypt) =
        (of("openvpn without a wrap"), of("openvpn with tls-auth"), of("openvpn with tls-crypt"));
    vec![
        scrambled("plain under xormask", &plain, mask),
        scrambled("plain under xorptrpos", &plain, places),
        scrambled("plain under reverse", &plain, reverse),
        scrambled("plain under obfuscate", &plain, obfuscate),
        scrambled("tls-auth under xormask", &auth, mask),
        scrambled("tls-auth under obfuscate", &auth, obfuscate),
        scrambled("tls-crypt under xormask", &crypt, mask),
        over_tcp(scrambled("tls-auth under xormask over TCP", &auth, mask)),
    ]
}

fn scrambled(name: &'static str, fixture: &Fixture, way: fn(&mut [u8])) -> Fixture {
    let mut fixture = Fixture { name, protocol: SPEC.protocol, ..fixture.clone() };
    fixture.chunks.iter_mut().for_each(|(_, bytes)| way(bytes));
    fixture
}

fn over_tcp(mut fixture: Fixture) -> Fixture {
    fixture.transport = Transport::Tcp;
    for (_, bytes) in &mut fixture.chunks {
        *bytes = [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    }
    fixture
}

fn mask(bytes: &mut [u8]) {
    bytes.iter_mut().zip(b"correct horse".iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

fn places(bytes: &mut [u8]) {
    bytes.iter_mut().zip(1..).for_each(|(byte, place): (&mut u8, u8)| *byte ^= place);
}

/// All but the first byte.
fn reverse(bytes: &mut [u8]) {
    bytes[1..].reverse();
}

fn obfuscate(bytes: &mut [u8]) {
    places(bytes);
    reverse(bytes);
    places(bytes);
    mask(bytes);
}

fn scramble_of(fixture: &Fixture) -> Option<String> {
    match &fixture.facts()[..] {
        [] => None,
        [(_, Statement::Hello(_)), (_, Statement::Tunnel(tunnel))] => {
            assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Likely, true));
            assert_eq!(tunnel.protocol, Some(openvpn::SPEC.protocol));
            tunnel.fields.get(SCRAMBLE).map(|scramble| format!("{scramble:?}"))
        }
        facts => panic!("{facts:?}"),
    }
}

#[test]
fn each_way_of_scrambling_is_told() {
    for fixture in fixtures() {
        let way = ["reverse", "obfuscate"].into_iter().find(|way| fixture.name.contains(way)).unwrap_or("xor");
        assert!(scramble_of(&fixture).unwrap().contains(way), "{}", fixture.name);
    }
}

#[test]
fn a_client_that_repeats_itself_is_told_all_the_same() {
    let mut fixture = fixtures().remove(4);
    let mut again = openvpn::tests::fixtures()[1].chunks[0].1.clone();
    // The replay counter goes up.
    again[32] = 2;
    mask(&mut again);
    fixture.chunks.insert(1, (Sender::Client, again));
    assert!(scramble_of(&fixture).is_some());
}

#[test]
fn lengths_alone_are_no_scramble() {
    let mut fixture = fixtures().remove(4);
    fixture.chunks[1].1[0] ^= 1;
    assert!(scramble_of(&fixture).is_none(), "another opcode");
    let mut fixture = fixtures().remove(4);
    fixture.chunks[1].1[30] ^= 1;
    assert!(scramble_of(&fixture).is_none(), "another counter");
    let mut fixture = fixtures().remove(4);
    fixture.chunks[1].1.push(0);
    assert!(scramble_of(&fixture).is_none(), "another length");
}

#[test]
fn openvpn_without_a_scramble_is_openvpn() {
    for fixture in openvpn::tests::fixtures() {
        assert!(fixture.facts().iter().all(|(protocol, _)| *protocol == openvpn::SPEC.protocol), "{}", fixture.name);
    }
}

#[test]
fn what_a_client_says_behind_its_reset_is_looked_at_however_it_was_cut() {
    let mut fixture = over_tcp(scrambled("tls-auth", &openvpn::tests::fixtures()[1], mask));
    assert!(scramble_of(&fixture).is_some());
    fixture.chunks[0].1.extend([0x8f; 40]);
    assert_eq!(scramble_of(&fixture), None);
    let rest = fixture.chunks[0].1.split_off(44);
    fixture.chunks.insert(1, (Sender::Client, rest));
    assert_eq!(scramble_of(&fixture), None);
}
