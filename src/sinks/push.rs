//! Notices in, deliveries to other programs out: written down on the analysis thread, sent on the asynchronous edge, tried
//! until they were heard.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::alertmanager::{self, Alertmanager};
use super::http::{self, Post};
use super::notice::Notice;
use super::pseudonyms::Pseudonyms;
use super::spool::{Bounds, Message, Spool};
use super::syslog::{self, Syslog};
use super::{SinkError, Undelivered};
use crate::quantity;

/// What is pushed where, and what waits meanwhile.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Incidents, said again while they are open.
    pub alertmanager: Option<alertmanager::Settings>,
    /// Alerts and incidents, each as one message.
    pub syslog: Option<syslog::Settings>,
    /// Alerts and incidents, each as one JSON document.
    pub webhook: Option<http::Settings>,
    pub queue: Queue,
    /// A file with a key: names of people and machines leave the sensor as keyed hashes.
    pub pseudonym_key_file: Option<PathBuf>,
}

/// What waits on disk, for each receiver. The first gives way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    pub directory: PathBuf,
    pub entries_max: usize,
    #[serde(deserialize_with = "quantity::bytes")]
    pub bytes_max: u64,
}

impl Settings {
    /// What cannot be used, with the key that names it.
    pub fn faults(&self) -> Vec<(String, SinkError)> {
        let mut faults = Vec::new();
        if let Some(own) = &self.alertmanager {
            for (number, server) in own.servers.iter().enumerate() {
                let fault = Post::open(Alertmanager::NAME, server, "/api/v2/alerts").err();
                let place = format!("alertmanager.servers.{number}");
                faults.extend(fault.map(|fault| (format!("{place}.{}", server.blamed(&fault)), fault)));
            }
        }
        if let Some(own) = &self.syslog {
            let fault = Syslog::open(own).err();
            faults.extend(fault.map(|fault| (format!("syslog.{}", syslog::Settings::blamed(&fault)), fault)));
        }
        if let Some(own) = &self.webhook {
            let fault = Post::open(WEBHOOK, own, "").err();
            faults.extend(fault.map(|fault| (format!("webhook.{}", own.blamed(&fault)), fault)));
        }
        let fault = self.pseudonym_key_file.as_deref().and_then(|path| Pseudonyms::open(path).err());
        faults.extend(fault.map(|fault| ("pseudonym_key_file".into(), fault)));
        let fault = Spool::look(&self.queue.directory).err().filter(|_| self.has_receivers());
        faults.extend(fault.map(|fault| ("queue.directory".into(), fault)));
        faults
    }

    /// Whether anything is pushed anywhere.
    pub const fn has_receivers(&self) -> bool {
        self.alertmanager.is_some() || self.syslog.is_some() || self.webhook.is_some()
    }

    /// Every path in them.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let servers = self.alertmanager.iter_mut().flat_map(|own| &mut own.servers).chain(&mut self.webhook);
        let of_servers = servers
            .flat_map(|server| [&mut server.ca_file, &mut server.password_file, &mut server.bearer_token_file])
            .flatten();
        let of_syslog = self.syslog.iter_mut().filter_map(|own| own.ca_file.as_mut());
        of_servers.chain(of_syslog).chain(&mut self.pseudonym_key_file).chain([&mut self.queue.directory])
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { directory: "/var/lib/spanwatch/queue".into(), entries_max: 10_000, bytes_max: 64 << 20 }
    }
}

/// What sends, until the runtime ends.
pub type Delivery = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All receivers, as the analysis thread has them.
#[derive(Default)]
pub struct Pushes {
    receivers: Vec<Receiver>,
    pseudonyms: Option<Pseudonyms>,
}

struct Receiver {
    sink: &'static str,
    form: Form,
    post_box: Arc<PostBox>,
    next: u64,
}

/// How a notice is written down for a receiver.
enum Form {
    Alertmanager(Arc<Alertmanager>),
    Syslog(Syslog),
    Webhook,
}

/// What the analysis thread and the edge share of a receiver.
struct PostBox {
    spool: Mutex<Spool>,
    filled: Notify,
    sent: AtomicU64,
    failures: AtomicU64,
}

