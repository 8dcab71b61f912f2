//! What a backend has done, as each thread counts it, and what all of them come to.
//!
//! Added to a few times a request, by whoever picks, reports and accounts; read by status pages
//! alone. No decision is made by it. A sum stands for itself: read while requests go on, two of its
//! numbers may be a request apart.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::buckets::{BUCKETS, OCTAVES, octave, quantile};
use super::latencies::Latencies;
use super::shards::Shards;

/// Classes of answers: 1xx to 5xx.
pub const CLASSES: usize = 5;

/// What one thread has seen of a backend.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) repaired: AtomicU64,
    statuses: [AtomicU64; CLASSES],
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    ended: Ended,
    latencies: Latencies,
}

/// Requests that have ended, as one thread has seen them.
#[derive(Debug, Default)]
pub struct Ended {
    classes: [AtomicU64; CLASSES],
    octaves: [AtomicU64; OCTAVES],
    sum_us: AtomicU64,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// What the client was told; 499 if it left before there was anything to tell.
    pub status: u16,
    /// From its arrival to the end of its answer.
    pub took: Duration,
    /// Bytes of its body.
    pub bytes_up: u64,
    /// Bytes of the answer's body.
    pub bytes_down: u64,
}

/// What a backend has done since it was first heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times it was picked, retries included.
    pub requests: u64,
    /// Tries that failed by its fault: no connection, no answer, a bad one, or a failing status.
    pub failures: u64,
    /// Times it was picked after another backend had failed the request.
    pub retries: u64,
    /// Answers that broke a rule and were mended. Kept by the proxy.
    pub repaired: u64,
    /// Its answers by class, 1xx to 5xx, whether a client has got them or not.
    pub statuses: [u64; CLASSES],
    /// Checks that passed.
    pub checks_passed: u64,
    /// Checks that failed.
    pub checks_failed: u64,
    /// Bytes of requests' bodies and of TCP connections sent to it. Kept by the proxy.
    pub bytes_up: u64,
    /// Bytes of answers' bodies and of TCP connections received from it. Kept by the proxy.
    pub bytes_down: u64,
    /// The requests that ended with it, retries or not. Kept by the proxy.
    pub ended: Ends,
}

/// Requests that have ended: how they were answered, and how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// As their clients were answered, by class.
    pub classes: [u64; CLASSES],
    /// How many took how long, by [octave](super::buckets::end_of_octave). A connection that became
    /// another protocol's is in none.
    pub octaves: [u64; OCTAVES],
    /// How long those took together.
    pub sum: Duration,
}

impl Tally {
    /// Counts one answer; a status outside 100 to 599 is in no class. What became a tunnel has no
    /// time that an answer took.
    pub(super) fn answered(&self, status: u16, latency: Duration, now: Duration) {
        if status >= 200 {
            self.latencies.count(latency, now);
        }
        count_class(&self.statuses, status);
    }

    /// Counts a request that has ended here.
    pub(super) fn ended(&self, end: &End) {
        self.carried(end.bytes_up, end.bytes_down);
        self.ended.count(end.status, end.took);
    }

    /// Counts bytes that went there and came from there.
    pub(super) fn carried(&self, bytes_up: u64, bytes_down: u64) {
        self.bytes_up.fetch_add(bytes_up, Relaxed);
        self.bytes_down.fetch_add(bytes_down, Relaxed);
    }
}

impl Ended {
    /// Counts one.
    pub fn count(&self, status: u16, took: Duration) {
        count_class(&self.classes, status);
        if status >= 200 {
            self.octaves[octave(took)].fetch_add(1, Relaxed);
            self.sum_us.fetch_add(took.as_micros() as u64, Relaxed);
        }
    }
}

impl Ends {
    /// With those that one thread has seen.
    pub fn with(mut self, ended: &Ended) -> Self {
        add(&mut self.classes, &ended.classes);
        add(&mut self.octaves, &ended.octaves);
        self.sum += Duration::from_micros(ended.sum_us.load(Relaxed));
        self
    }
}

impl Counts {
    /// What the threads have seen of a backend, summed.
    pub(super) fn of(tallies: &Shards<Tally>) -> Self {
        tallies.sum(Self::default(), |mut sum, one| {
            sum.requests += one.requests.load(Relaxed);
            sum.failures += one.failures.load(Relaxed);
            sum.retries += one.retries.load(Relaxed);
            sum.repaired += one.repaired.load(Relaxed);
            add(&mut sum.statuses, &one.statuses);
            sum.bytes_up += one.bytes_up.load(Relaxed);
            sum.bytes_down += one.bytes_down.load(Relaxed);
            sum.ended = sum.ended.with(&one.ended);
            sum
        })
    }
}

/// How long the latest answers took to begin at the most, for each of these shares of them; `None`
/// if there were none.
pub(super) fn quantiles<const N: usize>(
    tallies: &Shards<Tally>,
    shares: [f64; N],
    now: Duration,
) -> [Option<Duration>; N] {
    let mut counts = [0; BUCKETS];
    tallies.all().for_each(|tally| tally.latencies.add_to(&mut counts, now));
    shares.map(|share| quantile(&counts, share))
}

/// Counts a status in its class.
pub fn count_class(classes: &[AtomicU64; CLASSES], status: u16) {
    let class = usize::from(status / 100).checked_sub(1);
    if let Some(count) = class.and_then(|class| classes.get(class)) {
        count.fetch_add(1, Relaxed);
    }
}

/// Adds what one thread has counted.
pub fn add<const N: usize>(sums: &mut [u64; N], counts: &[AtomicU64; N]) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count.load(Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class() {
        let tallies: Shards<Tally> = Shards::default();
        for status in [0, 99, 100, 200, 204, 404, 599, 600, 999] {
            tallies.own().answered(status, Duration::ZERO, Duration::ZERO);
        }
        assert_eq!(Counts::of(&tallies).statuses, [1, 2, 0, 1, 1]);
    }

    #[test]
    fn what_ended_is_counted_by_what_the_client_was_told_and_by_its_time() {
        let tallies: Shards<Tally> = Shards::default();
        let times = [(200, 3), (502, 90_000), (499, 0), (101, 5_000_000)];
        for (status, ms) in times {
            let took = Duration::from_millis(ms);
            tallies.own().ended(&End { status, took, bytes_up: 1, bytes_down: 2 });
        }
        let Counts { ended, bytes_up, bytes_down, .. } = Counts::of(&tallies);
        assert_eq!((bytes_up, bytes_down), (4, 8));
        assert_eq!(ended.classes, [1, 1, 0, 1, 1]);
        let [first, .., last] = ended.octaves;
        assert_eq!((first, ended.octaves[2], last), (1, 1, 1), "a tunnel takes no time");
        assert_eq!(ended.sum, Duration::from_millis(90_003));
    }
}
