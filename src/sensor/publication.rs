//! What the analysis and the history know in; entries of the published view out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::analysis::Analysis;
use crate::history::{AccountHistory, DeviceHistory, History, Session, SiteHistory};
use crate::identity::device::{Device, DeviceId};
use crate::identity::site::{Site, Stay};
use crate::metrics::{EntityRisk, Snapshot};
use crate::net::{Endpoint, Text};
use crate::serve::view::{Entry, List, View};
use crate::world::World;

/// Publishes the lists that change all the time, those heard of last first.
pub(super) fn publish(view: &View, analysis: &Analysis, history: &History) {
    let (world, mut devices) = (analysis.world(), analysis.devices().collect::<Vec<_>>());
    devices.reverse();
    let devices = devices.into_iter().take(List::Devices.entries_max());
    view.publish(List::Devices, devices.map(|(id, device)| of_device(id, device, world, history.device(id))));
    let mut sessions: Vec<&Session> = history.sessions().collect();
    sessions.sort_by_key(|session| std::cmp::Reverse((session.started, session.number)));
    view.publish(List::Sessions, sessions.into_iter().map(of_session));
    let mut accounts: Vec<(&Text, &AccountHistory)> = history.accounts().collect();
    accounts.reverse();
    view.publish(List::Accounts, accounts.into_iter().map(|(account, known)| of_account(account, known, world)));
    view.publish(List::Sites, sites(analysis, history));
}

/// The sensor itself.
pub(super) fn status(snapshot: &Snapshot, unseen: &[String]) -> Arc<Entry> {
    let counters = &snapshot.analysis;
    let (one, both) = (counters.tcp_flows_of_one_side, counters.tcp_flows_of_both_sides);
    let sessions: BTreeMap<&str, u64> = snapshot.shards.iter().flat_map(|shard| shard.flow.sessions()).fold(
        BTreeMap::new(),
        |mut sum, (protocol, count)| {
            if count > 0 {
                *sum.entry(protocol.as_str()).or_default() += count;
            }
            sum
        },
    );
    let risk = |risk: &EntityRisk| json!({"kind": risk.kind, "name": risk.name, "id": risk.id, "nats": risk.nats});
    let risks: Vec<Value> = snapshot.risks.iter().map(risk).collect();
    let value = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "first": snapshot.span.map(|span| span.first.to_string()),
        "last": snapshot.span.map(|span| span.last.to_string()),
        "packets": snapshot.frames.frames,
        "bytes": snapshot.frames.bytes,
        "dropped": {"kernel": snapshot.drops.kernel, "interface": snapshot.drops.interface},
        "flows_active": snapshot.flows(|flows| flows.flows_active),
        "flows_started": snapshot.flows(|flows| flows.flows_started),
        "lost_bytes": snapshot.flows(|flows| flows.lost_bytes),
        "tcp_flows": {"both_sides": both, "one_side": one},
        "sessions": sessions,
        "products": counters.products(),
        "devices": counters.known("device"),
        "rules": counters.rules,
        "unseen": unseen,
        "alerts": counters.alerts(),
        "risks": risks,
    });
    Arc::new(Entry::new("status", &value, [] as [&str; 0]))
}

fn of_device(id: DeviceId, device: &Device, world: &World, known: Option<&DeviceHistory>) -> Arc<Entry> {
    let mut terms = vec![id.to_string()];
    let addresses: Vec<Value> = device
        .bindings()
        .rev()
        .map(|binding| json!({"address": binding.address.to_string(), "since": binding.since.to_string()}))
        .collect();
    terms.extend(device.bindings().map(|binding| binding.address.to_string()));
    let mac = device.mac().map(|mac| mac.to_string());
    let host = device.bindings().next_back().and_then(|binding| world.host(binding.address));
    let name = world.name_of(id).map(|name| name.to_string());
    terms.extend(mac.clone());
    terms.extend(name.clone());
    let site = world.site_of(id);
    terms.extend(site.map(|(site, _)| site.to_string()));
    let value = json!({
        "id": id.to_string(),
        "name": name,
        "mac": mac,
        "vendor_class": device.vendor_class.as_ref().map(ToString::to_string),
        "managed": host.is_some(),
        "group": host.and_then(|host| host.group.clone()),
        "first": device.first_seen.to_string(),
        "addresses": addresses,
        "site": site.map(|(site, stay)| of_stay(&site.to_string(), stay)),
        "fingerprints": known.map_or_else(Vec::new, |known| fingerprints(known, &mut terms)),
        "products": known.map_or_else(Vec::new, |known| products(known, &mut terms)),
        "users": known.map_or_else(Vec::new, |known| users(known, &mut terms)),
        "days": known.map_or_else(Vec::new, days),
    });
    Arc::new(Entry::new(id, &value, terms))
}

fn fingerprints(known: &DeviceHistory, terms: &mut Vec<String>) -> Vec<Value> {
    let shown = known.fingerprints().map(|(method, value, last)| {
        terms.push(value.to_owned());
        json!({"field": method.field(), "value": value, "last": last.to_string()})
    });
    shown.collect()
}

fn products(known: &DeviceHistory, terms: &mut Vec<String>) -> Vec<Value> {
    let used = known.products().map(|(product, used)| {
        terms.push(product.to_owned());
        json!({
            "product": product,
            "sanctioned": used.sanctioned,
            "sessions": used.sessions,
            "first": used.first.to_string(),
            "last": used.last.to_string(),
        })
    });
    used.collect()
}

