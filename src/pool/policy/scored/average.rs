//! A running average of latencies, shared by all who report one.
//!
//! One atomic word, changed only by compare-and-swap, so no report is lost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// An average that forgets: exact over the first `window` latencies; from then on each new one
/// counts for 1 / `window`.
#[derive(Default)]
pub(in crate::pool::policy) struct Average {
    /// 16 bits how many there were, as far as `window` needs to know; 48 bits the average in ns
    /// (3 days).
    word: AtomicU64,
}

const COUNT_BITS: u32 = 16;
const NANOS_MAX: u64 = u64::MAX >> COUNT_BITS;

impl Average {
    /// `None` before the first latency.
    pub(super) fn read(&self) -> Option<Duration> {
        let word = self.word.load(Relaxed);
        (word != 0).then(|| Duration::from_nanos(word >> COUNT_BITS))
    }

    pub(super) fn forget(&self) {
        self.word.store(0, Relaxed);
    }

    /// Takes in one more. Says how long it took in percent of the average before it, 100 for the
    /// first. One beyond `pace_max` percent counts as just that, so that no outlier, and no slow
    /// backend on trial, drags the average along.
    pub(super) fn add(&self, latency: Duration, window: u32, pace_max: u64) -> u64 {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).clamp(1, NANOS_MAX);
        let window = u64::from(window).clamp(1, (1 << COUNT_BITS) - 1);
        let next = |word: u64| {
            let (count, mean) = (word & ((1 << COUNT_BITS) - 1), word >> COUNT_BITS);
            let count = (count + 1).min(window);
            let nanos = if word == 0 { nanos } else { nanos.min(share(mean, pace_max)) };
            // Fits: 48 bits times 16. Rounded, or the average would creep down.
            let mean = (mean * (count - 1) + nanos + count / 2) / count;
            Some(mean.clamp(1, NANOS_MAX) << COUNT_BITS | count)
        };
        match self.word.fetch_update(Relaxed, Relaxed, next).unwrap_or_else(|word| word) {
            0 => 100,
            before => percent(nanos, before >> COUNT_BITS),
        }
    }
}

/// `part` in percent of `whole`.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100) / whole.max(1)
}

fn share(whole: u64, percent: u64) -> u64 {
    whole.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::together;

    const FAR: u64 = 1000;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn the_first_ones_count_alike_and_later_ones_by_the_window() {
        let average = Average::default();
        assert_eq!(average.read(), None);
        let paces = [100, 200, 300].map(|latency| average.add(us(latency), 4, FAR));
        assert_eq!((average.read(), paces), (Some(us(200)), [100, 200, 200]));
        assert_eq!((average.add(us(600), 4, FAR), average.read()), (300, Some(us(300))));
        assert_eq!((average.add(us(100), 4, FAR), average.read()), (33, Some(us(250))));
    }

    #[test]
    fn it_stays_where_all_latencies_are_the_same() {
        let average = Average::default();
        (0..10_000).for_each(|_| assert_eq!(average.add(us(77), 128, FAR), 100));
        assert_eq!(average.read(), Some(us(77)));
    }

    #[test]
    fn an_outlier_is_reported_whole_but_counts_only_up_to_the_limit() {
        let average = Average::default();
        average.add(us(100), 2, 300);
        assert_eq!((average.add(us(10_000), 2, 300), average.read()), (10_000, Some(us(200))));
    }

    #[test]
    fn the_longest_and_the_shortest_latencies_overflow_nothing() {
        let average = Average::default();
        for latency in [Duration::MAX, Duration::ZERO, Duration::MAX, us(1)] {
            for _ in 0..100_000 {
                average.add(latency, u32::MAX, u64::MAX);
            }
        }
        assert!(average.read() > Some(us(1)));
        let average = Average::default();
        assert_eq!((average.add(Duration::ZERO, 0, 0), average.add(us(1), 0, 0)), (100, 100_000));
    }

    #[test]
    fn no_report_is_lost() {
        let average = Average::default();
        let add = || average.add(us(5), 10_000, FAR);
        together(4, |_| (0..1000).map(|_| add()).max());
        assert_eq!(average.word.load(Relaxed) & ((1 << COUNT_BITS) - 1), 4000);
    }
}
