//! Connections in, through TLS where that is configured; a bounded number of them out, each ended when it was idle for
//! long.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// The most connections at a time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// A connection that was not answered for so long is closed, whatever it sends meanwhile.
const UNANSWERED_MAX: Duration = Duration::from_secs(60);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Bounded {
    listener: Arc<TcpListener>,
    free: Arc<Semaphore>,
    /// Connections whose handshake is done, where there is TLS.
    secured: Option<mpsc::Receiver<(Connection, SocketAddr)>>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Bounded {
    /// To be made within the runtime.
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        let (listener, free) = (Arc::new(listener), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
        let secured = tls.map(|tls| {
            let (done, secured) = mpsc::channel(CONNECTIONS_MAX);
            tokio::spawn(secure(Arc::clone(&listener), Arc::clone(&free), tls.into(), done));
            secured
        });
        Self { listener, free, secured }
    }
}

/// Takes connections and gives them on when their handshake is done, so that a slow one holds up no other.
async fn secure(
    listener: Arc<TcpListener>,
    free: Arc<Semaphore>,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(Connection, SocketAddr)>,
) {
    while !done.is_closed() {
        let (stream, address, permit) = next(&listener, &free).await;
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                let _stopped = done.send((Connection::new(Stream::Tls(Box::new(stream)), permit), address)).await;
            }
        });
    }
}

async fn next(listener: &TcpListener, free: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(free).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, permit),
            // The connection is gone, or this process has too many files open: the next may do better.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match &mut self.secured {
            Some(secured) => match secured.recv().await {
                Some(accepted) => accepted,
                None => std::future::pending().await,
            },
            None => {
                let (stream, address, permit) = next(&self.listener, &self.free).await;
                (Connection::new(Stream::Plain(stream), permit), address)
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection with a deadline that only an answer moves.
pub(super) struct Connection {
    stream: Stream,
    deadline: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: Stream, permit: OwnedSemaphorePermit) -> Self {
        Self { stream, deadline: Box::pin(sleep(UNANSWERED_MAX)), _permit: permit }
    }

    fn check_deadline(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().poll(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_deadline(context)?;
        let written = std::task::ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        })?;
        if written > 0 {
            let later = Instant::now() + UNANSWERED_MAX;
            self.deadline.as_mut().reset(later);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
