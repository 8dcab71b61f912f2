//! What a backend's latest results were: the reasons that a decision is explained with.
//!
//! Decides nothing: the score does. Written and read from many threads at once.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::ScoredRules;
use super::average::{Average, percent};
use crate::text::Took;

/// Results that are remembered one by one.
const RECENT_MAX: u32 = 20;

/// Results that a backend's own average looks back on: few, for it speaks of now.
const OWN_WINDOW: u32 = 8;

/// The latest results of one kind.
#[derive(Default)]
pub(super) struct Results {
    average: Average,
    /// A bit for each, the newest lowest, set if it was bad; above them a marker.
    recent: AtomicU32,
}

impl Results {
    /// A good one that took so long.
    pub(super) fn good(&self, latency: Duration) {
        self.average.add(latency, OWN_WINDOW, u64::MAX);
        self.push(0);
    }

    /// A bad one.
    pub(super) fn bad(&self) {
        self.push(1);
    }

    pub(super) fn forget(&self) {
        self.average.forget();
        self.recent.store(0, Relaxed);
    }

    fn push(&self, bit: u32) {
        const FULL: u32 = 1 << RECENT_MAX;
        let next = |recent: u32| {
            let pushed = recent.max(1) << 1 | bit;
            Some(if pushed < FULL << 1 { pushed } else { pushed & (FULL - 1) | FULL })
        };
        // Never refuses.
        let _ = self.recent.fetch_update(Relaxed, Relaxed, next);
    }

    /// Adds what speaks against the backend to `words`, a comma before each but the first. `noun`
    /// names the results, `pool` is the average over all backends.
    pub(super) fn explain(
        &self,
        noun: &str,
        pool: Option<Duration>,
        rules: &ScoredRules,
        words: &mut String,
    ) -> fmt::Result {
        let comma = |words: &String| if words.is_empty() { "" } else { ", " };
        if let (Some(own), Some(pool)) = (self.average.read(), pool) {
            let pace = percent(own.as_nanos() as u64, pool.as_nanos() as u64);
            if pace >= rules.slow_from.into() {
                let (whole, tenth, comma) = (pace / 100, pace / 10 % 10, comma(words));
                let average = Took(pool);
                write!(words, "{comma}{noun} slow ({whole}.{tenth} x the pool's {average})")?;
            }
        }
        let recent = self.recent.load(Relaxed).max(1);
        let (bad, all) = (recent.count_ones() - 1, recent.ilog2());
        if bad > 0 {
            let comma = comma(words);
            write!(words, "{comma}{bad} of the last {all} {noun} bad")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: Option<Duration> = Some(Duration::from_millis(12));

    fn words(results: &Results) -> String {
        let mut words = String::new();
        results.explain("answers", POOL, &ScoredRules::default(), &mut words).unwrap();
        words
    }

    #[test]
    fn nothing_to_say_is_said_in_no_words() {
        let results = Results::default();
        assert_eq!(words(&results), "");
        results.good(Duration::from_millis(13));
        assert_eq!(words(&results), "");
    }

    #[test]
    fn the_slow_and_the_bad_are_named_with_figures() {
        let results = Results::default();
        results.good(Duration::from_micros(38_400));
        assert_eq!(words(&results), "answers slow (3.2 x the pool's 12.0 ms)");
        results.bad();
        assert_eq!(
            words(&results),
            "answers slow (3.2 x the pool's 12.0 ms), 1 of the last 2 answers bad"
        );
    }

    #[test]
    fn only_the_last_twenty_are_remembered() {
        let results = Results::default();
        (0..100).for_each(|_| results.bad());
        assert_eq!(words(&results), "20 of the last 20 answers bad");
        (0..19).for_each(|_| results.good(Duration::from_millis(1)));
        assert_eq!(words(&results), "1 of the last 20 answers bad");
        results.good(Duration::from_millis(1));
        assert_eq!(words(&results), "");
    }
}
