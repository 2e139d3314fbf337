//! The typed fields: how each is worked out of an event.

use std::borrow::Cow;
use std::time::Duration;

use rsigma_eval::EventValue;

use crate::event::catalogue::Kind::{Boolean, Date, Float, Integer, Ip, Keyword};
use crate::event::catalogue::{Field, Kind};
use crate::event::{Event, integer, owned, roles};
use crate::facts::{Certificate, Direction, FactKind, FingerprintMethod, Sender, Shape, TunnelBasis};
use crate::identity::device::DeviceId;
use crate::net::{Mac, Text, Vlans};
use crate::time::Timestamp;

/// Fields under one heading.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) fields: &'static [Field],
}

pub(super) static GROUPS: &[Group] = &[
    Group { title: "Event", fields: EVENT },
    Group { title: "Network", fields: NETWORK },
    Group { title: "Client", fields: SOURCE },
    Group { title: "Server", fields: DESTINATION },
    Group { title: "Device and user", fields: WHO },
    Group { title: "Application", fields: APPLICATION },
    Group { title: "Flow", fields: FLOW },
    Group { title: "Remote desktop and tunnel", fields: BEHAVIOUR },
    Group { title: "Hello", fields: HELLO },
    Group { title: "Client certificate", fields: CLIENT_CERTIFICATE },
    Group { title: "Server certificate", fields: SERVER_CERTIFICATE },
    Group { title: "Name and lease", fields: NAME },
];

type Get = for<'e> fn(&'e Event<'e>) -> Option<EventValue<'e>>;

const fn field(name: &'static str, kind: Kind, help: &'static str, get: Get) -> Field {
    Field { name, kind, help, get }
}

static EVENT: &[Field] = &[
    field("@timestamp", Date, "When it was seen, in packet time.", |e| time(e.at())),
    field("event.kind", Keyword, "Always `event`; alerts say `alert`.", |_| word("event")),
    field("event.category", Keyword, "`network`, and `authentication` for log-ons.", |e| {
        let of_credential = matches!(e.kind(), Some(FactKind::Credential(_)));
        Some(EventValue::Array(
            ["network"].into_iter().chain(of_credential.then_some("authentication")).filter_map(word).collect(),
        ))
    }),
    field("event.action", Keyword, "What was seen: the value that rules name as `logsource.category`.", |e| {
        word(e.category())
    }),
    field("event.outcome", Keyword, "Whether a log-on was a `success` or a `failure`.", |e| match e.kind()? {
        FactKind::Credential(credential) => word(credential.outcome?.as_str()),
        _ => None,
    }),
    field("event.reason", Keyword, "Why a parser gave the flow up.", |e| match e.kind()? {
        FactKind::Malformed(reason) => word(reason),
        _ => None,
    }),
    field("event.start", Date, "When the flow began.", |e| time(e.flow().started)),
    field("event.end", Date, "When the last packet of the flow was seen.", |e| {
        time(e.flow().started + e.summary()?.duration)
    }),
    field("event.duration", Integer, "First to last packet of the flow, in nanoseconds.", |e| {
        Some(integer(u64::try_from(e.summary()?.duration.as_nanos()).unwrap_or(u64::MAX)))
    }),
];

