//! Signals in, [`Request`]s out: SIGHUP reloads, SIGINT and SIGTERM stop.

use std::io;

use crossbeam_channel::Sender;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Answer, Request};

pub(super) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

/// From here on the signals no longer end the process.
pub(super) fn listen() -> io::Result<Signals> {
    Ok(Signals {
        hangup: signal(SignalKind::hangup())?,
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    })
}

impl Signals {
    pub(super) async fn forward(mut self, requests: Sender<Request>) {
        loop {
            let request = tokio::select! {
                _ = self.hangup.recv() => Request::Reload(Answer(None)),
                _ = self.interrupt.recv() => Request::Stop,
                _ = self.terminate.recv() => Request::Stop,
            };
            // A full channel means that the same was asked for already and waits.
            let _full = requests.try_send(request);
        }
    }
}
