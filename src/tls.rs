//! Files of certificates in, how to ask a server through TLS out; and a handshake that failed in, what can be done about it
//! out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

/// The certificates that a Debian system trusts.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot read certificates: {why}", path.display())]
pub struct CertificatesError {
    pub path: PathBuf,
    pub why: String,
}

/// Whom a client trusts.
pub struct Trust {
    pub config: Arc<ClientConfig>,
    /// Who may sign a server's certificate.
    signers: PathBuf,
}

impl Trust {
    /// Servers whose certificate is signed by one in `ca_file`, or by one that the system trusts.
    pub fn open(ca_file: Option<&Path>) -> Result<Self, CertificatesError> {
        let signers: PathBuf = ca_file.map_or_else(|| SYSTEM_CERTIFICATES.into(), Into::into);
        let fault = |why: String| CertificatesError { path: signers.clone(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&signers).map_err(|error| fault(error.to_string()))? {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            // A system's bundle may hold a certificate of a form that is not read; the others still count.
            let _skipped = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err(fault("there is no certificate in it".into()));
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { config: Arc::new(config), signers })
    }

    /// What the operator can do about a handshake with `host` that failed.
    pub fn explain(&self, host: &str, error: io::Error) -> io::Error {
        let fault = error.get_ref().and_then(|fault| fault.downcast_ref::<rustls::Error>());
        let why = match fault {
            Some(rustls::Error::InvalidCertificate(fault)) => self.explain_certificate(host, fault),
            Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS".into(),
            _ => return error,
        };
        io::Error::new(error.kind(), why)
    }

    fn explain_certificate(&self, host: &str, fault: &CertificateError) -> String {
        match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("its certificate is not for `{host}`; use a name that the certificate has")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; look at the clocks".into()
            }
            CertificateError::UnknownIssuer => {
                let signers = self.signers.display();
                format!("its certificate is signed by nobody in {signers}; name the file of who signs it")
            }
            other if other.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate is one for signing others; make one with basicConstraints=CA:FALSE".into()
            }
            other => format!("its certificate is not accepted: {other}"),
        }
    }
}
