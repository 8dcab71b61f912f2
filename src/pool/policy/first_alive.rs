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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{Cast, picks, together};

    #[test]
    fn the_first_that_is_up_gets_everything_whatever_the_weights() {
        let view = Cast::weighing(&[1, 100, 100]);
        assert_eq!(picks(&FirstAlive, &view, 3), [0, 0, 0]);
        view.set(0, false);
        assert_eq!(picks(&FirstAlive, &view, 3), [1, 1, 1]);
        view.set(0, true);
        assert_eq!(picks(&FirstAlive, &view, 1), [0], "and takes over again");
    }

    #[test]
    fn the_last_one_standing_gets_everything_and_after_it_there_is_nobody() {
        let view = Cast::new(&[false, false, true]);
        assert_eq!(picks(&FirstAlive, &view, 2), [2, 2]);
        view.set(2, false);
        assert_eq!(FirstAlive.pick(&view), None);
        assert_eq!(FirstAlive.pick(&Cast::new(&[])), None);
    }

    #[test]
    fn concurrent_pickers_agree() {
        let view = Cast::new(&[false, true, true]);
        let all = together(4, |_| picks(&FirstAlive, &view, 1000));
        assert!(all.concat().iter().all(|index| *index == 1));
    }
}
