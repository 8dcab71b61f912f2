//! How long a backend takes to answer: how many of its latest answers took how long.
//!
//! Counted by the pool for each answer, which costs a relaxed addition. What is asked of it is how
//! things are *now*: with all answers since the start, the night's trouble would not show among
//! those of a quiet month. So each answer counts for half after a minute, for a quarter after two,
//! and for nothing after ten; of who has answered nothing lately, nothing is said.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::buckets::{BUCKETS, bucket};

/// What one answer counts for at first: so often it can be halved.
const FRESH: u64 = 1 << 10;
/// After so long it counts for half.
const HALF_LIFE_S: u64 = 60;
/// After so many halvings nothing is left, whatever there was.
const HALVINGS_MAX: u64 = u64::BITS as u64;

/// How long the latest answers took.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    buckets: [AtomicU64; BUCKETS],
    /// How many half-lives had begun at the last halving.
    halved: AtomicU64,
}

impl Latencies {
    /// An answer took so long.
    pub(super) fn count(&self, latency: Duration, now: Duration) {
        self.age(now);
        self.buckets[bucket(latency)].fetch_add(FRESH, Relaxed);
    }

    /// Adds what the latest answers count for to `counts`.
    pub(super) fn add_to(&self, counts: &mut [u64; BUCKETS], now: Duration) {
        self.age(now);
        for (count, bucket) in counts.iter_mut().zip(&self.buckets) {
            *count += bucket.load(Relaxed);
        }
    }

    /// Halves everything for each half-life that has passed. One thread does it, and what others
    /// count meanwhile is not lost.
    fn age(&self, now: Duration) {
        let begun = now.as_secs() / HALF_LIFE_S;
        let halved = self.halved.load(Relaxed);
        if begun <= halved || self.halved.compare_exchange(halved, begun, Relaxed, Relaxed).is_err()
        {
            return;
        }
        let times = (begun - halved).min(HALVINGS_MAX - 1);
        for bucket in &self.buckets {
            // Never subtracted: a thread that sleeps in here for a minute would take off what the
            // next one has halved already, and wrap around.
            let _ = bucket.fetch_update(Relaxed, Relaxed, |count| Some(count >> times));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::buckets::quantile;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn quantiles<const N: usize>(
        latencies: &Latencies,
        shares: [f64; N],
        now: Duration,
    ) -> [Option<Duration>; N] {
        let mut counts = [0; BUCKETS];
        latencies.add_to(&mut counts, now);
        shares.map(|share| quantile(&counts, share))
    }

    fn median(latencies: &Latencies, now: Duration) -> Option<Duration> {
        let [median] = quantiles(latencies, [0.5], now);
        median
    }

    #[test]
    fn quantiles_are_off_by_less_than_a_bucket() {
        let latencies = Latencies::default();
        (1..=1000).for_each(|n| latencies.count(ms(n), Duration::ZERO));
        let quantiles = quantiles(&latencies, [0.5, 0.99], Duration::ZERO);
        for (quantile, exact) in quantiles.into_iter().zip([500.0, 990.0]) {
            let ratio = quantile.unwrap().as_secs_f64() * 1000.0 / exact;
            assert!((0.8..1.25).contains(&ratio), "{quantile:?} for {exact} ms");
        }
    }

    #[test]
    fn what_is_off_the_scale_counts_at_its_ends() {
        let latencies = Latencies::default();
        latencies.count(Duration::ZERO, Duration::ZERO);
        assert!(median(&latencies, Duration::ZERO).unwrap() < ms(1));
        (0..9).for_each(|_| latencies.count(ms(100_000), Duration::ZERO));
        assert_eq!(median(&latencies, Duration::ZERO), Some(ms(32_768)));
    }

    #[test]
    fn the_latest_answers_count_most_and_old_ones_are_forgotten() {
        let (latencies, minutes) = (Latencies::default(), |n: u64| Duration::from_secs(60 * n));
        (0..100).for_each(|_| latencies.count(ms(2), minutes(0)));
        (0..60).for_each(|_| latencies.count(ms(900), minutes(1)));
        assert!(median(&latencies, minutes(1)).unwrap() > ms(700), "60 outweigh 100 halves");
        assert!(median(&latencies, minutes(5)).is_some());
        assert_eq!(median(&latencies, minutes(30)), None);
        latencies.count(ms(2), minutes(100_000_000));
        assert!(median(&latencies, minutes(100_000_000)).unwrap() < ms(4));
    }

    #[test]
    fn nothing_is_lost_while_it_ages() {
        let latencies = Latencies::default();
        crate::pool::testing::together(4, |_| {
            for n in 0..10_000 {
                latencies.count(ms(5), Duration::from_secs(n / 100));
            }
        });
        let left: u64 = latencies.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        assert!((FRESH * 20_000..=FRESH * 40_000).contains(&left), "{left}");
    }
}