static NETWORK: &[Field] = &[
    field("network.transport", Keyword, "`tcp`, `udp`, `esp`, `ah`, `l2tp`, or `link` for frames without IP.", |e| {
        word(e.flow().transport.as_str())
    }),
    field("network.type", Keyword, "`ipv4` or `ipv6`.", |e| {
        word(if e.address(Sender::Client)?.is_ipv4() { "ipv4" } else { "ipv6" })
    }),
    field("network.protocol", Keyword, "The protocol that spoke, or the first one recognised on the flow.", |e| {
        word(e.protocol()?.as_str())
    }),
    field("network.application", Keyword, "The product in use: its id in `rules/data/products.yml`.", |e| {
        let application = e.application.filter(|application| application.is_in_use())?;
        borrowed(&application.product.id)
    }),
    field(
        "network.direction",
        Keyword,
        "`inbound`, `outbound`, `internal` or `external`, seen from the home networks.",
        |e| word(e.world.networks.bearing(e.address(Sender::Client)?, e.address(Sender::Server)?).as_str()),
    ),
    field("network.community_id", Keyword, "Community ID v1, seed 0.", |e| e.community_id().map(owned)),
    field(
        "network.inner.vlan.id",
        Keyword,
        "The VLAN identifier of the inner tag (QinQ); a list where the directions differ.",
        |e| vlans(e, |vlans| [vlans.inner(), None]),
    ),
    field(
        "network.vlan.id",
        Keyword,
        "The 802.1Q VLAN identifier; with QinQ or where the directions differ a list of all, the client's outermost first.",
        |e| vlans(e, |vlans| [vlans.outer(), vlans.inner()]),
    ),
    field("network.bytes", Integer, "Bytes of IP packets, both ways.", |e| {
        Some(integer(e.sent(Sender::Client)?.bytes.saturating_add(e.sent(Sender::Server)?.bytes)))
    }),
    field("network.packets", Integer, "Packets, both ways.", |e| {
        Some(integer(e.sent(Sender::Client)?.packets.saturating_add(e.sent(Sender::Server)?.packets)))
    }),
];

/// The same fields for either side.
macro_rules! side {
    ($side:literal, $sender:expr, $mac:ident) => {
        &[
            field(concat!($side, ".ip"), Ip, "The address.", |e| e.address($sender).map(owned)),
            field(concat!($side, ".port"), Integer, "The port; absent for transports without.", |e| {
                let port = match $sender {
                    Sender::Client => e.flow().client.port,
                    Sender::Server => e.flow().server.port,
                };
                (e.flow().transport.has_ports()).then(|| integer(u64::from(port)))
            }),
            field(concat!($side, ".mac"), Keyword, "The link address of the first frame.", |e| mac(e.flow().$mac)),
            field(concat!($side, ".bytes"), Integer, "Bytes of IP packets sent, of a `minute` in that minute.", |e| {
                Some(integer(e.sent($sender)?.bytes))
            }),
            field(concat!($side, ".packets"), Integer, "Packets sent, of a `minute` in that minute.", |e| {
                Some(integer(e.sent($sender)?.packets))
            }),
            field(concat!($side, ".geo.country_iso_code"), Keyword, "The country, ISO 3166-1 alpha-2.", |e| {
                e.world.geo.get(e.address($sender)?).country.as_ref().map(owned)
            }),
            field(concat!($side, ".as.number"), Integer, "The autonomous system.", |e| {
                e.world.geo.get(e.address($sender)?).as_number.map(|number| integer(u64::from(number)))
            }),
            field(concat!($side, ".as.organization.name"), Keyword, "Who runs the autonomous system.", |e| {
                e.world.geo.get(e.address($sender)?).as_organization.as_ref().map(owned)
            }),
            field(concat!($side, ".network.name"), Keyword, "The most specific network of the configuration.", |e| {
                borrowed(&e.world.networks.get(e.address($sender)?)?.name)
            }),
            field(
                concat!($side, ".network.roles"),
                Keyword,
                "The roles of that network and of those around it.",
                |e| roles(e, e.address($sender)?),
            ),
            field(
                concat!("spanwatch.", $side, ".address_class"),
                Keyword,
                "What kind of line an outside address is at, by the configuration's `address_classes`.",
                |e| {
                    let address = e.address($sender).filter(|_| !e.is_home($sender))?;
                    word(e.world.address_class(address)?.as_str())
                },
            ),
            field(concat!($side, ".device.id"), Keyword, "The device at a home address, stable over time.", |e| {
                e.device($sender).map(owned)
            }),
            field(concat!($side, ".device.name"), Keyword, "Its name in the inventory, or the one it gave.", |e| {
                device_name(e, $sender)
            }),
            field(concat!($side, ".device.group"), Keyword, "Its group in the inventory.", |e| {
                borrowed(e.host($sender)?.group.as_ref()?)
            }),
            field(
                concat!($side, ".device.managed"),
                Boolean,
                "Whether the inventory lists it; absent for outside addresses and without an inventory.",
                |e| managed(e, $sender),
            ),
            field(concat!($side, ".user.name"), Keyword, "The user who last logged on from the address.", |e| {
                text(e.world.identity.user(e.address($sender)?)?)
            }),
        ]
    };
}

