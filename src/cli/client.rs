//! A sensor's address and who asks in, what its API answers out.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::tls::Trust;

#[derive(Args)]
pub(super) struct Asked {
    /// The address that the sensor answers HTTP on, as HOST:PORT, or https://HOST:PORT where it has a certificate
    #[arg(default_value = "127.0.0.1:9787", value_name = "ADDRESS")]
    address: String,
    /// The certificates that may sign the sensor's, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A bearer token, where the sensor asks for one
    #[arg(long, env = "SPANWATCH_TOKEN", hide_env_values = true, conflicts_with = "user")]
    token: Option<String>,
    /// The name of a user, where the sensor asks for one
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// A file with the user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

/// How long a sensor may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than any page that is asked for.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Asks one sensor.
pub(super) struct Client {
    /// Without its scheme.
    pub(super) address: String,
    host: String,
    port: u16,
    trust: Option<Trust>,
    authorization: String,
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl Client {
    pub(super) fn open(options: &Asked) -> Result<Self, String> {
        let fault = || format!("`{}` is no address; write HOST:PORT or https://HOST:PORT", options.address);
        let address = options.address.trim_end_matches('/');
        let (is_secured, place) = match address.split_once("://") {
            Some(("https", place)) => (true, place),
            Some(("http", place)) => (false, place),
            None => (options.ca_file.is_some(), address),
            Some(_) => return Err(fault()),
        };
        let (host, port) = place.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(fault)?;
        let port = port.parse().map_err(|_| fault())?;
        let trust = is_secured.then(|| Trust::open(options.ca_file.as_deref())).transpose();
        Ok(Self {
            address: place.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            trust: trust.map_err(|fault| fault.to_string())?,
            authorization: authorization(options)?,
        })
    }

    /// What the API answers on a path.
    pub(super) fn ask(&self, path: &str) -> Result<Value, String> {
        let answer = self.get(path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => "no answer in time".into(),
            _ => error.to_string(),
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("it does not speak HTTP; is it https://?")?;
        match head.get(9..12) {
            Some("200") => serde_json::from_str(body).map_err(|error| error.to_string()),
            Some("401") if self.authorization.is_empty() => {
                Err("it asks who you are: --token, or --user and --password-file".into())
            }
            Some("401") => Err("it does not know the token or the user with this password".into()),
            _ => Err(head.lines().next().unwrap_or_default().escape_debug().to_string()),
        }
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = self.connect()?;
        let (address, authorization) = (&self.address, &self.authorization);
        // In one piece: whoever takes the beginning for no TLS breaks off before the end.
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        stream.flush()?;
        let mut answer = String::new();
        match stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer) {
            // A server that ends without a word of TLS has said its answer, whose length is in its head.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
            // One that waits for TLS breaks off, and what it said before that may be lost.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && self.trust.is_none() => {}
            read => _ = read?,
        }
        Ok(answer)
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return self.secure(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn secure(&self, mut stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let Some(trust) = &self.trust else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(trust.config.clone(), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream).map_err(|error| trust.explain(&self.host, error))?;
        }
        Ok(Box::new(StreamOwned::new(session, stream)))
    }
}

/// The header that says who asks, with its line end; nothing where nobody is named.
fn authorization(options: &Asked) -> Result<String, String> {
    let proof = match (&options.token, &options.user, &options.password_file) {
        (Some(token), ..) => format!("Bearer {token}"),
        (None, Some(user), Some(path)) => {
            let password = std::fs::read_to_string(path);
            let password =
                password.map_err(|error| format!("{}: cannot read the password: {error}", path.display()))?;
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.trim_end())))
        }
        _ => return Ok(String::new()),
    };
    match proof.contains(char::is_control) {
        true => Err("a token has no control characters".into()),
        false => Ok(format!("Authorization: {proof}\r\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Result<(String, String, u16), String> {
        let options = Asked { address: address.into(), ca_file: None, token: None, user: None, password_file: None };
        Client::open(&options).map(|client| (client.address, client.host, client.port))
    }

    #[test]
    fn an_address_is_a_host_and_a_port_with_or_without_a_scheme() {
        let expected = |address: &str, host: &str, port| Ok((address.to_owned(), host.to_owned(), port));
        assert_eq!(client("127.0.0.1:9787"), expected("127.0.0.1:9787", "127.0.0.1", 9787));
        assert_eq!(client("http://sensor.example:80/"), expected("sensor.example:80", "sensor.example", 80));
        assert_eq!(client("[::1]:9787"), expected("[::1]:9787", "::1", 9787));
        for wrong in ["sensor", "ftp://sensor:21", ":9787", "sensor:many"] {
            let fault = format!("`{wrong}` is no address; write HOST:PORT or https://HOST:PORT");
            assert_eq!(client(wrong), Err(fault));
        }
    }
}
