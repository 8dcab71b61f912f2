//! The pool that everyone shares, replaceable as one.
//!
//! Each worker and each background thread holds a [`Reader`]. Reading costs one atomic load;
//! only after a replacement does a reader take the lock, once. A request keeps the pool it began
//! with: its lease holds on to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Pool;

/// The current pool.
pub struct Snapshot {
    /// Moves with each replacement, under the lock and after `current`.
    version: AtomicU64,
    current: Mutex<Arc<Pool>>,
}

impl Snapshot {
    /// Shares `pool`.
    pub fn new(pool: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { version: AtomicU64::new(0), current: Mutex::new(pool) })
    }

    /// Puts `pool` in the place of the current one, for every reader's next look.
    pub fn replace(&self, pool: Arc<Pool>) {
        let mut current = self.lock();
        *current = pool;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// A reader for one thread.
    pub fn reader(self: &Arc<Self>) -> Reader {
        let (version, pool) = self.read();
        Reader { snapshot: Arc::clone(self), version, pool }
    }

    /// The pool with its version; the lock makes them one pair.
    fn read(&self) -> (u64, Arc<Pool>) {
        let current = self.lock();
        (self.version.load(Ordering::Relaxed), Arc::clone(&current))
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Pool>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread's view of the current pool.
pub struct Reader {
    snapshot: Arc<Snapshot>,
    version: u64,
    pool: Arc<Pool>,
}

impl Reader {
    /// The current pool.
    pub fn pool(&mut self) -> &Arc<Pool> {
        if self.snapshot.version.load(Ordering::Acquire) != self.version {
            (self.version, self.pool) = self.snapshot.read();
        }
        &self.pool
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::pool::testing::{named, pool};
    use crate::pool::{Ask, Rules};

    #[test]
    fn a_reader_sees_a_replacement_at_its_next_look() {
        let snapshot = Snapshot::new(pool(1, Rules::default()));
        let mut reader = snapshot.reader();
        let before = Arc::clone(reader.pool());
        assert!(Arc::ptr_eq(&before, reader.pool()));
        snapshot.replace(pool(2, Rules::default()));
        assert_eq!(reader.pool().backends().len(), 2);
        assert!(Arc::ptr_eq(snapshot.reader().pool(), reader.pool()));
    }

    #[test]
    fn a_lease_holds_on_to_the_pool_it_came_from() {
        let first = pool(1, Rules::default());
        let snapshot = Snapshot::new(Arc::clone(&first));
        let lease = snapshot.reader().pool().pick(&Ask::default()).unwrap();
        snapshot.replace(pool(1, Rules::default()));
        assert_eq!(first.in_flight(), 1);
        drop(lease);
        assert_eq!(first.in_flight(), 0);
        assert_eq!(Arc::strong_count(&first), 1, "a replaced pool is let go");
    }

    #[test]
    fn readers_never_go_back_and_all_end_at_the_last_pool() {
        const LAST: usize = 2000;
        let snapshot = Snapshot::new(named("0"));
        let done = AtomicBool::new(false);
        let number = |pool: &Arc<Pool>| pool.backends()[0].name().parse::<usize>().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (mut reader, mut seen) = (snapshot.reader(), 0);
                    while !done.load(Ordering::Acquire) {
                        let next = number(reader.pool());
                        assert!(next >= seen, "{next} after {seen}");
                        seen = next;
                    }
                    assert_eq!(number(reader.pool()), LAST);
                });
            }
            (1..=LAST).for_each(|next| snapshot.replace(named(&next.to_string())));
            done.store(true, Ordering::Release);
        });
    }
}
