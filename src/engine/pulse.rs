//! Whether threads still move on: each beats as it takes work up and as it lays it down again.
//!
//! A thread that rests, in epoll or in `accept`, is well however long it rests. One that several
//! looks find at the same work is not: a step never waits, so it is caught in a loop or a lock, and
//! every connection that it holds stands still. A beat is a store to a line that is the thread's
//! own, twice a wake-up. (To wait with a timeout instead and beat once would arm a timer in the
//! kernel each time that a worker falls asleep.)

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// One thread's pulse; only that thread writes it. Alone in its cache line: else a neighbour's beat
/// would cost it a miss.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct Pulse {
    /// Odd while it works.
    beats: AtomicU32,
}

impl Pulse {
    /// Work begins.
    pub(crate) fn begin(&self) {
        self.beats.store(self.beats.load(Relaxed).wrapping_add(1) | 1, Relaxed);
    }

    /// It is done; the thread waits for more.
    pub(crate) fn rest(&self) {
        self.beats.store(self.beats.load(Relaxed).wrapping_add(1) & !1, Relaxed);
    }

    fn is_at_work(beats: u32) -> bool {
        beats % 2 == 1
    }
}

/// The pulses of all threads of one server.
#[derive(Default)]
pub(crate) struct Pulses(Mutex<Vec<Felt>>);

/// A pulse, and what the last look at it saw.
struct Felt {
    thread: String,
    pulse: Arc<Pulse>,
    beats: u32,
    /// Looks in a row that found it at the same work.
    still: u32,
}

impl Pulses {
    /// A pulse for the thread of this name.
    pub(crate) fn of(&self, thread: &str) -> Arc<Pulse> {
        let (thread, pulse) = (thread.to_owned(), Arc::new(Pulse::default()));
        let felt = Felt { thread, pulse: Arc::clone(&pulse), beats: 0, still: 0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(felt);
        pulse
    }

    /// Looks at all of them; the name of a thread that so many looks in a row have found at the
    /// same work. Looks are counted, not seconds: a machine that is put to sleep wakes with all its
    /// threads late, and nothing is wrong with any of them.
    pub(crate) fn stuck(&self, looks: u32) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that has ended has dropped its own.
        all.retain(|felt| Arc::strong_count(&felt.pulse) > 1);
        all.iter_mut().for_each(Felt::look);
        all.iter().find(|felt| felt.still >= looks).map(|felt| felt.thread.clone())
    }
}

impl Felt {
    fn look(&mut self) {
        let beats = self.pulse.beats.load(Relaxed);
        let is_same = Pulse::is_at_work(beats) && beats == self.beats;
        self.still = if is_same { self.still.saturating_add(1) } else { 0 };
        self.beats = beats;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_rests_is_well_and_who_stays_at_one_work_is_not() {
        let pulses = Pulses::default();
        let (resting, busy, stuck) = (pulses.of("resting"), pulses.of("busy"), pulses.of("stuck"));
        resting.begin();
        resting.rest();
        stuck.begin();
        for _ in 0..3 {
            busy.begin();
            assert_eq!(pulses.stuck(3), None);
        }
        busy.begin();
        assert_eq!(pulses.stuck(3).as_deref(), Some("stuck"));
        stuck.rest();
        assert_eq!(pulses.stuck(3), None);
    }

    #[test]
    fn a_thread_that_has_ended_is_not_missed() {
        let pulses = Pulses::default();
        let ended = pulses.of("ended");
        ended.begin();
        assert_eq!(pulses.stuck(1), None, "the first look");
        assert!(pulses.stuck(1).is_some());
        drop(ended);
        assert_eq!(pulses.stuck(1), None);
    }
}
