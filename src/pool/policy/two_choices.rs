//! Two choices.

use super::turns::Turns;
use super::{Policy, View};

/// The policy `two-choices`.
pub struct TwoChoices {
    turns: Turns,
}

impl TwoChoices {
    /// For backends of these weights.
    pub fn new(weights: &[u32]) -> Self {
        Self { turns: Turns::new(weights) }
    }
}

impl Policy for TwoChoices {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        self.turns.next(|index| view.is_usable(index))
    }

    fn name(&self) -> &'static str {
        "two-choices"
    }
}
