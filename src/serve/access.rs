//! The web configuration file and a request in; who asks, and whether they may, out.
//!
//! The file has the form of the Prometheus exporters' (`tls_server_config`, `basic_auth_users`), and names beside it bearer
//! tokens, who may change anything, and who may see packets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::allowance::Allowance;
use super::listener::Peer;
use super::seats;
use crate::yaml::{self, Fault, Outline};

/// What the file holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<Tls>,
    /// Names and bcrypt hashes of passwords.
    basic_auth_users: BTreeMap<String, String>,
    /// Names and the SHA-256 of tokens, in hex.
    bearer_tokens: BTreeMap<String, String>,
    /// Who of them may dismiss incidents and ask for a reload; the others may look.
    may_change: BTreeSet<String>,
    /// Who of them may download evidence captures.
    may_see_packets: BTreeSet<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    cert_file: PathBuf,
    key_file: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("{}: cannot read the web configuration: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Text(#[from] Box<Fault>),
}

/// What is wrong with the value of a key.
struct Blame {
    key: String,
    message: String,
}

impl Blame {
    fn new(key: impl Into<String>, message: String) -> Self {
        Self { key: key.into(), message }
    }
}

/// Who may ask for what.
pub(super) struct Access {
    users: BTreeMap<String, String>,
    tokens: BTreeMap<[u8; 32], String>,
    may_change: BTreeSet<String>,
    may_see_packets: BTreeSet<String>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Where nobody is asked for a name, what a browser must call the sensor by, so that no page of others can reach it.
    hosts: Option<Vec<String>>,
    requests: Mutex<Allowance>,
    failures: Arc<Mutex<Allowance>>,
    verified: Mutex<VecDeque<[u8; 32]>>,
    /// A password takes a processor for a while.
    verifying: Arc<Semaphore>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) may_change: bool,
    pub(super) may_see_packets: bool,
}

/// Answered to whom asks too often.
const TOO_OFTEN: (StatusCode, [(axum::http::HeaderName, &str); 1], &str) =
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "5")], "too many requests; ask again later\n");

/// A hash that no password has, so that an unknown name takes as long as a known one.
const NOBODY: &str = "$2b$10$abcdefghijklmnopqrstuu7Wz8Fn5DCpSxIEZ6.T7GKkGxR3GB0Sa";

impl Access {
    /// Requests at once from an address, and how soon another is let.
    const REQUESTS: (u32, Duration) = (300, Duration::from_millis(20));
    /// Failed log-ons at once from an address, and how soon another is let.
    const FAILURES: (u32, Duration) = (10, Duration::from_secs(30));
    /// The most credentials that are remembered as right.
    const VERIFIED_MAX: usize = 128;
    const TOKEN_BYTES: usize = 32;

    /// Without a file, who reaches the address may look; and change something, if it is loopback.
    pub(super) fn open(file: Option<&Path>, listen: SocketAddr, hosts: &[String]) -> Result<Self, AccessError> {
        let (name, text) = match file {
            None => (String::new(), String::new()),
            Some(path) => {
                let text = std::fs::read_to_string(path);
                (path.display().to_string(), text.map_err(|source| AccessError::Read { path: path.into(), source })?)
            }
        };
        let directory = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let own: File = yaml::parse(&name, &text)?;
        let fault = |Blame { key, message }| Box::new(Outline::of(&text).blame((&name, &text), &key, message));
        let tokens = own.tokens().map_err(fault)?;
        own.check().map_err(fault)?;
        let tls = own.tls_server_config.as_ref().map(|tls| tls.open(directory)).transpose().map_err(fault)?;
        let is_open = own.basic_auth_users.is_empty() && tokens.is_empty();
        let hosts = (is_open && listen.ip().is_loopback()).then(|| hosts.to_vec());
        let allowance = |(most, refill)| Mutex::new(Allowance::new(most, refill));
        Ok(Self {
            users: own.basic_auth_users,
            tokens,
            may_change: own.may_change,
            may_see_packets: own.may_see_packets,
            tls,
            hosts,
            requests: allowance(Self::REQUESTS),
            failures: Arc::new(allowance(Self::FAILURES)),
            verified: Mutex::default(),
            verifying: Arc::new(Semaphore::new(1)),
        })
    }

