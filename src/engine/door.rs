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

use super::room::Room;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// All doorways of one server: whoever comes in takes one of its places.
pub(crate) struct Door {
    house: Arc<Room>,
    /// Those of the doorways that are kept, or by which clients came who are here still.
    rooms: Mutex<Vec<Weak<Room>>>,
    /// How many doorways there have been.
    doorways: AtomicU32,
    /// Keepers that wait for a client to leave.
    shut: AtomicUsize,
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
    room: Arc<Room>,
    /// It closes, whatever the others do.
    closing: AtomicBool,
    /// The room that has no place, or no descriptor, for somebody who stands outside.
    lacking: Mutex<Option<Arc<Room>>>,
}

/// One client's place; dropping it makes room.
pub(crate) struct Place(Arc<Doorway>);

/// One of the doorways, to be looked at, narrowed, or closed while the others stay open.
pub(crate) struct Latch {
    doorway: Arc<Doorway>,
    /// As long as the doorway is kept.
    socket: Weak<TcpListener>,
}

impl Door {
    /// Doorways for at most `limit` clients.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            house: Arc::new(Room::new(0, limit)),
            rooms: Mutex::default(),
            doorways: AtomicU32::new(0),
            shut: AtomicUsize::new(0),
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
        let number = self.doorways.fetch_add(1, SeqCst) + 1;
        let room = Arc::new(Room::new(number, limit));
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&room));
        let doorway = Arc::new(Doorway {
            door: Arc::clone(self),
            room,
            closing: AtomicBool::new(false),
            lacking: Mutex::default(),
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
        self.house.limit()
    }

    /// Lets so many in from now on. Where more are in the house, they stay.
    pub(crate) fn resize(&self, limit: usize) {
        self.house.resize(limit);
    }

    /// Clients in the house.
    pub(crate) fn taken(&self) -> usize {
        self.house.taken()
    }

    /// All rooms: the house, and that of each doorway by which somebody came or may come.
    pub(crate) fn rooms(&self) -> Vec<Arc<Room>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|room| room.strong_count() > 0);
        let of_doorways = rooms.iter().filter_map(Weak::upgrade);
        std::iter::once(Arc::clone(&self.house)).chain(of_doorways).collect()
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
        if !self.door.house.take() {
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
        self.room.is_full() || self.door.house.is_full()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.door.closing.load(SeqCst) || self.closing.load(SeqCst)
    }

    /// Notes whether somebody stands outside who is not let in, to be asked of the room that has
    /// no place. (Where none is full a descriptor is missing, which is a matter of the house.)
    pub(super) fn note_callers(&self, are_there: bool) {
        let full = if self.room.is_full() { &self.room } else { &self.door.house };
        let now = are_there.then_some(full);
        let mut before = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        if before.as_ref().map(|room| room.number()) != now.map(|room| room.number()) {
            now.inspect(|room| room.note_caller(true));
            std::mem::replace(&mut *before, now.cloned()).inspect(|room| room.note_caller(false));
        }
    }

    fn has_callers(&self) -> bool {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Stays shut while `reason` holds, for `at_most`; no longer once the house is locked, or it
    /// closes and nobody is there who is to be let in.
    pub(super) fn shut_while(&self, at_most: Duration, reason: impl Fn(&Self) -> bool) {
        let (door, is_called) = (&self.door, self.has_callers());
        let is_over = || door.is_locked() || (self.is_closing() && !is_called);
        door.shut.fetch_add(1, SeqCst);
        door.wait_while(at_most, |_| reason(self) && !is_over());
        door.shut.fetch_sub(1, SeqCst);
    }
}

impl Latch {
    /// Begins to close this doorway, as [`Door::close`] does all of them. Who still stands outside
    /// is let in as far as the house has places: at its own limit it would else stay open for as
    /// long as those stay who came in here, and nobody could open another at its address.
    pub(crate) fn close(&self) {
        self.doorway.closing.store(true, SeqCst);
        self.resize(usize::MAX);
    }

    /// Lets so many in here from now on. Where more have come in here, they stay.
    pub(crate) fn resize(&self, limit: usize) {
        self.doorway.room.resize(limit);
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
    /// The number of its room beside the house.
    pub(crate) fn room(&self) -> u32 {
        self.0.room.number()
    }

    /// True while others want it, of one who has been idle since then.
    pub(crate) fn is_wanted(&self, idle_since: Duration) -> bool {
        self.0.door.house.dismisses(idle_since) || self.0.room.dismisses(idle_since)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let door = &self.0.door;
        self.0.room.give_back();
        let was_last = door.house.give_back();
        // A keeper raises `shut` before it looks for a place: one of the two sees the other.
        if was_last || door.shut.load(SeqCst) > 0 {
            let _guard = door.lock();
            door.left.notify_all();
        }
    }
}
