//! Requests that wait for a place at a backend, first come first served (law 7).
//!
//! Only pools with a `max_connections` ever have any. A request that finds every usable backend
//! full draws a ticket; from then on newcomers draw one too instead of asking the pool, so that
//! nobody is overtaken. Only the first in line asks the pool, each time that a release rings it.
//!
//! It also asks right after it has drawn. Between the look that found all full and the drawing a
//! place may have been given back, and that release found nobody in line to ring. Whatever is given
//! back later finds the ticket. So no place stays free while somebody waits.
//!
//! A ticket that is dropped, because its request was served, gave up or was late, rings the next.

use crate::engine::{Key, Mutex, Registry};
use crate::pool::Line;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The line in front of a pool.
pub(crate) struct Queue {
    lot: Arc<dyn Registry>,
    /// The homes of the tasks that wait: a home is all it takes to have a task stepped.
    line: Mutex<Line<Key>>,
    /// How long the line is, for those who only look: each request does, and takes no lock for it.
    length: AtomicUsize,
}

/// A place in the line, given up when dropped.
pub(crate) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
}

impl Queue {
    pub(crate) fn new(lot: Arc<dyn Registry>, length_max: usize) -> Arc<Self> {
        let (line, length) = (Mutex::new(Line::new(length_max)), AtomicUsize::new(0));
        Arc::new(Self { lot, line, length })
    }

    /// Takes in at most so many from now on; who waits goes on waiting.
    pub(super) fn resize(&self, length_max: usize) {
        self.line.lock().resize(length_max);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::SeqCst)
    }

    /// True while nobody waits: a newcomer may ask the pool.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
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
