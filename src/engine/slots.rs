//! The table of sockets and parked tasks: who is to be woken by which socket's event.
//!
//! Every registered socket has a slot. A client's slot is also the *home* of its task: there the
//! task is parked while it waits, and there it is rung. Called by the Lot and by every socket;
//! knows nothing of epoll or of HTTP, so that loom can try every interleaving of it.
//!
//! What it must never do is lose a wake-up: an event may come at any moment of a task's life, also
//! between the read that found nothing and the parking. So an event leaves two traces. It sets the
//! socket's ready bits, which the next step takes, and it rings the task's home: a parked task is
//! handed to whoever brought the event, one that is in a step is marked as rung, and cannot be
//! parked before it has been stepped once more. The worst that can happen is a step too many.
//!
//! Locking: one slot at a time, never two (an event reads the owner, lets go, then locks the
//! owner's home), and never while a system call runs.

use super::room::Cutoffs;
use super::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use std::sync::OnceLock;

/// Names one life of one slot: the slot's index and the generation that lived there. Slots are used
/// again, and a worker may still hold an event of the socket that was there before: its generation
/// tells the two apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    /// As epoll carries it.
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(crate) fn from_u64(data: u64) -> Self {
        Self { slot: data as u32, generation: (data >> 32) as u32 }
    }
}

/// What a socket's events have announced since its bits were last taken. Events come once for each
/// change (edge-triggered), so what is not kept here would never be heard of again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ready {
    /// There may be something to read.
    pub(crate) read: bool,
    /// There may be room to write.
    pub(crate) write: bool,
    /// The peer closed, half-closed or reset: a short read proves nothing any more.
    pub(crate) hangup: bool,
    /// The connection is broken in both directions.
    pub(crate) broken: bool,
}

impl Ready {
    pub(crate) fn add(&mut self, more: Ready) {
        self.read |= more.read;
        self.write |= more.write;
        self.hangup |= more.hangup;
        self.broken |= more.broken;
    }
}

/// Whom a socket's event wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// The task whose home is this very slot (a client's socket).
    Itself,
    /// The task at that home (a backend's socket in use).
    Home(Key),
    /// Nobody: an idle connection of the backend with this number. An event means it is of no use.
    Idle(u32),
}

/// What an event leads to.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Woken<T> {
    /// This task is ours now: step it.
    Task(T),
    /// The idle connection of this backend is closed or talks out of turn: drop it.
    Idle(u32),
    /// The slot has moved on, or the task runs already and has been rung.
    Nothing,
}

/// A time that does not come. All times here are microseconds on the server's clock.
pub(crate) const NEVER: u64 = u64::MAX;

/// How long a parked task may wait.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    /// When it wants to be woken whatever happens.
    pub(crate) deadline_us: u64,
    /// Since when it has only kept a place; `NEVER` while there is something that it waits for.
    pub(crate) idle_since_us: u64,
    /// The number of the room where it keeps one.
    pub(crate) room: u32,
}

/// The most slots there can be; two a connection, so half as many connections.
const SLOTS_MAX: u32 = 1 << 22;
/// Chunk `k` holds `FIRST_CHUNK << k` slots: the table grows without moving and is never sized
/// from the descriptor limit (2^30 in some containers).
const FIRST_CHUNK: u32 = 64;
const CHUNKS: usize = 17;

/// The table. `T` is the task.
pub(crate) struct Slots<T> {
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    vacant: Mutex<Vacant>,
}

struct Vacant {
    slots: Vec<u32>,
    /// Slots from here on were never used.
    fresh: u32,
}

struct Slot<T> {
    /// As in [`Wait`]. They are written with the state locked; read without by the sweep, which
    /// then looks again.
    deadline_us: AtomicU64,
    idle_since_us: AtomicU64,
    room: AtomicU32,
    state: Mutex<State<T>>,
}

