//! A worker: waits in the Lot, steps what it is handed, parks it again.
//!
//! Workers are few and fixed, and all alike: each waits on the same epoll descriptor, and the
//! kernel wakes one. No connection belongs to a worker: whoever is free takes the next, so that one
//! which is busy with a big body keeps no client waiting while another is idle. The price is that a
//! connection's memory may move between two cores' caches.
//!
//! A panic in a step costs its connection, never the worker: the task is dropped as the stack
//! unwinds, and with it its sockets, its lease and its place.

use super::desk::{Desk, HEADROOM, STEP_BYTES};
use super::lot::{self, Events, Lost, Lot, Wake};
use super::pulse::Pulse;
use super::slots::Woken;
use super::task::{Next, Task};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Queued tasks that are stepped for one ring of the bell, before others get their turn (law 4).
const SERVED_A_RING: usize = 8;
/// Events taken in one wait by a worker that has the Lot for itself.
const EVENTS_ALONE: usize = 64;
/// The same among several. What one takes, no other can serve meanwhile, so it is few; but one at a
/// time costs a system call for each: with 8 workers on two cores 21.3 us a request instead of
/// 18.9.
const EVENTS_SHARED: usize = 4;

/// A worker thread's own things.
pub(crate) struct Worker<T: Task> {
    lot: Arc<Lot<T>>,
    desk: Desk<T::Kit>,
    /// Where steps read to. One for each worker, not for each connection: whatever must outlive a
    /// step is copied out of it.
    buf: Box<[u8]>,
    events_max: usize,
    pulse: Arc<Pulse>,
}

impl<T: Task> Worker<T> {
    /// One of so many `workers`, with a desk of its own.
    pub(crate) fn new(
        lot: &Arc<Lot<T>>,
        desk: Desk<T::Kit>,
        workers: usize,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            lot: Arc::clone(lot),
            desk,
            buf: vec![0; HEADROOM + STEP_BYTES].into(),
            events_max: if workers == 1 { EVENTS_ALONE } else { EVENTS_SHARED },
            pulse,
        }
    }

    /// Works until the stop signal.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(self.events_max);
        loop {
            self.pulse.rest();
            self.lot.wait(&mut events);
            self.pulse.begin();
            for event in &events {
                match lot::read_event(*event) {
                    Wake::Stop => return,
                    Wake::Bell => self.serve(),
                    Wake::Socket(key, ready) => match self.lot.slots.event(key, ready) {
                        Woken::Task(task) => self.work(task),
                        // No task has this socket, so there is none to step: it is dropped here.
                        Woken::Idle(list) => {
                            self.desk.look_at_the_clock();
                            T::stirred(list, key, &mut self.desk);
                        }
                        Woken::Nothing => {}
                    },
                }
            }
        }
    }

    /// The bell rang: some tasks are ready without an event. Others may take the rest.
    fn serve(&mut self) {
        // Before the first look at the queue: who pushes from now on rings again (law 4).
        self.lot.answer_bell();
        for _ in 0..SERVED_A_RING {
            let Some(task) = self.lot.next_ready() else { return };
            self.work(task);
        }
        if self.lot.has_ready() {
            self.lot.ring_bell();
        }
    }

    /// Steps a task until it waits, has had its share, or is done.
    fn work(&mut self, mut task: T) {
        self.desk.begin_share();
        loop {
            self.desk.look_at_the_clock();
            let step = AssertUnwindSafe(|| self.step(task));
            match catch_unwind(step) {
                Ok(Some(rung)) => task = rung,
                Ok(None) => return,
                Err(_) => return T::panicked(&mut self.desk),
            }
        }
    }

    /// Steps a task through its states until it is parked, queued or done. Hands it back if it was
    /// rung in the meantime: something has happened that it has not seen.
    fn step(&mut self, mut task: T) -> Option<T> {
        loop {
            match task.step(&mut self.desk, &mut self.buf) {
                Next::Go(next) => task = next,
                // Rung while it ran: what it waits for may have come, so it is stepped again, by us
                // if it has something left of its share, else in its turn.
                Next::Park(waiting, deadline) => match self.lot.park(waiting, deadline) {
                    Ok(Some(rung)) if self.desk.is_spent() => {
                        self.lot.queue(rung);
                        return None;
                    }
                    Ok(parked) => return parked,
                    // A table that is full is ours; the connection cannot be served (law 10).
                    Err(Lost { task, error }) => {
                        task.lose(&error, &mut self.desk);
                        return None;
                    }
                },
                Next::Queue(spent) => {
                    self.lot.queue(spent);
                    return None;
                }
                Next::Done => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Key, Pulses, Resting};
    use rustix::io::Errno;
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;
    use std::time::{Duration, Instant};

    /// Breaks the first law: its step waits.
    struct Hanging {
        begun: Sender<()>,
        end: Receiver<()>,
    }

    impl Task for Hanging {
        type Kit = ();

        fn step(self, _: &mut Desk<()>, _: &mut [u8]) -> Next<Self> {
            self.begun.send(()).expect("the test waits for it");
            let _ = self.end.recv();
            Next::Done
        }

        fn home(&mut self) -> io::Result<Key> {
            Err(Errno::NFILE.into())
        }

        fn resting(&self) -> Option<Resting> {
            None
        }

        fn lose(self, _: &io::Error, _: &mut Desk<()>) {}

        fn stirred(_: u32, _: Key, _: &mut Desk<()>) {}

        fn panicked(_: &mut Desk<()>) {}
    }

    #[test]
    fn a_worker_that_waits_is_well_and_one_that_hangs_in_a_step_is_found() {
        let (lot, pulses) = (Arc::new(Lot::new().unwrap()), Pulses::default());
        let desk = Desk::new((), Instant::now());
        let worker = Worker::new(&lot, desk, 1, pulses.of("worker 1"));
        let running = thread::spawn(|| worker.run());
        let ((begun, has_begun), (go_on, end)) = (channel(), channel());
        lot.queue(Hanging { begun, end });
        has_begun.recv().unwrap();
        for _ in 0..3 {
            assert_eq!(pulses.stuck(3), None);
        }
        assert_eq!(pulses.stuck(3).as_deref(), Some("worker 1"));
        drop(go_on);
        let deadline = Instant::now() + Duration::from_secs(10);
        while (0..9).any(|_| pulses.stuck(3).is_some()) {
            assert!(Instant::now() < deadline, "it waits for work and is not seen to");
            thread::yield_now();
        }
        lot.ring_stop();
        running.join().unwrap();
    }
}
