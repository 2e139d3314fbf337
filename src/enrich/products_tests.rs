use super::*;
use crate::facts::Sender;

fn shipped() -> Products {
    Products::load(Path::new("rules/data/products.yml")).unwrap()
}

fn by_name(products: &Products, name: &str) -> Option<(String, Basis)> {
    products.by_name(name).map(|sighting| (sighting.product.id.clone(), sighting.basis))
}

#[test]
fn a_server_name_tells_the_product_by_whole_labels() {
    let products = shipped();
    for (name, expected) in [
        ("relay-0a1b2c3d.net.anydesk.com", Some(("anydesk", Basis::ServerName))),
        ("ROUTER7.TeamViewer.com.", Some(("teamviewer", Basis::ServerName))),
        ("remotedesktop.google.com", Some(("chrome-remote-desktop", Basis::ServerName))),
        ("instance-ab12cd-relay.screenconnect.com", Some(("screenconnect", Basis::ServerName))),
        ("us-ny.mullvad.net", Some(("mullvad", Basis::ServerName))),
        ("google.com", None),
        ("notanydesk.com", None),
        ("anydesk.com.example", None),
        ("", None),
    ] {
        assert_eq!(by_name(&products, name), expected.map(|(id, basis)| (id.to_owned(), basis)), "{name}");
    }
}

#[test]
fn a_vendors_pages_and_other_services_are_no_use_of_its_product() {
    let products = shipped();
    for name in ["anydesk.com", "www.anydesk.com", "support.teamviewer.com", "accounts.zoho.com", "www.connectwise.com"]
    {
        assert_eq!(by_name(&products, name).map(|(_, basis)| basis), Some(Basis::VendorName), "{name}");
    }
}

#[test]
fn a_service_that_is_a_website_is_used_there() {
    let products = shipped();
    for (name, id) in [("github.com", "github"), ("mega.nz", "mega"), ("www.dropbox.com", "dropbox")] {
        assert_eq!(by_name(&products, name), Some((id.to_owned(), Basis::ServerName)), "{name}");
    }
}

#[test]
fn what_only_the_product_says_counts_before_its_servers_names() {
    let products = shipped();
    let mut hello = Hello::new(Sender::Client);
    hello.alpn = vec!["h2".into(), "anydesk/6.2.0/linux".into()];
    hello.server_name = Some("www.teamviewer.com".into());
    let sighting = products.by_hello(&hello).unwrap();
    assert_eq!((sighting.product.id.as_str(), sighting.basis), ("anydesk", Basis::Alpn));
}

#[test]
fn a_protocol_of_its_own_tells_the_product() {
    let products = shipped();
    let sighting = products.by_protocol(crate::protocol::teamviewer::PROTOCOL).unwrap();
    assert_eq!((sighting.product.id.as_str(), sighting.basis), ("teamviewer", Basis::Protocol));
    assert_eq!(products.by_protocol(crate::protocol::ssh::PROTOCOL), None);
    for protocol in products.iter().flat_map(|product| &product.protocols) {
        assert!(crate::protocol::ALL.iter().any(|spec| spec.protocol.as_str() == protocol), "{protocol}");
    }
}

#[test]
fn a_certificate_tells_the_product_by_its_attributes_or_a_few_names() {
    let products = shipped();
    let of_certificate = |certificate: Certificate| {
        let mut hello = Hello::new(Sender::Server);
        hello.certificate = Some(Box::new(certificate));
        products.by_hello(&hello).map(|sighting| (sighting.product.id.clone(), sighting.basis))
    };
    let subject = |subject: &str| Certificate { subject: Some(subject.into()), ..Certificate::default() };
    assert_eq!(
        of_certificate(subject("C=US, O=PiKVM, OU=PiKVM, CN=localhost")),
        Some(("pikvm".to_owned(), Basis::Certificate))
    );
    assert_eq!(of_certificate(subject("O=PiKVM Fans")), None);
    let names = |count: usize| Certificate {
        alternative_names: std::iter::once("*.relay.splashtop.com".into())
            .chain((1..count).map(|number| format!("host{number}.example").into()))
            .collect(),
        ..Certificate::default()
    };
    assert_eq!(of_certificate(names(8)), Some(("splashtop".to_owned(), Basis::Certificate)));
    assert_eq!(of_certificate(names(9)), None, "a certificate of many names is a hoster's");
}

#[test]
fn the_shipped_products_are_in_order_and_none_is_without_a_signature() {
    let products = shipped();
    let ids: Vec<&str> = products.iter().map(|product| product.id.as_str()).collect();
    assert!(ids.is_sorted() && ids.len() > 80, "{ids:?}");
    for product in products.iter() {
        let signatures = [&product.names, &product.broad_names, &product.alpn, &product.certificates];
        assert!(signatures.iter().any(|signatures| !signatures.is_empty()), "{}", product.id);
        assert!(product.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }
}

#[test]
fn faults_of_the_data_file_have_a_place() {
    let fault = |text: &str| Products::parse("products.yml", text).unwrap_err().to_string();
    let twice =
        "- {id: a, name: A, kind: vpn, names: [a.example]}\n- {id: b, name: B, kind: vpn, names: [A.example]}\n";
    let lines = fault(twice);
    assert_eq!(
        lines.lines().next(),
        Some("products.yml:2:3: \"A.example\" belongs to both `a` and `b`; leave it in one of them")
    );
    assert_eq!(
        fault("- {id: a, name: A, kind: vpm}\n").lines().next(),
        Some("products.yml:1:26: unknown value `vpm`; did you mean `vpn`?")
    );
}

#[test]
fn the_shipped_products_need_no_folder() {
    let found = by_name(&Products::shipped(), "relay-1a2b3c4d.net.anydesk.com");
    assert_eq!(found, Some(("anydesk".into(), Basis::ServerName)));
}
