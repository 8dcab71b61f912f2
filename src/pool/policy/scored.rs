//! Scored round robin.

use super::turns::Turns;
use super::{Policy, View};

/// What the score is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoredRules {}

/// The policy `scored-round-robin`.
pub struct ScoredRoundRobin {
    turns: Turns,
}

impl ScoredRoundRobin {
    /// For backends of these weights.
    pub fn new(weights: &[u32], _rules: ScoredRules) -> Self {
        Self { turns: Turns::new(weights) }
    }
}

impl Policy for ScoredRoundRobin {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        self.turns.next(|index| view.is_usable(index))
    }

    fn name(&self) -> &'static str {
        "scored-round-robin"
    }
}
