//! When the next request is due, and when the run ends. All workers draw from one [`Pace`]; it
//! must never wait without a deadline, nor longer than the run.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::{LoadPlan, LoadProgress};

/// The order in which requests are sent, shared by the workers.
pub(super) struct Pace {
    /// How many requests have been drawn.
    drawn: AtomicU64,
    requests: u64,
    rate: Option<f64>,
    start: Instant,
    end: Option<Instant>,
    /// Nothing is ever sent: it disconnects when the run is to end.
    stop: Receiver<Infallible>,
}

/// A request to be sent now.
pub(super) struct Due {
    /// When it was due by the schedule: in the past if no worker was free then. None in a closed
    /// loop, where a request is due when it is sent.
    pub(super) due: Option<Instant>,
}

impl Pace {
    pub(super) fn new(plan: &LoadPlan, start: Instant, stop: Receiver<Infallible>) -> Self {
        // A duration that no clock can count does not end the run.
        let end = plan.duration.and_then(|duration| start.checked_add(duration));
        let (requests, rate) = (plan.requests.unwrap_or(u64::MAX), plan.rate);
        Pace { drawn: AtomicU64::new(0), requests, rate, start, end, stop }
    }

    /// Draws a request and waits until it is due. None when there is none left, or no time.
    pub(super) fn next(&self) -> Option<Due> {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        if number >= self.requests {
            return None;
        }
        let Some(rate) = self.rate else {
            let stopped = self.stop.try_recv() == Err(TryRecvError::Disconnected);
            let over = self.end.is_some_and(|end| Instant::now() >= end);
            return (!stopped && !over).then_some(Due { due: None });
        };
        let due = self.due(number, rate);
        if self.end.is_some_and(|end| due >= end || Instant::now() >= end) {
            return None;
        }
        match self.stop.recv_deadline(due) {
            Err(RecvTimeoutError::Timeout) => Some(Due { due: Some(due) }),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    fn due(&self, number: u64, rate: f64) -> Instant {
        // Dividing anew each time, so that no error adds up. A moment that no clock can count is
        // never reached, and a run that gets there has asked for it.
        let since = Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::MAX);
        self.start.checked_add(since).unwrap_or(self.start)
    }

    /// How many requests the schedule of an open loop owed until its end, or until it was stopped.
    /// None are owed in a closed loop.
    pub(super) fn owed(&self, stopped: Option<Instant>) -> u64 {
        let Some(rate) = self.rate else { return 0 };
        let Some(end) = [self.end, stopped].into_iter().flatten().min() else {
            return self.requests;
        };
        // The product may be off by a rounding; the schedule itself decides.
        let mut owed = (end.duration_since(self.start).as_secs_f64() * rate) as u64;
        while self.due(owed, rate) < end {
            owed += 1;
        }
        while owed > 0 && self.due(owed - 1, rate) >= end {
            owed -= 1;
        }
        owed.min(self.requests)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn progress(&self) -> LoadProgress {
        let requests = self.drawn.load(Ordering::Relaxed).min(self.requests);
        LoadProgress { requests, elapsed: self.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{Sender, bounded};

    const LONG: Duration = Duration::from_secs(3600);

    fn pace(change: impl FnOnce(&mut LoadPlan), start: Instant) -> (Pace, Sender<Infallible>) {
        let mut plan = LoadPlan::to("http://a.test/".parse().unwrap());
        plan.duration = None;
        change(&mut plan);
        let (going, stop) = bounded(0);
        (Pace::new(&plan, start, stop), going)
    }

    #[test]
    fn a_closed_loop_draws_each_request_once() {
        let (pace, _going) = pace(|plan| plan.requests = Some(3), Instant::now());
        assert!((0..3).all(|_| pace.next().is_some_and(|turn| turn.due.is_none())));
        assert!(pace.next().is_none());
        assert_eq!((pace.owed(None), pace.progress().requests), (0, 3));
    }

    #[test]
    fn an_open_loop_is_late_by_the_schedule_not_by_its_workers() {
        let start = Instant::now() - Duration::from_secs(100);
        let (pace, _going) = pace(|plan| plan.rate = Some(4.0), start);
        let due: Vec<_> = (0..4).map(|_| pace.next().unwrap().due.unwrap() - start).collect();
        assert_eq!(due, [0, 250, 500, 750].map(Duration::from_millis));
    }

    #[test]
    fn the_end_ends_both_loops_and_what_was_owed_is_known() {
        let start = Instant::now() - Duration::from_secs(100);
        let ten = Some(Duration::from_secs(10));
        let (closed, _going) = pace(|plan| plan.duration = ten, start);
        assert!(closed.next().is_none());
        for (rate, owed) in [(7.0, 70), (0.3, 3), (0.01, 1), (1000.0 / 3.0, 3334)] {
            let open = |plan: &mut LoadPlan| (plan.duration, plan.rate) = (ten, Some(rate));
            let (pace, _going) = pace(open, start);
            assert!(pace.next().is_none());
            assert_eq!(pace.owed(None), owed);
            assert!(pace.owed(Some(start)) == 0);
        }
    }

    #[test]
    fn a_stop_ends_both_loops_and_every_wait() {
        let (closed, going) = pace(|_| (), Instant::now());
        drop(going);
        assert!(closed.next().is_none());
        let (open, going) = pace(|plan| plan.rate = Some(1.0), Instant::now() + LONG);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| open.next().is_none());
            drop(going);
            assert!(waits.join().unwrap());
        });
    }
}
