//! What a policy is, and what it sees of the backends.

use crate::pool::{CheckOutcome, Outcome};

/// Picks a backend.
pub trait Policy: Send + Sync {
    /// The index of a usable backend, or `None` if the view has none.
    fn pick(&self, view: &dyn View) -> Option<usize>;

    /// As the configuration names it.
    fn name(&self) -> &'static str;

    /// Takes in what came of a request to the backend at `index`. Returns words for the log if
    /// they are worth a line.
    fn served(&self, _index: usize, _outcome: &Outcome) -> Option<String> {
        None
    }

    /// Takes in what a check of the backend at `index` found; likewise.
    fn checked(&self, _index: usize, _outcome: &CheckOutcome) -> Option<String> {
        None
    }

    /// Hears that the backend at `index` is back: a check or an operator said so, or it has
    /// answered well after an ejection.
    fn returned(&self, _index: usize) {}

    /// How it sees the backend at `index` now, in words, if it has a view of its own.
    fn explain(&self, _index: usize) -> Option<String> {
        None
    }

    /// Its score of the backend at `index`, if it has one; lower is better.
    fn score(&self, _index: usize) -> Option<f64> {
        None
    }
}

/// The backends as one request may use them. Each look is fresh: what was usable may be so no
/// more when it is picked, and then the pool asks again.
pub trait View {
    /// How many backends there are, usable or not.
    fn count(&self) -> usize;

    /// True if the request may go to the backend at `index`, below [`count`](View::count).
    fn is_usable(&self, index: usize) -> bool;

    /// Requests that it is busy with.
    fn in_use(&self, index: usize) -> u32;

    /// Its share as configured, at least 1.
    fn weight(&self, index: usize) -> u32;

    /// A number drawn for this pick, uniform over all of u64.
    fn chance(&self) -> u64;

    /// What [`struct@Hash`] goes by.
    fn key(&self) -> Option<u64>;
}
