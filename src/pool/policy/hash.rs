//! Hash.

use super::turns::Turns;
use super::{Policy, View};

/// The policy `hash`.
pub struct Hash {
    turns: Turns,
}

impl Hash {
    /// For backends of these names and weights.
    pub fn new(_names: &[&str], weights: &[u32]) -> Self {
        Self { turns: Turns::new(weights) }
    }
}

impl Policy for Hash {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        self.turns.next(|index| view.is_usable(index))
    }

    fn name(&self) -> &'static str {
        "hash"
    }
}
