//! What the analysis and the history know in; entries of the published view out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::analysis::Analysis;
use crate::history::{AccountHistory, DeviceHistory, History, Session, SessionKey, SiteHistory};
use crate::identity::device::{Device, DeviceId};
use crate::identity::site::{Site, Stay};
use crate::metrics::{EntityRisk, Snapshot};
use crate::net::{Endpoint, Text};
use crate::serve::view::{Entry, List, View};
use crate::world::World;

/// The lists that change all the time on their way into the view, those heard of last first. With tens of thousands of
/// devices that takes longer than a packet may wait, so it is done in parts: whom a list is of is settled at the beginning,
/// what is said of each when its turn comes.
#[derive(Default)]
pub(super) struct Draft {
    rest: VecDeque<(List, VecDeque<Whom>)>,
    /// Of the first of them, what is written.
    written: Vec<Arc<Entry>>,
}

/// Whom an entry is about.
enum Whom {
    Account(Text),
    Device(DeviceId),
    Session(SessionKey),
    Site(Site),
}

impl Draft {
    /// So many entries are written at a time: some milliseconds.
    const PART: usize = 256;

    pub(super) fn new(analysis: &Analysis, history: &History) -> Self {
        let devices: Vec<DeviceId> = analysis.devices().map(|(id, _)| id).collect();
        let mut sessions: Vec<(SessionKey, &Session)> = history.sessions().collect();
        sessions.sort_by_key(|(_, session)| std::cmp::Reverse((session.started, session.number)));
        let accounts: Vec<&Text> = history.accounts().map(|(account, _)| account).collect();
        let mut rest: VecDeque<(List, VecDeque<Whom>)> = [
            (List::Devices, devices.into_iter().rev().map(Whom::Device).collect()),
            (List::Sessions, sessions.into_iter().map(|(key, _)| Whom::Session(key)).collect()),
            (List::Accounts, accounts.into_iter().rev().cloned().map(Whom::Account).collect()),
            (List::Sites, sites(analysis, history).into_iter().map(Whom::Site).collect()),
        ]
        .into();
        rest.iter_mut().for_each(|(list, entries)| entries.truncate(list.entries_max()));
        Self { rest, written: Vec::new() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Writes the next part, and publishes a list that is whole with it.
    pub(super) fn go_on(&mut self, view: &View, analysis: &Analysis, history: &History) {
        let Some((list, entries)) = self.rest.front_mut() else { return };
        let part = entries.drain(..entries.len().min(Self::PART));
        self.written.extend(part.filter_map(|whom| whom.entry(analysis.world(), history)));
        if entries.is_empty() {
            view.publish(*list, std::mem::take(&mut self.written));
            self.rest.pop_front();
        }
    }
}

impl Whom {
    /// None of whom was forgotten meanwhile.
    fn entry(&self, world: &World, history: &History) -> Option<Arc<Entry>> {
        Some(match self {
            Self::Account(account) => of_account(account, history.account(account)?, world),
            Self::Device(id) => of_device(*id, world.identity.device(*id)?, world, history.device(*id)),
            Self::Session(key) => of_session(history.session(key)?),
            Self::Site(site) => of_site(*site, history.site(*site), world),
        })
    }
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
fn sites(analysis: &Analysis, history: &History) -> Vec<Site> {
    let world = analysis.world();
    let mut sites: Vec<Site> = history.sites().map(|(site, _)| site).collect();
    sites.reverse();
    let known: BTreeSet<Site> = sites.iter().copied().collect();
    let of_devices: BTreeSet<Site> =
        analysis.devices().filter_map(|(id, _)| world.site_of(id)).map(|(site, _)| site).collect();
    sites.extend(of_devices.difference(&known));
    sites
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tests::batch;
    use crate::analysis::{Output, Settings};
    use crate::config::Config;
    use crate::enrich::geo::Geo;
    use crate::event::Event;
    use crate::event::tests::fact_at;
    use crate::facts::{Fact, FactKind, Watermark};
    use crate::rules::Rules;
    use crate::serve::view::Selection;
    use crate::time::Timestamp;

    struct Nowhere;

    impl Output for Nowhere {
        fn wants_events(&self) -> bool {
            false
        }

        fn event(&mut self, _: &Event<'_>) {}

        fn alert(&mut self, _: &crate::alert::Alert) {}

        fn incident(&mut self, _: &crate::risk::Incident) {}
    }

    /// A machine asks for a name.
    fn seen(number: u16, secs: u64) -> Fact {
        let mut fact = fact_at(secs, number.into());
        let [high, low] = number.to_be_bytes();
        fact.flow.client.ip = [10, 7, high, low].into();
        fact.kind = FactKind::Name(Box::default());
        fact
    }

    #[test]
    fn a_list_is_written_in_parts_and_published_when_it_is_whole() {
        let history = History::new(Config::default().history);
        let mut analysis = Analysis::new(&Settings::default(), &Rules::none(), Geo::default(), 1).unwrap();
        let facts = (0..600).map(|number| seen(number, 1 + u64::from(number))).collect();
        analysis.on_batch(batch(0, facts, Watermark::before(Timestamp::from_secs(1000))), &mut Nowhere);
        let view = View::new();
        let devices = |view: &View| view.page(List::Devices, &Selection { limit: 600, ..Selection::default() });
        let mut draft = Draft::new(&analysis, &history);
        for _ in 0..2 {
            draft.go_on(&view, &analysis, &history);
            assert_eq!(devices(&view).total, 0);
        }
        // Who comes meanwhile is in the next one.
        let late = vec![seen(700, 1100)];
        analysis.on_batch(batch(0, late, Watermark::before(Timestamp::from_secs(1200))), &mut Nowhere);
        draft.go_on(&view, &analysis, &history);
        let published = devices(&view);
        let latest = DeviceId::of_address([10, 7, 2, 87].into()).to_string();
        assert_eq!((published.total, &*published.entries[0].id), (600, &*latest), "the latest first");
        while !draft.is_done() {
            draft.go_on(&view, &analysis, &history);
        }
        assert_eq!(view.page(List::Sites, &Selection::default()).total, 0);
    }
}