static SOURCE: &[Field] = side!("source", Sender::Client, client_mac);
static DESTINATION: &[Field] = side!("destination", Sender::Server, server_mac);

static WHO: &[Field] = &[
    field(
        "device.id",
        Keyword,
        "The home side's device: the client's, or the server's if only that is at home.",
        |e| e.device(e.home_side()?).map(owned),
    ),
    field("device.name", Keyword, "Its name in the inventory, or the one it gave.", |e| device_name(e, e.home_side()?)),
    field("device.group", Keyword, "Its group in the inventory.", |e| {
        borrowed(e.host(e.home_side()?)?.group.as_ref()?)
    }),
    field("device.managed", Boolean, "Whether the inventory lists it; absent without an inventory.", |e| {
        managed(e, e.home_side()?)
    }),
    field(
        "spanwatch.site",
        Keyword,
        "The household outside that it is about: where the device at home is, or else the client's address, or the /64 of \
         an IPv6 one.",
        |e| e.site_about().map(owned),
    ),
    field("spanwatch.site_roles", Keyword, "The roles of that household's network in the configuration.", |e| {
        roles(e, e.site_about()?.address())
    }),
    field(
        "spanwatch.device.days",
        Integer,
        "How many days ago the home side's device came; absent where the sensor had watched for less than 14 days before.",
        |e| e.device_days().map(integer),
    ),
    field("user.name", Keyword, "The user that the message names, or the account that a finding is about.", |e| {
        text(e.user()?)
    }),
    field(
        "spanwatch.user.days_left",
        Integer,
        "How many days the home side's user has until the last one in the inventory; negative after it.",
        |e| e.user_days_left().map(EventValue::Int),
    ),
    field("user.domain", Keyword, "The user's domain or realm.", |e| match e.kind()? {
        FactKind::Credential(credential) => text(credential.domain.as_ref()?),
        _ => None,
    }),
    field("user.group.name", Keyword, "The user's group in the inventory.", |e| {
        borrowed(e.world.inventory.account(e.user()?.as_str())?.group.as_ref()?)
    }),
    field("host.hostname", Keyword, "The name that a machine gives itself.", |e| match e.kind()? {
        FactKind::Credential(credential) => text(credential.host.as_ref()?),
        FactKind::Lease(lease) => text(lease.host_name.as_ref()?),
        _ => None,
    }),
    field("host.mac", Keyword, "The hardware address that a machine gives itself.", |e| match e.kind()? {
        FactKind::Lease(lease) => mac(lease.mac),
        _ => None,
    }),
];

static APPLICATION: &[Field] = &[
    field(
        "spanwatch.application.id",
        Keyword,
        "The product, even if only its name was asked for or its pages seen.",
        |e| borrowed(&e.application?.product.id),
    ),
    field("spanwatch.application.name", Keyword, "The product's name.", |e| borrowed(&e.application?.product.name)),
    field(
        "spanwatch.application.kind",
        Keyword,
        "What it is used for, as `docs/products.md` has it: `remote_access`, `ip_kvm`, `vpn` …; absent where only the vendor is sure.",
        |e| word(e.application?.kind()?.as_str()),
    ),
    field(
        "spanwatch.application.basis",
        Keyword,
        "How it was recognised: `alpn`, `certificate`, `protocol`, `user_agent`, `http_server`, `server_name`, `tls_port`, \
         `proxied_name` (a proxy leads there), `proxy_question`, `dns_question`, `vendor_name`, and of machines `host_name`, \
         `oui` or `service`.",
        |e| word(e.application?.basis.as_str()),
    ),
    field(
        "spanwatch.application.installation",
        Keyword,
        "Names the product's installation wherever it turns up: the SHA-256 of the certificate it made for itself.",
        |e| {
            let certificate =
                |sender| certificate(e, sender).and_then(|shown| e.application?.product.installation(shown));
            certificate(Sender::Client).or_else(|| certificate(Sender::Server)).and_then(borrowed)
        },
    ),
    field(
        "spanwatch.application.sanctioned",
        Boolean,
        "Whether the configuration says it is the organisation's.",
        |e| Some(EventValue::Bool(e.application?.sanctioned)),
    ),
];

