//! What one run came to: counted by the world as it goes, read when it is over.

use hdrhistogram::Histogram;

use crate::pool::{Notice, Standing};

/// Parts into which a run is divided for plots over time.
pub const PARTS: usize = 60;

/// Where a latency curve is read: shares of the requests that were at most so slow.
pub const QUANTILES: [f64; 22] = [
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.985,
    0.99, 0.995, 0.998, 0.999, 0.9999,
];

/// The longest latency that is told apart from longer ones: 24 h, in microseconds.
const LATENCY_MAX_US: u64 = 86_400_000_000;

/// The result of one run of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Requests that came.
    pub requests: u64,
    /// Those whose client got a 5xx, from whomever.
    pub errors: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Times that passive marking took an instance out.
    pub ejections: u64,
    /// Tries by instance and part of the run.
    pub tries: Vec<[u32; PARTS]>,
    /// The policy's score by instance, at the start of each part, where it has one.
    pub scores: Vec<[Option<f64>; PARTS]>,
    /// In microseconds, at [`QUANTILES`].
    pub curve_us: Vec<u64>,
    /// The longest, in microseconds.
    pub max_us: u64,
    /// In microseconds.
    pub mean_us: f64,
}

/// A tally while it grows.
pub(super) struct Counting {
    tally: Tally,
    latencies: Histogram<u64>,
    part_ns: u64,
}

impl Counting {
    /// For a run that is expected to take so long.
    pub(super) fn new(instances: usize, length_ns: u64) -> Self {
        let tally = Tally {
            requests: 0,
            errors: 0,
            retries: 0,
            ejections: 0,
            tries: vec![[0; PARTS]; instances],
            scores: vec![[None; PARTS]; instances],
            curve_us: Vec::new(),
            max_us: 0,
            mean_us: 0.0,
        };
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
        let latencies = latencies.expect("the bounds are in order, and three digits are allowed");
        Self { tally, latencies, part_ns: (length_ns / PARTS as u64).max(1) }
    }

    pub(super) fn came(&mut self) {
        self.tally.requests += 1;
    }

    pub(super) fn tried(&mut self, instance: usize, is_retry: bool, now_ns: u64) {
        self.tally.retries += u64::from(is_retry);
        let part = self.part(now_ns);
        self.tally.tries[instance][part] += 1;
    }

    /// A client's wait is over: a backend answered it, or it was in vain.
    pub(super) fn waited(&mut self, time_ns: u64) {
        self.latencies.saturating_record((time_ns / 1000).max(1));
    }

    pub(super) fn failed(&mut self) {
        self.tally.errors += 1;
    }

    pub(super) fn noticed(&mut self, notice: Option<&Notice>) {
        let change = notice.and_then(Notice::change);
        let is_ejection = change.is_some_and(|change| change.to == Standing::Ejected);
        self.tally.ejections += u64::from(is_ejection);
    }

    pub(super) fn scored(&mut self, instance: usize, score: Option<f64>, now_ns: u64) {
        let part = self.part(now_ns);
        self.tally.scores[instance][part] = score;
    }

    pub(super) fn finish(mut self) -> Tally {
        let at = |quantile| self.latencies.value_at_quantile(quantile);
        self.tally.curve_us = QUANTILES.into_iter().map(at).collect();
        self.tally.max_us = self.latencies.max();
        self.tally.mean_us = self.latencies.mean();
        self.tally
    }

    fn part(&self, now_ns: u64) -> usize {
        ((now_ns / self.part_ns) as usize).min(PARTS - 1)
    }
}

impl Tally {
    /// The latency in microseconds that this share of requests does not exceed, one of
    /// [`QUANTILES`].
    pub fn latency_us(&self, quantile: f64) -> u64 {
        let place = QUANTILES.iter().position(|known| *known == quantile);
        self.curve_us[place.expect("only such as are kept are asked for")]
    }

    /// Share of requests that failed.
    pub fn error_rate(&self) -> f64 {
        self.errors as f64 / (self.requests as f64).max(1.0)
    }

    /// Share of all tries that each instance got.
    pub fn shares(&self) -> Vec<f64> {
        let counts: Vec<u64> = self
            .tries
            .iter()
            .map(|parts| parts.iter().map(|count| u64::from(*count)).sum())
            .collect();
        let all: u64 = counts.iter().sum();
        counts.into_iter().map(|count| count as f64 / (all as f64).max(1.0)).collect()
    }
}
