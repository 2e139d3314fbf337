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
    hello.alpn = ["h2".into(), "anydesk/6.2.0/linux".into()].into();
    hello.server_name = Some("www.teamviewer.com".into());
    let sighting = products.by_hello(&hello).unwrap();
    assert_eq!((sighting.product.id.as_str(), sighting.basis), ("anydesk", Basis::Alpn));
}

#[test]
fn the_protocols_that_a_products_own_sources_name_tell_it() {
    let products = shipped();
    let told = |alpn: &[&str], name: Option<&str>| {
        let mut hello = Hello::new(Sender::Client);
        hello.alpn = alpn.iter().map(|&protocol| Text::from(protocol)).collect();
        hello.server_name = name.map(Text::from);
        products.by_hello(&hello).map(|sighting| (sighting.product.id.clone(), sighting.basis))
    };
    // cloudflared over QUIC, and over HTTP/2, where it offers none.
    assert_eq!(told(&["argotunnel"], Some("quic.cftunnel.com")), Some(("cloudflared".into(), Basis::Alpn)));
    assert_eq!(told(&[], Some("h2.cftunnel.com")), Some(("cloudflared".into(), Basis::ServerName)));
    let agent = ["teleport-reversetunnel", "h2"];
    assert_eq!(told(&agent, Some("teleport.example.com")), Some(("teleport".into(), Basis::Alpn)));
    assert_eq!(told(&["h2", "http/1.1"], Some("teleport.example.com")), None);
}

