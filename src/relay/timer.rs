//! The timer thread: wakes tasks whose deadline has come, or whose place is wanted by others, and
//! those that wait for what comes back without a word; closes idle backend connections.
//!
//! It never steps a task. It takes it under the slot's lock as an event does and queues it; the
//! step then tries once more what it waited for, and finds that it is late. A sweep over all slots
//! every 100 ms costs less than a timer wheel that every parking would have to touch: 10,000
//! connections are 10,000 relaxed loads.

use super::Shared;
use super::crowd::Lookout;
use std::time::Duration;

/// How late a deadline may be noticed.
const GRAIN: Duration = Duration::from_millis(100);

/// Sweeps until the server stops.
pub(crate) fn run(shared: &Shared) {
    let mut lookout = Lookout::default();
    while !shared.stop.wait(GRAIN) {
        let now = shared.now();
        let cutoff = lookout.look(shared, now);
        let (now_us, idle_since_us) = (now.as_micros() as u64, cutoff.as_micros() as u64);
        shared.lot.slots.expire(now_us, idle_since_us, |task| shared.lot.queue(task));
        shared.idle.expire(now);
        // What follows is for want of something of which nobody may tell when it is back: a
        // descriptor, and a place at a backend that has just come up.
        shared.door.reopen();
        if !shared.queue.is_empty() {
            shared.queue.ring_first();
        }
    }
}
