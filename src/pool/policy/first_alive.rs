//! First alive: the order of the file is the order of preference, as a failover setup wants it.
//!
//! The first usable backend gets everything; the second only what the first cannot take, and so on.
//! Weights say nothing here: whoever stands first is preferred whatever it weighs.

use super::{Policy, View};

/// The policy `first-alive`.
pub struct FirstAlive;

impl Policy for FirstAlive {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        (0..view.count()).find(|index| view.is_usable(*index))
    }

    fn name(&self) -> &'static str {
        "first-alive"
    }
}
