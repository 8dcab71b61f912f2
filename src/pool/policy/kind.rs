//! The policies there are, by the names that the configuration uses.

use super::{
    FirstAlive, Hash, LeastConnections, Policy, RoundRobin, ScoredRoundRobin, ScoredRules,
    TwoChoices, WeightedRoundRobin,
};
use crate::pool::Spec;

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
            Self::WeightedRoundRobin => Box::new(WeightedRoundRobin::default()),
            Self::LeastConnections => Box::new(LeastConnections::default()),
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
