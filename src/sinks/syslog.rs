//! Notices in, RFC 5424 messages over TCP (RFC 6587, counted octets) or TLS (RFC 5425) out.

use std::path::PathBuf;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connect::{Connector, Stream};
use super::notice::{Kind, Notice};
use super::{SinkError, Undelivered};

/// Where the syslog server is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host and port; 6514 is the port of syslog over TLS.
    pub address: String,
    #[serde(default = "tls_default")]
    pub tls: bool,
    /// The certificates that may sign the server's, instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The name this sensor gives itself.
    #[serde(default = "hostname_default")]
    pub hostname: String,
}

impl Settings {
    /// The key that a fault in opening is about.
    pub(super) const fn blamed(fault: &SinkError) -> &'static str {
        match fault {
            SinkError::Certificates(_) => "ca_file",
            SinkError::Hostname { .. } => "hostname",
            _ => "address",
        }
    }
}

const fn tls_default() -> bool {
    true
}

/// RFC 5424, section 6: what is not known is a dash.
fn hostname_default() -> String {
    "-".into()
}

pub(super) struct Syslog {
    connector: Connector,
    hostname: String,
    open: Option<Box<dyn Stream>>,
}

impl Syslog {
    pub(super) const NAME: &'static str = "syslog";
    /// Facility 13, log audit (RFC 5424, table 1).
    const FACILITY: u8 = 13;
    const WRITE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

    pub(super) fn open(settings: &Settings) -> Result<Self, SinkError> {
        let fault = || SinkError::Address { sink: Self::NAME, address: settings.address.clone() };
        let (host, port) = settings.address.rsplit_once(':').ok_or_else(fault)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = port.parse().ok().filter(|_| !host.is_empty()).ok_or_else(fault)?;
        let is_name = settings.hostname.bytes().all(|byte| byte.is_ascii_graphic()) && settings.hostname.len() <= 255;
        if !is_name || settings.hostname.is_empty() {
            return Err(SinkError::Hostname { hostname: settings.hostname.clone() });
        }
        let connector = match settings.tls {
            true => Connector::tls(Self::NAME, host, port, settings.ca_file.as_deref())?,
            false => Connector::plain(host, port),
        };
        Ok(Self { connector, hostname: settings.hostname.clone(), open: None })
    }

    /// The message as it lies in the spool: what follows the count of its octets.
    pub(super) fn message(&self, notice: &Notice) -> Vec<u8> {
        let priority = Self::FACILITY * 8 + severity(notice.severity);
        let kind = match notice.kind {
            Kind::Alert => "alert",
            Kind::Incident => "incident",
        };
        format!(
            "<{priority}>1 {} {} spanwatch - {kind} [origin software=\"spanwatch\" swVersion=\"{}\"] \u{feff}{}",
            microseconds(&notice.at.to_string()),
            self.hostname,
            env!("CARGO_PKG_VERSION"),
            notice.document
        )
        .into_bytes()
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> Result<(), Undelivered> {
        let sent = timeout(Self::WRITE_TIMEOUT * 2, self.write(message)).await;
        let outcome = sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        outcome.map_err(|error| {
            self.open = None;
            Undelivered::Later(error.to_string())
        })
    }

    async fn write(&mut self, message: &[u8]) -> std::io::Result<()> {
        let mut stream = match self.open.take() {
            Some(stream) => still_open(stream).await,
            None => None,
        };
        if stream.is_none() {
            stream = Some(self.connector.connect().await?);
        }
        let stream = self.open.insert(stream.expect("one was made"));
        let mut frame = format!("{} ", message.len()).into_bytes();
        frame.extend_from_slice(message);
        stream.write_all(&frame).await?;
        stream.flush().await
    }
}

/// A syslog server says nothing, so all that can be read is the end: a message written after it would be lost.
async fn still_open(mut stream: Box<dyn Stream>) -> Option<Box<dyn Stream>> {
    let mut said = [0; 64];
    let closed = timeout(std::time::Duration::from_millis(1), stream.read(&mut said)).await;
    closed.is_err().then_some(stream)
}

/// RFC 5424, table 2: from critical to informational.
const fn severity(level: u64) -> u8 {
    match level {
        5.. => 2,
        4 => 3,
        3 => 4,
        2 => 5,
        _ => 6,
    }
}

/// RFC 5424, section 6.2.3, has six digits of a second at most.
fn microseconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, digits)) => format!("{whole}.{}Z", digits.trim_end_matches('Z').get(..6).unwrap_or("000000")),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::notice;
    use super::*;

    fn syslog(settings: &str) -> Result<Syslog, SinkError> {
        Syslog::open(&crate::yaml::parse("example.yml", settings).unwrap())
    }

    #[test]
    fn a_message_has_the_form_of_rfc_5424_with_the_document_in_utf_8() {
        let syslog = syslog("{address: \"127.0.0.1:601\", tls: false, hostname: sensor.example.org}").unwrap();
        let message = String::from_utf8(syslog.message(&notice())).unwrap();
        let (header, document) = message.split_once('\u{feff}').unwrap();
        assert_eq!(
            header,
            "<107>1 2023-11-14T22:13:20.000000Z sensor.example.org spanwatch - incident [origin software=\"spanwatch\" \
             swVersion=\"0.1.0\"] "
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(document).unwrap(), notice().document);
    }

    #[test]
    fn a_connection_that_the_server_ended_is_made_anew_and_messages_are_counted() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut syslog = syslog(&format!("{{address: \"{address}\", tls: false}}")).unwrap();
            for message in ["first", "second"] {
                syslog.send(message.as_bytes()).await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut read = vec![0; message.len() + 2];
                stream.read_exact(&mut read).await.unwrap();
                assert_eq!(read, format!("{} {message}", message.len()).as_bytes());
            }
        });
    }

    #[test]
    fn an_address_without_a_port_and_a_name_with_spaces_are_refused() {
        let fault = |settings| syslog(settings).err().unwrap().to_string();
        assert_eq!(
            fault("{address: logs.example.org, tls: false}"),
            "syslog: `logs.example.org` is no address; write HOST:PORT"
        );
        assert_eq!(
            fault("{address: \"logs:601\", tls: false, hostname: my sensor}"),
            "syslog: the hostname `my sensor` must be of 1 to 255 printable letters without spaces"
        );
    }
}
