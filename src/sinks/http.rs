//! Bodies in, POST requests to one configured address out.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use super::connect::Connector;
use super::{SinkError, Undelivered};

/// An address that takes POST requests, and who asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `http://` or `https://`, host, port and path.
    pub url: String,
    /// The certificates that may sign the server's, instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// With `password_file`: basic authentication.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
}

impl Settings {
    /// The key that a fault in opening is about.
    pub(super) fn blamed(&self, fault: &SinkError) -> &'static str {
        match fault {
            SinkError::Authorization { .. } => "user",
            SinkError::Certificates(_) => "ca_file",
            SinkError::Secret { path, .. } if self.password_file.as_ref() == Some(path) => "password_file",
            SinkError::Secret { .. } => "bearer_token_file",
            _ => "url",
        }
    }
}

/// An address that is posted to.
pub(super) struct Post {
    uri: Uri,
    connector: Connector,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

impl Post {
    /// How long a request may take, from the connection to the end of the answer.
    const TIMEOUT: Duration = Duration::from_secs(20);
    /// What is read of an answer.
    const ANSWER_BYTES_MAX: usize = 64 << 10;
    /// What is told of an answer that refuses.
    const ANSWER_CHARS_SHOWN_MAX: usize = 200;

    /// `path` is added to the address's own.
    pub(super) fn open(sink: &'static str, settings: &Settings, path: &str) -> Result<Self, SinkError> {
        let fault = || SinkError::Address { sink, address: settings.url.clone() };
        let uri: Uri = format!("{}{path}", settings.url.trim_end_matches('/')).parse().map_err(|_| fault())?;
        let host = uri.host().ok_or_else(fault)?.trim_matches(['[', ']']).to_owned();
        let connector = match uri.scheme_str() {
            Some("http") => Connector::plain(host, uri.port_u16().unwrap_or(80)),
            Some("https") => Connector::tls(sink, host, uri.port_u16().unwrap_or(443), settings.ca_file.as_deref())?,
            _ => return Err(fault()),
        };
        let host = uri.authority().and_then(|authority| authority.as_str().parse().ok()).ok_or_else(fault)?;
        Ok(Self { connector, host, authorization: authorization(settings)?, uri })
    }

    /// Posts a document. `key` tells a receiver that it has the same one already.
    pub(super) async fn post(&self, body: Vec<u8>, key: Option<&str>) -> Result<(), Undelivered> {
        let answered = tokio::time::timeout(Self::TIMEOUT, self.ask(body, key)).await;
        let (status, answer) =
            answered.unwrap_or_else(|_| Err("no answer in time".into())).map_err(Undelivered::Later)?;
        if status.is_success() {
            return Ok(());
        }
        let answer: String = answer.chars().take(Self::ANSWER_CHARS_SHOWN_MAX).collect();
        let why = format!("answered {status}: {}", answer.escape_debug());
        // What the receiver says is wrong with the message itself does not change by asking again.
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(Undelivered::Never(why))
            }
            _ => Err(Undelivered::Later(why)),
        }
    }

    async fn ask(&self, body: Vec<u8>, key: Option<&str>) -> Result<(StatusCode, String), String> {
        let stream = self.connector.connect().await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let mut request = Request::post(self.uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, &self.host)
            .header(USER_AGENT, concat!("spanwatch/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let mut exchange = pin!(async {
            let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), Self::ANSWER_BYTES_MAX).collect().await;
            let body = body.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        });
        tokio::select! {
            answered = &mut exchange => answered,
            // The exchange tells how it ended; the connection's own end only stops driving it.
            _ended = connection => exchange.await,
        }
    }
}

fn authorization(settings: &Settings) -> Result<Option<HeaderValue>, SinkError> {
    let (path, text) = match (&settings.user, &settings.password_file, &settings.bearer_token_file) {
        (Some(user), Some(path), None) => {
            (path, format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", secret(path)?))))
        }
        (None, None, Some(path)) => (path, format!("Bearer {}", secret(path)?)),
        (None, None, None) => return Ok(None),
        _ => return Err(SinkError::Authorization { url: settings.url.clone() }),
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| SinkError::Secret {
        path: path.clone(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, "it holds control characters"),
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn secret(path: &Path) -> Result<String, SinkError> {
    let text = std::fs::read_to_string(path).map_err(|source| SinkError::Secret { path: path.into(), source })?;
    Ok(text.trim_end().to_owned())
}
