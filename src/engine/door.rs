//! The door: where clients come in, and how many are in the house.
//!
//! Each listening socket has a thread of its own, its keeper, which blocks in `accept` and parks
//! whom it lets in; the first bytes of a request then wake a worker. So no worker is woken for a
//! client that has not asked yet, and none looks for one that is not there: a connection for each
//! request costs about a tenth less than with workers that accept. (A keeper that hands sockets to
//! the workers over a channel costs more: a switch of threads for each.)
//!
//! A keeper survives every error of `accept`. Where there is no place or no descriptor left it
//! waits for a client to leave, and the kernel's backlog holds who comes meanwhile. A place comes
//! free when a client leaves; a descriptor may come from anywhere, and nobody tells, so it also
//! looks again after a while.

use super::lot::{Lost, Lot};
use super::pulse::Pulse;
use super::task::Task;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Connections that the kernel holds until they are accepted; std's listener asks for 128.
const BACKLOG: i32 = 4096;
/// How long a keeper blocks before it looks around: does the door close, is there a descriptor?
const LOOK: Duration = Duration::from_millis(100);

/// A bound socket that listens. Clients wait in its backlog until a server opens the door.
pub struct Listener {
    socket: Arc<TcpListener>,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address` and listens.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(LOOK))?;
        Self::of(socket)
    }

    /// One that listens already, as [`bind`](Self::bind) has it.
    pub fn of(socket: OwnedFd) -> io::Result<Self> {
        let socket = TcpListener::from(socket);
        Ok(Self { address: socket.local_addr()?, socket: Arc::new(socket) })
    }

    /// Whether `address` could be bound now. Nobody can connect meanwhile, as nothing listens.
    pub fn try_bind(address: SocketAddr) -> io::Result<()> {
        bound(address).map(drop)
    }

    /// Where it listens; the kernel's choice if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next client, on a socket that does not block. `AGAIN` if none came for a while.
    fn accept(&self) -> Result<(OwnedFd, SocketAddr), Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, peer) = rustix::net::acceptfrom_with(&self.socket, flags)?;
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Ok((socket, peer.and_then(|peer| peer.try_into().ok()).unwrap_or(unknown)))
    }

    /// True while somebody waits in the backlog.
    fn has_callers(&self) -> bool {
        let mut asked = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let tcp = Some(ipproto::TCP);
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, tcp)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted sockets inherit it on Linux: one system call a connection saved.
    sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// What becomes of those who come in at one door, and of its keeper's complaints.
pub(crate) trait Greeter: Send + 'static {
    /// What a client's connection becomes.
    type Task: Task;

    /// A client has come in: its task, and when that is late if it hears nothing; none where it is
    /// to be stepped at once, whatever it hears.
    fn welcome(
        &self,
        socket: OwnedFd,
        peer: SocketAddr,
        place: Place,
    ) -> (Self::Task, Option<Duration>);

    /// Somebody waits outside, and every place is taken.
    fn say_full(&self);

    /// There is no descriptor or memory for who waits outside.
    fn say_exhausted(&self, error: &io::Error);
}

/// All doors of one server: whoever comes in takes one of its places.
pub(crate) struct Door {
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// Keepers that wait for a client to leave.
    shut: AtomicUsize,
    /// Those among them in front of whom somebody stands.
    called: AtomicUsize,
    closing: AtomicBool,
    /// It is closed, whoever stands outside.
    locked: AtomicBool,
    /// Keepers that are at work.
    keepers: Mutex<usize>,
    /// A client has left for whom a keeper waits, or the last one, or a keeper has.
    left: Condvar,
}

/// One client's place; dropping it makes room.
pub(crate) struct Place(Arc<Door>);

/// One of the doors, to be closed while the others stay open.
pub(crate) struct Latch {
    door: Arc<Door>,
    closing: Arc<AtomicBool>,
    /// As long as the door is kept.
    socket: Weak<TcpListener>,
}

impl Door {
    /// Doors for at most `limit` clients.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            taken: AtomicUsize::new(0),
            shut: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            locked: AtomicBool::new(false),
            keepers: Mutex::new(0),
            left: Condvar::new(),
        })
    }

    /// What a thread is to do that keeps the door at `listener`: it lets clients in until that door
    /// closes, or all do.
    pub(crate) fn keeper<G: Greeter>(
        self: &Arc<Self>,
        listener: Listener,
        lot: &Arc<Lot<G::Task>>,
        greeter: G,
        pulse: Arc<Pulse>,
    ) -> (Latch, Box<dyn FnOnce() + Send>) {
        *self.lock() += 1;
        let (door, lot, closing) = (Arc::clone(self), Arc::clone(lot), Arc::default());
        let socket = Arc::downgrade(&listener.socket);
        let latch = Latch { door: Arc::clone(self), closing: Arc::clone(&closing), socket };
        let keeper = Keeper { door, closing, listener, lot, greeter, pulse, is_called: false };
        (latch, Box::new(move || keeper.keep()))
    }

    /// Begins to close every door: who is in a backlog is still let in, as soon as there is a
    /// place, then new clients are refused. (Shutting the sockets down instead would reset the
    /// backlogs, law 9.)
    pub(crate) fn close(&self) {
        self.closing.store(true, SeqCst);
        self.wake_keepers();
    }

    /// Closes every door now, whoever still waits there. Returns when that is done, within the time
    /// of one look.
    pub(crate) fn lock_up(&self) {
        self.locked.store(true, SeqCst);
        self.close();
        let mut keepers = self.lock();
        while *keepers > 0 {
            keepers = self.left.wait(keepers).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wake_keepers(&self) {
        let _guard = self.lock();
        self.left.notify_all();
    }

    /// How many clients there may be.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(SeqCst)
    }

    /// Lets so many in from now on. Where more are in the house, they stay.
    pub(crate) fn resize(&self, limit: usize) {
        self.limit.store(limit, SeqCst);
    }

    /// Clients in the house.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }

    /// True while a door is shut in front of somebody.
    pub(crate) fn has_callers(&self) -> bool {
        self.called.load(SeqCst) > 0
    }

    /// Waits until the doors are closed and the house is empty, or `timeout` has passed; true when
    /// it is so.
    pub(crate) fn wait_until_empty(&self, timeout: Duration) -> bool {
        self.wait_while(timeout, |keepers| keepers > 0 || self.taken() > 0)
    }

    /// A place, if there is one.
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let below = |taken| (taken < self.limit()).then_some(taken + 1);
        let entered = self.taken.fetch_update(SeqCst, SeqCst, below).is_ok();
        entered.then(|| Place(Arc::clone(self)))
    }

    fn is_full(&self) -> bool {
        self.taken() >= self.limit()
    }

    fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }

    fn is_locked(&self) -> bool {
        self.locked.load(SeqCst)
    }

    /// Waits for as long as `what` holds, `timeout` at the most; true when it does not hold any
    /// more. It is told how many keepers are at work, and looked at anew each time that a client or
    /// a keeper leaves.
    fn wait_while(&self, timeout: Duration, what: impl Fn(usize) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut guard = self.lock();
        while what(*guard) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            guard = self.left.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// Begins to close this door, as [`Door::close`] does all of them.
    pub(crate) fn close(&self) {
        self.closing.store(true, SeqCst);
        self.door.wake_keepers();
    }

    /// Another descriptor of its socket, for another process.
    pub(crate) fn socket(&self) -> io::Result<OwnedFd> {
        let socket = self.socket.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        Ok(socket.try_clone()?.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let door = &self.0;
        let was_last = door.taken.fetch_sub(1, SeqCst) == 1;
        // A keeper raises `shut` before it looks for a place: one of the two sees the other.
        if was_last || door.shut.load(SeqCst) > 0 {
            let _guard = door.lock();
            door.left.notify_all();
        }
    }
}

/// The thread at one listening socket.
struct Keeper<G: Greeter> {
    door: Arc<Door>,
    /// This door closes, whatever the others do.
    closing: Arc<AtomicBool>,
    listener: Listener,
    lot: Arc<Lot<G::Task>>,
    greeter: G,
    pulse: Arc<Pulse>,
    /// The door is shut, and somebody stands in front of it.
    is_called: bool,
}

impl<G: Greeter> Keeper<G> {
    /// Lets clients in until the door closes, then those who still stand outside.
    fn keep(mut self) {
        while !self.is_closing() {
            self.let_one_in();
        }
        // Asked first, so that it does not block. (A socket that does not block would not block in
        // the process that has taken it over either: that is a property of what both share.)
        while !self.door.is_locked() && self.listener.has_callers() && self.let_one_in() {}
    }

    fn is_closing(&self) -> bool {
        self.door.is_closing() || self.closing.load(SeqCst)
    }

    /// Lets the next client in, or waits a while for what it takes; false if nobody stands outside.
    fn let_one_in(&mut self) -> bool {
        if self.door.is_full() {
            return self.wait_for_a_place();
        }
        self.pulse.rest();
        let accepted = self.listener.accept();
        self.pulse.begin();
        match accepted {
            Ok((socket, peer)) => self.welcome(socket, peer),
            Err(Errno::AGAIN) => {
                self.note_callers(false);
                return false;
            }
            // The client gave up before its turn; its network's errors arrive here too.
            Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => {}
            Err(error) => return self.wait_for_a_descriptor(error),
        }
        true
    }

    fn welcome(&mut self, socket: OwnedFd, peer: SocketAddr) {
        let place = loop {
            match self.door.enter() {
                Some(place) => break place,
                None if self.door.is_locked() => return,
                // The keeper of another door gave the last one away, or there are fewer now: this
                // client is the next.
                None => {
                    self.note_callers(true);
                    self.shut_while(Door::is_full);
                }
            }
        };
        self.note_callers(false);
        let (task, deadline) = self.greeter.welcome(socket, peer, place);
        let Some(deadline) = deadline else { return self.lot.queue(task) };
        match self.lot.park(task, deadline) {
            Ok(None) => {}
            Ok(Some(rung)) => self.lot.queue(rung),
            Err(Lost { error, .. }) => self.greeter.say_exhausted(&error),
        }
    }

    /// Waits until a client leaves, or it is time to look around; false if nobody stands outside.
    fn wait_for_a_place(&mut self) -> bool {
        // Nobody need be there: the one before took the last place.
        self.note_callers(self.listener.has_callers());
        if self.is_called {
            self.greeter.say_full();
        }
        self.shut_while(Door::is_full)
    }

    /// Likewise: a client that leaves gives a descriptor back, or two.
    fn wait_for_a_descriptor(&mut self, error: Errno) -> bool {
        // The kernel looks for a descriptor before it looks for a client.
        self.note_callers(self.listener.has_callers());
        if self.is_called {
            self.greeter.say_exhausted(&error.into());
        }
        let taken = self.door.taken();
        self.shut_while(|door| door.taken() >= taken)
    }

    /// Shuts the door while `reason` holds, for one look at the most; false if nobody stands in
    /// front of it. When it closes for good, nobody is waited for who is not there.
    fn shut_while(&self, reason: impl Fn(&Door) -> bool) -> bool {
        let (door, is_called) = (&self.door, self.is_called);
        let is_over = || door.is_locked() || (self.is_closing() && !is_called);
        self.pulse.rest();
        door.shut.fetch_add(1, SeqCst);
        door.wait_while(LOOK, |_| reason(door) && !is_over());
        door.shut.fetch_sub(1, SeqCst);
        is_called
    }

    fn note_callers(&mut self, is_called: bool) {
        match (self.is_called, is_called) {
            (false, true) => _ = self.door.called.fetch_add(1, SeqCst),
            (true, false) => _ = self.door.called.fetch_sub(1, SeqCst),
            _ => {}
        }
        self.is_called = is_called;
    }
}

impl<G: Greeter> Drop for Keeper<G> {
    fn drop(&mut self) {
        self.note_callers(false);
        *self.door.lock() -= 1;
        self.door.left.notify_all();
    }
}
