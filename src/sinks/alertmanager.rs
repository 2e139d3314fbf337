//! Incidents in, alerts of Alertmanager's API v2 out: said again while the incident is open, resolved when it is closed.
//!
//! Alertmanager forgets what nobody repeats, and tells alerts apart by their labels alone. The spool therefore is no queue
//! but the list of what is open, an entry for each incident and level: whatever is repeated after an outage or a restart of
//! either side has the same labels and the same beginning, and is the same alert.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::http::{self, Post};
use super::notice::{Kind, Notice};
use super::spool::{Message, Spool};
use super::{SinkError, Undelivered};
use crate::quantity;
use crate::time::Timestamp;

/// Where Alertmanager is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Each member of a cluster; all are told, as Prometheus does.
    pub servers: Vec<http::Settings>,
    /// Labels that every alert has beside its own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How often open incidents are said again.
    #[serde(default = "repeat_default", deserialize_with = "quantity::duration")]
    pub repeat: Duration,
    /// The address of the sensor's console, for links.
    #[serde(default)]
    pub console_url: Option<String>,
}

const fn repeat_default() -> Duration {
    Duration::from_secs(60)
}

/// An alert as it lies in the spool, and as it is sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    /// In the spool: only where the incident is over. As sent: while it is open, when it is over unless it is said again.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty", default, rename = "generatorURL")]
    generator_url: String,
}

pub(super) struct Alertmanager {
    servers: Vec<Post>,
    settings: Settings,
}

impl Alertmanager {
    pub(super) const NAME: &'static str = "alertmanager";
    /// An alert that is not said again for so many repetitions is over.
    const REPEATS_UNTIL_OVER: u32 = 4;
    /// The most alerts in one request.
    const BATCH_MAX: usize = 64;
    /// The most characters of an annotation.
    const ANNOTATION_CHARS_MAX: usize = 4000;