    fn is_open(&self) -> bool {
        self.users.is_empty() && self.tokens.is_empty()
    }

    async fn who(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Who, Box<Response>> {
        if self.is_open() {
            return self.anybody(headers);
        }
        if !has(&self.failures, peer) {
            return Err(Box::new(TOO_OFTEN.into_response()));
        }
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let unknown = || {
            take(&self.failures, peer);
            None
        };
        let name = match given.map(|given| given.split_once(' ').unwrap_or_default()) {
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("basic") => match credentials(text) {
                Some((name, password)) => self.by_password(&name, password, peer).await,
                None => unknown(),
            },
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => self.by_token(text).or_else(unknown),
            Some(_) => unknown(),
            None => None,
        };
        match name {
            Some(name) => Ok(Who {
                may_change: self.may_change.contains(&name),
                may_see_packets: self.may_see_packets.contains(&name),
                name,
            }),
            None => {
                let challenge = HeaderValue::from_static("Basic realm=\"spanwatch\", charset=\"UTF-8\"");
                let refusal = (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)], "who are you?\n");
                Err(Box::new(refusal.into_response()))
            }
        }
    }

    /// A page of others that had its own name resolved to loopback would still call the sensor by that name.
    fn anybody(&self, headers: &HeaderMap) -> Result<Who, Box<Response>> {
        let anybody = |name: &str, may| Who { name: name.into(), may_change: may, may_see_packets: may };
        let Some(hosts) = &self.hosts else { return Ok(anybody("anybody", false)) };
        let called = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name =
            called.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(called, |(name, _)| name);
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if is_address || name == "localhost" || hosts.iter().any(|host| host == name) {
            return Ok(anybody("anybody on this machine", true));
        }
        let text = "the sensor is not called by this name; set server.hosts to the names that people use\n";
        Err(Box::new((StatusCode::MISDIRECTED_REQUEST, text).into_response()))
    }

    /// A guess counts when it is looked at, whether or not somebody still waits for the answer.
    async fn by_password(&self, name: &str, password: String, peer: IpAddr) -> Option<String> {
        let known = self.users.get(name).cloned();
        let mark = hash(&format!("{}\n{name}:{password}", known.as_deref().unwrap_or_default()));
        if self.is_verified(&mark) {
            return Some(name.to_owned());
        }
        let one_at_a_time = Arc::clone(&self.verifying).acquire_owned().await.ok()?;
        let (is_known, failures) = (known.is_some(), Arc::clone(&self.failures));
        let against = known.unwrap_or_else(|| NOBODY.to_owned());
        let verify = move || {
            let _until_this_is_done = one_at_a_time;
            // Others of the same peer may have used up what it was let while this one waited.
            let is_right = has(&failures, peer) && bcrypt::verify(password, &against).unwrap_or(false) && is_known;
            if !is_right {
                take(&failures, peer);
            }
            is_right
        };
        let is_right = tokio::task::spawn_blocking(verify).await.unwrap_or(false);
        if is_right {
            self.remember(mark);
        }
        is_right.then(|| name.to_owned())
    }

    /// The hashes are compared, so that the time taken tells nothing of the token.
    fn by_token(&self, given: &str) -> Option<String> {
        self.tokens.get(&hash(given.trim())).cloned()
    }

    fn is_verified(&self, mark: &[u8; 32]) -> bool {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).contains(mark)
    }

    fn remember(&self, mark: [u8; 32]) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() == Self::VERIFIED_MAX {
            verified.pop_front();
        }
        verified.push_back(mark);
    }
}

impl File {
    fn tokens(&self) -> Result<BTreeMap<[u8; 32], String>, Blame> {
        let token = |(name, hex): (&String, &String)| {
            let why = || format!("the token of `{name}` is no SHA-256 in hex; `printf %s TOKEN | sha256sum` makes one");
            let fault = || Blame::new(format!("bearer_tokens.{name}"), why());
            Ok((unhex(hex).ok_or_else(fault)?, name.clone()))
        };
        self.bearer_tokens.iter().map(token).collect()
    }

