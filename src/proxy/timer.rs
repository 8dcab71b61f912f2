//! The timer thread: wakes tasks whose deadline has come and closes idle backend connections.
//!
//! It never steps a task. It takes it under the slot's lock as an event does and queues it; the
//! step then tries once more what it waited for, and finds that it is late. A sweep over all slots
//! every 100 ms costs less than a timer wheel that every parking would have to touch: 10,000
//! connections are 10,000 relaxed loads.

use super::Shared;
use std::time::Duration;

/// How late a deadline may be noticed.
const GRAIN: Duration = Duration::from_millis(100);

/// Sweeps until the server stops.
pub(crate) fn run(shared: &Shared) {
    while !shared.stop.wait(GRAIN) {
        let now = shared.now();
        shared.lot.slots.expire(now.as_millis() as u64, |task| shared.lot.queue(task));
        shared.idle.expire(now);
    }
}
