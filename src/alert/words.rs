//! A field of the evidence and its value in, words for a person out.
//!
//! Rules and receivers go by the names of fields; whoever reads an alert should not have to look them up.

use serde_json::Value;

use crate::identity::entity::Entity;
use crate::net::Text;

/// What a field is called, and what its value is.
struct Words {
    field: &'static str,
    label: &'static str,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Milliseconds,
    /// A number, a text or a list as it is.
    Plain,
    /// A number from 0 to 1.
    Share,
    Seconds,
}

/// What a field is called: its words, or else its name with spaces between its parts.
pub fn label(field: &str) -> String {
    match words(field) {
        Some(words) => words.label.to_owned(),
        None => field.trim_start_matches("spanwatch.").replace(['.', '_'], " "),
    }
}

/// What a value of a field is, with its unit.
pub fn text(field: &str, value: &Value) -> String {
    let unit = words(field).map_or(Unit::Plain, |words| words.unit);
    match (value, unit) {
        (Value::Array(values), _) if values.is_empty() => "none".into(),
        (Value::Array(values), _) => values.iter().map(|value| text(field, value)).collect::<Vec<_>>().join(", "),
        (Value::Bool(is_so), _) => if *is_so { "yes" } else { "no" }.into(),
        (Value::Number(number), unit) => quantity(number.as_f64().unwrap_or(0.0), unit),
        (Value::String(text), _) => moment(text).unwrap_or_else(|| Text::from(text.as_str()).to_string()),
        (other, _) => Text::from(other.to_string()).to_string(),
    }
}

/// `LABEL: TEXT`
pub fn said(field: &str, value: &Value) -> String {
    format!("{}: {}", label(field), text(field, value))
}

/// Whom something is about: `the site 198.51.100.7`. What only values together name is told by them.
pub fn whom(entity: &Entity) -> String {
    let Entity::Group(values) = entity else {
        return format!("the {} {entity}", entity.kind());
    };
    let named = values.split(", ").map(|pair| match pair.split_once('=') {
        Some((field, value)) => format!("the {} {}", label(field), Text::from(value)),
        None => Text::from(pair).to_string(),
    });
    named.collect::<Vec<_>>().join(" and ")
}

fn words(field: &str) -> Option<&'static Words> {
    let place = WORDS.binary_search_by(|words| words.field.cmp(field)).ok()?;
    WORDS.get(place)
}

/// A time to the second.
fn moment(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.')?;
    let is_a_time = whole.len() == 19 && whole.as_bytes().get(10) == Some(&b'T') && fraction.ends_with('Z');
    is_a_time.then(|| format!("{whole}Z"))
}