static FLOW: &[Field] = &[
    field("spanwatch.flow.id", Integer, "Names the flow: the number of its first frame.", |e| {
        Some(integer(e.flow().id.0))
    }),
    field(
        "spanwatch.flow.direction_basis",
        Keyword,
        "How the opener is known: `handshake`, `protocol`, `home_network` or `guess`.",
        |e| {
            word(match e.flow().direction {
                Direction::Guess => "guess",
                Direction::Handshake => "handshake",
                Direction::HomeNetwork => "home_network",
                Direction::Protocol => "protocol",
            })
        },
    ),
    field("spanwatch.flow.encapsulation", Keyword, "The innermost header that was unwrapped.", |e| {
        word(e.flow().tunnel?.as_str())
    }),
    field("spanwatch.flow.duration", Float, "First to last packet, in seconds.", |e| seconds(e.summary()?.duration)),
    field(
        "spanwatch.flow.end_reason",
        Keyword,
        "`finished`, `reset`, `idle`, `reused`, `evicted` or `capture_end`; absent while the flow is open.",
        |e| word(e.summary()?.end?.as_str()),
    ),
    field("spanwatch.flow.shape", Keyword, Shape::MEANING, |e| word(e.summary()?.shape?.as_str())),
    field("spanwatch.flow.shape_confidence", Keyword, "How sure the shape is: `likely`.", |e| {
        word(e.summary()?.shape?.confidence().as_str())
    }),
    field("spanwatch.flow.shape_basis", Keyword, Shape::BASIS_MEANING, |e| word(e.summary()?.shape?.basis())),
    field("spanwatch.flow.client_rtt", Float, "The tap to the client and back, in seconds.", |e| {
        seconds(e.summary()?.client_rtt?)
    }),
    field("spanwatch.flow.server_rtt", Float, "The tap to the server and back, in seconds.", |e| {
        seconds(e.summary()?.server_rtt?)
    }),
    field(
        "spanwatch.flow.flight_rtt",
        Float,
        "The end of the server's first flight to the client's answer, in seconds.",
        |e| seconds(e.summary()?.flight_rtt?),
    ),
    field("spanwatch.source.syn_signature", Keyword, "The SYN in p0f notation.", |e| {
        e.side_summary(Sender::Client)?.syn_signature.as_ref().map(owned)
    }),
    field("spanwatch.destination.syn_signature", Keyword, "The SYN/ACK in p0f notation.", |e| {
        e.side_summary(Sender::Server)?.syn_signature.as_ref().map(owned)
    }),
    field("spanwatch.source.ttl", Integer, "TTL or hop limit of the client's first packet.", |e| {
        e.side_summary(Sender::Client)?.ttl.map(|ttl| integer(u64::from(ttl)))
    }),
    field("spanwatch.destination.ttl", Integer, "TTL or hop limit of the server's first packet.", |e| {
        e.side_summary(Sender::Server)?.ttl.map(|ttl| integer(u64::from(ttl)))
    }),
    field("spanwatch.source.mss", Integer, "The client's maximum segment size, in bytes.", |e| {
        e.side_summary(Sender::Client)?.mss.map(|mss| integer(u64::from(mss)))
    }),
    field("spanwatch.destination.mss", Integer, "The server's maximum segment size, in bytes.", |e| {
        e.side_summary(Sender::Server)?.mss.map(|mss| integer(u64::from(mss)))
    }),
    field("spanwatch.flow.retransmitted_bytes", Integer, "Payload bytes sent again, both ways.", |e| {
        let summary = e.summary()?;
        Some(integer(summary.client.retransmitted_bytes.saturating_add(summary.server.retransmitted_bytes)))
    }),
    field("spanwatch.flow.gap_bytes", Integer, "Payload bytes that the tap missed, both ways.", |e| {
        let summary = e.summary()?;
        Some(integer(summary.client.lost_bytes.saturating_add(summary.server.lost_bytes)))
    }),
];

