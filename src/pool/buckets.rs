//! How times are counted: in buckets, two to an octave, from 1 ms to 32.8 s, with one below and one
//! above. Pure arithmetic.
//!
//! Within a bucket, times are taken to be spread evenly: a quantile is off by less than half of a
//! bucket, which is a fifth of itself. Where room counts more than that, whole octaves are counted.

use std::time::Duration;

/// Buckets from 1 ms on.
const STEPS: usize = 30;
/// With the one below and the one above.
pub const BUCKETS: usize = STEPS + 2;
/// Octaves, likewise: an octave ends at 1 ms, 2 ms, 4 ms and so on; the last has no end.
pub const OCTAVES: usize = STEPS / 2 + 2;

/// The octave of a time, its end included.
pub(super) fn octave(time: Duration) -> usize {
    bucket_to(time).div_ceil(2)
}

/// The bucket of a time where its end belongs to it, and its beginning to the one before: so
/// readers of histograms have it.
pub fn bucket_to(time: Duration) -> usize {
    bucket(time.saturating_sub(Duration::from_nanos(1)))
}

/// Where an octave ends; the last one never does.
pub fn end_of_octave(octave: usize) -> Option<Duration> {
    (octave < OCTAVES - 1).then(|| Duration::from_millis(1 << octave))
}

/// The bucket of a time. In half milliseconds a bucket begins at 2 or 3 times a power of two.
pub fn bucket(time: Duration) -> usize {
    let halves = time.as_micros() as u64 / 500;
    match halves.checked_ilog2() {
        None | Some(0) => 0,
        Some(octave) => {
            let is_upper = halves >> (octave - 1) & 1;
            (1 + 2 * (octave as usize - 1) + is_upper as usize).min(BUCKETS - 1)
        }
    }
}

/// Where a bucket ends; the last one never does.
pub fn end_of_bucket(bucket: usize) -> Option<Duration> {
    (bucket < BUCKETS - 1).then(|| beginning(bucket + 1))
}

/// Where a bucket begins.
fn beginning(bucket: usize) -> Duration {
    let Some(step) = bucket.checked_sub(1) else { return Duration::ZERO };
    Duration::from_micros(500 * ((2 + step as u64 % 2) << (step / 2)))
}

/// How long it takes at the most, for this share of what was counted; `None` if nothing was.
pub fn quantile(counts: &[u64; BUCKETS], share: f64) -> Option<Duration> {
    let total: u64 = counts.iter().sum();
    let mut left = total as f64 * share;
    for (bucket, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let from = beginning(bucket);
        if bucket == BUCKETS - 1 {
            return Some(from);
        }
        if left <= *count as f64 {
            let width = beginning(bucket + 1) - from;
            return Some(from + width.mul_f64(left / *count as f64));
        }
        left -= *count as f64;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_bucket_holds_what_lies_between_its_beginning_and_the_next() {
        assert_eq!(beginning(1), ms(1));
        assert_eq!(beginning(BUCKETS - 1), ms(32_768));
        for at in 0..BUCKETS {
            assert_eq!(bucket(beginning(at)), at);
            let end = beginning(at + 1) - Duration::from_micros(1);
            assert_eq!(bucket(end), at, "{end:?}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn an_octave_is_two_buckets_and_ends_at_a_power_of_two() {
        assert_eq!([0, 1, 15].map(end_of_octave), [1, 2, 32_768].map(|it| Some(ms(it))));
        assert_eq!(end_of_octave(16), None);
        let ends = [0, 2, 4].map(end_of_bucket);
        assert_eq!(ends, [0, 1, 2].map(end_of_octave));
        assert_eq!(end_of_bucket(BUCKETS - 1), None);
        assert_eq!([1, 2].map(|it| bucket_to(ms(it))), [0, 2]);
        for time in [0, 1, 2, 3, 4, 5, 700, 32_767, 32_768, 90_000] {
            let at = octave(ms(time));
            assert!(at.checked_sub(1).and_then(end_of_octave).is_none_or(|from| from < ms(time)));
            assert!(end_of_octave(at).is_none_or(|to| ms(time) <= to), "{time} ms is in {at}");
        }
    }
}
