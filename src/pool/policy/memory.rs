//! What the policies remember, kept apart from them: it outlives a policy that another of the same
//! kind follows, as after a change of the configuration.
//!
//! Of each backend there is a [`Memory`], which the pool keeps with whatever else is known of the
//! backend and shows in its [`View`](super::View); of all together there is a [`Ledger`], which a
//! policy takes over from the one before. Under a policy of another kind both begin anew.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::scored::{Average, Card};

/// What a policy remembers of one backend. Each field is one policy's own.
#[derive(Default)]
#[repr(C)] // the turns in front, in the line of the cache that a pick has at hand
pub struct Memory {
    /// Of `least-connections`: when the next turn is due; 0 before the first.
    pub(super) due: AtomicU64,
    /// Of `weighted-round-robin`: the current weight. Changed under the ledger's `turn`.
    pub(super) current: AtomicI64,
    /// Of `scored-round-robin`.
    pub(super) card: Card,
}

/// What a policy remembers of all backends together.
#[derive(Default)]
pub struct Ledger {
    /// Of those that go round: the next ticket. Wraps after 2^64 of them, five centuries at a
    /// billion a second.
    pub(super) tickets: AtomicU64,
    /// Of `least-connections`: the latest time at which a turn was due that was taken.
    pub(super) clock: AtomicU64,
    /// Of `weighted-round-robin`: held by the one who picks. No other lock is taken under it.
    pub(super) turn: Mutex<()>,
    /// Of `scored-round-robin`: over all backends' good answers.
    pub(super) answers: Average,
    /// The same over all backends' passed checks.
    pub(super) checks: Average,
}

impl Memory {
    /// Begins anew: another policy follows, or the backend is somewhere else.
    pub(in crate::pool) fn forget(&self) {
        self.due.store(0, Relaxed);
        self.current.store(0, Relaxed);
        self.card.forget();
    }
}
