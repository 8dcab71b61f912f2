//! The door: the listening socket, and how many clients are in the house.
//!
//! The listening socket stands in the Lot's epoll set like any other, so an idle worker accepts
//! and reads the first bytes itself; a thread of its own that accepts and hands over cost a
//! context switch and a ring of the bell for each connection. The door survives every accept
//! error. Where there is no place or no descriptor left it stays shut until a client leaves or
//! the timer opens it again, and the kernel's backlog holds who comes meanwhile. A place comes free
//! when a client leaves; a descriptor may come from anywhere, and nobody tells.

use super::lot::Lot;
use super::task::Task;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Connections that the kernel holds until they are accepted; std's listener asks for 128.
const BACKLOG: i32 = 4096;

/// A bound socket that listens. Clients wait in its backlog until a server opens the door.
pub struct Listener {
    socket: OwnedFd,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address` and listens.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        let address = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
        Ok(Self { socket, address })
    }

    /// Whether `address` could be bound now. Nobody can connect meanwhile, as nothing listens.
    pub fn try_bind(address: SocketAddr) -> io::Result<()> {
        bound(address).map(drop)
    }

    /// Where it listens; the kernel's choice if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let tcp = Some(ipproto::TCP);
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, tcp)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted sockets inherit it on Linux: one system call a connection saved.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// The door of one server.
pub(crate) struct Door {
    lot: Arc<Lot<Task>>,
    /// None once the server drains.
    socket: RwLock<Option<Arc<OwnedFd>>>,
    limit: usize,
    taken: AtomicUsize,
    /// Nobody accepts until `reopen`: there was no place, or no descriptor.
    shut: AtomicBool,
    waiting: Mutex<()>,
    left: Condvar,
}

/// Who stands at the door.
pub(crate) enum Knock {
    /// A client, with its place in the house.
    Client(OwnedFd, SocketAddr, Place),
    /// Nobody any more.
    Nobody,
    /// There is no place; accept no more until the door is opened again.
    Full,
    /// There is no descriptor or memory; likewise.
    Exhausted(Errno),
}

/// One client's place; dropping it makes room.
pub(crate) struct Place(Arc<Door>);

impl Door {
    /// A door for at most `limit` clients, watched by the Lot from now on.
    pub(crate) fn open(
        listener: Listener,
        limit: usize,
        lot: &Arc<Lot<Task>>,
    ) -> io::Result<Arc<Self>> {
        lot.watch_door(&listener.socket)?;
        Ok(Arc::new(Self {
            lot: Arc::clone(lot),
            socket: RwLock::new(Some(Arc::new(listener.socket))),
            limit,
            taken: AtomicUsize::new(0),
            shut: AtomicBool::new(false),
            waiting: Mutex::new(()),
            left: Condvar::new(),
        }))
    }

    /// Accepts one client.
    pub(crate) fn answer(self: &Arc<Self>) -> Knock {
        self.socket().map_or(Knock::Nobody, |socket| self.accept(&socket))
    }

    fn accept(self: &Arc<Self>, socket: &OwnedFd) -> Knock {
        let Some(place) = self.enter() else { return Knock::Full };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            return match rustix::net::acceptfrom_with(socket, flags) {
                Ok((client, peer)) => {
                    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                    let peer = peer.and_then(|peer| peer.try_into().ok()).unwrap_or(unknown);
                    Knock::Client(client, peer, place)
                }
                Err(Errno::AGAIN) => Knock::Nobody,
                // The client gave up before its turn; its network's errors arrive here too.
                Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => continue,
                Err(error) => {
                    // In this order: a place that is given back opens the door.
                    drop(place);
                    self.shut.store(true, Ordering::SeqCst);
                    Knock::Exhausted(error)
                }
            };
        }
    }

    fn socket(&self) -> Option<Arc<OwnedFd>> {
        self.socket.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A place, or the door is shut until there is one.
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let below = |taken| (taken < self.limit).then_some(taken + 1);
        loop {
            if self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).is_ok() {
                return Some(Place(Arc::clone(self)));
            }
            self.shut.store(true, Ordering::SeqCst);
            // A client that left since the look above found the door open, and told nobody.
            if self.taken.load(Ordering::SeqCst) >= self.limit
                || !self.shut.swap(false, Ordering::SeqCst)
            {
                return None;
            }
        }
    }

    /// True while the door is shut in front of somebody.
    pub(crate) fn has_callers(&self) -> bool {
        let Some(socket) = self.socket().filter(|_| self.shut.load(Ordering::SeqCst)) else {
            return false;
        };
        let mut asked = [PollFd::new(&socket, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Has the Lot report again if somebody waits: after the door was shut, or when the one who
    /// accepts lets others go on.
    pub(crate) fn report_again(&self) {
        if let Some(socket) = self.socket() {
            // Fails only for a socket that is not watched.
            let _ = self.lot.report_door(socket);
        }
    }

    /// Opens the door if it is shut.
    pub(crate) fn reopen(&self) {
        if self.shut.swap(false, Ordering::SeqCst) {
            self.report_again();
        }
    }

    /// Accepts who is in the backlog, then closes the socket: new clients are refused. (Shutting
    /// the socket down instead would reset the backlog, law 9.)
    pub(crate) fn close(self: &Arc<Self>, mut welcome: impl FnMut(OwnedFd, SocketAddr, Place)) {
        let socket = self.socket.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(socket) = socket else { return };
        while let Knock::Client(client, peer, place) = self.accept(&socket) {
            welcome(client, peer, place);
        }
    }

    /// Clients in the house.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Waits until the house is empty or `timeout` has passed; true when it is empty.
    pub(crate) fn wait_until_empty(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while self.taken() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            guard = self.left.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let last = self.0.taken.fetch_sub(1, Ordering::SeqCst) == 1;
        self.0.reopen();
        if last {
            let _guard = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.left.notify_all();
        }
    }
}
