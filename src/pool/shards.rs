//! Numbers that each thread keeps for itself, and whoever reports adds up.
//!
//! Were a number shared, each addition would fetch its line of the cache from the core that added
//! last: with eight workers that costs more than all the rest of the counting. So a thread that
//! counts has a place of its own, made at its first use, and no two places share a line.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Threads that have a place of their own; the next share these, and nothing is lost by it.
const PLACES: usize = 64;

/// The number of the next thread that counts.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Relaxed) % PLACES;
}

/// A `T` for each thread that counts. It is of atomics: a few threads may share one.
#[derive(Debug)]
pub struct Shards<T>([OnceLock<Box<Apart<T>>>; PLACES]);

/// Two lines of the cache: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; PLACES])
    }
}

impl<T: Default> Shards<T> {
    /// The calling thread's.
    pub fn own(&self) -> &T {
        &self.0[NUMBER.with(|number| *number)].get_or_init(Box::default).0
    }

    /// All there are.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get).map(|apart| &apart.0)
    }

    /// What all of them come to.
    pub fn sum<S>(&self, nothing: S, add: impl Fn(S, &T) -> S) -> S {
        self.all().fold(nothing, add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::together;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn threads_count_apart_and_nothing_is_lost_where_there_are_more_of_them_than_places() {
        let shards: Shards<AtomicU64> = Shards::default();
        let sum = || shards.sum(0, |sum, one| sum + one.load(Relaxed));
        assert_eq!(sum(), 0);
        shards.own().fetch_add(1, Relaxed);
        assert_eq!((sum(), shards.all().count()), (1, 1));
        together(PLACES * 2, |_| {
            for _ in 0..1000 {
                shards.own().fetch_add(1, Relaxed);
            }
        });
        assert_eq!(sum(), 1 + PLACES as u64 * 2000);
        assert!(shards.all().count() > 1);
    }

    #[test]
    fn no_two_places_share_a_line_of_the_cache() {
        assert_eq!(size_of::<Apart<AtomicU64>>() % 128, 0);
    }
}
