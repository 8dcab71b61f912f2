//! Requests that wait for a place at a backend, first come first served (law 7).
//!
//! Only pools with a `max_connections`, or that are paused, ever have any. A request that finds
//! every usable backend full draws a ticket; from then on newcomers draw one too instead of asking
//! the pool, so that nobody is overtaken. Only the first in line asks the pool, each time that a
//! release rings it.
//!
//! It also asks right after it has drawn. Between the look that found all full and the drawing a
//! place may have been given back, and that release found nobody in line to ring. Whatever is given
//! back later finds the ticket. So no place stays free while somebody waits.
//!
//! A ticket that is dropped, because its request was served, gave up or was late, rings the next.
//!
//! An operator may pause the pool: then newcomers draw tickets though places are free, and nobody
//! asks the pool, not even while no backend is up. So the only application can be restarted without
//! an error. When the pause is over they go one after the other, and newcomers behind them.

use crate::engine::{Key, Mutex, Registry};
use crate::pool::Line;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The line in front of a pool.
pub(crate) struct Queue {
    lot: Arc<dyn Registry>,
    /// The homes of the tasks that wait: a home is all it takes to have a task stepped.
    line: Mutex<Line<Key>>,
    /// How long the line is, for those who only look: each request does, and takes no lock for it.
    length: AtomicUsize,
    /// When the pause ends by itself, in us on the server's clock; 0 while there is none. Beside
    /// the length, for each request looks at both.
    paused_until_us: AtomicU64,
    /// When the last one ended.
    pause_ended_us: AtomicU64,
}

/// How long a request is held by pauses, and how long one lasts, so that what is forgotten ends:
/// browsers and other balancers give up then.
pub const HELD_MAX: Duration = Duration::from_secs(30);

/// Why whoever finds the line full gets no place, in words.
pub(crate) fn line_is_full(is_paused: bool) -> &'static str {
    match is_paused {
        true => "the pool is paused, and its line is full ([queue] length)",
        false => "every backend is busy, and the line is full ([queue] length)",
    }
}

/// Why whoever has waited in it for too long gets none.
pub(crate) const NO_PLACE_IN_TIME: &str =
    "every backend is busy: no place came free within [queue] timeout";

/// A place in the line, given up when dropped.
pub(crate) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
}

impl Queue {
    pub(crate) fn new(lot: Arc<dyn Registry>, length_max: usize) -> Arc<Self> {
        let (line, length) = (Mutex::new(Line::new(length_max)), AtomicUsize::new(0));
        let [paused_until_us, pause_ended_us] = [0, 0].map(AtomicU64::new);
        Arc::new(Self { lot, line, length, paused_until_us, pause_ended_us })
    }

    /// Takes in at most so many from now on; who waits goes on waiting.
    pub(super) fn resize(&self, length_max: usize) {
        self.line.lock().resize(length_max);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::SeqCst)
    }

    /// True while nobody waits, and nobody is to: a newcomer may ask the pool.
    pub(crate) fn is_open(&self) -> bool {
        self.len() == 0 && !self.is_paused()
    }

    /// True while nobody may ask the pool.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_until_us.load(Ordering::SeqCst) != 0
    }

    /// Holds everybody from now on, for at most so long; returns for how long.
    pub(super) fn pause(&self, at_most: Duration, now: Duration) -> Duration {
        let at_most = at_most.min(HELD_MAX);
        self.paused_until_us.store(micros(now + at_most).max(1), Ordering::SeqCst);
        at_most
    }

    /// How much longer a pause lasts by itself; none if there is none.
    pub(super) fn paused_for(&self, now: Duration) -> Option<Duration> {
        let until = self.paused_until_us.load(Ordering::SeqCst);
        (until != 0).then(|| Duration::from_micros(until).saturating_sub(now))
    }

    /// Lets those go that are held; false if there was no pause.
    pub(super) fn resume(&self, now: Duration) -> bool {
        if self.is_paused() {
            self.pause_ended_us.store(micros(now), Ordering::SeqCst);
        }
        let was_paused = self.paused_until_us.swap(0, Ordering::SeqCst) != 0;
        self.ring_first();
        was_paused
    }

    /// Ends a pause whose time is up; true if there was one.
    pub(super) fn end_pause(&self, now: Duration) -> bool {
        let until = self.paused_until_us.load(Ordering::SeqCst);
        if until == 0 || Duration::from_micros(until) > now {
            return false;
        }
        self.pause_ended_us.store(micros(now), Ordering::SeqCst);
        // Somebody may pause anew at this very moment.
        let ended =
            self.paused_until_us.compare_exchange(until, 0, Ordering::SeqCst, Ordering::SeqCst);
        self.ring_first();
        ended.is_ok()
    }

    /// Until when a request may wait that was held and has waited since then: for [`HELD_MAX`], and
    /// for `timeout` from when it was held no longer.
    pub(crate) fn held_until(&self, since: Duration, timeout: Duration) -> Duration {
        let ended = Duration::from_micros(self.pause_ended_us.load(Ordering::SeqCst));
        (since + HELD_MAX).max(ended + timeout)
    }

    /// A ticket for the task at `home`; none when the line is as long as it may be.
    pub(crate) fn draw(self: &Arc<Self>, home: Key) -> Option<Ticket> {
        let mut line = self.line.lock();
        let number = line.draw(home)?;
        self.length.store(line.len(), Ordering::SeqCst);
        Some(Ticket { queue: Arc::clone(self), number })
    }

    /// A place may be free: rings the first in line. To be called after the lease is gone: whoever
    /// is rung finds the place, and so does whoever draws after this has looked at the line.
    pub(crate) fn ring_first(&self) {
        let first = self.line.lock().first().copied();
        if let Some(home) = first {
            self.lot.ring(home);
        }
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

impl Ticket {
    /// True when it is this one's turn to ask the pool.
    pub(crate) fn is_first(&self) -> bool {
        self.queue.line.lock().is_first(self.number)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut line = self.queue.line.lock();
        line.leave(self.number);
        self.queue.length.store(line.len(), Ordering::SeqCst);
        drop(line);
        self.queue.ring_first();
    }
}