static BEHAVIOUR: &[Field] = &[
    field("rdp.client_name", Keyword, "The driving machine's name (MS-RDPBCGR 2.2.1.3.2).", |e| match e.kind()? {
        FactKind::RemoteDesktop(desktop) if e.protocol()?.as_str() == "rdp" => text(desktop.client_name.as_ref()?),
        _ => None,
    }),
    field("spanwatch.remote_desktop.client_name", Keyword, "The name the driving machine gives itself.", |e| {
        text(client_name(e)?)
    }),
    field(
        "spanwatch.remote_desktop.client_managed",
        Boolean,
        "Whether the inventory lists a host of that name; absent without a name or without named hosts.",
        |e| {
            let name = client_name(e)?;
            let inventory = &e.world.inventory;
            inventory.has_names().then(|| EventValue::Bool(inventory.by_name(name.as_str()).is_some()))
        },
    ),
    field(
        "spanwatch.remote_desktop.security",
        Keyword,
        "The security layer agreed on, in the protocol's terms.",
        |e| match e.kind()? {
            FactKind::RemoteDesktop(desktop) => word(desktop.security?),
            _ => None,
        },
    ),
    field("spanwatch.tunnel.basis", Keyword, TunnelBasis::MEANING, |e| word(e.tunnel()?.basis.as_str())),
    field("spanwatch.tunnel.confidence", Keyword, "How sure the recognition is: `certain` or `likely`.", |e| {
        word(e.tunnel()?.confidence.as_str())
    }),
    field("spanwatch.tunnel.established", Boolean, "Whether both sides took part in the handshake.", |e| {
        Some(EventValue::Bool(e.tunnel()?.established))
    }),
    field("spanwatch.minute.start", Date, "The first moment of the minute that is told.", |e| match e.kind()? {
        FactKind::Minute(minute) => time(minute.start),
        _ => None,
    }),
    field(
        "spanwatch.minute.through",
        Keyword,
        "What is driven through the flow: `desktop`, `shell` or `tunnel`.",
        |e| match e.kind()? {
            FactKind::Minute(minute) => word(minute.through.as_str()),
            _ => None,
        },
    ),
    field(
        "spanwatch.minute.client_bursts",
        Integer,
        "Groups of small packets of the client with a hand's pauses between them, 30 ms to 10 s.",
        |e| match e.kind()? {
            FactKind::Minute(minute) => Some(integer(u64::from(minute.client_bursts))),
            _ => None,
        },
    ),
    field("spanwatch.minute.client_rtt", Float, "The least way to the tunnel's client and back, in seconds.", |e| {
        match e.kind()? {
            FactKind::Minute(minute) => seconds(minute.client_rtt?),
            _ => None,
        }
    }),
    field("spanwatch.finding.family", Keyword, "Which kind of evidence a finding is.", |e| {
        word(e.finding()?.family.as_str())
    }),
];

