//! A company in, what is true of it and what goes with it out: the labels, a configuration that fits, and a page that
//! says what to do with the files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};

use super::company::{Company, Farm, Habit, Person};
use super::plan::{self, Line, REMOTE_PRODUCTS};
use super::{Options, START, Vantage};
use crate::identity::device::DeviceId;
use crate::identity::site::Site;
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// The version of the labels' form.
pub const VERSION: u32 = 1;

/// What is true: who is who, and which laptops are farms'.
pub fn truth(company: &Company, options: &Options, start: Timestamp) -> Value {
    let end = start + DAY * company.days as u32;
    let farms: Vec<Value> =
        company.farms.iter().enumerate().map(|(number, farm)| shown_farm(company, number, farm, start)).collect();
    let mut situations: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for person in &company.people {
        if let Habit::Situated(situation) = person.habit {
            situations.entry(situation.as_str()).or_default().push(&person.account);
        }
    }
    json!({
        "version": VERSION,
        "scenario": options.scenario.name,
        "seed": options.seed,
        "start": start.to_string(),
        "end": end.to_string(),
        "days": company.days,
        "farms": farms,
        "situations": situations,
        "people": company.people.iter().map(|person| shown_person(company, person)).collect::<Vec<_>>(),
    })
}

fn shown_farm(company: &Company, number: usize, farm: &Farm, start: Timestamp) -> Value {
    let people = || farm.people.iter().map(|&person| &company.people[person]);
    let devices: Vec<String> = people().map(|person| device(person).to_string()).collect();
    let mut sites: Vec<String> = farm.exits.iter().map(|&exit| site(company, exit).to_string()).collect();
    sites.insert(0, site(company, farm.house).to_string());
    json!({
        "id": format!("farm-{}", number + 1),
        "kind": farm.kind.as_str(),
        "since": (start + DAY * farm.since as u32).to_string(),
        "laptops": farm.people.len(),
        "operators": farm.operators.len(),
        "sites": sites,
        "accounts": people().map(|person| person.account.as_str()).collect::<Vec<_>>(),
        "devices": devices,
        "products": farm.products.iter().map(|&product| REMOTE_PRODUCTS[product].0).collect::<Vec<_>>(),
        "consumer_vpn": farm.has_vpn,
        "takes_data_away": farm.takes_away.is_some(),
    })
}

fn shown_person(company: &Company, person: &Person) -> Value {
    let habit = match person.habit {
        Habit::Farm(number) => company.farms[number].kind.as_str(),
        Habit::Home => "home",
        Habit::Hybrid => "hybrid",
        Habit::Office => "office",
        Habit::Situated(situation) => situation.as_str(),
    };
    json!({
        "account": person.account,
        "habit": habit,
        "site": site(company, person.home).to_string(),
        "pool": person.pool.to_string(),
        "office": person.office.to_string(),
        "mac": person.laptop.mac.to_string(),
        "laptop": person.laptop.name,
        "device": device(person).to_string(),
    })
}

fn site(company: &Company, place: usize) -> Site {
    Site::of(company.outside(place, 0))
}

/// The device as the sensor sees it from behind the VPN gateway.
fn device(person: &Person) -> DeviceId {
    DeviceId::of_address(person.pool.into())
}

/// A configuration that knows the company.
pub fn configuration(company: &Company) -> String {
    let mut text = String::from(
        "# What the operator of this company would tell the sensor. Made by `spanwatch simulate`.\n\
         networks:\n\
         - {name: offices, roles: [workstations], prefixes: [10.20.0.0/16]}\n\
         - {name: help-desk, roles: [management], prefixes: [10.20.9.0/24]}\n\
         - {name: servers, roles: [servers], prefixes: [10.30.0.0/16]}\n\
         - {name: vpn-pool, roles: [vpn_pool], prefixes: [10.99.0.0/16]}\n",
    );
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        text.write_fmt(arguments).and_then(|()| text.write_str("\n")).expect("a String takes everything");
    };
    let outer = |address: Ipv4Addr| {
        let [.., host] = address.octets();
        let over_ipv6 = company.is_ipv6.then(|| format!(", \"{}\"", plan::ipv6(address, host.into())));
        format!("{address}{}", over_ipv6.unwrap_or_default())
    };
    line(format_args!("- {{name: vpn-gateway, roles: [vpn_gateway], prefixes: [{}]}}", outer(plan::GATEWAY)));
    line(format_args!("- {{name: dmz, roles: [servers], prefixes: [{}, {}]}}", outer(plan::PORTAL), outer(plan::MAIL)));
    line(format_args!("sanctioned:"));
    line(format_args!("- {{product: {}, names: [{}]}}", plan::HELP_PRODUCT, plan::HELP_NAME));
    line(format_args!("inventory:\n  hosts:"));
    for person in &company.people {
        let (laptop, pool) = (&person.laptop, person.pool);
        let (name, mac) = (&laptop.name, laptop.mac);
        line(format_args!("  - {{name: {name}, group: laptops, macs: [\"{mac}\"], addresses: [{pool}]}}"));
    }
    line(format_args!("  accounts:"));
    for person in &company.people {
        let Person { account, group, zone_hours, .. } = person;
        let begun = START + DAY * person.since as u32 - DAY * person.days_before as u32;
        let start = &begun.to_string()[.."2026-01-12".len()];
        // Where somebody works from is known of those who have been there for long.
        let home = (person.days_before > 0).then(|| company.outside(person.home, 0));
        let home = home.map_or_else(String::new, |address| format!(", home_site: \"{address}\""));
        let zone = 5 + zone_hours;
        line(format_args!(
            "  - {{name: {account}, group: {group}, country: US, time_zone: \"-{zone:02}:00\", start: {start}{home}}}"
        ));
    }
    line(format_args!("address_classes:"));
    for (class, networks) in Line::ALL.iter().filter_map(|line| line.class()) {
        let over_ipv6 = plan::ipv6_prefix(networks).filter(|_| company.is_ipv6);
        let over_ipv6 = over_ipv6.map(|prefix| format!(", \"{prefix}\""));
        line(format_args!("  {class}: {{networks: [{networks}{}]}}", over_ipv6.unwrap_or_default()));
    }
    text
}

