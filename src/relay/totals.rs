//! What all requests have come to, as each worker counts it: how clients were answered, why
//! exchanges ended, how long clients waited.
//!
//! Each request is counted here once, at its end, and beside that at the backend that had it last
//! (`pool`), which knows nothing of clients. These totals outlive every backend, so they never go
//! back. No decision is made by them.

use crate::log::Cause;
use crate::pool::buckets::{BUCKETS, bucket_to};
use crate::pool::{CLASSES, Ended, Ends, add, count_class};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Causes of an end.
const CAUSES: usize = Cause::ALL.len();

/// What one worker has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    classes: [AtomicU64; CLASSES],
    causes: [AtomicU64; CAUSES],
    errors_ours: AtomicU64,
    errors_theirs: AtomicU64,
    waits: [AtomicU64; BUCKETS],
    waited_us: AtomicU64,
    without_backend: Ended,
    passages: [AtomicU64; CAUSES],
}

/// What all requests have come to since the start. Each number stands for itself: read while
/// requests go on, two may be a request apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// As clients were answered, by class, 1xx to 5xx; 499 where one left before.
    pub classes: [u64; CLASSES],
    /// Why exchanges ended, in the order of [`Cause::ALL`].
    pub causes: [u64; CAUSES],
    /// Those that clients were told of by us, or saw broken off: the application has said nothing
    /// of the kind.
    pub errors_ours: u64,
    /// 5xx that applications gave and clients got.
    pub errors_theirs: u64,
    /// How long clients waited for the first byte, queue and retries included, by
    /// [bucket](bucket_to). A connection that became another protocol's is in none.
    pub waits: [u64; BUCKETS],
    /// How long they waited together.
    pub waited: Duration,
    /// Those that no backend was tried for.
    pub without_backend: Ends,
    /// Why connections of TCP clients ended, in the order of [`Cause::ALL`]. They are no requests,
    /// and in none of the other numbers.
    pub passages: [u64; CAUSES],
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) status: u16,
    pub(crate) cause: Cause,
    /// Until the first byte of its answer; until its end if there was none.
    pub(crate) waited: Duration,
}

impl Seen {
    /// Counts one that a backend was tried for.
    pub(crate) fn count(&self, ending: &Ending) {
        self.count_any(ending);
        if ending.status >= 500 && ending.cause == Cause::Done {
            self.errors_theirs.fetch_add(1, Relaxed);
        }
    }

    /// Counts one that no backend was tried for, and that took so long.
    pub(crate) fn count_without_backend(&self, ending: &Ending, took: Duration) {
        self.count_any(ending);
        self.without_backend.count(ending.status, took);
    }

    /// Counts a TCP client's connection that has ended.
    pub(crate) fn count_passage(&self, cause: Cause) {
        self.passages[cause as usize].fetch_add(1, Relaxed);
    }

    fn count_any(&self, ending: &Ending) {
        let Ending { status, cause, waited } = *ending;
        count_class(&self.classes, status);
        self.causes[cause as usize].fetch_add(1, Relaxed);
        if status >= 200 {
            self.waits[bucket_to(waited)].fetch_add(1, Relaxed);
            self.waited_us.fetch_add(waited.as_micros() as u64, Relaxed);
        }
        if cause.is_error() {
            self.errors_ours.fetch_add(1, Relaxed);
        }
    }
}

impl Totals {
    /// Connections of TCP clients that have ended.
    pub fn connections(&self) -> u64 {
        self.passages.iter().sum()
    }

    /// Those that ended badly, and not by their client's doing.
    pub fn connection_errors(&self) -> u64 {
        let all = Cause::ALL.iter().zip(self.passages);
        all.filter(|(cause, _)| cause.is_error()).map(|(_, count)| count).sum()
    }

    /// With what one worker has seen.
    pub(crate) fn with(mut self, seen: &Seen) -> Self {
        add(&mut self.classes, &seen.classes);
        add(&mut self.causes, &seen.causes);
        add(&mut self.passages, &seen.passages);
        self.errors_ours += seen.errors_ours.load(Relaxed);
        self.errors_theirs += seen.errors_theirs.load(Relaxed);
        add(&mut self.waits, &seen.waits);
        self.waited += Duration::from_micros(seen.waited_us.load(Relaxed));
        self.without_backend = self.without_backend.with(&seen.without_backend);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Cause::{BackendReset, ClientGone, Done, NoBackend, Refused};

    #[test]
    fn an_error_is_ours_or_theirs_or_the_clients_and_never_two_of_them() {
        let seen = Seen::default();
        let waited = Duration::from_micros(400);
        let ends = [
            (200, Done),
            (500, Done),
            (503, NoBackend),
            (200, BackendReset),
            (400, Refused),
            (499, ClientGone),
        ];
        for (status, cause) in ends {
            seen.count(&Ending { status, cause, waited });
        }
        let totals = Totals::default().with(&seen);
        assert_eq!((totals.errors_ours, totals.errors_theirs), (2, 1));
        assert_eq!(totals.classes, [0, 2, 0, 2, 2]);
        assert_eq!((totals.causes.iter().sum::<u64>(), totals.causes[Done as usize]), (6, 2));
        assert_eq!((totals.waits[0], totals.waited), (6, 6 * waited));
    }

    #[test]
    fn what_no_application_was_asked_is_no_error_of_an_application() {
        let seen = Seen::default();
        let not_ready = Ending { status: 503, cause: Done, waited: Duration::ZERO };
        seen.count_without_backend(&not_ready, Duration::ZERO);
        let totals = Totals::default().with(&seen);
        assert_eq!((totals.errors_ours, totals.errors_theirs), (0, 0));
        assert_eq!((totals.classes[4], totals.without_backend.classes[4]), (1, 1));
    }
}
