//! The door: how many clients are in the house, and how many came in by each of its doorways.
//!
//! Each listening socket is a doorway with a thread of its own, its keeper (`keeper.rs`), which
//! blocks in `accept` and parks whom it lets in; the first bytes of a request then wake a worker.
//! So no worker is woken for a client that has not asked yet, and none looks for one that is not
//! there: a connection for each request costs about a tenth less than with workers that accept. (A
//! keeper that hands sockets to the workers over a channel costs more: a switch of threads for
//! each.)
//!
//! Whoever comes in takes a place in the house and one of its doorway, and keeps both until it
//! leaves.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// All doorways of one server: whoever comes in takes one of its places.
pub(crate) struct Door {
    room: Room,
    /// Keepers that wait for a client to leave.
    shut: AtomicUsize,
    /// Those in front of whom somebody stands, for whom the house has no place or descriptor.
    called: AtomicUsize,
    /// Those in front of whom somebody stands, for whom their doorway has no place.
    called_apart: AtomicUsize,
    closing: AtomicBool,
    /// It is closed, whoever stands outside.
    locked: AtomicBool,
    /// Keepers that are at work.
    keepers: Mutex<usize>,
    /// A client has left for whom a keeper waits, or the last one, or a keeper has.
    left: Condvar,
}

/// One of them.
pub(super) struct Doorway {
    pub(super) door: Arc<Door>,
    room: Room,
    /// It closes, whatever the others do.
    closing: AtomicBool,
    callers: Mutex<Callers>,
}

/// Who stands in front of a doorway that is shut.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Callers {
    /// Nobody.
    #[default]
    None,
    /// Somebody, for whom there is no place or no descriptor in the house.
    OfTheHouse,
    /// Somebody, for whom this doorway has no place, whatever the house has.
    Apart,
}

/// Places, and how many are taken.
struct Room {
    limit: AtomicUsize,
    taken: AtomicUsize,
}

/// One client's place; dropping it makes room.
pub(crate) struct Place(Arc<Doorway>);

/// One of the doorways, to be looked at, narrowed, or closed while the others stay open.
pub(crate) struct Latch {
    doorway: Arc<Doorway>,
    /// As long as the doorway is kept.
    socket: Weak<TcpListener>,
}

impl Room {
    fn new(limit: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), taken: AtomicUsize::new(0) }
    }

    /// True if there was a place: it is taken now.
    fn take(&self) -> bool {
        let below = |taken| (taken < self.limit()).then_some(taken + 1);
        self.taken.fetch_update(SeqCst, SeqCst, below).is_ok()
    }

    /// True if the house is empty now.
    fn give_back(&self) -> bool {
        self.taken.fetch_sub(1, SeqCst) == 1
    }

    fn limit(&self) -> usize {
        self.limit.load(SeqCst)
    }

    fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }

    fn is_full(&self) -> bool {
        self.taken() >= self.limit()
    }
}

