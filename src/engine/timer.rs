//! The timer thread: wakes tasks whose deadline has come, or whose place is wanted by others.
//!
//! It never steps a task, for a step takes its time, and the others would be late. It takes it
//! under the slot's lock as an event does, so that only one of the two has it, and queues it. Nor
//! does it tell the task why: the step tries once more what it waited for, and then looks at the
//! clock. What came at the last moment so counts as in time.
//!
//! A sweep over all slots every 100 ms costs less than a timer wheel that every parking would have
//! to touch: 10,000 connections are 10,000 relaxed loads.

use super::lot::Lot;
use super::pulse::Pulse;
use super::room::{Cutoffs, us};
use super::stop::Stop;
use super::task::Task;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How late a deadline may be noticed.
const GRAIN: Duration = Duration::from_millis(100);

/// The timer of one Lot.
pub(crate) struct Timer<T: Task> {
    pub(crate) lot: Arc<Lot<T>>,
    pub(crate) stop: Arc<Stop>,
    /// The zero of the server's clock.
    pub(crate) epoch: Instant,
    pub(crate) pulse: Arc<Pulse>,
}

impl<T: Task> Timer<T> {
    /// Sweeps until the server stops. Before each sweep `look` is told the time, does what else is
    /// to be done so often, and says who must leave: idle tasks that its cutoffs are meant for are
    /// woken.
    pub(crate) fn run(&self, mut look: impl FnMut(Duration) -> Cutoffs) {
        while !self.stop.wait(GRAIN) {
            self.pulse.begin();
            let now = self.epoch.elapsed();
            let cutoffs = look(now);
            self.lot.slots.expire(us(now), &cutoffs, |task| self.lot.queue(task));
            self.pulse.rest();
        }
    }
}
