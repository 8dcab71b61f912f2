//! What a policy is, and what it sees of the backends.

use std::sync::Arc;

use super::{Ledger, Memory};
use crate::pool::{CheckOutcome, Outcome};

/// Picks a backend. What it remembers is not its own: that outlives it.
pub trait Policy: Send + Sync {
    /// The index of a usable backend, or `None` if the view has none.
    fn pick(&self, view: &dyn View) -> Option<usize>;

    /// As the configuration names it.
    fn name(&self) -> &'static str;

    /// Takes in what came of a request to the backend of this memory. Returns words for the log if
    /// they are worth a line.
    fn served(&self, _memory: &Memory, _outcome: &Outcome) -> Option<String> {
        None
    }

    /// Takes in what a check of the backend found; likewise.
    fn checked(&self, _memory: &Memory, _outcome: &CheckOutcome) -> Option<String> {
        None
    }

    /// Hears that the backend is back: a check or an operator said so, or it has answered well
    /// after an ejection.
    fn returned(&self, _memory: &Memory) {}

    /// How it sees the backend now, in words, if it has a view of its own.
    fn explain(&self, _memory: &Memory) -> Option<String> {
        None
    }

    /// Its score of the backend, if it has one; lower is better.
    fn score(&self, _memory: &Memory) -> Option<f64> {
        None
    }

    /// What turns of its own the backend has not taken, where the policy has some do so.
    fn sat_out(&self, _memory: &Memory) -> Option<SatOut> {
        None
    }

    /// What it remembers of all backends together, if anything.
    fn ledger(&self) -> Option<&Arc<Ledger>> {
        None
    }

    /// Goes on where one of the same name stood, which goes on beside it for requests from before.
    fn take_over(&mut self, _ledger: &Arc<Ledger>) {}
}

/// Turns that a backend has sat out, though it was up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SatOut {
    /// How many, since the policy began.
    pub turns: u64,
    /// It is to sit out more of them.
    pub is_out: bool,
    /// What speaks against it, in words.
    pub why: String,
}

/// The backends as one request may use them. Each look is fresh: what was usable may be so no
/// more when it is picked, and then the pool asks again.
pub trait View {
    /// How many backends there are, usable or not.
    fn count(&self) -> usize;

    /// True if the request may go to the backend at `index`, below [`count`](View::count).
    fn is_usable(&self, index: usize) -> bool;

    /// What a policy may go by.
    fn facts(&self, index: usize) -> Facts<'_>;

    /// A number drawn for this pick, uniform over all of u64.
    fn chance(&self) -> u64;

    /// What [`Hash`](struct@super::Hash) goes by.
    fn key(&self) -> Option<u64>;
}

/// One backend, as far as a policy may go by it.
#[derive(Clone, Copy)]
pub struct Facts<'v> {
    /// Requests that it is busy with.
    pub in_use: u32,
    /// Its share as configured, at least 1.
    pub weight: u32,
    /// What the policy remembers of it.
    pub memory: &'v Memory,
}
