//! The pattern of latency and errors that a seed gives to an instance: the same requests in the
//! same order meet the same fate in every run. Pure.
//!
//! An instance draws once: its base latency, 1 to 20 ms, and its share of errors, 0 to 5 %. Then
//! each of its requests, counted from 0, draws from seed, instance and count alone: base latency
//! plus up to half of it, and whether it ends in a 500. So concurrent requests shuffle, but do not
//! change, what happens.

use std::time::Duration;

use crate::pool::chance::scramble;

/// The draw of an instance.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    key: u64,
    base_us: u64,
    errors_of_10000: u64,
}

/// What an instance is like on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nature {
    /// Mean time until an answer begins.
    pub latency: Duration,
    /// Share of requests that are answered with 500.
    pub errors: f64,
}

/// What befalls one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub latency: Duration,
    pub fails: bool,
}

impl Pattern {
    /// `None` for seed 0: no latency and no errors.
    pub(super) fn new(seed: u64, instance: u16) -> Option<Pattern> {
        if seed == 0 {
            return None;
        }
        let key = scramble(scramble(seed) ^ u64::from(instance));
        let base_us = 1000 + scramble(key ^ 1) % 19_001;
        Some(Pattern { key, base_us, errors_of_10000: scramble(key ^ 2) % 501 })
    }

    /// What these draws come to: base latency and the middle of what is added to it.
    pub(super) fn nature(&self) -> Nature {
        let latency = Duration::from_micros(self.base_us + self.base_us / 4);
        Nature { latency, errors: self.errors_of_10000 as f64 / 10_000.0 }
    }

    /// What befalls the instance's request number `count`.
    pub(super) fn turn(&self, count: u64) -> Fate {
        let draw = scramble(self.key.wrapping_add(scramble(count)));
        let jitter_us = (draw >> 32) % (self.base_us / 2 + 1);
        let fails = (draw & 0xffff_ffff) % 10_000 < self.errors_of_10000;
        Fate { latency: Duration::from_micros(self.base_us + jitter_us), fails }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_the_same_in_every_run_and_differs_between_instances_and_seeds() {
        let turns = |seed, instance| {
            let pattern = Pattern::new(seed, instance).unwrap();
            (0..100).map(|count| pattern.turn(count)).collect::<Vec<_>>()
        };
        assert_eq!(turns(42, 0), turns(42, 0));
        assert_ne!(turns(42, 0), turns(42, 1));
        assert_ne!(turns(42, 0), turns(43, 0));
    }

    #[test]
    fn latency_and_errors_stay_within_what_is_promised() {
        for instance in 0..200 {
            let pattern = Pattern::new(7, instance).unwrap();
            let turns: Vec<Fate> = (0..2000).map(|count| pattern.turn(count)).collect();
            let ms = |turn: &Fate| turn.latency.as_micros() / 1000;
            assert!(turns.iter().all(|turn| (1..=30).contains(&ms(turn))));
            assert!(turns.iter().filter(|turn| turn.fails).count() <= 2000 * 7 / 100);
        }
    }

    #[test]
    fn an_instance_is_on_average_what_its_nature_says() {
        let pattern = Pattern::new(7, 3).unwrap();
        let turns: Vec<Fate> = (0..20_000).map(|count| pattern.turn(count)).collect();
        let mean = turns.iter().map(|turn| turn.latency).sum::<Duration>() / 20_000;
        let errors = turns.iter().filter(|turn| turn.fails).count() as f64 / 20_000.0;
        let Nature { latency, errors: expected } = pattern.nature();
        assert!(mean.abs_diff(latency) < latency / 50, "{mean:?} for {latency:?}");
        assert!((errors - expected).abs() < 0.01, "{errors} for {expected}");
    }

    #[test]
    fn seed_0_has_no_pattern() {
        assert!(Pattern::new(0, 0).is_none());
    }
}
