use super::*;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    let token = dictionary(&[("opcode", Ok("get_token")), ("nat_traversal_version", Err(1))]);
    let granted = dictionary(&[("ok", Err(1)), ("opcode", Ok("get_token")), ("token", Ok("t0"))]);
    let register = dictionary(&[("host_name", Ok("vpn")), ("opcode", Ok("nat_t_register"))]);
    let fixture = |name, chunks| Fixture {
        name,
        protocol: SPEC.protocol,
        transport: Transport::Udp,
        client_port: 51_381,
        server_port: 5004,
        chunks,
    };
    vec![
        fixture(
            "a server registers",
            vec![(Sender::Client, token), (Sender::Server, granted), (Sender::Client, register)],
        ),
        fixture(
            "an address is asked for",
            vec![(Sender::Client, b"A".to_vec()), (Sender::Server, b"IP=192.0.2.1,PORT=51381".to_vec())],
        ),
    ]
}

fn dictionary(entries: &[(&str, Result<&str, u32>)]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let mut bytes = number(entries.len()).to_vec();
    for (name, value) in entries {
        bytes.extend(number(name.len() + 1));
        bytes.extend(name.as_bytes());
        bytes.extend(number(if value.is_ok() { 2 } else { 0 }));
        bytes.extend(number(1));
        match value {
            Ok(text) => {
                bytes.extend(number(text.len()));
                bytes.extend(text.as_bytes());
            }
            Err(value) => bytes.extend(value.to_be_bytes()),
        }
    }
    bytes
}

#[test]
fn a_server_that_registers_is_one_tunnel_with_its_host() {
    let facts = fixtures()[0].facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
    assert!(tunnel.established);
    assert_eq!(tunnel.fields.get("host.hostname"), Some(&Text::from("vpn").into()));
    assert_eq!(tunnel.fields.get("softether.operation"), Some(&Text::from("nat_t_register").into()));
}

#[test]
fn an_address_that_was_asked_for_is_no_tunnel_yet() {
    let asked = &fixtures()[1];
    let facts = asked.facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
    assert!(!tunnel.established);
    assert_eq!(tunnel.fields.get("softether.operation"), Some(&Text::from("get_address").into()));
    assert!(asked.facts_of(&asked.chunks[..1]).is_empty());
    for answer in ["IP=192.0.2,PORT=1", "IP=192.0.2.1", "IP=192.0.2.1,PORT=70000", "A"] {
        assert!(asked.facts_of(&[asked.chunks[0].clone(), (Sender::Server, answer.into())]).is_empty(), "{answer}");
    }
}

#[test]
fn what_is_not_one_dictionary_with_an_operation_is_none() {
    let register = fixtures()[0].chunks[2].1.clone();
    assert!(Dictionary::parse(&register).is_some());
    assert!(Dictionary::parse(&[&register[..], &[0]].concat()).is_none());
    assert!(Dictionary::parse(&register[..register.len() - 1]).is_none());
    let mut fixture = fixtures().remove(0);
    fixture.chunks = vec![(Sender::Client, dictionary(&[("host_name", Ok("vpn"))]))];
    assert!(fixture.facts().is_empty());
}