/// The options of what is shown, and over what, where they are not the usual ones.
fn shown(options: &Options) -> String {
    let names: Vec<&str> = options.vantages.iter().map(|vantage| vantage.as_str()).collect();
    let ports =
        if names.len() == Vantage::ALL.len() { String::new() } else { format!(" --vantage {}", names.join(",")) };
    format!("{ports}{}", if options.is_ipv6 { " --ipv6" } else { "" })
}

/// The page that goes with the files.
pub fn readme(company: &Company, options: &Options, files: &[&str]) -> String {
    let farms = match company.farms.len() {
        0 => "no farm: every incident is a false one".to_owned(),
        1 => "one farm".to_owned(),
        count => format!("{count} farms"),
    };
    let lines: Vec<String> = Line::ALL
        .iter()
        .map(|line| {
            let (first, count) = line.networks();
            format!("| {} | 198.18.{first}.0 – 198.18.{}.255 |", line.as_str(), first + (count - 1))
        })
        .collect();
    let mut page = format!(
        "# {name}: {summary}\n\n\
         {people} people, {days} days, {farms}. Made by `spanwatch simulate {name} --seed {seed} --days {days} \
         --employees {people}{shown}`; the same command gives the same files. Nobody and nothing in them exists.\n\n\
         | file | |\n|---|---|\n",
        name = options.scenario.name,
        summary = options.scenario.summary,
        people = company.people.len(),
        days = company.days,
        seed = options.seed,
        shown = shown(options),
    );
    for file in files {
        let what = match *file {
            super::CAPTURE => "every packet, as the mirror ports of such a company show it",
            super::FACTS => "the same as the sensor's facts, for spans too long for a capture",
            super::TRUTH => "what is true: farms, their laptops, accounts and addresses, and everybody else",
            super::CONFIGURATION => "a configuration that knows the company",
            _ => "this page",
        };
        writeln!(page, "| `{file}` | {what} |").expect("a String takes everything");
    }
    page += &format!(
        "\n## Judge it\n\n\
         ```sh\n\
         spanwatch replay --config spanwatch.yml --alerts alerts.jsonl {}\n\
         spanwatch evaluate .\n\
         ```\n\n\
         `evaluate` judges the data by itself, and compares what the sensor says with `truth.json`; with `--judged` it takes \
         the `alerts.jsonl` that is there.\n\n\
         ## A fire drill\n\n\
         Played onto the VLAN of the mirror port, the capture shows whether an alert comes to those who are to see it. \
         The sensor must know the company's networks: merge `spanwatch.yml` into its configuration for the drill, and \
         take it out afterwards.\n\n\
         ```sh\n\
         zstd -d capture.pcap.zst\n\
         tcpreplay --intf1=eth1 --multiplier=10 capture.pcap\n\
         ```\n\n\
         A replay that is faster than life shortens what the detectors wait for; `--multiplier=1` is the real thing.\n\n\
         ## Addresses\n\n\
         The company: 10.20.0.0/16 offices, 10.30.0.0/16 servers, 10.99.0.0/16 VPN clients, 203.0.113.0/24 outside. \
         The Internet's servers: 198.19.0.0/16.{ipv6} Everybody's lines:\n\n\
         | line | addresses |\n|---|---|\n{}\n",
        if files.contains(&super::FACTS) { super::FACTS } else { super::CAPTURE },
        lines.join("\n"),
        ipv6 = if company.is_ipv6 {
            " Over IPv6 a household 198.18.x.y is 2001:db8:x:y::/64, with x and y in hexadecimal digits."
        } else {
            ""
        },
    );
    page
}
