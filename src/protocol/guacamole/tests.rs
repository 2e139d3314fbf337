use super::*;
use crate::protocol::tests::Fixture;

pub(crate) fn fixtures() -> Vec<Fixture> {
    let browser =
        vec![(Sender::Server, b"0.,36.6f9619ff-8b86-d011-b42d-00c04fc964ff;4.size,1.0,4.1024,3.768;".to_vec())];
    vec![fixture("guacd is told to drive a machine", guacd()), fixture("to a browser", browser)]
}

fn fixture(name: &'static str, chunks: Vec<(Sender, Vec<u8>)>) -> Fixture {
    Fixture { name, protocol: PROTOCOL, transport: Transport::Tcp, client_port: 51_000, server_port: 4822, chunks }
}

fn guacd() -> Vec<(Sender, Vec<u8>)> {
    vec![
        (Sender::Client, b"6.select,3.rdp;".to_vec()),
        (Sender::Server, b"4.args,13.VERSION_1_5_0,8.hostname,4.port,8.username,8.password;".to_vec()),
        (Sender::Client, b"4.size,4.1024,3.768,2.96;5.audio;5.video;5.image,9.image/png;8.timezone,3.UTC;".to_vec()),
        (Sender::Client, "7.connect,13.VERSION_1_5_0,9.10.20.0.7,4.3389,4.jörg,6.s3cret;".as_bytes().to_vec()),
    ]
}

fn desktop(chunks: Vec<(Sender, Vec<u8>)>) -> Option<RemoteDesktop> {
    match &fixture("", chunks).facts()[..] {
        [] => None,
        [(PROTOCOL, Statement::RemoteDesktop(desktop))] => Some((**desktop).clone()),
        facts => panic!("{facts:?}"),
    }
}

#[test]
fn the_machine_and_the_user_behind_the_gateway_are_known_and_the_password_is_not() {
    let desktop = desktop(guacd()).unwrap();
    assert_eq!(desktop.user, Some("jörg".into()));
    assert_eq!(desktop.fields.get(DRIVER), Some(&"rdp".into()));
    assert_eq!(desktop.fields.get(TARGET), Some(&Text::from("10.20.0.7").into()));
    assert!(!format!("{desktop:?}").contains("s3cret"));
}

#[test]
fn a_session_that_ends_early_still_says_what_was_asked_for() {
    let desktop = desktop(guacd()[..1].to_vec()).unwrap();
    assert_eq!((desktop.user, desktop.fields.get(DRIVER)), (None, Some(&"rdp".into())));
}

#[test]
fn what_is_no_instruction_is_not_guacamole() {
    for text in
        ["6.select,3.xyz;", "6.selec,3.rdp;", "6.select;", "60.select", "6.select,3.rdp,", "0.,4.uuid;", "6select"]
    {
        assert!(desktop(vec![(Sender::Client, text.as_bytes().to_vec())]).is_none(), "{text}");
    }
}