struct State<T> {
    generation: u32,
    ready: Ready,
    owner: Owner,
    /// The task, while it waits.
    parked: Option<T>,
    /// Something happened while the task was not parked: it must be stepped again.
    rung: bool,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self {
            chunks: std::array::from_fn(|_| OnceLock::new()),
            vacant: Mutex::new(Vacant { slots: Vec::new(), fresh: 0 }),
        }
    }

    /// A slot for a socket, whose events wake the task that is parked at it until it is bound to
    /// another. None when the table is full.
    pub(crate) fn insert(&self) -> Option<Key> {
        let slot = {
            let mut vacant = self.vacant.lock();
            // Used ones first: the table then stays as long as the most sockets there ever were.
            match vacant.slots.pop() {
                Some(slot) => slot,
                None if vacant.fresh < SLOTS_MAX => {
                    vacant.fresh += 1;
                    vacant.fresh - 1
                }
                None => return None,
            }
        };
        let mut state = self.slot(slot).state.lock();
        state.owner = Owner::Itself;
        state.ready = Ready::default();
        state.rung = false;
        Some(Key { slot, generation: state.generation })
    }

    /// Ends the slot's life: events still under way for it find another generation (law 8). A task
    /// that is parked there is handed out, to be dropped by the caller without the lock.
    pub(crate) fn remove(&self, key: Key) -> Option<T> {
        let slot = self.slot(key.slot);
        let task = self.living(key, |state| {
            state.generation = state.generation.wrapping_add(1);
            slot.wait(Wait::FOR_EVER);
            state.parked.take()
        })?;
        self.vacant.lock().slots.push(key.slot);
        task
    }

    /// Makes `owner` the one whom this socket's events wake, and takes the bits, both under one
    /// lock (law 5): what came before is in the bits, and what comes after rings the new owner.
    /// With two locks an event in between could be left to the one before.
    pub(crate) fn bind(&self, key: Key, owner: Owner) -> Ready {
        self.living(key, |state| {
            state.owner = owner;
            std::mem::take(&mut state.ready)
        })
        .unwrap_or_default()
    }

    /// Takes the bits, which license the caller's next reads and writes (law 2).
    pub(crate) fn take_ready(&self, key: Key) -> Ready {
        self.living(key, |state| std::mem::take(&mut state.ready)).unwrap_or_default()
    }

    /// An event: first the bits into the socket's slot, then the ring at its owner's (law 1). In
    /// the other order the task could be stepped, see no bit, and park before they are there.
    ///
    /// Between the two no lock is held. If the owner's slot lives another life by then, its task is
    /// gone, and nobody is to be woken.
    pub(crate) fn event(&self, key: Key, ready: Ready) -> Woken<T> {
        let found = self.living(key, |state| {
            state.ready.add(ready);
            match state.owner {
                Owner::Itself => (Owner::Itself, state.take_or_ring()),
                other => (other, None),
            }
        });
        match found {
            None => Woken::Nothing,
            Some((Owner::Itself, task)) => task.map_or(Woken::Nothing, Woken::Task),
            Some((Owner::Home(home), _)) => self.ring(home).map_or(Woken::Nothing, Woken::Task),
            Some((Owner::Idle(backend), _)) => Woken::Idle(backend),
        }
    }

    /// Wakes the task at `home`: hands it out if it is parked, else marks it rung.
    pub(crate) fn ring(&self, home: Key) -> Option<T> {
        self.living(home, State::take_or_ring).flatten()
    }

    /// Parks `task` until an event, a ring or the end of its wait; hands it straight back if it
    /// was rung while it ran, since then there is something it has not seen.
    pub(crate) fn park(&self, home: Key, task: T, wait: Wait) -> Option<T> {
        let slot = self.slot(home.slot);
        let mut state = slot.state.lock();
        // A task holds its socket, and so its slot, for life: another generation is a slip of
        // whoever parks it. It is handed back then, for parked there it would be lost.
        if state.generation != home.generation || std::mem::take(&mut state.rung) {
            return Some(task);
        }
        slot.wait(wait);
        state.parked = Some(task);
        None
    }

    /// Hands every parked task whose deadline has come, and every idle one that the cutoffs are
    /// meant for, to `each`: in no order, without a lock held.
    pub(crate) fn expire(&self, now_us: u64, cutoffs: &Cutoffs, each: impl FnMut(T)) {
        self.sweep(|slot| slot.is_late(now_us, cutoffs), each);
    }

    /// Hands every parked task to `each`, likewise.
    pub(crate) fn take_all(&self, each: impl FnMut(T)) {
        self.sweep(|_| true, each);
    }

    /// Looks at each slot without its lock first, as hardly any is due: ten thousand locks ten
    /// times a second would stand in the workers' way. A time that is just being written may be
    /// missed or seen too early; the first is found by the next sweep, the second by the look under
    /// the lock.
    fn sweep(&self, is_due: impl Fn(&Slot<T>) -> bool, mut each: impl FnMut(T)) {
        for slot in self.used() {
            if !is_due(slot) {
                continue;
            }
            let task = {
                let mut state = slot.state.lock();
                if !is_due(slot) {
                    continue; // taken and parked anew since the look without the lock
                }
                slot.wait(Wait::FOR_EVER);
                state.parked.take()
            };
            if let Some(task) = task {
                each(task);
            }
        }
    }

    /// Since when each task that is parked and idle has been so, and in which room, in no order.
    /// Takes no lock: what it says may be over already.
    pub(crate) fn idle_since_us(&self) -> impl Iterator<Item = (u64, u32)> {
        self.used().map(Slot::idle_since_us).filter(|(since_us, _)| *since_us != NEVER)
    }

    /// Every slot that was ever used.
    fn used(&self) -> impl Iterator<Item = &Slot<T>> {
        let used = self.vacant.lock().fresh;
        (0..used).map(|index| self.slot(index))
    }

    /// What `read` makes of the slot while `key` still lives there.
    fn living<R>(&self, key: Key, read: impl FnOnce(&mut State<T>) -> R) -> Option<R> {
        let mut state = self.slot(key.slot).state.lock();
        (state.generation == key.generation).then(|| read(&mut state))
    }

    /// The slot of this index. Chunk `k` begins at the index `(FIRST_CHUNK << k) - FIRST_CHUNK`:
    /// with `FIRST_CHUNK` added, the highest bit tells the chunk and the others the place in it.
    fn slot(&self, index: u32) -> &Slot<T> {
        let place = index + FIRST_CHUNK;
        let chunk = (place / FIRST_CHUNK).ilog2();
        let length = FIRST_CHUNK << chunk;
        let slots =
            self.chunks[chunk as usize].get_or_init(|| (0..length).map(|_| Slot::new()).collect());
        &slots[(place - length) as usize]
    }
}

