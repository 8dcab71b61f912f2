//! A worker: waits in the Lot, steps what it is handed, parks it again.
//!
//! Workers are few and fixed, and all alike: each waits on the same epoll descriptor, and the
//! kernel wakes one. A panic in a step costs its connection, never the worker.

use super::Shared;
use super::client::Client;
use super::door::Knock;
use super::lot::{self, Event, Events};
use super::slots::{NEVER, Wait, Woken};
use super::task::{Next, Task};
use crate::log::Level;
use crate::pool::chance::Dice;
use crate::pool::{self, Lease, Outcome, Pool, Witness};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The most bytes that a step moves before others get their turn (law 3), and the size of one read
/// from a backend. A sketch of this engine took 641 us for a body of 1 MiB with 64 KiB, 484 with
/// 128 KiB and 426 with this.
pub(crate) const STEP_BYTES: usize = 256 * 1024;
/// Room in the buffer before what is read, for a rebuilt head to be put in front of its body.
pub(crate) const HEADROOM: usize = 2 * 1024;
/// Clients accepted, or queued tasks stepped, before others get their turn (law 4).
const SERVED_A_RING: usize = 8;
/// Events taken in one wait by a worker that has the Lot for itself.
const EVENTS_ALONE: usize = 64;
/// Buffers for forwarded heads that a worker keeps.
const SPARES_MAX: usize = 16;
/// A spare buffer that has grown beyond this is let go.
const SPARE_CAPACITY_MAX: usize = 8 * 1024;

/// A worker thread's own things.
pub(crate) struct Worker {
    cx: Context,
    buf: Box<[u8]>,
    /// Events taken in one wait.
    events_max: usize,
}

/// What a step may use: the server's shared things, and its worker's scratch.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// When this step began, on the server's clock.
    pub(crate) now: Duration,
    pub(crate) date: Date,
    pub(crate) ids: RequestIds,
    /// For policies that go by chance.
    pub(crate) dice: Dice,
    /// A rebuilt head, and a body that is framed anew, on their way to a client.
    pub(crate) out: Vec<u8>,
    pool: pool::Reader,
    budget: usize,
    spares: Vec<Vec<u8>>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, workers: usize) -> Self {
        Self {
            events_max: if workers == 1 { EVENTS_ALONE } else { 1 },
            cx: Context::new(shared),
            buf: vec![0; HEADROOM + STEP_BYTES].into(),
        }
    }

    /// Works until the stop signal.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(self.events_max);
        loop {
            self.cx.shared.lot.wait(&mut events);
            for event in &events {
                match lot::read_event(*event) {
                    Event::Stop => return,
                    Event::Bell => self.serve(),
                    Event::Door => self.welcome(),
                    Event::Socket(key, ready) => match self.cx.shared.lot.slots.event(key, ready) {
                        Woken::Task(task) => self.work(task),
                        Woken::Idle(list) => {
                            let shared = &self.cx.shared;
                            shared.idle.discard(list, key, shared.now());
                        }
                        Woken::Nothing => {}
                    },
                }
            }
        }
    }

    /// The bell rang: some tasks are ready without an event. Others may take the rest.
    fn serve(&mut self) {
        self.cx.shared.lot.answer_bell();
        for _ in 0..SERVED_A_RING {
            let Some(task) = self.cx.shared.lot.next_ready() else { return };
            self.work(task);
        }
        if self.cx.shared.lot.has_ready() {
            self.cx.shared.lot.ring_bell();
        }
    }

    /// Somebody stands at the door. Likewise, not all at once.
    fn welcome(&mut self) {
        let shared = Arc::clone(&self.cx.shared);
        for _ in 0..SERVED_A_RING {
            match shared.door.answer() {
                Knock::Client(fd, peer, place) => {
                    self.work(Client::accepted(fd, peer, place, &shared))
                }
                Knock::Nobody => return,
                // Nobody need be there: the one before took the last place.
                Knock::Full if shared.door.has_callers() => return shared.say_full(),
                Knock::Full => return,
                Knock::Exhausted(error) => {
                    shared.idle.give_way(shared.now());
                    return shared.say_exhausted("accepting a client", error);
                }
            }
        }
        shared.door.report_again();
    }

    /// Steps a task until it waits, has had its share, or is done.
    fn work(&mut self, mut task: Task) {
        self.cx.budget = STEP_BYTES;
        loop {
            self.cx.now = self.cx.shared.now();
            self.cx.date.refresh(self.cx.now);
            let (cx, buf) = (&mut self.cx, &mut self.buf);
            let next = catch_unwind(AssertUnwindSafe(|| step(task, cx, buf)));
            match next {
                Ok(Some(rung)) => task = rung,
                Ok(None) => return,
                Err(_) => {
                    let log = &self.cx.shared.log;
                    return log.event(
                        Level::Error,
                        format_args!("a step panicked; its connection is closed"),
                    );
                }
            }
        }
    }
}