    fn check(&self) -> Result<(), Blame> {
        for (name, hash) in &self.basic_auth_users {
            if hash.parse::<bcrypt::HashParts>().is_err() {
                let why = format!("the password of `{name}` is no bcrypt hash; `htpasswd -nBC 10 {name}` makes one");
                return Err(Blame::new(format!("basic_auth_users.{name}"), why));
            }
        }
        let is_known =
            |name: &&String| self.basic_auth_users.contains_key(*name) || self.bearer_tokens.contains_key(*name);
        for (key, names) in [("may_change", &self.may_change), ("may_see_packets", &self.may_see_packets)] {
            if let Some(name) = names.iter().find(|name| !is_known(name)) {
                let why = format!("`{key}` names `{name}`, who is neither a user nor a token");
                return Err(Blame::new(key, why));
            }
        }
        Ok(())
    }
}

impl Tls {
    fn open(&self, directory: &Path) -> Result<Arc<ServerConfig>, Blame> {
        let (cert_file, key_file) = (directory.join(&self.cert_file), directory.join(&self.key_file));
        let fault = |key: &str, path: &Path, why: String| {
            Blame::new(format!("tls_server_config.{key}"), format!("cannot use {} for TLS: {why}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(&cert_file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| fault("cert_file", &cert_file, error.to_string()))?;
        if chain.is_empty() {
            return Err(fault("cert_file", &cert_file, "there is no certificate in it".into()));
        }
        let key = PrivateKeyDer::from_pem_file(&key_file);
        let key = key.map_err(|error| fault("key_file", &key_file, error.to_string()))?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        Ok(Arc::new(config.map_err(|error| fault("cert_file", &cert_file, error.to_string()))?))
    }
}

/// Lets a request pass with who asks, or answers it.
pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let line = seats::line(peer.address.ip());
    if !take(&access.requests, line) {
        return TOO_OFTEN.into_response();
    }
    if !request.method().is_safe() && is_of_another_page(request.headers()) {
        return (StatusCode::FORBIDDEN, "pages of others may change nothing\n").into_response();
    }
    match access.who(request.headers(), line).await {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    }
}

/// Whether a browser sends a request for a page that is not the sensor's own (Fetch Metadata; older ones tell the page's origin,
/// RFC 6454 §7, and a proxy may have changed the host). Programs say nothing of either.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text("host").unwrap_or_default();
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").is_none_or(|(_, authority)| authority != host),
        (None, None) => false,
    }
}

/// The user and the password of basic authentication (RFC 7617 §2).
fn credentials(given: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(given.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[allow(clippy::disallowed_methods)]
fn take(allowance: &Mutex<Allowance>, peer: IpAddr) -> bool {
    allowance.lock().unwrap_or_else(PoisonError::into_inner).take(peer, Instant::now())
}

#[allow(clippy::disallowed_methods)]
fn has(allowance: &Mutex<Allowance>, peer: IpAddr) -> bool {
    allowance.lock().unwrap_or_else(PoisonError::into_inner).has(peer, Instant::now())
}

fn hash(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes()).as_ref().first_chunk().copied().expect("a SHA-256 has 32 bytes")
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .trim()
        .bytes()
        .map(|digit| char::from(digit).to_digit(16))
        .map(|digit| digit.and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() != Access::TOKEN_BYTES * 2 {
        return None;
    }
    bytes.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_takes_as_long_as_a_known_one() {
        let cost = NOBODY.parse::<bcrypt::HashParts>().unwrap().get_cost();
        assert_eq!(cost, 10, "what htpasswd is asked for in the remedy");
        assert!(matches!(bcrypt::verify("secret", NOBODY), Ok(false)));
    }

    #[test]
    fn a_token_hash_has_64_digits() {
        assert_eq!(unhex(&"0f".repeat(32)), Some([15; 32]));
        for wrong in ["0f".repeat(31), "0f".repeat(33), "0g".repeat(32), format!("{}f", "0f".repeat(31))] {
            assert_eq!(unhex(&wrong), None, "{wrong}");
        }
    }
}
