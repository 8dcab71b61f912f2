//! The rule by which one of several backends is picked: one file a policy.
//!
//! Called by the pool for each request, from many workers at once. A policy sees its candidates
//! through a [`View`] and never learns what keeps the others out.

mod alias;
mod first_alive;
mod hash;
mod least_connections;
mod load;
mod round_robin;
mod rounds;
mod scored;
mod turns;
mod two_choices;
mod weighted;

use super::{CheckOutcome, Outcome, Spec};

pub use first_alive::FirstAlive;
pub use hash::Hash;
pub use least_connections::LeastConnections;
pub use round_robin::RoundRobin;
pub use scored::{ScoredRoundRobin, ScoredRules};
pub use two_choices::TwoChoices;
pub use weighted::WeightedRoundRobin;

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

/// The policies there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each in its turn.
    RoundRobin,
    /// The same with nginx's smooth sequence.
    WeightedRoundRobin,
    /// The one that is least busy.
    LeastConnections,
    /// The less busy of two drawn by chance.
    TwoChoices,
    /// The same client to the same backend.
    Hash,
    /// The first in the file that is up.
    FirstAlive,
    /// Each in its turn, but the slow and the faulty sit turns out.
    ScoredRoundRobin,
}

impl Kind {
    /// All of them, in the order of the documentation, by the names that the configuration uses.
    pub const ALL: [(&'static str, Kind); 7] = [
        ("round-robin", Kind::RoundRobin),
        ("weighted-round-robin", Kind::WeightedRoundRobin),
        ("least-connections", Kind::LeastConnections),
        ("two-choices", Kind::TwoChoices),
        ("hash", Kind::Hash),
        ("first-alive", Kind::FirstAlive),
        ("scored-round-robin", Kind::ScoredRoundRobin),
    ];

    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, kind)| *kind == self);
        named.expect("ALL has them all").0
    }

    /// The policy for these backends.
    pub fn build(self, backends: &[Spec], scored: &ScoredRules) -> Box<dyn Policy> {
        let weights: Vec<u32> = backends.iter().map(|spec| spec.weight).collect();
        match self {
            Self::RoundRobin => Box::new(RoundRobin::new(&weights)),
            Self::WeightedRoundRobin => Box::new(WeightedRoundRobin::new(backends.len())),
            Self::LeastConnections => Box::new(LeastConnections::new(&weights)),
            Self::TwoChoices => Box::new(TwoChoices::new(&weights)),
            Self::Hash => {
                let names: Vec<&str> = backends.iter().map(|spec| spec.name.as_str()).collect();
                Box::new(Hash::new(&names, &weights))
            }
            Self::FirstAlive => Box::new(FirstAlive),
            Self::ScoredRoundRobin => Box::new(ScoredRoundRobin::new(&weights, scored.clone())),
        }
    }
}
