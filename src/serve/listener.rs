//! Connections in, through TLS where that is configured; a bounded number of them out, each ended when it does not get on.

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
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::seats::{Progress, Seat, Seats};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Bounded {
    listener: Arc<TcpListener>,
    seats: Arc<Seats>,
    /// Connections whose handshake is done, where there is TLS.
    secured: Option<mpsc::Receiver<(Connection, SocketAddr)>>,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    progress: Arc<Progress>,
}

impl Peer {
    /// A request of it arrived.
    pub(super) fn begin_answer(&self) {
        self.progress.begin_answer(now());
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self { address: *stream.remote_addr(), progress: Arc::clone(&stream.io().seat.progress) }
    }
}

impl Bounded {
    /// To be made within the runtime.
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        let (listener, seats) = (Arc::new(listener), Arc::<Seats>::default());
        let secured = tls.map(|tls| {
            let (done, secured) = mpsc::channel(Seats::MAX);
            tokio::spawn(secure(Arc::clone(&listener), Arc::clone(&seats), tls.into(), done));
            secured
        });
        Self { listener, seats, secured }
    }
}

/// Takes connections and gives them on when their handshake is done, so that a slow one holds up no other.
async fn secure(
    listener: Arc<TcpListener>,
    seats: Arc<Seats>,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(Connection, SocketAddr)>,
) {
    while !done.is_closed() {
        let (stream, address, mut seat) = next(&listener, &seats).await;
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            let shaken = tokio::select! {
                shaken = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => shaken,
                _ = &mut seat.lost => return,
            };
            if let Ok(Ok(stream)) = shaken {
                let _stopped = done.send((Connection::new(Stream::Tls(Box::new(stream)), seat), address)).await;
            }
        });
    }
}

async fn next(listener: &TcpListener, seats: &Arc<Seats>) -> (TcpStream, SocketAddr, Seat) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, seats.take(address.ip(), now())),
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
                let (stream, address, seat) = next(&self.listener, &self.seats).await;
                (Connection::new(Stream::Plain(stream), seat), address)
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

/// A connection that ends when its place is lost, or when it has not got on by its deadline.
pub(super) struct Connection {
    stream: Stream,
    seat: Seat,
    /// Rings at the deadline, or before it moved.
    alarm: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(stream: Stream, seat: Seat) -> Self {
        let alarm = Box::pin(sleep_until(seat.progress.deadline()));
        Self { stream, seat, alarm }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if Pin::new(&mut self.seat.lost).poll(context).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            let deadline = self.seat.progress.deadline();
            if deadline <= now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(deadline);
        }
        Ok(())
    }

    /// Takes note of what the client said; a request has less time than a silence.
    fn hear(&mut self, bytes: usize, context: &mut Context<'_>) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        if !self.seat.progress.hear(bytes, now()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let deadline = self.seat.progress.deadline();
        if deadline < self.alarm.deadline() {
            self.alarm.as_mut().reset(deadline);
        }
        self.check(context)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buf.filled().len();
        std::task::ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buf),
        })?;
        let bytes = buf.filled().len() - before;
        Poll::Ready(self.hear(bytes, context))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = std::task::ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        })?;
        if written > 0 {
            self.seat.progress.tell(now());
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

fn now() -> Instant {
    Instant::now()
}