impl Wait {
    /// For nothing but events and rings.
    pub(crate) const FOR_EVER: Self = Self::until(NEVER);

    /// Until then, in the middle of something.
    pub(crate) const fn until(deadline_us: u64) -> Self {
        Self { deadline_us, idle_since_us: NEVER, room: 0 }
    }
}

impl<T> Slot<T> {
    /// To be called with the state locked.
    fn wait(&self, wait: Wait) {
        self.deadline_us.store(wait.deadline_us, Ordering::Relaxed);
        self.idle_since_us.store(wait.idle_since_us, Ordering::Relaxed);
        self.room.store(wait.room, Ordering::Relaxed);
    }

    fn is_late(&self, now_us: u64, cutoffs: &Cutoffs) -> bool {
        let (since_us, room) = self.idle_since_us();
        self.deadline_us.load(Ordering::Relaxed) <= now_us || cutoffs.concern(since_us, room)
    }

    /// With the number of the room.
    fn idle_since_us(&self) -> (u64, u32) {
        (self.idle_since_us.load(Ordering::Relaxed), self.room.load(Ordering::Relaxed))
    }

    fn new() -> Self {
        Self {
            deadline_us: AtomicU64::new(NEVER),
            idle_since_us: AtomicU64::new(NEVER),
            room: AtomicU32::new(0),
            state: Mutex::new(State {
                generation: 0,
                ready: Ready::default(),
                owner: Owner::Itself,
                parked: None,
                rung: false,
            }),
        }
    }
}

impl<T> State<T> {
    /// The task, if it is parked. Else it is in somebody's hands, who is told that there is more.
    fn take_or_ring(&mut self) -> Option<T> {
        let task = self.parked.take();
        self.rung |= task.is_none();
        task
    }
}
