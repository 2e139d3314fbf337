//! The published view in, HTTP answers out; signals and `POST /-/reload` in, [`Request`]s to the sensor out.

mod access;
mod allowance;
mod captures;
pub mod console;
mod listener;
mod routes;
mod seats;
mod service;
mod signals;
pub mod view;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use self::access::Access;
pub use self::access::AccessError;
use self::listener::{Bounded, Peer};
use self::service::ServiceManager;
use self::view::View;

/// How the sensor is asked over HTTP.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The address to listen on. Loopback, unless a firewall or proxy decides who may ask.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// A file with certificate, users and tokens, in the form of the Prometheus exporters' web configuration.
    pub web_config: Option<PathBuf>,
    /// The names that people call the sensor by, where it listens on loopback and asks nobody for a name.
    pub hosts: Vec<String>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format_args!("`{text}` is not an address and a port such as 127.0.0.1:9787 or [::1]:9787"))
    })
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9787)), web_config: None, hosts: Vec::new() }
    }
}

/// What the outside asks of the running sensor.
pub enum Request {
    /// Read configuration and rules anew; the answer is what came of it.
    Reload(Answer),
    /// Take an incident's evidence as innocent.
    Dismiss(Dismissed, Answer),
    /// End: drain, write, stop.
    Stop,
}

/// What somebody says of an incident.
#[derive(Clone, Debug)]
pub struct Dismissed {
    pub incident: String,
    /// The family of evidence; none stands for all of it.
    pub family: Option<String>,
    pub reason: String,
    pub by: String,
}

/// Where the outcome of a request goes.
pub struct Answer(Option<oneshot::Sender<Result<(), String>>>);

impl Answer {
    fn new() -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (answer, outcome) = oneshot::channel();
        (Self(Some(answer)), outcome)
    }

    /// Gives the outcome to whoever waits for it; a signal's sender does not.
    pub fn give(self, outcome: Result<(), String>) {
        if let Some(waiting) = self.0 {
            let _gone = waiting.send(outcome);
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("cannot listen on {listen}: {source}; set server.listen to a free address")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error("cannot start the asynchronous runtime: {0}")]
    Runtime(io::Error),
}

/// An address that is listened on, who may ask there, and the folder of evidence captures, where they are kept.
pub struct Listening {
    listener: TcpListener,
    access: Access,
    captures: Option<PathBuf>,
}

/// The asynchronous edge. Dropping it ends every connection.
pub struct Edge {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    address: Option<SocketAddr>,
    manager: Option<ServiceManager>,
}

impl Edge {
    /// Starts to listen for SIGHUP, SIGINT and SIGTERM.
    pub fn start(requests: Sender<Request>) -> Result<Self, ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("edge")
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Runtime)?;
        let signals = {
            let _entered = runtime.enter();
            signals::listen().map_err(ServeError::Runtime)?
        };
        runtime.spawn(signals.forward(requests));
        let (stop, _) = watch::channel(false);
        Ok(Self { runtime, stop, address: None, manager: None })
    }

    /// Starts to answer HTTP on a listener.
    pub fn serve(
        &mut self,
        Listening { listener, access, captures }: Listening,
        view: Arc<View>,
        requests: Sender<Request>,
    ) -> Result<(), ServeError> {
        listener.set_nonblocking(true).map_err(ServeError::Runtime)?;
        self.address = listener.local_addr().ok();
        let _entered = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Runtime)?;
        let mut stop = self.stop.subscribe();
        let tls = access.tls.clone();
        let shared = routes::Shared { view, requests, captures };
        let app = routes::router(shared, Arc::new(access)).into_make_service_with_connect_info::<Peer>();
        self.runtime.spawn(async move {
            let stopped = async move {
                let _sensor_gone = stop.wait_for(|stop| *stop).await;
            };
            let _never_fails = axum::serve(Bounded::new(listener, tls), app).with_graceful_shutdown(stopped).await;
        });
        Ok(())
    }

    /// Runs what carries messages to other programs, until the end.
    pub fn carry(&self, delivery: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(delivery);
    }

    /// Tells the service manager that the sensor reads packets, and from then on that it is alive, as the view shows.
    pub fn report(&mut self, view: Arc<View>) {
        let Some(manager) = ServiceManager::of_process() else { return };
        manager.ready();
        self.runtime.spawn(manager.clone().keep_alive(view));
        self.manager = Some(manager);
    }

    /// Tells the service manager that the sensor comes to its end.
    pub fn report_end(&self) {
        if let Some(manager) = &self.manager {
            manager.stopping();
        }
    }

    /// The address that is listened on, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Lets answers under way be finished, then ends.
    pub fn stop(self) {
        let _nobody_listens = self.stop.send(true);
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Takes the address before privileges are dropped and threads are started.
pub fn listen(settings: &Settings, captures: Option<&Path>) -> Result<Listening, ServeError> {
    let access = Access::open(settings.web_config.as_deref(), settings.listen, &settings.hosts)?;
    let fault = |source| ServeError::Listen { listen: settings.listen, source };
    let listener = bind(settings.listen).map_err(fault)?;
    Ok(Listening { listener, access, captures: captures.map(Path::to_owned) })
}

/// Whether the web configuration can be used, and what is wrong with it if not.
pub fn check(settings: &Settings) -> Result<(), AccessError> {
    Access::open(settings.web_config.as_deref(), settings.listen, &settings.hosts).map(|_| ())
}

/// The standard library's queue has 128 places, and whoever finds it full waits a second.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    const WAITING_MAX: i32 = 1024;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(WAITING_MAX)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