impl Door {
    /// Doorways for at most `limit` clients.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            room: Room::new(limit),
            shut: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            called_apart: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            locked: AtomicBool::new(false),
            keepers: Mutex::new(0),
            left: Condvar::new(),
        })
    }

    /// A doorway at `socket` for at most `limit` clients, of which a keeper goes to work.
    pub(super) fn doorway(
        self: &Arc<Self>,
        socket: Weak<TcpListener>,
        limit: usize,
    ) -> (Arc<Doorway>, Latch) {
        *self.lock() += 1;
        let doorway = Arc::new(Doorway {
            door: Arc::clone(self),
            room: Room::new(limit),
            closing: AtomicBool::new(false),
            callers: Mutex::default(),
        });
        (Arc::clone(&doorway), Latch { doorway, socket })
    }

    /// A keeper is at work no more.
    pub(super) fn is_left_by_a_keeper(&self) {
        *self.lock() -= 1;
        self.left.notify_all();
    }

    /// Begins to close every doorway: who is in a backlog is still let in, as soon as there is a
    /// place, then new clients are refused. (Shutting the sockets down instead would reset the
    /// backlogs, law 9.)
    pub(crate) fn close(&self) {
        self.closing.store(true, SeqCst);
        self.wake_keepers();
    }

    /// Closes every doorway now, whoever still waits there. Returns when that is done, within the
    /// time of one look.
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
        self.room.limit()
    }

    /// Lets so many in from now on. Where more are in the house, they stay.
    pub(crate) fn resize(&self, limit: usize) {
        self.room.limit.store(limit, SeqCst);
    }

    /// Clients in the house.
    pub(crate) fn taken(&self) -> usize {
        self.room.taken()
    }

    /// True while somebody waits outside for whom the house has no place or no descriptor.
    pub(crate) fn has_callers(&self) -> bool {
        self.called.load(SeqCst) > 0
    }

    /// True while somebody waits outside for whom a doorway has no place, though the house has.
    pub(crate) fn has_callers_apart(&self) -> bool {
        self.called_apart.load(SeqCst) > 0
    }

    /// Waits until the doorways are closed and the house is empty, or `timeout` has passed; true
    /// when it is so.
    pub(crate) fn wait_until_empty(&self, timeout: Duration) -> bool {
        self.wait_while(timeout, |keepers| keepers > 0 || self.taken() > 0)
    }

    pub(super) fn is_locked(&self) -> bool {
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

    /// Those who stand outside for this reason, of all doorways.
    fn calls(&self, callers: Callers) -> Option<&AtomicUsize> {
        match callers {
            Callers::None => None,
            Callers::OfTheHouse => Some(&self.called),
            Callers::Apart => Some(&self.called_apart),
        }
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doorway {
    /// A place, if there is one.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        if !self.room.take() {
            return None;
        }
        if !self.door.room.take() {
            self.room.give_back();
            return None;
        }
        Some(Place(Arc::clone(self)))
    }

    /// The most that may come in here, if that is what stands in the way.
    pub(super) fn is_full_apart(&self) -> Option<usize> {
        self.room.is_full().then(|| self.room.limit())
    }

    pub(super) fn is_full(&self) -> bool {
        self.room.is_full() || self.door.room.is_full()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.door.closing.load(SeqCst) || self.closing.load(SeqCst)
    }

    /// Whether somebody stands in front of it, and why that one is not let in.
    pub(super) fn callers(&self) -> Callers {
        *self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_callers(&self, are_there: bool) {
        let now = match (are_there, self.room.is_full()) {
            (false, _) => Callers::None,
            (true, false) => Callers::OfTheHouse,
            (true, true) => Callers::Apart,
        };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *callers, now);
        if before != now {
            self.door.calls(before).map(|calls| calls.fetch_sub(1, SeqCst));
            self.door.calls(now).map(|calls| calls.fetch_add(1, SeqCst));
        }
    }

    /// Stays shut while `reason` holds, for `at_most`; no longer once the house is locked, or it
    /// closes and nobody is there who is to be let in.
    pub(super) fn shut_while(&self, at_most: Duration, reason: impl Fn(&Self) -> bool) {
        let (door, is_called) = (&self.door, self.callers() != Callers::None);
        let is_over = || door.is_locked() || (self.is_closing() && !is_called);
        door.shut.fetch_add(1, SeqCst);
        door.wait_while(at_most, |_| reason(self) && !is_over());
        door.shut.fetch_sub(1, SeqCst);
    }
}

impl Latch {
    /// Begins to close this doorway, as [`Door::close`] does all of them.
    pub(crate) fn close(&self) {
        self.doorway.closing.store(true, SeqCst);
        self.doorway.door.wake_keepers();
    }

    /// Lets so many in here from now on. Where more have come in here, they stay.
    pub(crate) fn resize(&self, limit: usize) {
        self.doorway.room.limit.store(limit, SeqCst);
        self.doorway.door.wake_keepers();
    }

    /// Clients that came in here and are in the house.
    pub(crate) fn taken(&self) -> usize {
        self.doorway.room.taken()
    }

    /// Another descriptor of its socket, for another process.
    pub(crate) fn socket(&self) -> io::Result<OwnedFd> {
        let socket = self.socket.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        Ok(socket.try_clone()?.into())
    }
}

impl Place {
    /// True while others wait for a place at the very doorway by which this client came.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.room.is_full() && self.0.callers() == Callers::Apart
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let door = &self.0.door;
        self.0.room.give_back();
        let was_last = door.room.give_back();
        // A keeper raises `shut` before it looks for a place: one of the two sees the other.
        if was_last || door.shut.load(SeqCst) > 0 {
            let _guard = door.lock();
            door.left.notify_all();
        }
    }
}