    pub(super) fn open(settings: &Settings) -> Result<Self, SinkError> {
        let open = |server| Post::open(Self::NAME, server, "/api/v2/alerts");
        let servers = settings.servers.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { servers, settings: settings.clone() })
    }

    pub(super) const fn repeat(&self) -> Duration {
        self.settings.repeat
    }

    /// Writes a notice down: the incident's alert, with those of its other levels over.
    pub(super) fn note(&self, notice: &Notice, spool: &mut Spool) -> std::io::Result<()> {
        if notice.kind != Kind::Incident {
            return Ok(());
        }
        let own = format!("{}-{}", notice.id, notice.level);
        let of_incident = format!("{}-", notice.id);
        let others: Vec<String> =
            spool.keys().filter(|key| key.starts_with(&of_incident) && **key != own).map(str::to_owned).collect();
        for key in others {
            let Some(message) = spool.read_or_give_up(&key)? else { continue };
            if let Ok(mut alert) = serde_json::from_slice::<Alert>(&message.body) {
                alert.ends_at.get_or_insert_with(|| notice.at.to_string());
                spool.put(&key, &body(&alert))?;
            }
        }
        spool.put(&own, &body(&self.alert(notice)))
    }

    /// Ends the alerts of all incidents but those that are open: the sensor that raised them has forgotten them. Of what is
    /// open, gives what has no alert yet: the queue is new, or was lost.
    pub(super) fn settle<'a>(&self, open: &'a [Notice], spool: &mut Spool) -> Vec<&'a Notice> {
        let mut untold: BTreeMap<&str, &Notice> = open.iter().map(|notice| (notice.id.as_str(), notice)).collect();
        for message in spool.readable() {
            let Ok(mut alert) = serde_json::from_slice::<Alert>(&message.body) else { continue };
            if alert.ends_at.is_some() {
                continue;
            }
            let id = alert.labels.get("incident").map(String::as_str).unwrap_or_default();
            if open.iter().any(|notice| notice.id == id) {
                untold.remove(id);
                continue;
            }
            alert.ends_at = Some(timestamp(now()));
            if let Err(error) = spool.put(&message.key, &body(&alert)) {
                tracing::error!(sink = Self::NAME, "cannot end the alert of an incident that is forgotten: {error}");
            }
        }
        untold.into_values().collect()
    }

    fn alert(&self, notice: &Notice) -> Alert {
        let mut labels = self.settings.labels.clone();
        let (entity_kind, entity) = &notice.entity;
        labels.extend(
            [
                ("alertname", "SpanwatchIncident"),
                ("incident", &notice.id),
                ("severity", notice.level),
                ("entity_kind", entity_kind),
                ("entity", entity),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let text = |field: &str| match &notice.document[field] {
            Value::String(text) => Some(text.clone()),
            Value::Array(values) if !values.is_empty() => {
                Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
            }
            _ => None,
        };
        let cut = |text: String| text.chars().take(Self::ANNOTATION_CHARS_MAX).collect();
        let console = self.settings.console_url.as_deref().map(|url| url.trim_end_matches('/'));
        let captures = console
            .map(|url| format!("{url}/api/v1/captures/"))
            .zip(text("spanwatch.captures"))
            .map(|(folder, names)| {
                names.split(", ").map(|name| format!("{folder}{name}")).collect::<Vec<_>>().join(" ")
            })
            .or_else(|| text("spanwatch.captures"));
        let annotations = [
            ("summary", Some(notice.title.clone())),
            ("description", text("message")),
            ("accounts", text("related.user")),
            ("techniques", text("threat.technique.id")),
            ("captures", captures),
            ("runbook", Some("docs/runbooks/SpanwatchIncidentOpen.md".into())),
        ];
        let annotations =
            annotations.into_iter().filter_map(|(name, text)| Some((name.to_owned(), cut(text?)))).collect();
        Alert {
            labels,
            annotations,
            starts_at: notice.since.to_string(),
            ends_at: notice.ended.then(|| notice.at.to_string()),
            generator_url: console.map_or_else(String::new, |url| format!("{url}/#/incidents/{}", notice.id)),
        }
    }

    /// Says everything once; what is over and was heard is then forgotten by `done`.
    pub(super) async fn say(&self, messages: Vec<Message>, mut done: impl FnMut(&Message)) -> Result<u64, Undelivered> {
        let mut said = 0;
        for batch in messages.chunks(Self::BATCH_MAX) {
            let alerts: Vec<Option<Alert>> =
                batch.iter().map(|message| serde_json::from_slice(&message.body).ok()).collect();
            let sent: Vec<Alert> = alerts.iter().flatten().map(|alert| self.as_sent(alert)).collect();
            self.post(&serde_json::to_vec(&sent).expect("an alert's keys are text")).await?;
            said += sent.len() as u64;
            for (message, alert) in batch.iter().zip(&alerts) {
                if alert.as_ref().is_none_or(|alert| alert.ends_at.is_some()) {
                    done(message);
                }
            }
        }
        Ok(said)
    }

    /// One member of the cluster that heard it tells the others; only where none did, it has to be said again.
    async fn post(&self, body: &[u8]) -> Result<(), Undelivered> {
        let mut heard = false;
        let mut failed = None;
        for server in &self.servers {
            match server.post(body.to_vec(), None).await {
                Ok(()) => heard = true,
                Err(undelivered) => failed = Some(undelivered),
            }
        }
        match failed {
            Some(undelivered) if !heard => Err(undelivered),
            _ => Ok(()),
        }
    }

    fn as_sent(&self, alert: &Alert) -> Alert {
        let until = || timestamp(now() + self.settings.repeat * Self::REPEATS_UNTIL_OVER);
        Alert { ends_at: Some(alert.ends_at.clone().unwrap_or_else(until)), ..alert.clone() }
    }
}

fn body(alert: &Alert) -> Vec<u8> {
    serde_json::to_vec(alert).expect("an alert's keys are text")
}

/// Alertmanager's own clock counts, not a packet's.
#[allow(clippy::disallowed_methods)]
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn timestamp(since_epoch: Duration) -> String {
    Timestamp::from_secs(since_epoch.as_secs()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::spool::Bounds;
    use super::super::tests::notice;
    use super::*;

    fn alertmanager() -> Alertmanager {
        let settings =
            "servers: [{url: \"http://127.0.0.1:9\"}]\nlabels: {site: hq}\nconsole_url: \"https://sensor:9787/\"";
        Alertmanager::open(&crate::yaml::parse("example.yml", settings).unwrap()).unwrap()
    }

    fn spool(directory: &std::path::Path) -> Spool {
        Spool::open("alertmanager", directory, Bounds { entries_max: 10, bytes_max: 1 << 20 }).unwrap()
    }

    fn written(spool: &Spool, key: &str) -> Alert {
        serde_json::from_slice(&spool.read(key).unwrap().body).unwrap()
    }

    #[test]
    fn an_incident_is_one_alert_from_its_opening_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let (alertmanager, mut spool) = (alertmanager(), spool(directory.path()));
        let mut told = notice();
        alertmanager.note(&told, &mut spool).unwrap();
        let opened = written(&spool, "1f-high");
        let labels = opened.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
        assert_eq!(
            labels,
            "alertname=SpanwatchIncident,entity=198.51.100.7,entity_kind=site,incident=1f,severity=high,site=hq"
        );
        assert_eq!(opened.annotations["description"], "Three sentences.");
        assert_eq!(opened.generator_url, "https://sensor:9787/#/incidents/1f");
        assert_eq!((opened.starts_at.as_str(), &opened.ends_at), ("2023-11-14T22:13:20.000000000Z", &None));
        let sent = alertmanager.as_sent(&opened);
        assert!(sent.ends_at.as_deref().unwrap() > "2026", "four minutes from now");

        (told.ended, told.at) = (true, Timestamp::from_secs(1_700_000_060));
        alertmanager.note(&told, &mut spool).unwrap();
        let closed = written(&spool, "1f-high");
        assert_eq!((closed.labels.clone(), closed.starts_at.clone()), (opened.labels, opened.starts_at));
        assert_eq!(alertmanager.as_sent(&closed).ends_at.unwrap(), "2023-11-14T22:14:20.000000000Z");
    }

    #[test]
    fn a_level_that_rises_ends_the_alert_of_the_level_before() {
        let directory = tempfile::tempdir().unwrap();
        let (alertmanager, mut spool) = (alertmanager(), spool(directory.path()));
        let mut told = notice();
        alertmanager.note(&told, &mut spool).unwrap();
        told.level = "critical";
        alertmanager.note(&told, &mut spool).unwrap();
        assert!(written(&spool, "1f-high").ends_at.is_some());
        assert!(written(&spool, "1f-critical").ends_at.is_none());
    }

    #[test]
    fn what_a_sensor_has_forgotten_is_over_and_what_it_remembers_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let (alertmanager, mut spool) = (alertmanager(), spool(directory.path()));
        alertmanager.note(&notice(), &mut spool).unwrap();
        alertmanager.note(&Notice { id: "2f".into(), ..notice() }, &mut spool).unwrap();
        let open = [Notice { id: "2f".into(), ..notice() }];
        assert_eq!(alertmanager.settle(&open, &mut spool).len(), 0, "it is told of");
        let forgotten = written(&spool, "1f-high");
        assert!(forgotten.ends_at.as_deref().unwrap() > "2026", "{forgotten:?}");
        assert!(written(&spool, "2f-high").ends_at.is_none());
        alertmanager.settle(&[], &mut spool);
        assert_eq!(written(&spool, "1f-high"), forgotten, "it ended once");
    }

    #[test]
    fn what_is_open_and_was_not_told_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let (alertmanager, mut spool) = (alertmanager(), spool(directory.path()));
        let open = [notice(), Notice { id: "2f".into(), ..notice() }];
        alertmanager.note(&open[1], &mut spool).unwrap();
        let untold: Vec<&str> =
            alertmanager.settle(&open, &mut spool).iter().map(|notice| notice.id.as_str()).collect();
        assert_eq!(untold, ["1f"]);
    }

    #[test]
    fn evidence_captures_are_linked_where_the_console_is_known() {
        let mut told = notice();
        assert!(!alertmanager().alert(&told).annotations.contains_key("captures"));
        told.document["spanwatch.captures"] = serde_json::json!(["a.pcap", "b.pcap"]);
        assert_eq!(
            alertmanager().alert(&told).annotations["captures"],
            "https://sensor:9787/api/v1/captures/a.pcap https://sensor:9787/api/v1/captures/b.pcap"
        );
        let mut elsewhere = alertmanager();
        elsewhere.settings.console_url = None;
        assert_eq!(elsewhere.alert(&told).annotations["captures"], "a.pcap, b.pcap");
    }

    #[test]
    fn alerts_of_single_rules_are_not_pushed() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = spool(directory.path());
        alertmanager().note(&Notice { kind: Kind::Alert, ..notice() }, &mut spool).unwrap();
        assert_eq!(spool.len(), 0);
    }
}
