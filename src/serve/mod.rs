//! The published view in, HTTP answers out; signals and `POST /-/reload` in, [`Request`]s to the sensor out.

mod listener;
mod service;
mod signals;
pub mod view;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use crossbeam_channel::Sender;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use self::listener::Bounded;
use self::service::ServiceManager;
use self::view::View;

/// How the sensor is asked over HTTP.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The address to listen on. Loopback, unless a firewall or proxy decides who may ask.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format_args!("`{text}` is not an address and a port such as 127.0.0.1:9787 or [::1]:9787"))
    })
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9787)) }
    }
}

/// What the outside asks of the running sensor.
pub enum Request {
    /// Read configuration and rules anew; the answer is what came of it.
    Reload(Answer),
    /// End: drain, write, stop.
    Stop,
}

/// Where the outcome of a reload goes.
pub struct Answer(Option<oneshot::Sender<Result<(), String>>>);

impl Answer {
    /// Gives the outcome to whoever waits for it; a signal's sender does not.
    pub fn give(self, outcome: Result<(), String>) {
        if let Some(waiting) = self.0 {
            let _gone = waiting.send(outcome);
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {listen}: {source}; set server.listen to a free address")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error("cannot start the asynchronous runtime: {0}")]
    Runtime(io::Error),
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
            .max_blocking_threads(1)
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
        listener: TcpListener,
        view: Arc<View>,
        requests: Sender<Request>,
    ) -> Result<(), ServeError> {
        listener.set_nonblocking(true).map_err(ServeError::Runtime)?;
        self.address = listener.local_addr().ok();
        let _entered = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Runtime)?;
        let mut stop = self.stop.subscribe();
        let app = router(view, requests);
        self.runtime.spawn(async move {
            let stopped = async move {
                let _sensor_gone = stop.wait_for(|stop| *stop).await;
            };
            let _never_fails = axum::serve(Bounded::new(listener), app).with_graceful_shutdown(stopped).await;
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
pub fn listen(settings: &Settings) -> Result<TcpListener, ServeError> {
    TcpListener::bind(settings.listen).map_err(|source| ServeError::Listen { listen: settings.listen, source })
}

#[derive(Clone)]
struct Shared {
    view: Arc<View>,
    requests: Sender<Request>,
}

fn router(view: Arc<View>, requests: Sender<Request>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload))
        .route("/api/v1/alerts", get(alerts))
        .route("/api/v1/devices", get(devices))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Shared { view, requests })
}

/// No request has a body that is read.
const BODY_BYTES_MAX: usize = 1 << 10;
/// The most a reload may take until its asker is told to look into the log.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

async fn metrics(State(shared): State<Shared>) -> Response {
    match shared.view.metrics() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// As a closure, it makes optimised builds fail with a cycle of constants (rustc 1.95).
async fn healthy() -> &'static str {
    "the sensor is running\n"
}

async fn ready(State(shared): State<Shared>) -> Response {
    if shared.view.is_ready() {
        "the sensor reads packets\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the sensor is starting or stopping\n").into_response()
    }
}

async fn reload(State(shared): State<Shared>) -> Response {
    let (answer, outcome) = oneshot::channel();
    let asked = shared.requests.try_send(Request::Reload(Answer(Some(answer))));
    if asked.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the sensor is busy with other requests\n").into_response();
    }
    match tokio::time::timeout(RELOAD_TIMEOUT, outcome).await {
        Ok(Ok(Ok(()))) => "configuration and rules reloaded\n".into_response(),
        Ok(Ok(Err(fault))) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{fault}\n")).into_response(),
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "the sensor is stopping\n").into_response(),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, "the reload goes on; its outcome will be logged\n").into_response(),
    }
}

/// How many entries an answer has at most.
#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(100).min(1000)
    }
}

async fn alerts(State(shared): State<Shared>, Query(page): Query<Page>) -> Response {
    Json(shared.view.alerts(page.limit())).into_response()
}

async fn devices(State(shared): State<Shared>, Query(page): Query<Page>) -> Response {
    Json(shared.view.devices(page.limit())).into_response()
}

#[cfg(test)]
mod tests;
