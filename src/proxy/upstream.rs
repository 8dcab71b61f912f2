//! Connections to backends: begun without waiting, kept while idle, dropped when a backend closes.
//!
//! Idle connections wait in the Lot like everything else: their events end here. Law 5: an event
//! sets its bits before it looks in the idle list, and whoever takes a connection binds it first
//! and then looks at the bits; so nobody is handed a connection that is known to be closed.

use super::lot::Lot;
use super::slots::{Key, Owner};
use super::stream::Stream;
use super::sync::Mutex;
use super::task::Task;
use crate::tls::Connector;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A connection to a backend, in use by one exchange.
pub(crate) struct Upstream {
    pub(crate) stream: Stream,
    pub(crate) address: SocketAddr,
    /// Has taken bytes: the connect is over.
    pub(crate) connected: bool,
    /// Has carried an exchange before: its end may be older than our request.
    pub(crate) reused: bool,
}

impl Upstream {
    /// Begins to connect. Whether it worked is told by the first write: `EAGAIN` while it is under
    /// way, the error if it failed; on a near network the first write already goes through, which
    /// saves a turn through epoll.
    /// TLS, if any, is spoken by the same writes and reads.
    pub(crate) fn connect(
        address: SocketAddr,
        lot: &Arc<Lot<Task>>,
        tls: Option<&Connector>,
    ) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        match rustix::net::connect(&fd, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let stream = Stream::connecting(fd, lot, tls)?;
        Ok(Self { stream, address, connected: false, reused: false })
    }
}

/// True for errors that tell of our own limits, never of a backend's fault (law 10).
pub(crate) fn is_ours(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw_os_error),
        Some(
            Errno::MFILE
                | Errno::NFILE
                | Errno::NOBUFS
                | Errno::NOMEM
                | Errno::ADDRNOTAVAIL
                | Errno::NOSPC
        )
    )
}

/// The most idle connections in one list; more are closed instead of kept.
const IDLE_MAX: usize = 1024;
/// Lists, so that workers seldom meet at one. A backend's number, modulo this, names its list;
/// an entry remembers its address, so sharing a list, a reload or a moved name do no harm.
const LISTS: usize = 64;

/// The idle connections to all backends.
pub(crate) struct Idle {
    lists: [Mutex<VecDeque<Kept>>; LISTS],
}

struct Kept {
    upstream: Upstream,
    since: Duration,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self { lists: std::array::from_fn(|_| Mutex::new(VecDeque::new())) }
    }

    /// The connection to `address` that was used last and is still fit for use, bound to `home`.
    /// `sure`: looks at the socket too, for a request that must not be sent twice.
    pub(crate) fn take(
        &self,
        backend: usize,
        address: SocketAddr,
        home: Key,
        sure: bool,
    ) -> Option<Upstream> {
        loop {
            let mut upstream = self.pop(backend, address)?;
            upstream.stream.bind(Owner::Home(home));
            let suspect = sure || upstream.stream.may_read();
            if !suspect || upstream.stream.is_silent() {
                return Some(upstream);
            }
        }
    }

    fn pop(&self, backend: usize, address: SocketAddr) -> Option<Upstream> {
        let mut list = self.lists[backend % LISTS].lock();
        let newest = list.iter().rposition(|kept| kept.upstream.address == address)?;
        list.remove(newest).map(|kept| kept.upstream)
    }

    /// Keeps a connection whose last answer was read to its end; drops it if it is not silent.
    pub(crate) fn keep(&self, backend: usize, mut upstream: Upstream, now: Duration) {
        if upstream.stream.may_read() && !upstream.stream.is_silent() {
            return;
        }
        let number = backend % LISTS;
        let mut list = self.lists[number].lock();
        // Bound while the list is locked: an event that comes from now on finds it there.
        upstream.stream.bind(Owner::Idle(number as u32));
        let silent = !upstream.stream.may_read() || upstream.stream.is_silent();
        if silent && list.len() < IDLE_MAX {
            upstream.reused = true;
            list.push_back(Kept { upstream, since: now });
        }
    }

    /// An idle connection had an event: it is closed, or talks out of turn. Unless what it tells of
    /// was read before the connection was kept: it was fetched together with others, or by another
    /// worker. After a big answer through TLS, one connection in 25 was lost to that.
    pub(crate) fn discard(&self, list: u32, key: Key) {
        let mut list = self.lists[list as usize].lock();
        let place = list.iter().position(|kept| kept.upstream.stream.has(key));
        let place = place.filter(|place| !list[*place].upstream.stream.is_silent());
        let discarded = place.and_then(|place| list.remove(place));
        drop(list);
        drop(discarded);
    }

    /// Closes what has been idle for longer than `limit`.
    pub(crate) fn expire(&self, now: Duration, limit: Duration) {
        for list in &self.lists {
            let mut list = list.lock();
            let expired = list.partition_point(|kept| kept.since + limit <= now);
            let expired: Vec<Kept> = list.drain(..expired).collect();
            drop(list);
            drop(expired);
        }
    }
}
