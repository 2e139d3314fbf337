//! Events, alerts and incidents in; lines in the sinks, messages to other programs, what is shown, and the alerts of the
//! summary out.

use std::collections::BTreeMap;

use super::archive::Archive;
use super::showcase::Showcase;
use crate::alert::{Alert, words};
use crate::analysis::{Analysis, Output};
use crate::event::Event;
use crate::exhibit::Exhibit;
use crate::risk::{Incident, IncidentId};
use crate::sinks::notice::{Kind, Notice};
use crate::sinks::push;
use crate::sinks::{self, JsonLines, Opening, Pushes, SinkError};

/// Where everything that the analysis finds goes.
pub(super) struct Outputs {
    events: Option<JsonLines>,
    alerts: Option<JsonLines>,
    pushes: Pushes,
    pub(super) showcase: Option<Showcase>,
    /// Where evidence captures go.
    pub(super) archive: Option<Archive>,
    /// The first alerts, for the summary of a replay.
    pub(super) kept: Vec<Alert>,
    /// The incidents as they were last said, for the summary of a replay.
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    /// The sinks that failed since this was last looked at.
    pub(super) failures: Vec<SinkError>,
}

impl Outputs {
    /// The most alerts that a summary shows.
    const KEPT_MAX: usize = 100;

    /// `pushes` are what the edge delivers; a replay has none.
    pub(super) fn open(
        settings: &sinks::Settings,
        opening: Opening,
        pushes: Pushes,
        showcase: Option<Showcase>,
    ) -> Result<Self, SinkError> {
        if let Some(path) = settings.shared_file() {
            return Err(SinkError::Shared { path: path.to_owned() });
        }
        let open =
            |sink, path: &Option<_>| path.as_deref().map(|path| JsonLines::open(sink, path, opening)).transpose();
        let (events, alerts) = (open("events", &settings.events)?, open("alerts", &settings.alerts)?);
        let (kept, incidents, failures) = (Vec::new(), BTreeMap::new(), Vec::new());
        Ok(Self { events, alerts, pushes, showcase, archive: None, kept, incidents, failures })
    }

    /// Hands every line to the operating system.
    pub(super) fn flush(&mut self) {
        for sink in [&mut self.events, &mut self.alerts].into_iter().flatten() {
            self.failures.extend(sink.flush().err());
        }
    }

    /// Opens every file again by its name; one that cannot be is written on as it is.
    pub(super) fn reopen(&mut self) {
        self.flush();
        for sink in [&mut self.events, &mut self.alerts].into_iter().flatten() {
            if let Err(error) = sink.reopen() {
                tracing::error!("{error}; the file that was open is written on");
            }
        }
    }

    /// Tells who holds incidents open, and who shows them, which ones an analysis took up that was restored. Files have them.
    pub(super) fn settle(&mut self, analysis: &Analysis) {
        let mut open: Vec<Incident> = analysis.incidents().collect();
        open.sort_by_key(|incident| (incident.opened, incident.id));
        if !self.pushes.is_empty() {
            self.pushes.settle(open.iter().map(notice_of_incident).collect());
        }
        if let Some(showcase) = &mut self.showcase {
            open.iter().for_each(|incident| showcase.incident(incident));
        }
    }

    /// What came of each push.
    pub(super) fn pushes(&self) -> impl Iterator<Item = push::Counters> {
        self.pushes.counters()
    }

    /// Lines written by each sink.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [&self.events, &self.alerts].into_iter().flatten().map(|sink| (sink.sink(), sink.lines_written()))
    }
}

impl Output for Outputs {
    fn wants_events(&self) -> bool {
        self.events.is_some() || self.showcase.is_some()
    }

    fn event(&mut self, event: &Event<'_>) {
        if let Some(sink) = &mut self.events {
            self.failures.extend(sink.write(event).err());
        }
        if let Some(showcase) = &mut self.showcase {
            showcase.event(event);
        }
    }

    fn alert(&mut self, alert: &Alert) {
        if let Some(sink) = &mut self.alerts {
            self.failures.extend(sink.write(alert).err());
        }
        if !self.pushes.is_empty() {
            self.pushes.push(notice_of_alert(alert));
        }
        if let Some(showcase) = &mut self.showcase {
            showcase.alert(alert);
        }
        if self.kept.len() < Self::KEPT_MAX {
            self.kept.push(alert.clone());
        }
    }

    fn incident(&mut self, incident: &Incident) {
        if let Some(sink) = &mut self.alerts {
            self.failures.extend(sink.write(incident).err());
        }
        if !self.pushes.is_empty() {
            self.pushes.push(notice_of_incident(incident));
        }
        if let Some(showcase) = &mut self.showcase {
            showcase.incident(incident);
        }
        let is_known = self.incidents.contains_key(&incident.id);
        if is_known || self.incidents.len() < Self::KEPT_MAX {
            self.incidents.insert(incident.id, incident.clone());
        }
    }

    fn exhibit(&mut self, exhibit: Exhibit) {
        if let Some(archive) = &mut self.archive {
            archive.keep(exhibit);
        }
    }
}

fn notice_of_alert(alert: &Alert) -> Notice {
    let (rule, entity) = (&alert.rule, &alert.entity);
    Notice {
        id: format!("{}-{}", rule.id, alert.at.as_nanos()),
        kind: Kind::Alert,
        ended: false,
        since: alert.at,
        at: alert.at,
        level: rule.level.as_str(),
        severity: rule.level.severity(),
        title: format!("{}: {}", rule.title, words::whom(entity)),
        entity: (entity.kind(), entity.to_string()),
        document: serde_json::to_value(alert).expect("an alert's keys are text"),
    }
}

fn notice_of_incident(incident: &Incident) -> Notice {
    let entity = &incident.entity;
    let families: Vec<&str> = incident.families.iter().map(|family| family.family.as_str()).collect();
    Notice {
        id: incident.id.to_string(),
        kind: Kind::Incident,
        ended: !incident.is_open(),
        since: incident.opened,
        at: incident.updated,
        level: incident.level.as_str(),
        severity: incident.level.severity(),
        title: format!("Signs of a laptop farm: {} {entity} ({})", entity.kind(), families.join(", ")),
        entity: (entity.kind(), entity.to_string()),
        document: serde_json::to_value(incident).expect("an incident's keys are text"),
    }
}
