//! A host and a port in, a connection to it out, through TLS where that is asked for.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::SinkError;
use crate::tls::Trust;

/// How long a connection may take to come about, TLS handshake and all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where to connect to.
pub(super) struct Connector {
    pub(super) host: String,
    port: u16,
    tls: Option<(Trust, ServerName<'static>)>,
}

impl Connector {
    pub(super) const fn plain(host: String, port: u16) -> Self {
        Self { host, port, tls: None }
    }

    /// Through TLS, to a server whose certificate is signed by one in `ca_file`, or by one that the system trusts.
    pub(super) fn tls(sink: &'static str, host: String, port: u16, ca_file: Option<&Path>) -> Result<Self, SinkError> {
        let name = ServerName::try_from(host.clone());
        let name = name.map_err(|_| SinkError::Address { sink, address: host.clone() })?;
        Ok(Self { host, port, tls: Some((Trust::open(ca_file)?, name)) })
    }

    /// What does not come about is told with whom it was tried.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let in_time = tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await;
        let opened = in_time.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")));
        opened.map_err(|error| {
            let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
            io::Error::new(error.kind(), format!("{host}:{}: {error}", self.port))
        })
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let Some((trust, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let secured = TlsConnector::from(trust.config.clone()).connect(name.clone(), stream).await;
        Ok(Box::new(secured.map_err(|error| trust.explain(&self.host, error))?))
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
