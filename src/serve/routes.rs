//! Requests in; metrics, the published view, the console, and what the sensor was asked for out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use crossbeam_channel::Sender;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::access::{self, Access, Who};
use super::captures;
use super::console;
use super::listener::Peer;
use super::view::{List, Selection, View};
use super::{Answer, Dismissed, Request};
use crate::metrics;

/// The largest body that is read: a reason to dismiss an incident.
const BODY_BYTES_MAX: usize = 4 << 10;
/// The most a reload may take until its asker is told to look into the log.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The most entries of one answer, and how many it has unless told.
const PAGE_MAX: usize = 1000;
const PAGE_DEFAULT: usize = 100;
/// What a search gives of each list.
const FOUND_MAX: usize = 20;
/// The most characters of what is searched for.
const SEARCH_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 500;

/// What the routes go by.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) view: Arc<View>,
    pub(super) requests: Sender<Request>,
    /// The folder of evidence captures.
    pub(super) captures: Option<PathBuf>,
}

pub(super) fn router(shared: Shared, access: Arc<Access>) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/-/reload", post(reload))
        .route("/api/v1/openapi.json", get(console::openapi))
        .route("/api/v1/search", get(search))
        .route("/api/v1/status", get(status))
        .route("/api/v1/incidents/{id}/dismiss", post(dismiss))
        .route("/api/v1/captures/{name}", get(captures::download))
        .route("/api/v1/{list}", get(page))
        .route("/api/v1/{list}/{id}", get(entry))
        .route("/", get(console::index))
        .route("/console.css", get(console::style))
        .route("/console.js", get(console::script))
        .route("/icon.svg", get(console::icon))
        .layer(middleware::from_fn_with_state(access, access::guard));
    Router::new()
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .merge(guarded)
        .layer(middleware::from_fn(with_policy))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// What a browser may do with an answer: show it, with what comes from this sensor, and nothing else.
const POLICY: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

async fn with_policy(ConnectInfo(peer): ConnectInfo<Peer>, request: axum::extract::Request, next: Next) -> Response {
    peer.begin_answer();
    let mut response = next.run(request).await;
    for (name, value) in POLICY {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if metrics::prefers_openmetrics(accept) {
        return ([(header::CONTENT_TYPE, metrics::OPENMETRICS)], shared.view.openmetrics()).into_response();
    }
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

async fn reload(State(shared): State<Shared>, Extension(who): Extension<Who>) -> Response {
    if !who.may_change {
        return refused(StatusCode::FORBIDDEN, "you may look, and not reload");
    }
    let (answer, outcome) = Answer::new();
    match ask(&shared, Request::Reload(answer), outcome).await {
        Ok(()) => "configuration and rules reloaded\n".into_response(),
        Err((status, fault)) => (status, format!("{fault}\n")).into_response(),
    }
}

/// Hands a request to the sensor, and waits for what comes of it.
async fn ask(
    shared: &Shared,
    request: Request,
    outcome: oneshot::Receiver<Result<(), String>>,
) -> Result<(), (StatusCode, String)> {
    if shared.requests.try_send(request).is_err() {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "the sensor is busy with other requests".into()));
    }
    match tokio::time::timeout(RELOAD_TIMEOUT, outcome).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(fault))) => Err((StatusCode::UNPROCESSABLE_ENTITY, fault)),
        Ok(Err(_)) => Err((StatusCode::SERVICE_UNAVAILABLE, "the sensor is stopping".into())),
        Err(_) => Err((StatusCode::GATEWAY_TIMEOUT, "it goes on; its outcome will be logged".into())),
    }
}

/// Which part of a list is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    search: Option<String>,
    about: Option<String>,
}

