//! The Lot: where every waiting task stands, and the one place where a worker waits.
//!
//! It owns the epoll set, the slots (`slots.rs`), the queue of tasks that are ready without an
//! event, the bell that tells of them and the stop signal. Workers wait here and step what they
//! are handed; the doors, the timer and the tasks put work in. Nothing in it ever blocks but
//! `wait`, and it never looks inside a task.
//!
//! A task is either parked in its home slot, or in the ready queue, or in the hands of one worker:
//! whoever takes it from one of the first two has it alone, so a step needs no lock.
//!
//! Most work comes as an event, and epoll brings it to a worker that waits. What comes without one
//! (a task that has had its share, one whose deadline has come, one for which a place has become
//! free) goes to the ready queue. A worker that waits in epoll does not see a queue, so there is a
//! bell in the epoll set, an eventfd: writing to it is an event, too.

use super::registry::Registry;
use super::room::{Resting, us};
use super::slots::{Key, Owner, Ready, Slots, Wait};
use super::sync::{AtomicBool, Mutex, Ordering};
use super::task::Task;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// epoll data that no socket's key can equal: slots end far below 2^32.
const BELL: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

/// The parking lot of tasks of type `T`.
pub(crate) struct Lot<T> {
    pub(crate) slots: Slots<T>,
    epoll: OwnedFd,
    ready: ReadyQueue<T>,
    bell: OwnedFd,
    stop: OwnedFd,
}

/// What a wait brought.
pub(crate) enum Wake {
    /// The ready queue has tasks.
    Bell,
    /// The server stops: leave the loop.
    Stop,
    /// This socket has something to say.
    Socket(Key, Ready),
}

/// Room for what one `epoll_wait` returns.
pub(crate) type Events = Vec<epoll::Event>;

impl<T> Lot<T> {
    /// Fails when the process is out of descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        let lot = Self {
            slots: Slots::new(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ready: ReadyQueue::new(),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            stop: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        };
        // Edge-triggered, so that each ring wakes one worker, and nobody has to read it off.
        let bell = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&lot.epoll, &lot.bell, epoll::EventData::new_u64(BELL), bell)?;
        // Level-triggered, so that every worker's every wait sees it (law 9).
        let stop = epoll::EventFlags::IN;
        epoll::add(&lot.epoll, &lot.stop, epoll::EventData::new_u64(STOP), stop)?;
        Ok(lot)
    }

    /// Puts a task at the tail of the ready queue and tells a worker.
    pub(crate) fn queue(&self, task: T) {
        self.ready.push(task);
        self.ring_bell();
    }

    /// The next task that is ready without an event.
    pub(crate) fn next_ready(&self) -> Option<T> {
        self.ready.pop()
    }

    /// True while tasks are queued.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Wakes one worker to look at the ready queue.
    pub(crate) fn ring_bell(&self) {
        if self.ready.announce() {
            add_one(&self.bell);
        }
    }

    /// To be called by whoever serves the bell, before it looks at what there is to serve.
    pub(crate) fn answer_bell(&self) {
        self.ready.answer();
    }

    /// Wakes every worker for good.
    pub(crate) fn ring_stop(&self) {
        add_one(&self.stop);
    }

    /// Waits for events, at most as many as `events` has capacity for.
    pub(crate) fn wait(&self, events: &mut Events) {
        events.clear();
        // EINTR is the only error that a sound call can return: wait again.
        while epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), None).is_err() {}
    }
}

impl<T: Task> Lot<T> {
    /// Parks a task in its home until an event, a ring or `deadline`. Hands it back if it was rung
    /// while it ran; fails, and loses the task, where there is no room for its socket.
    pub(crate) fn park(&self, mut task: T, deadline: Duration) -> Result<Option<T>, Lost<T>> {
        let home = match task.home() {
            Ok(home) => home,
            Err(error) => return Err(Lost { task, error }),
        };
        let wait = match task.resting() {
            None => Wait::until(us(deadline)),
            Some(Resting { since, room }) => {
                Wait { deadline_us: us(deadline), idle_since_us: us(since), room }
            }
        };
        Ok(self.slots.park(home, task, wait))
    }
}

