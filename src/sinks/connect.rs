//! A host and a port in, a connection to it out, through TLS where that is asked for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::SinkError;

/// How long a connection may take to come about, TLS handshake and all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The certificates that a Debian system trusts.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where to connect to.
pub(super) struct Connector {
    pub(super) host: String,
    port: u16,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// Who may sign the server's certificate.
    signers: PathBuf,
}

impl Connector {
    pub(super) const fn plain(host: String, port: u16) -> Self {
        Self { host, port, tls: None }
    }

    /// Through TLS, to a server whose certificate is signed by one in `ca_file`, or by one that the system trusts.
    pub(super) fn tls(host: String, port: u16, ca_file: Option<&Path>) -> Result<Self, SinkError> {
        let path: PathBuf = ca_file.map_or_else(|| SYSTEM_CERTIFICATES.into(), Into::into);
        let fault = |why: String| SinkError::Certificates { path: path.clone(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| fault(error.to_string()))? {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            // A system's bundle may hold a certificate of a form that is not read; the others still count.
            let _skipped = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err(fault("there is no certificate in it".into()));
        }
        let name = ServerName::try_from(host.clone()).map_err(|error| fault(format!("`{host}`: {error}")))?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { host, port, tls: Some(Tls { connector, name, signers: path }) })
    }

    /// What does not come about is told with whom it was tried.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await;
        opened.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))).map_err(
            |error| {
                let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
                io::Error::new(error.kind(), format!("{host}:{}: {error}", self.port))
            },
        )
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => {
                let secured = tls.connector.connect(tls.name.clone(), stream).await;
                Ok(Box::new(secured.map_err(|error| tls.explain(&self.host, error))?))
            }
        }
    }
}

impl Tls {
    /// What the operator can do about a handshake that fails.
    fn explain(&self, host: &str, error: io::Error) -> io::Error {
        let fault = error.get_ref().and_then(|fault| fault.downcast_ref::<rustls::Error>());
        let why = match fault {
            Some(rustls::Error::InvalidCertificate(fault)) => match fault {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "its certificate has expired".into()
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    format!("its certificate is not for `{host}`; use a name that the certificate has")
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "its certificate is not valid yet; look at the clocks".into()
                }
                CertificateError::UnknownIssuer => format!(
                    "its certificate is signed by nobody in {}; name who signs it as `ca_file`",
                    self.signers.display()
                ),
                other => format!("its certificate is not accepted: {other}"),
            },
            Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS".into(),
            _ => return error,
        };
        io::Error::new(error.kind(), why)
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
