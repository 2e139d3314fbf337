//! The state of the sensor in, notifications to the service manager out (sd_notify(3)). Without a service manager that
//! asks for them, nothing is sent.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use super::view::View;

/// The service manager, where it listens.
#[derive(Clone)]
pub(super) struct ServiceManager {
    socket: Arc<UnixDatagram>,
    address: SocketAddr,
    /// How often it wants to hear that the sensor is alive.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process, by the variables it set.
    pub(super) fn of_process() -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| is_ours).and_then(|micros| micros.parse().ok());
        Self::at(&std::env::var_os("NOTIFY_SOCKET")?, watchdog.map(Duration::from_micros))
    }

    fn at(address: &OsStr, watchdog: Option<Duration>) -> Option<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok()?,
            [b'/', ..] => SocketAddr::from_pathname(address).ok()?,
            _ => return None,
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket: Arc::new(socket), address, watchdog })
    }

    pub(super) fn ready(&self) {
        self.notify("READY=1\nSTATUS=Watching");
    }

    pub(super) fn stopping(&self) {
        self.notify("STOPPING=1\nSTATUS=Writing what is left");
    }

    /// Tells that the sensor is alive for as long as its analysis publishes: one that hangs is restarted.
    pub(super) async fn keep_alive(self, view: Arc<View>) {
        let Some(watchdog) = self.watchdog else { return };
        let mut published = None;
        loop {
            tokio::time::sleep(watchdog / 3).await;
            let now = Some(view.published());
            if now != published {
                self.notify("WATCHDOG=1");
            }
            published = now;
        }
    }

    /// A manager that does not listen any more is no fault of the sensor.
    fn notify(&self, state: &str) {
        let _not_heard = self.socket.send_to_addr(state.as_bytes(), &self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let len = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }

    #[test]
    fn the_manager_hears_of_start_and_stop_at_a_path_and_at_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("@spanwatch-test-{}", std::process::id());
        let by_name = SocketAddr::from_abstract_name(&abstract_name.as_bytes()[1..]).unwrap();
        for (socket, address) in [
            (UnixDatagram::bind(&path).unwrap(), path.as_os_str()),
            (UnixDatagram::bind_addr(&by_name).unwrap(), OsStr::new(&abstract_name)),
        ] {
            let manager = ServiceManager::at(address, None).unwrap();
            manager.ready();
            manager.stopping();
            assert!(received(&socket).starts_with("READY=1\n"));
            assert!(received(&socket).starts_with("STOPPING=1\n"));
        }
    }

    #[test]
    fn a_manager_that_is_gone_or_of_another_kind_is_no_fault() {
        assert!(ServiceManager::at(OsStr::new("vsock:2:1234"), None).is_none());
        ServiceManager::at(OsStr::new("/nowhere/notify"), None).unwrap().ready();
    }

    #[test]
    fn the_watchdog_is_fed_only_while_the_analysis_publishes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let manager = ServiceManager::at(path.as_os_str(), Some(Duration::from_millis(60))).unwrap();
        let view = Arc::new(View::new());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        runtime.spawn(manager.keep_alive(Arc::clone(&view)));
        for _ in 0..3 {
            assert_eq!(received(&socket), "WATCHDOG=1");
            view.publish_metrics(Default::default());
        }
        while socket.recv(&mut [0; 16]).is_ok() {}
        assert_eq!(socket.recv(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "it hangs");
    }
}
