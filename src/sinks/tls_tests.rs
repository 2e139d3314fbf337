use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, mpsc};

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::Undelivered;
use super::super::http::{self, Post};
use super::super::syslog::{self, Syslog};
use super::super::tests::notice;
use super::*;

/// Authorities, and certificates of a server, in a folder.
struct Authorities(tempfile::TempDir);

impl Authorities {
    /// None where openssl is not installed.
    fn found() -> Option<Self> {
        let own = Self(tempfile::tempdir().unwrap());
        for name in ["ours", "others"] {
            own.openssl(&format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"))?;
        }
        for (name, names, more) in [
            ("server", "IP:127.0.0.1,DNS:localhost", "-days 2"),
            ("elsewhere", "DNS:elsewhere.example", "-days 2"),
            ("expired", "IP:127.0.0.1", "-days -1"),
        ] {
            std::fs::write(own.path(&format!("{name}.ext")), format!("subjectAltName={names}\n")).unwrap();
            own.openssl(&format!("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"))?;
            own.openssl(&format!("x509 -req -in {name}.csr -CA ours.pem -CAkey ours.key -set_serial 7 {more} -extfile {name}.ext -out {name}.pem"))?;
        }
        Some(own)
    }

    fn openssl(&self, arguments: &str) -> Option<()> {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output();
        let Ok(done) = done else {
            eprintln!("skipped: openssl is not installed");
            return None;
        };
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Some(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server with a certificate that gives back what it is sent and answers it, and its port.
    fn serve(&self, certificate: &str, answer: &'static str) -> (u16, mpsc::Receiver<String>) {
        let chain = CertificateDer::pem_file_iter(self.path(&format!("{certificate}.pem"))).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{certificate}.key"))).unwrap();
        let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, heard) = mpsc::channel();
        let serve = move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut bytes = [0; 16_384];
                let Ok(count @ 1..) = stream.read(&mut bytes) else { continue };
                let _gone = told.send(String::from_utf8_lossy(&bytes[..count]).into_owned());
                let _gone = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _gone = stream.flush();
            }
        };
        std::thread::Builder::new().spawn(serve).unwrap();
        (port, heard)
    }
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn run<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}

fn heard(messages: &mpsc::Receiver<String>) -> String {
    messages.recv_timeout(Duration::from_secs(10)).unwrap()
}

fn post(url: String, ca_file: PathBuf, path: &str) -> Result<(), String> {
    let settings =
        http::Settings { url, ca_file: Some(ca_file), user: None, password_file: None, bearer_token_file: None };
    let post = Post::open("webhook", &settings, path).map_err(|fault| fault.to_string())?;
    match run(post.post(b"{}".to_vec(), None)) {
        Ok(()) => Ok(()),
        Err(Undelivered::Later(why) | Undelivered::Never(why)) => Err(why),
    }
}

fn syslog(address: String, ca_file: PathBuf) -> Result<(), String> {
    let settings = syslog::Settings { address, tls: true, ca_file: Some(ca_file), hostname: "-".into() };
    let mut syslog = Syslog::open(&settings).map_err(|fault| fault.to_string())?;
    let message = syslog.message(&notice());
    match run(syslog.send(&message)) {
        Ok(()) => Ok(()),
        Err(Undelivered::Later(why) | Undelivered::Never(why)) => Err(why),
    }
}

#[test]
fn a_document_is_posted_over_https_to_a_server_that_our_authority_signed() {
    let Some(authorities) = Authorities::found() else { return };
    let (port, messages) = authorities.serve("server", TAKEN);
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{port}/alerts/");
        assert_eq!(post(url, authorities.path("ours.pem"), "/api/v2/alerts"), Ok(()));
        let request = heard(&messages);
        assert!(request.starts_with("POST /alerts/api/v2/alerts HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: {host}:{port}\r\n")), "{request}");
    }
}

#[test]
fn a_message_is_sent_to_syslog_over_tls_with_its_octets_counted() {
    let Some(authorities) = Authorities::found() else { return };
    let (port, messages) = authorities.serve("server", "");
    assert_eq!(syslog(format!("127.0.0.1:{port}"), authorities.path("ours.pem")), Ok(()));
    let frame = heard(&messages);
    let (count, message) = frame.split_once(' ').unwrap();
    assert_eq!(count.parse(), Ok(message.len()));
    assert!(message.starts_with("<107>1 2023-11-14T22:13:20.000000Z - spanwatch - incident"), "{message}");
}

#[test]
fn a_server_that_cannot_be_trusted_is_told_nothing_and_the_remedy_is_said() {
    let Some(authorities) = Authorities::found() else { return };
    let (ours, others) = (authorities.path("ours.pem"), authorities.path("others.pem"));
    for (certificate, ca_file, why) in [
        (
            "server",
            &others,
            format!("its certificate is signed by nobody in {}; name the file of who signs it", others.display()),
        ),
        ("elsewhere", &ours, "its certificate is not for `127.0.0.1`; use a name that the certificate has".into()),
        ("expired", &ours, "its certificate has expired".into()),
        ("ours", &ours, "its certificate is one for signing others; make one with basicConstraints=CA:FALSE".into()),
    ] {
        let (port, messages) = authorities.serve(certificate, TAKEN);
        let expected = Err(format!("127.0.0.1:{port}: {why}"));
        assert_eq!(post(format!("https://127.0.0.1:{port}"), ca_file.clone(), ""), expected);
        assert_eq!(syslog(format!("127.0.0.1:{port}"), ca_file.clone()), expected);
        assert!(messages.try_recv().is_err());
    }
}

#[test]
fn a_server_in_clear_and_one_that_is_not_there_are_told_apart() {
    let Some(authorities) = Authorities::found() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let clear = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _hello = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    };
    let server = std::thread::Builder::new().spawn(clear).unwrap();
    let asked = |server: String| post(format!("https://{server}"), authorities.path("ours.pem"), "");
    assert_eq!(asked(format!("127.0.0.1:{port}")), Err(format!("127.0.0.1:{port}: it does not speak TLS")));
    server.join().unwrap();
    // An address of its own: another test may be given the port again.
    let absent = TcpListener::bind("127.0.0.9:0").unwrap().local_addr().unwrap();
    assert_eq!(asked(absent.to_string()), Err(format!("{absent}: Connection refused (os error 111)")));
}

#[test]
fn a_file_of_authorities_that_is_not_one_is_refused_before_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (missing, empty) = (directory.path().join("missing.pem"), directory.path().join("empty.pem"));
    std::fs::write(&empty, "no certificate\n").unwrap();
    let asked = |ca_file: &Path| post("https://127.0.0.1:9".into(), ca_file.into(), "").unwrap_err();
    assert_eq!(
        asked(&missing),
        format!("{}: cannot read certificates: I/O error: No such file or directory (os error 2)", missing.display())
    );
    assert_eq!(asked(&empty), format!("{}: cannot read certificates: there is no certificate in it", empty.display()));
}