async fn page(
    State(shared): State<Shared>,
    Path(list): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Some(list) = List::parse(&list).filter(|list| *list != List::Status) else {
        return refused(StatusCode::NOT_FOUND, "there is no such list");
    };
    let Ok(Query(asked)) = asked else {
        return refused(StatusCode::BAD_REQUEST, "the parameters are limit, offset, search and about");
    };
    if [&asked.search, &asked.about].into_iter().flatten().any(|term| term.chars().count() > SEARCH_CHARS_MAX) {
        return refused(StatusCode::BAD_REQUEST, "what is searched for is too long");
    }
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
    let selection = Selection { offset: asked.offset, limit, search: asked.search, about: asked.about };
    json(listed(&shared.view, list, &selection))
}

/// `{"items":[…],"total":N}`, of texts that are JSON already.
fn listed(view: &View, list: List, selection: &Selection) -> String {
    let page = view.page(list, selection);
    let items: Vec<&str> = page.entries.iter().map(|entry| &*entry.json).collect();
    format!("{{\"items\":[{}],\"total\":{}}}", items.join(","), page.total)
}

async fn entry(State(shared): State<Shared>, Path((list, id)): Path<(String, String)>) -> Response {
    let found = List::parse(&list).filter(|list| *list != List::Status).and_then(|list| shared.view.entry(list, &id));
    match found {
        Some(entry) => json(entry.json.to_string()),
        None => refused(StatusCode::NOT_FOUND, "there is nothing of this kind and id"),
    }
}

async fn status(State(shared): State<Shared>, Extension(who): Extension<Who>) -> Response {
    let status = shared.view.entry(List::Status, "status");
    let status = status.map_or_else(|| "null".to_owned(), |entry| entry.json.to_string());
    let who = serde_json::json!({
        "name": who.name,
        "may_change": who.may_change,
        "may_see_packets": who.may_see_packets && shared.captures.is_some(),
    });
    json(format!("{{\"sensor\":{status},\"you\":{who}}}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    q: String,
}

/// `{"devices":{"items":[…],"total":N},…}`
async fn search(State(shared): State<Shared>, wanted: Result<Query<Wanted>, QueryRejection>) -> Response {
    let term = wanted.map(|Query(wanted)| wanted.q.trim().to_owned()).unwrap_or_default();
    if term.is_empty() || term.chars().count() > SEARCH_CHARS_MAX {
        return refused(StatusCode::BAD_REQUEST, "give what is searched for as q, of 1 to 200 letters");
    }
    let selection = Selection { limit: FOUND_MAX, search: Some(term), ..Selection::default() };
    let lists = List::ALL.iter().filter(|list| **list != List::Status);
    let found: Vec<String> =
        lists.map(|list| format!("\"{}\":{}", list.as_str(), listed(&shared.view, *list, &selection))).collect();
    json(format!("{{{}}}", found.join(",")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
    /// One family of the evidence; without it, all of it.
    family: Option<String>,
}

/// The body must be declared JSON, which no form of another page can send without being asked first.
async fn dismiss(
    State(shared): State<Shared>,
    Extension(who): Extension<Who>,
    Path(incident): Path<String>,
    reason: Result<Json<Reason>, JsonRejection>,
) -> Response {
    if !who.may_change {
        return refused(StatusCode::FORBIDDEN, "you may look, and not dismiss");
    }
    let Ok(Json(Reason { reason, family })) = reason else {
        return refused(StatusCode::BAD_REQUEST, "send a JSON object with a reason and, optional, a family");
    };
    let reason = reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return refused(StatusCode::BAD_REQUEST, "give a reason of 1 to 500 letters");
    }
    if shared.view.entry(List::Incidents, &incident).is_none() {
        return refused(StatusCode::NOT_FOUND, "there is no such incident");
    }
    let (answer, outcome) = Answer::new();
    let dismissed = Dismissed { incident, family, reason, by: who.name };
    match ask(&shared, Request::Dismiss(dismissed, answer), outcome).await {
        Ok(()) => json("{\"dismissed\":true}".into()),
        Err((status, fault)) => refused(status, &fault),
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(text)).into_response()
}

pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(serde_json::json!({ "error": why }))).into_response()
}