#[test]
fn a_protocol_of_its_own_tells_the_product() {
    let products = shipped();
    let sighting = products.by_protocol(crate::protocol::teamviewer::PROTOCOL).unwrap();
    assert_eq!((sighting.product.id.as_str(), sighting.basis), ("teamviewer", Basis::Protocol));
    assert_eq!(products.by_protocol(crate::protocol::ssh::PROTOCOL), None);
    for protocol in products.iter().flat_map(|product| &product.protocols) {
        let mut known = crate::protocol::ALL.iter().map(|spec| spec.protocol).chain(crate::protocol::carried());
        assert!(known.any(|known| known.as_str() == protocol), "{protocol}");
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
    // What Splashtop's streamer shows on the local network, and TunnelBear's servers.
    let issued = |name: &str, issuer: &str| Certificate { issuer: Some(issuer.into()), ..subject(name) };
    let streamer = issued("CN=Splashtop Inc. Self CA", "C=US, ST=CA, O=Splashtop Inc., CN=Splashtop Inc. Self CA");
    assert_eq!(of_certificate(streamer), Some(("splashtop".to_owned(), Basis::Certificate)));
    // MeshCentral on a server of one's own.
    let own = |issuer: &str| of_certificate(issued("CN=mesh.example.com", issuer));
    assert_eq!(
        own("CN=MeshCentralRoot-ffe2bd, C=unknown, O=unknown"),
        Some(("meshcentral".to_owned(), Basis::Certificate))
    );
    assert_eq!(own("CN=MeshCentralRootCA"), None);
    let server = issued("CN=*.tunnelbear.com", "C=US, O=Example CA");
    assert_eq!(of_certificate(server), Some(("tunnelbear".to_owned(), Basis::Certificate)));
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
        let machines = [&product.host_names, &product.services, &product.ouis];
        let signatures = [&product.names, &product.broad_names, &product.alpn, &product.certificates];
        let in_http = [&product.user_agents, &product.http_servers];
        let others = [&product.protocols, &product.ports];
        let mut shows = signatures.into_iter().chain(machines).chain(in_http).chain(others);
        assert!(shows.any(|signatures| !signatures.is_empty()), "{}", product.id);
        assert!(!product.source.is_empty(), "{} says no source", product.id);
        if let Some(folder) = &product.recorded {
            let expected = std::fs::read_to_string(Path::new("pcaps").join(folder).join("expected.jsonl")).unwrap();
            let told = format!("\"network.application\":\"{}\"", product.id);
            assert!(expected.contains(&told), "{folder} does not show {}", product.id);
        }
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
    let ports = "- {id: a, name: A, kind: vpn, tls_ports: [4172]}\n- {id: b, name: B, kind: vpn, tls_ports: [4172]}\n";
    assert_eq!(
        fault(ports).lines().next(),
        Some("products.yml:2:3: \"4172\" belongs to both `a` and `b`; leave it in one of them")
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

#[test]
fn websites_are_what_they_serve_and_broad_domains_are_never_remote_access() {
    let products = shipped();
    let kind = |name: &str| {
        let sighting = products.by_name(name)?;
        (sighting.basis != Basis::VendorName).then_some(sighting.product.kind)
    };
    assert_eq!(kind("github.com"), Some(Kind::CodeHosting));
    assert_eq!(kind("dns.google"), Some(Kind::DohResolver));
    assert_eq!(kind("www.dropbox.com"), Some(Kind::CloudStorage));
    assert_eq!(kind("dns.mullvad.net"), Some(Kind::DohResolver));
    assert_eq!(kind("us-nyc-wg-301.relays.mullvad.net"), Some(Kind::Vpn));
    assert_eq!(kind("mask.icloud.com"), None, "Apple's relay is no VPN of somebody's choice");
    // Broad domains of the research that many people visit for other reasons.
    for name in [
        "github.com",
        "objects.githubusercontent.com",
        "zoho.com",
        "connectwise.com",
        "kaseya.com",
        "sophos.com",
        "logicnow.com",
        "goto.com",
        "ivanti.com",
        "microsoft.com",
        "google.com",
        "oray.com",
        "zabbix.com",
    ] {
        assert!(!matches!(kind(name), Some(Kind::RemoteAccess | Kind::ReverseTunnel)), "{name}");
    }
}

#[test]
fn a_machine_is_told_by_its_name_before_its_maker() {
    let products = shipped();
    let lease = |host: Option<&str>, mac: [u8; 6]| {
        let lease = Lease { host_name: host.map(Text::from), mac: Some(Mac(mac)), ..Lease::default() };
        products.by_lease(&lease).map(|sighting| (sighting.product.id.clone(), sighting.basis))
    };
    let told = |id: &str, basis| Some((id.to_owned(), basis));
    assert_eq!(lease(Some("PiKVM"), [0xb8, 0x27, 0xeb, 1, 2, 3]), told("pikvm", Basis::HostName));
    assert_eq!(lease(Some("jetkvm-1a2b3c"), [2, 0, 0, 0, 0, 1]), told("jetkvm", Basis::HostName));
    assert_eq!(lease(None, [0x30, 0x52, 0x53, 1, 2, 3]), told("jetkvm", Basis::Oui));
    assert_eq!(lease(None, [0x04, 0xc9, 0x8b, 0x1f, 2, 3]), told("tinypilot", Basis::Oui));
    assert_eq!(lease(None, [0x04, 0xc9, 0x8b, 0x2f, 2, 3]), None, "the rest of the block is others'");
    assert_eq!(lease(Some("pikvm-fan"), [0xb8, 0x27, 0xeb, 1, 2, 3]), None, "a Raspberry Pi is no KVM");
}

#[test]
fn a_machine_is_told_by_the_services_it_offers() {
    let products = shipped();
    let announced = |services: &[&str], host: Option<&str>, answered| {
        let mut name = Name { answered, ..Name::default() };
        let services: Vec<Text> = services.iter().map(|&service| Text::from(service)).collect();
        name.fields.push("dns.answers.name", services);
        name.fields.push_some("host.hostname", host.map(Text::from));
        products.by_announcement(&name).map(|sighting| (sighting.product.id.clone(), sighting.basis))
    };
    let told = |id: &str, basis| Some((id.to_owned(), basis));
    assert_eq!(announced(&["_http._tcp.local", "_pikvm._tcp.local"], None, true), told("pikvm", Basis::Service));
    assert_eq!(announced(&["jetkvm-1._jetkvm._tcp.local"], None, true), told("jetkvm", Basis::Service));
    assert_eq!(announced(&[], Some("glkvm"), true), told("glkvm", Basis::HostName));
    assert_eq!(announced(&["_pikvm._tcp.local"], None, false), None, "who asks is no KVM");
    assert_eq!(announced(&["_http._tcp.local", "pikvm.local"], Some("printer"), true), None);
}

#[test]
fn a_certificate_that_an_installation_makes_for_itself_names_it() {
    let products = shipped();
    let anydesk = products.iter().find(|product| product.id == "anydesk").unwrap();
    let certificate =
        |subject: &str| Certificate { sha256: "ab12".into(), subject: Some(subject.into()), ..Default::default() };
    assert_eq!(anydesk.installation(&certificate("CN=AnyDesk Client")), Some("ab12"));
    assert_eq!(anydesk.installation(&certificate("C=DE, O=philandro Software GmbH, CN=AnyNet Relay")), None);
}

#[test]
fn a_hardware_address_that_is_none_is_a_fault_with_a_place() {
    for oui in ["30:52", "30:52:zz", "30:52:53/64", "30:52:53/20"] {
        let text = format!("- {{id: a, name: A, kind: ip_kvm, ouis: [\"{oui}\"]}}\n");
        let fault = Products::parse("products.yml", &text).unwrap_err().to_string();
        let expected = format!(
            "products.yml:1:3: \"{oui}\" of `a` is no beginning of a MAC; write `30:52:53` or `04:c9:8b:10/28`"
        );
        assert_eq!(fault.lines().next(), Some(expected.as_str()));
    }
}

#[test]
fn every_signature_leads_to_its_own_product() {
    let products = shipped();
    for product in products.iter() {
        for alpn in &product.alpn {
            let mut hello = Hello::new(Sender::Client);
            hello.alpn = [Text::from(alpn.as_str())].into_iter().collect();
            let told = products.by_hello(&hello).map(|sighting| sighting.product.id.clone());
            assert_eq!(told, Some(product.id.clone()), "{alpn}");
        }
        for name in product.names.iter().chain(&product.broad_names) {
            let below = format!("host-7.{name}");
            for name in [name, &below] {
                assert_eq!(by_name(&products, name).map(|(id, _)| id), Some(product.id.clone()), "{name}");
            }
        }
        for &port in &product.tls_ports {
            let told = products.by_tls_port(port).map(|sighting| (sighting.product.id.clone(), sighting.basis));
            assert_eq!(told, Some((product.id.clone(), Basis::TlsPort)), "{port}");
        }
        let in_http = [("user_agent.original", &product.user_agents), ("http.server", &product.http_servers)];
        for (field, software) in in_http {
            for said in software {
                let told = in_http_field(&products, field, said).map(|(id, _)| id);
                assert_eq!(told, Some(product.id.clone()), "{said}");
            }
        }
        let mut hello = Hello::new(Sender::Server);
        for attribute in &product.certificates {
            let subject = attribute.strip_suffix('*').unwrap_or(attribute);
            let certificate = Certificate { subject: Some(subject.into()), ..Certificate::default() };
            hello.certificate = Some(Box::new(certificate));
            assert_eq!(products.by_hello(&hello).map(|sighting| sighting.product.id.clone()), Some(product.id.clone()));
        }
    }
}

#[test]
fn tors_relays_are_told_by_names_that_are_made_up() {
    let products = shipped();
    let told = |subject: &str, issuer: &str| {
        let mut hello = Hello::new(Sender::Server);
        let (subject, issuer) = (Some(subject.into()), Some(issuer.into()));
        hello.certificate = Some(Box::new(Certificate { subject, issuer, ..Certificate::default() }));
        products.by_hello(&hello).map(|sighting| sighting.product.id.clone())
    };
    assert_eq!(told("CN=www.ijnz3ougbs2vqr.net", "CN=www.oplvyqxyq4cm.com"), Some("tor".into()));
    for (subject, issuer) in [
        ("CN=www.example.net", "CN=www.short.com"),
        ("CN=www.ijnz3ougbs2vqr.net", "CN=www.ijnz3ougbs2vqr.com"),
        ("CN=www.ijnz3ougbs2vqr.net, O=Somebody", "CN=www.oplvyqxyq4cm.com"),
        ("CN=www.ijnz3ougbs-vqr.net", "CN=www.oplvyqxyq4cm.com"),
    ] {
        assert_eq!(told(subject, issuer), None, "{subject} by {issuer}");
    }
}

/// The product of a hello with such a field.
fn in_http_field(products: &Products, field: &'static str, said: &str) -> Option<(String, Basis)> {
    let mut hello = Hello::new(if field == "http.server" { Sender::Server } else { Sender::Client });
    hello.fields.push(field, Text::from(said));
    products.by_http(&hello).map(|sighting| (sighting.product.id.clone(), sighting.basis))
}

#[test]
fn a_program_that_says_what_it_is_in_http_tells_the_product() {
    let products = shipped();
    let client = |said: &str| in_http_field(&products, "user_agent.original", said);
    let netsupport = |basis| Some(("netsupport".to_owned(), basis));
    for said in ["NetSupport Manager/1.3", "netsupport manager/1.0", "NetSupport Manager", "NetSupport Manager 2"] {
        assert_eq!(client(said), netsupport(Basis::UserAgent), "{said}");
    }
    assert_eq!(client("PAN GlobalProtect"), Some(("globalprotect".into(), Basis::UserAgent)));
    let dyngate = "Mozilla/4.0 (compatible; MSIE 6.0; DynGate)";
    assert_eq!(client(dyngate), Some(("teamviewer".into(), Basis::UserAgent)));
    let server = |said: &str| in_http_field(&products, "http.server", said);
    assert_eq!(server("NetSupport Gateway/1.92 (Windows NT)"), netsupport(Basis::HttpServer));
    for said in ["ScreenConnect/24.2.5", "ScreenConnect"] {
        assert_eq!(server(said), Some(("screenconnect".into(), Basis::HttpServer)), "{said}");
    }
    for said in ["SimpleHelp/5.5.16", "SimpleHelp 5.5.16"] {
        assert_eq!(server(said), Some(("simplehelp".into(), Basis::HttpServer)), "{said}");
    }
    // A client is told by what clients say.
    assert_eq!(client("NetSupport Gateway/1.92"), None);
    assert_eq!(server("NetSupport Manager/1.3"), None);
}

#[test]
fn browsers_and_others_that_say_much_are_no_product() {
    let products = shipped();
    let chrome =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
    let manager = "NetSupport Manager";
    for said in [
        chrome,
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "Mozilla/4.0 (compatible; MSIE 6.0; DynGate; other)",
        "curl/7.88.1",
        "Microsoft-CryptoAPI/10.0",
        "NetSupport",
        "NetSupport Managers/1.3",
        "NetSupport Manager x/1.3",
        &format!("{chrome} {manager}/1.3"),
        &format!("{manager}\u{212a}/1.3"),
        &manager.repeat(40),
        "/",
        "",
    ] {
        assert_eq!(in_http_field(&products, "user_agent.original", said), None, "{said}");
    }
    for said in ["nginx/1.22.1", "Microsoft-HTTPAPI/2.0", "Apache", "Microsoft-HTTPAPI/2.0 ScreenConnect/1"] {
        assert_eq!(in_http_field(&products, "http.server", said), None, "{said}");
    }
}

#[test]
fn a_beginning_that_fits_any_certificate_is_a_fault_with_a_place() {
    for attribute in ["*", "CN=*", "O=The*"] {
        let text = format!("- {{id: a, name: A, kind: vpn, certificates: [\"{attribute}\"]}}\n");
        let fault = Products::parse("products.yml", &text).unwrap_err().to_string();
        let expected = format!(
            "products.yml:1:3: \"{attribute}\" of `a` fits too many certificates; write more of the name before the star"
        );
        assert_eq!(fault.lines().next(), Some(expected.as_str()));
    }
}

#[test]
fn what_a_program_cannot_say_is_a_fault_with_a_place() {
    let fault = |key: &str, said: &str| {
        let text = format!("- id: a\n  name: A\n  kind: vpn\n  {key}: [{said:?}]\n");
        let fault = Products::parse("products.yml", &text).unwrap_err().to_string();
        fault.lines().next().unwrap_or_default().to_owned()
    };
    for (key, said) in [
        ("user_agents", ""),
        ("user_agents", " Agent"),
        ("user_agents", "Agént"),
        ("http_servers", "a\tb"),
        ("http_servers", &"a".repeat(129)),
    ] {
        let expected = format!(
            "products.yml:1:3: {said:?} of `a` is nothing to compare with; write up to 128 ASCII characters, as the program \
             says them"
        );
        assert_eq!(fault(key, said), expected);
    }
    assert_eq!(
        fault("user_agents", "mozilla"),
        "products.yml:1:3: \"mozilla\" of `a` is what every browser says; write all that the program says, from \
         `Mozilla/` to its end"
    );
    let twice =
        "- {id: a, name: A, kind: vpn, http_servers: [Gate]}\n- {id: b, name: B, kind: vpn, http_servers: [GATE]}\n";
    assert_eq!(
        Products::parse("products.yml", twice).unwrap_err().to_string().lines().next(),
        Some("products.yml:2:3: \"GATE\" belongs to both `a` and `b`; leave it in one of them")
    );
}
