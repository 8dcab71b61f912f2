//! Least connections: the backend with the fewest requests for its weight; ties by turn.
//!
//! Looks at every backend for each pick, and takes no lock: two picks at once may see the same
//! counts and go to the same backend; the next ones see both.

use std::cmp::Ordering;

use super::turns::Turns;
use super::{Policy, View};

/// The policy `least-connections`.
pub struct LeastConnections {
    turns: Turns,
}

impl LeastConnections {
    /// For backends of these weights.
    pub fn new(weights: &[u32]) -> Self {
        Self { turns: Turns::new(weights) }
    }
}

impl Policy for LeastConnections {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        let usable = (0..view.count()).filter(|index| view.is_usable(*index));
        let least = usable.map(|index| Load::of(view, index)).min()?;
        self.turns.next(|index| view.is_usable(index) && Load::of(view, index) <= least)
    }

    fn name(&self) -> &'static str {
        "least-connections"
    }
}

/// How busy a backend is: requests for each unit of weight, compared without division.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    in_use: u32,
    weight: u32,
}

impl Load {
    pub(super) fn of(view: &dyn View, index: usize) -> Self {
        Self { in_use: view.in_use(index), weight: view.weight(index) }
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| u64::from(a.in_use) * u64::from(b.weight);
        cross(self, other).cmp(&cross(other, self))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