fn quantity(number: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => scaled(number, &[(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes")]),
        Unit::Milliseconds => quantity(number / 1000.0, Unit::Seconds),
        Unit::Plain => rounded(number),
        Unit::Seconds => scaled(number, &[(86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")]),
        Unit::Share => format!("{} %", rounded(number * 100.0)),
    }
}

/// In the largest unit of which there is one.
fn scaled(number: f64, units: &[(f64, &str)]) -> String {
    let fitting = units.iter().find(|(size, _)| number.abs() >= *size).or(units.last());
    fitting.map_or_else(String::new, |(size, name)| format!("{} {name}", rounded(number / size)))
}

/// With one digit behind the point where it is not whole, and two where it is small.
fn rounded(number: f64) -> String {
    let factor = if number.abs() < 1.0 { 100.0 } else { 10.0 };
    format!("{}", (number * factor).round() / factor)
}

const fn plain(field: &'static str, label: &'static str) -> Words {
    Words { field, label, unit: Unit::Plain }
}

const fn measured(field: &'static str, label: &'static str, unit: Unit) -> Words {
    Words { field, label, unit }
}

/// In the order of the fields.
const WORDS: &[Words] = &[
    plain("destination.as.organization.name", "provider of the server"),
    plain("destination.device.name", "name of the server"),
    plain("destination.geo.country_iso_code", "country of the server"),
    plain("destination.ip", "server"),
    plain("destination.network.name", "network of the server"),
    plain("destination.network.roles", "roles of the server's network"),
    plain("destination.port", "port of the server"),
    plain("device.group", "group of the device"),
    plain("device.managed", "is in the inventory"),
    plain("device.name", "name of the device"),
    plain("dhcp.vendor_class", "vendor class that the device gives"),
    plain("dns.question.name", "name asked for"),
    plain("event.outcome", "outcome"),
    plain("host.hostname", "name that the machine gives itself"),
    plain("network.application", "product"),
    plain("network.direction", "direction"),
    plain("network.protocol", "protocol"),
    plain("network.transport", "transport"),
    plain("source.as.organization.name", "provider of the client"),
    plain("source.device.name", "name of the client"),
    plain("source.geo.country_iso_code", "country of the client"),
    plain("source.ip", "client"),
    plain("source.network.name", "network of the client"),
    plain("source.network.roles", "roles of the client's network"),
    plain("source.user.name", "user of the client"),
    plain("spanwatch.account.address_class", "kind of line of the latest"),
    plain("spanwatch.account.countries", "countries it logged on from in the hour"),
    plain("spanwatch.account.countries_count", "countries in the hour"),
    plain("spanwatch.account.days_known", "days of the fortnight on which it logged on"),
    plain("spanwatch.account.distance", "farthest of these ways in km, at least"),
    plain("spanwatch.account.hosts", "machines it logged on to in the day"),
    plain("spanwatch.account.hosts_usual", "most machines of a day before"),
    plain("spanwatch.account.leaps", "times in the day that it came faster than anybody travels"),
    plain("spanwatch.account.networks", "networks it logged on from in the day"),
    plain("spanwatch.account.returns", "returns within the hour to a network it had left"),
    plain("spanwatch.account.since", "first log-on of the day"),
    plain("spanwatch.account.speed", "speed in km/h"),
    plain("spanwatch.account.stations", "hardware addresses it logged on from in the day"),
    plain("spanwatch.account.stations_usual", "most hardware addresses of a day before"),
    plain("spanwatch.account.systems", "providers it logged on from in the hour"),
    plain("spanwatch.accounts.address_class", "kind of line"),
    plain("spanwatch.accounts.count", "accounts that logged on from the site"),
    plain("spanwatch.accounts.days", "days on which several of them did"),
    plain("spanwatch.accounts.names", "their names"),
    plain("spanwatch.accounts.network_roles", "roles of the site's network"),
    plain("spanwatch.accounts.new", "of them new within 30 days, by the inventory"),
    plain("spanwatch.accounts.new_percent", "in percent of those of whom it knows"),
    plain("spanwatch.accounts.since", "first of them"),
    plain("spanwatch.accounts.time_zones", "time zones they live in, by the inventory"),
    plain("spanwatch.always_on.days", "days of the fortnight on which two or more were"),
    plain("spanwatch.always_on.sites", "other sites with a tunnel that was"),
    plain("spanwatch.always_on.sites_seen", "of so many other sites"),
    plain("spanwatch.always_on.tunnels", "tunnels that were up day and night"),
    plain("spanwatch.application.basis", "recognised by"),
    plain("spanwatch.application.id", "product"),
    plain("spanwatch.application.installation", "installation of the product"),
    plain("spanwatch.application.kind", "kind of product"),
    plain("spanwatch.application.name", "product"),
    plain("spanwatch.application.sanctioned", "is the organisation's own"),
    plain("spanwatch.arp.probes", "probes under another hardware address"),
    plain("spanwatch.arp.senders", "hardware addresses they were under"),
    plain("spanwatch.arp.since", "first of them"),
    plain("spanwatch.beacon.calls", "calls that were compared"),
    plain("spanwatch.beacon.devices", "devices that call the same address"),
    measured("spanwatch.beacon.period", "time between calls", Unit::Seconds),
    measured("spanwatch.beacon.score", "how regular the calls are", Unit::Share),
    plain("spanwatch.beacon.since", "first call"),
    measured("spanwatch.beacon.variation", "how much the time between them varies", Unit::Share),
    measured("spanwatch.call.bytes_in", "received in these hours", Unit::Bytes),
    measured("spanwatch.call.bytes_out", "sent in these hours", Unit::Bytes),
    plain("spanwatch.call.days", "days of the week on which the device showed itself all day"),
    plain("spanwatch.call.hours", "hours of the latest of them"),
    plain("spanwatch.clock.active_hours", "hours of a day with work"),
    plain("spanwatch.clock.days", "days of work that were looked at"),
    measured("spanwatch.clock.in_hours", "part of the work within working hours", Unit::Share),
    plain("spanwatch.clock.middle", "middle of the work by the account's own clock"),
    plain("spanwatch.clock.offset", "time zone by the inventory"),
    plain("spanwatch.clock.offset_fitting", "time zone that fits the work"),
    plain("spanwatch.clock.shift", "hours from the middle of working hours"),
    plain("spanwatch.control.asymmetry", "bytes the device sent for each that it was sent"),
    measured("spanwatch.control.drive", "input followed by a picture, beyond chance", Unit::Share),
    measured("spanwatch.control.lag", "time until the client answers a picture", Unit::Milliseconds),
    plain("spanwatch.control.lag_deviations", "standard deviations by which that stands out"),
    plain("spanwatch.control.minutes", "minutes in which a hand drove the desktop"),
    plain("spanwatch.control.since", "first of them"),
    plain("spanwatch.control.variation", "how much the times between input vary (a hand's about 1)"),
    measured("spanwatch.correlation.timespan", "within", Unit::Seconds),
    plain("spanwatch.correlation.value", "counted"),
    plain("spanwatch.destination.address_class", "kind of line of the server"),
    plain("spanwatch.device.days", "days since the device came"),
    plain("spanwatch.disguise.contradictions", "what does not fit"),
    plain("spanwatch.disguise.contradictions_count", "contradictions"),
    plain("spanwatch.disguise.name", "name that the device gave"),
    plain("spanwatch.disguise.vendor_class", "vendor class that it gave"),
    plain("spanwatch.distance.compared_with", "compared with"),
    plain("spanwatch.distance.days", "days of the fortnight on which it was so"),
    plain("spanwatch.distance.peers", "neighbours compared with"),
    measured("spanwatch.distance.peers_rtt", "usual round trip of its neighbours", Unit::Seconds),
    measured("spanwatch.distance.peers_spread", "standard deviation of theirs", Unit::Seconds),
    measured("spanwatch.distance.rtt", "least round trip of the day", Unit::Seconds),
    plain("spanwatch.distances.days", "days of the fortnight on which they were so far apart"),
    plain("spanwatch.distances.devices", "devices compared"),
    measured("spanwatch.distances.farthest", "least round trip of the farthest", Unit::Seconds),
    measured("spanwatch.distances.nearest", "least round trip of the nearest", Unit::Seconds),
    plain("spanwatch.drive.begun", "connections and questions the device began in driven minutes"),
    measured("spanwatch.drive.by_chance", "part by chance", Unit::Share),
    plain("spanwatch.drive.coincidences", "of them within half a second of input"),
    plain("spanwatch.drive.days", "days of the week on which it was so"),
    plain("spanwatch.drive.deviations", "standard deviations beyond chance"),
    plain("spanwatch.drive.minutes", "minutes with input"),
    measured("spanwatch.drive.ratio", "part within half a second of input", Unit::Share),
    plain("spanwatch.drive.since", "first driven minute"),
    measured("spanwatch.flow.client_rtt", "round trip to the client", Unit::Seconds),
    measured("spanwatch.flow.duration", "length of the session", Unit::Seconds),
    measured("spanwatch.flow.flight_rtt", "round trip to what runs at the client", Unit::Seconds),
    measured("spanwatch.flow.server_rtt", "round trip to the server", Unit::Seconds),
    plain("spanwatch.flow.shape", "what the flow looks like"),
    plain("spanwatch.flow.shape_basis", "what it was recognised by"),
    plain("spanwatch.flow.shape_confidence", "how sure that is"),
    plain("spanwatch.hosts.accounts", "accounts that logged on from there in the day"),
    plain("spanwatch.hosts.devices", "devices inside that were there in the day"),
    plain("spanwatch.hosts.error", "uncertainty of the estimate"),
    plain("spanwatch.hosts.estimate", "laptops of the organisation at the site, estimated"),
    plain("spanwatch.hosts.least", "laptops at least"),
    plain("spanwatch.hosts.machines", "most machines at a time, by their packets"),
    plain("spanwatch.hosts.tunnels", "most tunnels at a time"),
    measured("spanwatch.input.duration", "lasting", Unit::Seconds),
    measured("spanwatch.input.period", "time between input", Unit::Seconds),
    plain("spanwatch.input.since", "since"),
    measured("spanwatch.input.variation", "how much that varies", Unit::Share),
    plain("spanwatch.installation.devices", "devices that have it"),
    plain("spanwatch.installation.field", "known by"),
    plain("spanwatch.installation.groups", "groups of those devices"),
    plain("spanwatch.installation.groups_count", "groups of the inventory"),
    plain("spanwatch.installation.id", "what the devices have in common"),
    measured("spanwatch.minute.client_rtt", "round trip to the client of the tunnel", Unit::Seconds),
    plain("spanwatch.mss.days", "days of the fortnight on which it was so small"),
    plain("spanwatch.mss.provider_sites", "sites of the provider that were seen"),
    plain("spanwatch.mss.sites", "of them with the same size"),
    measured("spanwatch.mss.size", "largest segment", Unit::Bytes),
    plain("spanwatch.operator.active_minutes", "minutes in which somebody was active"),
    plain("spanwatch.operator.active_minutes_expected", "minutes if each worked by itself"),
    measured("spanwatch.operator.chance", "groups of chance with as high a score", Unit::Share),
    plain("spanwatch.operator.compared", "devices or tunnels of the site compared"),
    plain("spanwatch.operator.compared_with", "compared with"),
    plain("spanwatch.operator.days", "days on which several were active"),
    plain("spanwatch.operator.devices", "devices or tunnels that fall together"),
    plain("spanwatch.operator.members", "devices"),
    plain("spanwatch.operator.picked", "are three picked out of more"),
    plain("spanwatch.operator.score", "standard deviations from chance"),
    plain("spanwatch.operator.since", "first day that was looked at"),
    plain("spanwatch.operator.together", "times two were active at once, over what is expected"),
    plain("spanwatch.operator.together_across_days", "the same against their other days"),
    plain("spanwatch.operator.together_by_chance", "what chance stays above, of 1 expected"),
    plain("spanwatch.outages.count", "times that tunnels of the site failed together"),
    plain("spanwatch.outages.since", "first time"),
    plain("spanwatch.outages.tunnels", "tunnels that failed at least, each time"),
    plain("spanwatch.product.devices", "devices that use the product"),
    plain("spanwatch.product.devices_known", "devices known"),
    plain("spanwatch.products.count", "remote-access products in use"),
    plain("spanwatch.products.ids", "which"),
    plain("spanwatch.products.since", "first seen"),
    plain("spanwatch.relay.connections", "connections measured"),
    plain("spanwatch.relay.days", "days of the fortnight on which it was so"),
    measured("spanwatch.relay.excess", "excess of the round trip over TLS", Unit::Seconds),
    measured("spanwatch.relay.tcp_rtt", "round trip of TCP", Unit::Seconds),
    measured("spanwatch.relay.tls_rtt", "round trip over TLS", Unit::Seconds),
    plain("spanwatch.remote_desktop.client_managed", "the driving machine is in the inventory"),
    plain("spanwatch.remote_desktop.client_name", "name of the driving machine"),
    plain("spanwatch.remote_desktop.security", "security layer"),
    plain("spanwatch.session.days", "days of the week on which it was driven all day"),
    plain("spanwatch.session.hours", "hours of that day"),
    plain("spanwatch.session.hours_week", "hours of the week"),
    plain("spanwatch.sessions.address_classes", "kinds of lines of the two"),
    measured("spanwatch.sessions.both_open", "both open for", Unit::Seconds),
    plain("spanwatch.sessions.days", "days of the fortnight on which there were two"),
    plain("spanwatch.sessions.from", "where the two sessions come from"),
    measured("spanwatch.shift.chance", "shuffled days with as much in common", Unit::Share),
    plain("spanwatch.shift.days", "days on which several were active"),
    plain("spanwatch.shift.devices", "devices or tunnels compared"),
    measured("spanwatch.shift.shared", "changes of beginning and end in common", Unit::Share),
    measured("spanwatch.shift.shared_by_chance", "in common by chance", Unit::Share),
    plain("spanwatch.shift.since", "first day that was looked at"),
    plain("spanwatch.site", "site"),
    plain("spanwatch.site_roles", "roles of the site's network"),
    plain("spanwatch.source.address_class", "kind of line of the client"),
    plain("spanwatch.stack.accounts", "accounts that have the new one"),
    plain("spanwatch.stack.accounts_known", "accounts whose stacks are known"),
    plain("spanwatch.stack.common", "is common among the accounts"),
    plain("spanwatch.stack.new", "new stack of the account"),
    plain("spanwatch.stack.other", "stack within the hour before"),
    measured("spanwatch.transfer.bytes", "transferred", Unit::Bytes),
    plain("spanwatch.transfer.since", "since"),
    plain("spanwatch.transfer.what", "what"),
    plain("spanwatch.tunnel.basis", "recognised by"),
    plain("spanwatch.tunnel.confidence", "how sure it is a tunnel"),
    plain("spanwatch.tunnel.established", "both sides took part"),
    plain("spanwatch.tunnels.overlapping", "tunnels open at a time"),
    plain("spanwatch.tunnels.since", "first of them"),
    plain("spanwatch.user.days_left", "days until the user's last one"),
    measured("spanwatch.volume.bytes", "sent out today", Unit::Bytes),
    plain("spanwatch.volume.days", "days before that are known"),
    plain("spanwatch.volume.deviations", "deviations above the usual"),
    measured("spanwatch.volume.most_bytes", "most of a day before", Unit::Bytes),
    measured("spanwatch.volume.usual_bytes", "usual in a day", Unit::Bytes),
    plain("tls.client.server_name", "server's name"),
    plain("user.name", "user"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_said_in_words_with_its_unit() {
        for (field, value, expected) in [
            ("spanwatch.accounts.count", json!(6), "accounts that logged on from the site: 6"),
            ("spanwatch.accounts.names", json!(["ann", "bo"]), "their names: ann, bo"),
            ("spanwatch.accounts.names", json!([]), "their names: none"),
            ("spanwatch.relay.excess", json!(0.0821), "excess of the round trip over TLS: 82.1 ms"),
            ("spanwatch.beacon.period", json!(300.0), "time between calls: 5 min"),
            ("spanwatch.beacon.score", json!(0.987), "how regular the calls are: 98.7 %"),
            ("spanwatch.control.lag", json!(240), "time until the client answers a picture: 240 ms"),
            ("spanwatch.volume.bytes", json!(2_340_000_000_u64), "sent out today: 2.3 GB"),
            ("spanwatch.transfer.bytes", json!(0), "transferred: 0 bytes"),
            ("spanwatch.operator.score", json!(6.5471), "standard deviations from chance: 6.5"),
            ("spanwatch.application.sanctioned", json!(false), "is the organisation's own: no"),
            ("spanwatch.products.since", json!("2026-11-25T00:18:46.894609000Z"), "first seen: 2026-11-25T00:18:46Z"),
            ("user.name", json!("ann\u{1b}[2J.T"), "user: ann\\u{1b}[2J.T"),
            ("rfb.desktop_name", json!("x"), "rfb desktop name: x"),
            ("spanwatch.something.new", json!(0.1234), "something new: 0.12"),
        ] {
            assert_eq!(said(field, &value), expected);
        }
    }

    #[test]
    fn a_value_from_the_wire_cannot_steer_a_terminal() {
        let text = |value| text("user.name", &value);
        assert_eq!(text(json!("a\u{1b}[2J\u{202e}")), "a\\u{1b}[2J\\u{202e}");
        assert_eq!(text(json!(["\u{1b}", ["\u{202e}"]])), "\\u{1b}, \\u{202e}");
        assert_eq!(text(json!({"a": "\u{1b}\u{202e}"})), "{\"a\":\"\\u001b\\u{202e}\"}");
    }

    #[test]
    fn what_only_values_name_is_told_by_them() {
        let group = Entity::of_fields(&[
            ("spanwatch.remote_desktop.client_name".into(), "OP-DESK".into()),
            ("source.network.name".into(), "pool".into()),
        ]);
        assert_eq!(whom(&group), "the name of the driving machine OP-DESK and the network of the client pool");
        assert_eq!(whom(&Entity::Account("ann".into())), "the account ann");
    }

    #[test]
    fn the_fields_are_in_order_and_are_fields() {
        assert!(WORDS.windows(2).all(|pair| pair[0].field < pair[1].field), "a search goes by halves");
        for words in WORDS {
            let is_known = crate::event::catalogue::is_known(words.field);
            assert!(is_known || words.field.starts_with("spanwatch.correlation."), "{}", words.field);
        }
    }

    #[test]
    fn whatever_a_finding_tells_has_its_words() {
        let fields = crate::detect::specs().flat_map(|(_, _, fields)| fields);
        let nameless: Vec<&str> = fields.map(|field| field.name).filter(|name| words(name).is_none()).collect();
        assert_eq!(nameless, [""; 0]);
    }
}
