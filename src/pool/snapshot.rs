//! What everyone shares and somebody replaces as a whole: a pool, a configuration.
//!
//! Each worker and each background thread holds a [`Look`] at it. Looking costs one atomic load;
//! only after a replacement does it take the lock, once. A request keeps what it began with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The current one.
pub struct Snapshot<T> {
    /// Moves with each replacement, under the lock and after `current`.
    version: AtomicU64,
    current: Mutex<Arc<T>>,
}

impl<T> Snapshot<T> {
    /// Shares `first`.
    pub fn new(first: Arc<T>) -> Arc<Self> {
        Arc::new(Self { version: AtomicU64::new(0), current: Mutex::new(first) })
    }

    /// Puts `next` in the place of the current one, for everyone's next look.
    pub fn replace(&self, next: Arc<T>) {
        let mut current = self.lock();
        *current = next;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// For one thread to look at it.
    pub fn look(self: &Arc<Self>) -> Look<T> {
        let (version, seen) = self.read();
        Look { snapshot: Arc::clone(self), version, seen }
    }

    /// The current one, for who looks too seldom to hold on to what it saw.
    pub fn current(&self) -> Arc<T> {
        self.read().1
    }

    /// The current one with its version; the lock makes them one pair.
    fn read(&self) -> (u64, Arc<T>) {
        let current = self.lock();
        (self.version.load(Ordering::Relaxed), Arc::clone(&current))
    }

    fn lock(&self) -> MutexGuard<'_, Arc<T>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread's look at a [`Snapshot`].
pub struct Look<T> {
    snapshot: Arc<Snapshot<T>>,
    version: u64,
    seen: Arc<T>,
}

impl<T> Look<T> {
    /// The current one.
    pub fn current(&mut self) -> &Arc<T> {
        self.replaced();
        &self.seen
    }

    /// True if the last look saw the one that is current now.
    pub fn is_current(&self) -> bool {
        self.snapshot.version.load(Ordering::Acquire) == self.version
    }

    /// The current one, if that is another than at the last look.
    pub fn replaced(&mut self) -> Option<&Arc<T>> {
        if self.is_current() {
            return None;
        }
        (self.version, self.seen) = self.snapshot.read();
        Some(&self.seen)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::pool::testing::{named, pool};
    use crate::pool::{Ask, Pool, Rules};

    #[test]
    fn a_look_sees_a_replacement_at_its_next_look() {
        let snapshot = Snapshot::new(pool(1, Rules::default()));
        let mut look = snapshot.look();
        let before = Arc::clone(look.current());
        assert!(Arc::ptr_eq(&before, look.current()));
        snapshot.replace(pool(2, Rules::default()));
        assert_eq!(look.current().backends().len(), 2);
        assert!(Arc::ptr_eq(snapshot.look().current(), look.current()));
    }

    #[test]
    fn a_lease_holds_on_to_the_pool_it_came_from() {
        let first = pool(1, Rules::default());
        let snapshot = Snapshot::new(Arc::clone(&first));
        let lease = snapshot.look().current().pick(&Ask::default()).unwrap();
        snapshot.replace(pool(1, Rules::default()));
        assert_eq!(first.in_flight(), 1);
        drop(lease);
        assert_eq!(first.in_flight(), 0);
        assert_eq!(Arc::strong_count(&first), 1, "a replaced pool is let go");
    }

    #[test]
    fn nobody_looks_back_and_all_end_at_the_last_pool() {
        const LAST: usize = 2000;
        let snapshot = Snapshot::new(named("0"));
        let done = AtomicBool::new(false);
        let number = |pool: &Arc<Pool>| pool.backends()[0].name().parse::<usize>().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (mut look, mut seen) = (snapshot.look(), 0);
                    while !done.load(Ordering::Acquire) {
                        let next = number(look.current());
                        assert!(next >= seen, "{next} after {seen}");
                        seen = next;
                    }
                    assert_eq!(number(look.current()), LAST);
                });
            }
            (1..=LAST).for_each(|next| snapshot.replace(named(&next.to_string())));
            done.store(true, Ordering::Release);
        });
    }
}