static HELLO: &[Field] = &[
    field("tls.client.server_name", Keyword, "The server's name that the client asks for (RFC 6066).", |e| {
        text(e.hello(Sender::Client)?.server_name.as_ref()?)
    }),
    field("tls.client.alpn", Keyword, "The protocols offered (RFC 7301), in order.", |e| alpn(e, Sender::Client)),
    field("tls.next_protocol", Keyword, "The protocol the server chose (RFC 7301).", |e| alpn(e, Sender::Server)),
    field("tls.client.ja3", Keyword, "JA3 of the ClientHello.", |e| fingerprint(e, FingerprintMethod::Ja3)),
    field("tls.client.ja4", Keyword, "JA4 of the ClientHello.", |e| fingerprint(e, FingerprintMethod::Ja4)),
    field("tls.server.ja3s", Keyword, "JA3S of the ServerHello.", |e| fingerprint(e, FingerprintMethod::Ja3s)),
    field("ssh.client_hassh", Keyword, "HASSH of the client's key-exchange offer.", |e| {
        fingerprint(e, FingerprintMethod::Hassh)
    }),
    field("ssh.server_hassh", Keyword, "HASSH of the server's key-exchange offer.", |e| {
        fingerprint(e, FingerprintMethod::HasshServer)
    }),
];

/// The same fields for either side's certificate.
macro_rules! certificate {
    ($side:literal, $sender:expr) => {
        &[
            field(concat!("tls.", $side, ".hash.sha256"), Keyword, "SHA-256 over the leaf's DER, in hex.", |e| {
                borrowed(&certificate(e, $sender)?.sha256)
            }),
            field(concat!("tls.", $side, ".x509.subject.distinguished_name"), Keyword, "The subject.", |e| {
                text(certificate(e, $sender)?.subject.as_ref()?)
            }),
            field(concat!("tls.", $side, ".x509.subject.common_name"), Keyword, "The subject's common name.", |e| {
                text(certificate(e, $sender)?.subject_common_name.as_ref()?)
            }),
            field(concat!("tls.", $side, ".x509.issuer.distinguished_name"), Keyword, "The issuer.", |e| {
                text(certificate(e, $sender)?.issuer.as_ref()?)
            }),
            field(concat!("tls.", $side, ".x509.issuer.common_name"), Keyword, "The issuer's common name.", |e| {
                text(certificate(e, $sender)?.issuer_common_name.as_ref()?)
            }),
            field(concat!("tls.", $side, ".x509.alternative_names"), Keyword, "The alternative names.", |e| {
                let names = &certificate(e, $sender)?.alternative_names;
                (!names.is_empty()).then(|| EventValue::Array(names.iter().filter_map(text).collect()))
            }),
            field(concat!("tls.", $side, ".x509.serial_number"), Keyword, "The serial number, in hex.", |e| {
                borrowed(&certificate(e, $sender)?.serial)
            }),
            field(concat!("tls.", $side, ".x509.not_before"), Date, "Valid from.", |e| {
                time(certificate(e, $sender)?.not_before)
            }),
            field(concat!("tls.", $side, ".x509.not_after"), Date, "Valid until.", |e| {
                time(certificate(e, $sender)?.not_after)
            }),
            field(
                concat!("spanwatch.", $side, "_certificate.self_signed"),
                Boolean,
                "Whether subject and issuer are the same.",
                |e| Some(EventValue::Bool(certificate(e, $sender)?.self_signed)),
            ),
        ]
    };
}

static CLIENT_CERTIFICATE: &[Field] = certificate!("client", Sender::Client);
static SERVER_CERTIFICATE: &[Field] = certificate!("server", Sender::Server);