fn users(known: &DeviceHistory, terms: &mut Vec<String>) -> Vec<String> {
    let users: Vec<String> = known.users().map(ToString::to_string).collect();
    terms.extend(users.iter().cloned());
    users
}

fn days(known: &DeviceHistory) -> Vec<Value> {
    known.days().map(|day| json!({"day": day.beginning().to_string(), "spans": day.spans()})).collect()
}

fn of_session(session: &Session) -> Arc<Entry> {
    let end = |end: Endpoint, device: Option<DeviceId>, country: &Option<String>| {
        json!({
            "ip": end.ip.to_string(),
            "port": end.port,
            "device": device.map(|id| id.to_string()),
            "country": country,
        })
    };
    let millis = |rtt: Option<Duration>| rtt.map(|rtt| (rtt.as_secs_f64() * 10_000.0).round() / 10.0);
    let value = json!({
        "id": session.number,
        "kind": session.kind.as_str(),
        "protocol": session.protocol.map(|protocol| protocol.as_str()),
        "application": session.application,
        "sanctioned": session.sanctioned,
        "client": end(session.client, session.client_device, &session.client_country),
        "server": end(session.server, session.server_device, &session.server_country),
        "site": session.site.map(|site| site.to_string()),
        "user": session.user.as_ref().map(ToString::to_string),
        "client_name": session.client_name.as_ref().map(ToString::to_string),
        "started": session.started.to_string(),
        "last": session.last.to_string(),
        "is_over": session.is_over,
        "client_bytes": session.client_bytes,
        "server_bytes": session.server_bytes,
        "client_rtt_ms": millis(session.client_rtt),
        "flight_rtt_ms": millis(session.flight_rtt),
        "community_id": session.community_id,
    });
    let mut terms = vec![session.community_id.clone(), session.kind.as_str().to_owned()];
    terms.extend(session.addresses().map(|address| address.to_string()));
    terms.extend([session.client_device, session.server_device].into_iter().flatten().map(|id| id.to_string()));
    terms.extend(session.site.map(|site| site.to_string()));
    terms.extend([&session.user, &session.client_name].into_iter().flatten().map(ToString::to_string));
    terms.extend(session.application.clone());
    terms.extend(session.protocol.map(|protocol| protocol.as_str().to_owned()));
    Arc::new(Entry::new(session.number, &value, terms))
}

fn of_account(account: &Text, known: &AccountHistory, world: &World) -> Arc<Entry> {
    let places: Vec<Value> = known
        .places()
        .map(|(address, place)| {
            json!({
                "address": address.to_string(),
                "site": world.site_of_address(address).map(|site| site.to_string()),
                "country": place.country,
                "device": place.device.map(|id| id.to_string()),
                "log_ons": place.log_ons,
                "first": place.first.to_string(),
                "last": place.last.to_string(),
            })
        })
        .collect();
    let sites: Vec<Value> = world.sites_of(account).map(|(site, stay)| of_stay(&site.to_string(), stay)).collect();
    let value = json!({
        "id": account.to_string(),
        "first": known.first.to_string(),
        "last": known.last.to_string(),
        "places": places,
        "sites": sites,
    });
    let mut terms = vec![account.to_string()];
    terms.extend(known.places().map(|(address, _)| address.to_string()));
    terms.extend(world.sites_of(account).map(|(site, _)| site.to_string()));
    Arc::new(Entry::new(account, &value, terms))
}

/// The households that sessions came from, and those that devices are in.
fn sites(analysis: &Analysis, history: &History) -> Vec<Arc<Entry>> {
    let world = analysis.world();
    let mut seen: Vec<(Site, Option<&SiteHistory>)> =
        history.sites().map(|(site, known)| (site, Some(known))).collect();
    seen.reverse();
    let known: BTreeSet<Site> = seen.iter().map(|(site, _)| *site).collect();
    let of_devices: BTreeSet<Site> =
        analysis.devices().filter_map(|(id, _)| world.site_of(id)).map(|(site, _)| site).collect();
    seen.extend(of_devices.difference(&known).map(|site| (*site, None)));
    seen.into_iter().map(|(site, known)| of_site(site, known, world)).collect()
}

fn of_site(site: Site, known: Option<&SiteHistory>, world: &World) -> Arc<Entry> {
    let devices: Vec<Value> = world.devices_at(site).map(|(device, stay)| of_stay(&device.to_string(), stay)).collect();
    let accounts: Vec<Value> =
        world.accounts_at(site).map(|(account, stay)| of_stay(&account.to_string(), stay)).collect();
    let value = json!({
        "id": site.to_string(),
        "country": known.and_then(|known| known.country.clone()),
        "organization": known.and_then(|known| known.organization.clone()),
        "sessions": known.map_or(0, |known| known.sessions),
        "first": known.map(|known| known.first.to_string()),
        "last": known.map(|known| known.last.to_string()),
        "devices": devices,
        "accounts": accounts,
    });
    let mut terms = vec![site.to_string(), site.address().to_string()];
    terms.extend(world.devices_at(site).map(|(device, _)| device.to_string()));
    terms.extend(world.accounts_at(site).map(|(account, _)| account.to_string()));
    Arc::new(Entry::new(site, &value, terms))
}

fn of_stay(id: &str, stay: Stay) -> Value {
    json!({
        "id": id,
        "since": stay.since.to_string(),
        "last": stay.last.to_string(),
        "known_by": stay.known_by.as_str(),
        "confidence": stay.known_by.confidence().as_str(),
    })
}