/// What a receiver's deliveries came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counters {
    pub sink: &'static str,
    pub sent: u64,
    /// Attempts that failed and are made again.
    pub failures: u64,
    /// Gauge: messages on disk; for Alertmanager, alerts that are said again.
    pub waiting: u64,
    /// Messages given up: there was no room, or the receiver refused them.
    pub lost: u64,
}

impl Pushes {
    /// Opens every queue. The deliveries are to be run by the edge.
    pub fn open(settings: &Settings) -> Result<(Self, Vec<Delivery>), SinkError> {
        let (mut receivers, mut deliveries) = (Vec::new(), Vec::<Delivery>::new());
        let post_box = |sink| PostBox::open(sink, &settings.queue);
        if let Some(own) = &settings.alertmanager {
            let (server, post_box) = (Arc::new(Alertmanager::open(own)?), post_box(Alertmanager::NAME)?);
            deliveries.push(Box::pin(repeat(Arc::clone(&server), Arc::clone(&post_box))));
            receivers.push(Receiver::new(Alertmanager::NAME, Form::Alertmanager(server), post_box));
        }
        if let Some(own) = &settings.syslog {
            let post_box = post_box(Syslog::NAME)?;
            deliveries.push(Box::pin(in_turn(Turn::Syslog(Syslog::open(own)?), Syslog::NAME, Arc::clone(&post_box))));
            receivers.push(Receiver::new(Syslog::NAME, Form::Syslog(Syslog::open(own)?), post_box));
        }
        if let Some(own) = &settings.webhook {
            let (post, post_box) = (Post::open(WEBHOOK, own, "")?, post_box(WEBHOOK)?);
            deliveries.push(Box::pin(in_turn(Turn::Webhook(post), WEBHOOK, Arc::clone(&post_box))));
            receivers.push(Receiver::new(WEBHOOK, Form::Webhook, post_box));
        }
        let pseudonyms = settings.pseudonym_key_file.as_deref().map(Pseudonyms::open).transpose()?;
        Ok((Self { receivers, pseudonyms }, deliveries))
    }

    pub fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Writes a notice down for every receiver.
    pub fn push(&mut self, notice: Notice) {
        let notice = self.under_pseudonyms(notice);
        for receiver in &mut self.receivers {
            receiver.write(&notice);
        }
    }

    /// Says to Alertmanager what is open, where it was not told, and ends whatever else it holds.
    pub fn settle(&mut self, open: Vec<Notice>) {
        let open: Vec<Notice> = open.into_iter().map(|notice| self.under_pseudonyms(notice)).collect();
        for receiver in &mut self.receivers {
            let Form::Alertmanager(server) = &receiver.form else { continue };
            let untold = Arc::clone(server).settle(&open, &mut receiver.post_box.spool());
            for notice in untold {
                receiver.write(notice);
            }
        }
    }

    fn under_pseudonyms(&self, notice: Notice) -> Notice {
        match &self.pseudonyms {
            Some(pseudonyms) => pseudonyms.apply(notice),
            None => notice,
        }
    }

    pub fn counters(&self) -> impl Iterator<Item = Counters> {
        self.receivers.iter().map(Receiver::counters)
    }
}

const WEBHOOK: &str = "webhook";

impl Receiver {
    fn new(sink: &'static str, form: Form, post_box: Arc<PostBox>) -> Self {
        let next = post_box.spool().last_key().and_then(|key| key.parse::<u64>().ok()).map_or(0, |last| last + 1);
        Self { sink, form, post_box, next }
    }

    /// A disk that does not take a message is told of, and the others go on.
    fn write(&mut self, notice: &Notice) {
        let mut spool = self.post_box.spool();
        let written = match &self.form {
            Form::Alertmanager(server) => server.note(notice, &mut spool),
            Form::Syslog(syslog) => spool.put(&number(self.next), &syslog.message(notice)),
            Form::Webhook => spool.put(&number(self.next), notice.document.to_string().as_bytes()),
        };
        self.next += 1;
        drop(spool);
        match written {
            Ok(()) => self.post_box.filled.notify_one(),
            Err(error) => {
                self.post_box.spool().lose();
                tracing::error!(sink = self.sink, "cannot keep a message until it is sent, and loses it: {error}");
            }
        }
    }