/// A task that could not be parked: nobody would hear of it again.
pub(crate) struct Lost<T> {
    pub(crate) task: T,
    pub(crate) error: io::Error,
}

impl<T: Send> Registry for Lot<T> {
    fn enter(&self, socket: BorrowedFd<'_>, owner: Owner, writes: bool) -> io::Result<Key> {
        let key = self.slots.insert().ok_or(Errno::NFILE)?;
        // Bound before it is watched: the first event finds its owner.
        self.slots.bind(key, owner);
        // Edge-triggered and for the rest of the socket's life: parking then costs no system call.
        let data = epoll::EventData::new_u64(key.to_u64());
        if let Err(error) = epoll::add(&self.epoll, socket, data, interest(writes)) {
            // Whoever parks at a socket that is not watched hears of nothing but its deadline.
            drop(self.slots.remove(key));
            return Err(error.into());
        }
        Ok(key)
    }

    fn watch_writes(&self, socket: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        // MOD reports again what is already true, so nothing that came before is lost.
        let data = epoll::EventData::new_u64(key.to_u64());
        Ok(epoll::modify(&self.epoll, socket, data, interest(true))?)
    }

    fn bind(&self, key: Key, owner: Owner) -> Ready {
        self.slots.bind(key, owner)
    }

    fn take_ready(&self, key: Key) -> Ready {
        self.slots.take_ready(key)
    }

    fn leave(&self, key: Key) {
        drop(self.slots.remove(key));
    }

    fn ring(&self, home: Key) {
        if let Some(task) = self.slots.ring(home) {
            self.queue(task);
        }
    }
}

/// What epoll said, in the Lot's words.
pub(crate) fn read_event(event: epoll::Event) -> Wake {
    let (data, flags) = (event.data, event.flags);
    match data.u64() {
        BELL => Wake::Bell,
        STOP => Wake::Stop,
        key => Wake::Socket(Key::from_u64(key), read_flags(flags)),
    }
}

/// A hang-up and an error have a bit of their own in epoll, and none for reading or writing may
/// come with it. They are found by the next read or write, so they license those calls, too.
fn read_flags(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as F;
    let broken = flags.intersects(F::HUP | F::ERR);
    let hangup = broken || flags.contains(F::RDHUP);
    Ready {
        read: hangup || flags.contains(F::IN),
        write: broken || flags.contains(F::OUT),
        hangup,
        broken,
    }
}

/// Room to write is watched from the first time that there was none. Else each connection would be
/// told of room as it is registered, and woken for nothing.
fn interest(writes: bool) -> epoll::EventFlags {
    use epoll::EventFlags as F;
    let reads = F::IN | F::RDHUP | F::ET;
    if writes { reads | F::OUT } else { reads }
}

/// An eventfd is never read here: each write is an edge, and 2^64 of them do not fit in a life.
fn add_one(eventfd: &OwnedFd) {
    let _ = rustix::io::write(eventfd, &1u64.to_ne_bytes());
}

/// Tasks that are ready without an event, and whether the bell has been rung for them. Bounded by
/// the number of tasks, since a task is in one place at a time.
pub(crate) struct ReadyQueue<T> {
    tasks: Mutex<VecDeque<T>>,
    /// True from the ring until somebody serves: rings in between need no system call.
    announced: AtomicBool,
}

impl<T> ReadyQueue<T> {
    pub(crate) fn new() -> Self {
        Self { tasks: Mutex::new(VecDeque::new()), announced: AtomicBool::new(false) }
    }

    pub(crate) fn push(&self, task: T) {
        self.tasks.lock().push_back(task);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.tasks.lock().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.lock().is_empty()
    }

    /// True when the caller must ring: nobody has since the last answer. It comes after the push,
    /// as `answer` comes before the pop. So whoever finds it announced may save its ring: the
    /// answer to the one before is still to come, and the pop after that finds the task.
    pub(crate) fn announce(&self) -> bool {
        !self.announced.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn answer(&self) {
        self.announced.store(false, Ordering::SeqCst);
    }
}
