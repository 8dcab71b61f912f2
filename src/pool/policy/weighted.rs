//! Smooth weighted round robin, with nginx's sequence: a backend of weight 5 gets 5 turns of 7, and
//! not all in a row.
//!
//! Each backend has a current weight, 0 at first. A pick raises that of each usable backend by its
//! weight, takes the highest (the first of equals), and lowers it by the sum of all. With weights
//! A 5, B 1, C 1:
//!
//! ```text
//! raised        picked   after
//!  5  1  1      A        -2  1  1
//!  3  2  2      A        -4  2  2
//!  1  3  3      B         1 -4  3
//!  6 -3  4      A        -1 -3  4
//!  4 -2  5      C         4 -2 -2
//!  9 -1 -1      A         2 -1 -1
//!  7  0  0      A         0  0  0     and so on: A A B A C A A
//! ```
//!
//! Source: nginx, `ngx_http_upstream_get_peer` (commit 52327e0627f4, 2012).

use std::sync::{Mutex, PoisonError};

use super::{Policy, View};

/// The policy `weighted-round-robin`. A pick holds a lock while it looks at every backend once;
/// `round-robin` gives the same shares without, only in another order.
pub struct WeightedRoundRobin {
    /// Each backend's current weight. No other lock is taken while this one is held.
    current: Mutex<Vec<i64>>,
}

impl WeightedRoundRobin {
    /// For so many backends.
    pub fn new(count: usize) -> Self {
        Self { current: Mutex::new(vec![0; count]) }
    }
}

impl Policy for WeightedRoundRobin {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sum, mut best) = (0, None);
        for index in (0..view.count()).filter(|index| view.is_usable(*index)) {
            let weight = i64::from(view.weight(index));
            current[index] += weight;
            sum += weight;
            if best.is_none_or(|best: usize| current[index] > current[best]) {
                best = Some(index);
            }
        }
        current[best?] -= sum;
        best
    }

    fn name(&self) -> &'static str {
        "weighted-round-robin"
    }
}