    fn counters(&self) -> Counters {
        let spool = self.post_box.spool();
        Counters {
            sink: self.sink,
            sent: self.post_box.sent.load(Ordering::Relaxed),
            failures: self.post_box.failures.load(Ordering::Relaxed),
            waiting: spool.len() as u64,
            lost: spool.lost(),
        }
    }
}

/// Keys order as the numbers do.
fn number(number: u64) -> String {
    format!("{number:020}")
}

impl PostBox {
    fn open(sink: &'static str, queue: &Queue) -> Result<Arc<Self>, SinkError> {
        let directory: &Path = &queue.directory;
        let bounds = Bounds { entries_max: queue.entries_max, bytes_max: queue.bytes_max };
        let spool = Spool::open(sink, &directory.join(sink), bounds)?;
        let (sent, failures) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Arc::new(Self { spool: Mutex::new(spool), filled: Notify::new(), sent, failures }))
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receiver that gets one message after the other.
enum Turn {
    Syslog(Syslog),
    Webhook(Post),
}

impl Turn {
    async fn send(&mut self, message: &Message) -> Result<(), Undelivered> {
        match self {
            Self::Syslog(syslog) => syslog.send(&message.body).await,
            Self::Webhook(post) => {
                let hash = digest(&SHA256, &message.body);
                let key: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                post.post(message.body.clone(), Some(&key)).await
            }
        }
    }
}

/// Sends each message once, in order.
async fn in_turn(mut receiver: Turn, sink: &'static str, post_box: Arc<PostBox>) {
    let mut pause = Pause::new(sink);
    loop {
        let first = post_box.spool().first_readable();
        let message = match first {
            None => {
                post_box.filled.notified().await;
                continue;
            }
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                post_box.failures.fetch_add(1, Ordering::Relaxed);
                pause.after(&error.to_string()).await;
                continue;
            }
        };
        match receiver.send(&message).await {
            Ok(()) => {
                post_box.spool().done(&message);
                post_box.sent.fetch_add(1, Ordering::Relaxed);
                pause.end();
            }
            Err(Undelivered::Never(why)) => {
                tracing::error!(sink, "a message was refused and is given up: {why}");
                post_box.failures.fetch_add(1, Ordering::Relaxed);
                post_box.spool().give_up(&message.key);
            }
            Err(Undelivered::Later(why)) => {
                post_box.failures.fetch_add(1, Ordering::Relaxed);
                pause.after(&why).await;
            }
        }
    }
}

/// Says all that is open whenever something changes, and again and again.
async fn repeat(server: Arc<Alertmanager>, post_box: Arc<PostBox>) {
    let mut pause = Pause::new(Alertmanager::NAME);
    loop {
        let messages = post_box.spool().readable();
        match server.say(messages, |message| post_box.spool().done(message)).await {
            Ok(said) => {
                post_box.sent.fetch_add(said, Ordering::Relaxed);
                pause.end();
                let _repeats_when_nothing_changes = timeout(server.repeat(), post_box.filled.notified()).await;
            }
            Err(Undelivered::Later(why) | Undelivered::Never(why)) => {
                post_box.failures.fetch_add(1, Ordering::Relaxed);
                pause.after(&why).await;
            }
        }
    }
}

/// Longer and longer, up to a minute.
struct Pause {
    sink: &'static str,
    next: Duration,
    failing: bool,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(60);

    const fn new(sink: &'static str) -> Self {
        Self { sink, next: Self::FIRST, failing: false }
    }

    async fn after(&mut self, why: &str) {
        if !self.failing {
            tracing::warn!(sink = self.sink, "not delivered, and tried again until it is: {why}");
        }
        self.failing = true;
        sleep(self.next).await;
        self.next = (self.next * 2).min(Self::LONGEST);
    }

    fn end(&mut self) {
        if self.failing {
            tracing::info!(sink = self.sink, "delivered again");
        }
        *self = Self::new(self.sink);
    }
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
