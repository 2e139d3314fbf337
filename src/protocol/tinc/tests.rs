use super::*;
use crate::facts::Value;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    vec![fixture(&["0 alpha 17\n", "0 beta_2 17.7\n", "1 94 64 0 0 C0FFEE\n"])]
}

/// Client and server by turns.
fn fixture(lines: &[&str]) -> Fixture {
    let turns = [Sender::Client, Sender::Server].into_iter().cycle();
    Fixture {
        name: "a meta connection",
        protocol: SPEC.protocol,
        transport: Transport::Tcp,
        client_port: 50_000,
        server_port: 655,
        chunks: turns.zip(lines.iter().map(|line| line.as_bytes().to_vec())).collect(),
    }
}

#[test]
fn two_nodes_that_name_themselves_are_one_tunnel() {
    let facts = fixtures()[0].facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
    for (field, value) in [("tinc.client_node", "alpha"), ("tinc.server_node", "beta_2"), ("tinc.version", "17.7")] {
        assert_eq!(tunnel.fields.get(field), Some(&Value::Text(value.into())));
    }
}

#[test]
fn what_is_almost_an_identity_is_none() {
    for lines in [
        ["0 alpha 16\n", "0 beta 17\n"],
        ["0 alpha 17 1\n", "0 beta 17\n"],
        ["0 al-pha 17\n", "0 beta 17\n"],
        ["0 alpha 17\n", "+OK\n"],
        ["0 alpha 17.\n", "0 beta 17\n"],
    ] {
        assert!(fixture(&lines).facts().is_empty(), "{lines:?}");
    }
}

#[test]
fn one_node_is_a_likely_tunnel_on_the_port_only() {
    let one = fixture(&["0 alpha 17\n"]);
    let facts = one.facts();
    let [(_, Statement::Tunnel(tunnel))] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((tunnel.confidence, tunnel.established), (Confidence::Likely, false));
    assert_eq!(tunnel.fields.get("tinc.client_node"), Some(&Value::Text("alpha".into())));
    assert!(Fixture { server_port: 656, ..one }.facts().is_empty());
}