static NAME: &[Field] = &[
    field("dns.question.name", Keyword, "The name asked for.", |e| match e.kind()? {
        FactKind::Name(name) => text(name.question.as_ref()?),
        _ => None,
    }),
    field("dns.question.type", Keyword, "The type asked for.", |e| match e.kind()? {
        FactKind::Name(name) => borrowed(name.kind.as_ref()?),
        _ => None,
    }),
    field("dns.type", Keyword, "`query` or `answer`.", |e| match e.kind()? {
        FactKind::Name(name) => word(if name.answered { "answer" } else { "query" }),
        _ => None,
    }),
    field("dns.resolved_ip", Ip, "The addresses answered.", |e| match e.kind()? {
        FactKind::Name(name) if !name.addresses.is_empty() => {
            Some(EventValue::Array(name.addresses.iter().map(owned).collect()))
        }
        _ => None,
    }),
    field("dhcp.address", Ip, "The address asked for or given.", |e| match e.kind()? {
        FactKind::Lease(lease) => lease.address.map(owned),
        _ => None,
    }),
    field("dhcp.granted", Boolean, "Whether the server gave the address.", |e| match e.kind()? {
        FactKind::Lease(lease) => Some(EventValue::Bool(lease.granted)),
        _ => None,
    }),
    field("dhcp.vendor_class", Keyword, "Option 60, or option 16 of DHCPv6.", |e| match e.kind()? {
        FactKind::Lease(lease) => text(lease.vendor_class.as_ref()?),
        _ => None,
    }),
    field("dhcp.fingerprint", Keyword, "Options in the order sent, `/`, options asked for.", |e| match e.kind()? {
        FactKind::Lease(lease) => borrowed(lease.fingerprint.as_ref()?),
        _ => None,
    }),
];

fn alpn<'e>(event: &'e Event<'e>, sender: Sender) -> Option<EventValue<'e>> {
    let protocols = &event.hello(sender)?.alpn;
    (!protocols.is_empty()).then(|| EventValue::Array(protocols.iter().filter_map(text).collect()))
}

fn certificate<'e>(event: &'e Event<'e>, sender: Sender) -> Option<&'e Certificate> {
    event.hello(sender)?.certificate.as_deref()
}

fn client_name<'e>(event: &'e Event<'e>) -> Option<&'e Text> {
    match event.kind()? {
        FactKind::RemoteDesktop(desktop) => desktop.client_name.as_ref(),
        _ => None,
    }
}

fn device_name<'e>(event: &'e Event<'e>, side: Sender) -> Option<EventValue<'e>> {
    if let Some(name) = event.host(side).and_then(|host| host.name.as_ref()) {
        return borrowed(name);
    }
    let device: DeviceId = event.device(side)?;
    text(event.world.identity.device(device)?.host_name.as_ref()?)
}

fn managed<'e>(event: &'e Event<'e>, side: Sender) -> Option<EventValue<'e>> {
    let says = !event.world.inventory.is_empty() && event.is_home(side);
    says.then(|| EventValue::Bool(event.host(side).is_some()))
}

fn fingerprint<'e>(event: &'e Event<'e>, method: FingerprintMethod) -> Option<EventValue<'e>> {
    let FactKind::Hello(hello) = event.kind()? else {
        return None;
    };
    borrowed(&hello.fingerprints.iter().find(|fingerprint| fingerprint.method == method)?.value)
}

#[expect(clippy::unnecessary_wraps, reason = "the table's functions return options")]
fn word<'e>(word: &'static str) -> Option<EventValue<'e>> {
    Some(EventValue::Str(Cow::Borrowed(word)))
}

fn borrowed<'e>(text: &'e (impl AsRef<str> + ?Sized)) -> Option<EventValue<'e>> {
    Some(EventValue::Str(Cow::Borrowed(text.as_ref())))
}

fn text(text: &Text) -> Option<EventValue<'_>> {
    borrowed(text.as_str())
}

/// The identifiers of both directions, each once: one, or a list.
fn vlans<'e>(e: &Event<'_>, of: fn(Vlans) -> [Option<u16>; 2]) -> Option<EventValue<'e>> {
    let mut ids: Vec<u16> = Vec::new();
    for id in [e.flow().client_vlans, e.flow().server_vlans].into_iter().flat_map(of).flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    match ids[..] {
        [] => None,
        [id] => Some(owned(id)),
        _ => Some(EventValue::Array(ids.into_iter().map(owned).collect())),
    }
}

fn mac<'e>(mac: Option<Mac>) -> Option<EventValue<'e>> {
    mac.map(owned)
}

fn time<'e>(time: Timestamp) -> Option<EventValue<'e>> {
    Some(owned(time))
}

fn seconds<'e>(duration: Duration) -> Option<EventValue<'e>> {
    Some(EventValue::Float(duration.as_secs_f64()))
}
