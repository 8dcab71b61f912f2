//! What all pools of a family share: a pool, the one that follows it when the file changes, and so
//! on.
//!
//! Requests hold on to the pool that they began with, so several are in use for a while. What one
//! alone cannot know is here: which backends there are in the end, and how much goes on at all of
//! them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Backend;
use super::record::{NEVER, Record};
use super::retry::Retrying;

/// The family of a pool.
pub(super) struct Family {
    turn: Mutex<Turn>,
    pub(super) retrying: Arc<Retrying>,
    /// When the first of those in maintenance is to end what is in flight there.
    due_ms: AtomicU64,
}

/// Held by whoever changes a backend's standing, in whatever pool: so rules that look at several
/// backends see them all at rest. Nothing else is locked under it.
pub(super) struct Turn {
    /// Those of the newest pool. What stands in no file any more changes no more.
    pub(super) backends: Arc<[Backend]>,
    /// Of all pools that are still in use.
    records: Vec<Weak<Record>>,
}

impl Family {
    /// Of a first pool, with these.
    pub(super) fn new(backends: &Arc<[Backend]>) -> Arc<Self> {
        let mut turn = Turn { backends: Arc::clone(backends), records: Vec::new() };
        turn.follow(backends);
        Arc::new(Self {
            turn: Mutex::new(turn),
            retrying: Arc::default(),
            due_ms: AtomicU64::new(NEVER),
        })
    }

    pub(super) fn take_turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests in flight, at whatever is or was a backend.
    pub(super) fn in_flight(&self) -> usize {
        let turn = self.take_turn();
        let records = turn.records.iter().filter_map(Weak::upgrade);
        records.map(|record| record.in_use() as usize).sum()
    }
}

impl Family {
    /// Looks again when `record` is due.
    pub(super) fn await_due(&self, record: &Record) {
        self.due_ms.fetch_min(record.due_ms(), Relaxed);
    }

    /// Cuts those off whose time is up. True if anything is in flight there: to be called again.
    pub(super) fn cut_overdue(&self, now_ms: u64) -> bool {
        if now_ms < self.due_ms.load(Relaxed) {
            return false; // as nearly always: no lock is taken for it
        }
        let turn = self.take_turn();
        let (mut next, mut is_left) = (NEVER, false);
        for record in turn.records.iter().filter_map(Weak::upgrade) {
            if record.due_ms() > now_ms {
                next = next.min(record.due_ms());
                continue;
            }
            record.wish.cut();
            is_left |= record.in_use() > 0;
        }
        self.due_ms.store(if is_left { now_ms } else { next }, Relaxed);
        is_left
    }
}

impl Turn {
    /// The place of a pool's backend among the newest, if it is still one of them.
    pub(super) fn place(&self, backend: &Backend) -> Option<usize> {
        self.backends.iter().position(|one| one.is(backend))
    }

    /// These are the newest from now on.
    pub(super) fn follow(&mut self, backends: &Arc<[Backend]>) {
        self.backends = Arc::clone(backends);
        self.records.retain(|record| record.strong_count() > 0);
        for backend in backends.iter() {
            let record = Arc::downgrade(&backend.record);
            if !self.records.iter().any(|known| known.ptr_eq(&record)) {
                self.records.push(record);
            }
        }
    }
}

/// Whose record each of `specs` gets, by place in `before`: that of the backend of its name, else
/// of one at its host and port. Names come first, for all of them, and each record goes to one.
pub(super) fn heirs<'s>(
    before: &[Backend],
    specs: impl Iterator<Item = &'s super::Spec> + Clone,
) -> Vec<Option<usize>> {
    let mut free = vec![true; before.len()];
    let mut take = |is_it: &dyn Fn(&super::Spec) -> bool| {
        let mut all = (0..before.len()).filter(|at| free[*at] && is_it(before[*at].spec()));
        let at = all.next()?;
        free[at] = false;
        Some(at)
    };
    let by_name: Vec<_> = specs.clone().map(|spec| take(&|old| old.name == spec.name)).collect();
    let at_its_place = |(spec, found): (&super::Spec, Option<usize>)| {
        found.or_else(|| take(&|old| old.is_at(spec)))
    };
    specs.zip(by_name).map(at_its_place).collect()
}