/// Steps a task through its states until it is parked, queued or done; hands it back if it was
/// rung in the meantime.
fn step(mut task: Task, cx: &mut Context, buf: &mut [u8]) -> Option<Task> {
    loop {
        match task.step(cx, buf) {
            Next::Step(next) => task = next,
            Next::Park(mut waiting, deadline) => {
                // A table that is full is ours; the connection cannot be served (law 10).
                let home = match waiting.home() {
                    Ok(home) => home,
                    Err(error) => {
                        cx.shared.say_exhausted("watching a connection", &error);
                        return None;
                    }
                };
                let us = |time: Duration| time.as_micros() as u64;
                let idle_since_us = waiting.idle_since().map_or(NEVER, us);
                let wait = Wait { deadline_us: us(deadline), idle_since_us };
                let rung = cx.shared.lot.slots.park(home, waiting, wait)?;
                if !cx.is_spent() {
                    return Some(rung);
                }
                cx.shared.lot.queue(rung);
                return None;
            }
            Next::Queue(spent) => {
                cx.shared.lot.queue(spent);
                return None;
            }
            Next::Done => return None,
        }
    }
}

impl Context {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            now: shared.now(),
            date: Date::default(),
            ids: RequestIds::new(),
            dice: Dice::new(random_seed()),
            out: Vec::with_capacity(1024),
            pool: shared.pool.reader(),
            budget: STEP_BYTES,
            spares: Vec::with_capacity(SPARES_MAX),
            shared,
        }
    }

    /// The pool as it is now.
    pub(crate) fn pool(&mut self) -> &Arc<Pool> {
        self.pool.pool()
    }

    /// Counts bytes that this step has moved.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes);
    }

    /// True when the step has moved its share.
    pub(crate) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// Ends a lease; what follows from its outcome is said in the log.
    pub(crate) fn report(&self, lease: Lease, outcome: Outcome, witness: impl FnOnce() -> Witness) {
        let limited = lease.backend().max_connections() > 0;
        if let Some(notice) = lease.finish_for(witness, outcome, self.now) {
            self.shared.say(&notice);
        }
        if limited {
            self.shared.queue.ring_first();
        }
    }

    /// An empty buffer for a head, used before if there is one.
    pub(crate) fn spare(&mut self) -> Vec<u8> {
        self.spares.pop().unwrap_or_else(|| Vec::with_capacity(1024))
    }

    /// Takes a buffer back. On musl, whose allocator is slow, this is worth its few lines.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spares.len() < SPARES_MAX && (1..=SPARE_CAPACITY_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.spares.push(buffer);
        }
    }
}

/// The `Date` of answers, worded once a second.
#[derive(Default)]
pub(crate) struct Date {
    pub(crate) text: String,
    second: Option<u64>,
}

impl Date {
    fn refresh(&mut self, now: Duration) {
        if self.second != Some(now.as_secs()) {
            self.second = Some(now.as_secs());
            self.text = httpdate::fmt_http_date(SystemTime::now());
        }
    }
}

/// Names for requests: 16 hex digits drawn for this worker, then a count.
pub(crate) struct RequestIds {
    text: [u8; 32],
    count: u64,
}

impl RequestIds {
    fn new() -> Self {
        let mut ids = Self { text: [b'0'; 32], count: 0 };
        write_hex(random_seed(), &mut ids.text[..16]);
        ids
    }

    /// The next name.
    pub(crate) fn next(&mut self) -> &str {
        self.count += 1;
        write_hex(self.count, &mut self.text[16..]);
        std::str::from_utf8(&self.text).expect("hex digits are ASCII")
    }
}

/// A number that differs from worker to worker and from start to start.
fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

fn write_hex(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}
