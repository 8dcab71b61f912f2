//! The names thread: looks host names up again and tells a backend when its address is another.
//!
//! Started by [`Watch`](super::Watch). A look-up may block for as long as the resolver likes, which
//! is why it has a thread of its own: checks go on meanwhile.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::{Listener, Never, WatchEvent};
use crate::pool::{Backend, Reader};

/// Looks a host and port up: the one thing here that blocks.
type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// The state of the names thread.
pub(super) struct Names {
    reader: Reader,
    every: Duration,
    /// Names that did not resolve the last time, and that was said.
    failing: Vec<String>,
    resolve: Resolve,
    on: Listener,
}

impl Names {
    pub(super) fn new(reader: Reader, every: Duration, on: Listener) -> Self {
        let resolve = |host: &str, port| Ok((host, port).to_socket_addrs()?.collect());
        Self { reader, every, failing: Vec::new(), resolve, on }
    }

    /// Runs until `stop` closes. The addresses at the start are fresh, so it begins with a wait.
    pub(super) fn run(mut self, stop: &Receiver<Never>) {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(self.every) {
            self.round(stop);
        }
    }

    fn round(&mut self, stop: &Receiver<Never>) {
        let pool = Arc::clone(self.reader.pool());
        let named = |backend: &&Backend| backend.host().parse::<IpAddr>().is_err();
        for backend in pool.backends().iter().filter(named) {
            let found = (self.resolve)(backend.host(), backend.port());
            let Err(TryRecvError::Empty) = stop.try_recv() else {
                return;
            };
            match found {
                Ok(addresses) if !addresses.is_empty() => self.found(backend, &addresses),
                Ok(_) => self.missed(backend, "it has no address"),
                Err(error) => self.missed(backend, &error.to_string()),
            }
        }
    }

    /// Keeps the address while it is among those found: resolvers shuffle them.
    fn found(&mut self, backend: &Backend, addresses: &[SocketAddr]) {
        let (name, host) = (backend.name(), backend.host());
        self.failing.retain(|failing| failing != host);
        let old = backend.address();
        if !addresses.contains(&old) && backend.relocate(addresses[0]) {
            let text = format!("backend {name}: {host} is at {} now, was at {old}", addresses[0]);
            (self.on)(WatchEvent::Note(text));
        }
    }

    /// Keeps the address, and says so once.
    fn missed(&mut self, backend: &Backend, why: &str) {
        let (name, host) = (backend.name(), backend.host());
        if self.failing.iter().any(|failing| failing == host) {
            return;
        }
        let old = backend.address();
        let text = format!("backend {name}: {host} did not resolve: {why}; {old} is kept");
        self.failing.push(host.to_owned());
        (self.on)(WatchEvent::Warning(text));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::pool::testing::{pool_of, spec};
    use crate::pool::{Rules, Snapshot, Spec};

    /// What the look-ups of `round`s with these resolvers, one each, say; and the address after.
    fn rounds(host: &str, resolvers: &[Resolve]) -> (Vec<WatchEvent>, SocketAddr) {
        let pool = pool_of(vec![Spec { host: host.into(), ..spec("a") }], Rules::default());
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let on: Listener = Arc::new(move |event| heard.lock().unwrap().push(event));
        let reader = Snapshot::new(Arc::clone(&pool)).reader();
        let mut names = Names::new(reader, Duration::ZERO, on);
        let (_stop, stopped) = bounded(0);
        for resolve in resolvers {
            names.resolve = *resolve;
            names.round(&stopped);
        }
        let events = events.lock().unwrap().clone();
        (events, pool.backends()[0].address())
    }

    fn at(last: u8, port: u16) -> SocketAddr {
        ([127, 0, 0, last], port).into()
    }

    #[test]
    fn a_name_that_moved_moves_its_backend() {
        let (events, address) =
            rounds("app.local", &[|_, port| Ok(vec![at(9, port), at(8, port)])]);
        assert_eq!(address, at(9, 8001));
        let told = "backend a: app.local is at 127.0.0.9:8001 now, was at 127.0.0.1:8001";
        assert_eq!(events, [WatchEvent::Note(told.into())]);
    }

    #[test]
    fn an_address_that_is_still_among_those_found_is_kept() {
        let (events, address) =
            rounds("app.local", &[|_, port| Ok(vec![at(9, port), at(1, port)])]);
        assert_eq!((events.len(), address), (0, at(1, 8001)));
    }

    #[test]
    fn a_failed_look_up_keeps_the_address_and_is_said_once() {
        let fails = |_: &str, _| Err(io::Error::other("no such name"));
        let finds = |_: &str, port| Ok(vec![at(1, port)]);
        let (events, address) =
            rounds("app.local", &[fails, fails, |_, _| Ok(vec![]), finds, fails]);
        assert_eq!(address, at(1, 8001));
        let told = "backend a: app.local did not resolve: no such name; 127.0.0.1:8001 is kept";
        let told = WatchEvent::Warning(told.into());
        assert_eq!(events, [told.clone(), told], "again after it had resolved");
    }

    #[test]
    fn an_address_is_not_looked_up() {
        for host in ["127.0.0.1", "::1"] {
            let (events, _) = rounds(host, &[|_, _| panic!("looked up")]);
            assert!(events.is_empty());
        }
    }

    #[test]
    fn localhost_resolves() {
        let pool = pool_of(vec![spec("a")], Rules::default());
        let names = Names::new(Snapshot::new(pool).reader(), Duration::ZERO, Arc::new(|_| ()));
        let found = (names.resolve)("localhost", 80).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
    }
}
