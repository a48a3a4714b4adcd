//! The service manager's notification socket: `sd_notify(3)` in a few lines of std.
//!
//! Not a crate, because tests need a socket given as a value: the environment can't be
//! changed without `unsafe`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tracing::warn;

/// How long one message may wait for the manager's queue.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// The manager that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`,
    /// `WATCHDOG_PID`); none without them. The variables stay set: removing them is
    /// unsafe, and the daemon starts no children.
    #[must_use]
    pub fn from_env() -> Self {
        let watchdog = watchdog_period(
            std::env::var("WATCHDOG_USEC").ok().as_deref(),
            std::env::var("WATCHDOG_PID").ok().as_deref(),
            std::process::id(),
        );
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        Self::at(&name, watchdog).unwrap_or_else(|error| {
            warn!(%error, "could not use the service manager's socket");
            Self::default()
        })
    }

    /// The manager that listens at `name`: a path, or `@` and an abstract name.
    ///
    /// `watchdog` is the period within which the manager wants a sign of life.
    ///
    /// # Errors
    ///
    /// The name is neither, or no socket can be made.
    pub fn at(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            [b'@', hidden @ ..] => SocketAddr::from_abstract_name(hidden)?,
            _ => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(Self {
            socket: Some((socket, address)),
            watchdog,
        })
    }

    /// The period within which the manager wants `WATCHDOG=1`; `None`: no watchdog.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends assignments, one per line. Only logs a failure: no caller could do more.
    pub(super) fn send(&self, state: &str) {
        let Some((socket, address)) = &self.socket else {
            return;
        };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            warn!(%error, "could not notify the service manager");
        }
    }

    /// Announces a reload, with the time that `Type=notify-reload` requires.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }
}

/// Reads the watchdog's variables, as `sd_watchdog_enabled(3)` has it: those meant for
/// another process do not count.
fn watchdog_period(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let mine = pid.is_none_or(|pid| pid.parse() == Ok(own));
    usec.and_then(|usec| usec.parse().ok())
        .filter(|usec| mine && *usec > 0)
        .map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_meant_for_another_process_is_not_ours() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(watchdog_period(Some("60000000"), None, 7), minute);
        assert_eq!(watchdog_period(Some("60000000"), Some("7"), 7), minute);
        assert_eq!(watchdog_period(Some("60000000"), Some("8"), 7), None);
        assert_eq!(watchdog_period(Some("60000000"), Some("x"), 7), None);
        assert_eq!(watchdog_period(Some("0"), None, 7), None);
        assert_eq!(watchdog_period(Some("soon"), None, 7), None);
        assert_eq!(watchdog_period(None, Some("7"), 7), None);
    }

    #[test]
    fn abstract_sockets_are_reached() {
        let name = format!("room-archiver-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a fit name");
        let manager = UnixDatagram::bind_addr(&address).expect("a free name");
        let systemd = Systemd::at(OsStr::new(&format!("@{name}")), None).expect("a fit name");
        systemd.send("READY=1");
        let mut text = [0; 64];
        let length = manager.recv(&mut text).expect("a datagram");
        assert_eq!(&text[..length], b"READY=1");
    }

    #[test]
    fn other_kinds_of_address_are_refused() {
        assert!(Systemd::at(OsStr::new("vsock:2:1"), None).is_err());
        assert!(Systemd::at(OsStr::new(""), None).is_err());
    }
}
