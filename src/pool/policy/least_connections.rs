//! Least connections: the backend with the fewest requests for its weight; ties by turn.
//!
//! Looks at every backend once for each pick, and takes no lock: two picks at once may see the same
//! counts and go to the same backend; the next ones see both.
//!
//! Most picks of a pool with little to do are ties, so turns have to be as fair as round robin's.
//! Each backend has a time at which its next turn is due on a clock of turns. Among those tied the
//! earliest goes first, and then waits a stride, the shorter the more it weighs. With all idle and
//! weights A 3, B 1, C 2:
//!
//! ```text
//! due      A 1/6 3/6 5/6 ..   B 1/2 3/2 ..   C 1/4 3/4 ..
//! picked   A C A B C A   A C A B C A
//! ```
//!
//! Whoever was busy or away did not save its turns up: what was due in the past is due now.
//!
//! Source: Waldspurger and Weihl, "Stride scheduling", 1995.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::load::Load;
use super::{Facts, Ledger, Memory, Policy, View};

/// What a backend of weight 1 waits between two turns. The clock lasts for 2^44 picks.
const STRIDE: u64 = 1 << 20;

/// The policy `least-connections`.
#[derive(Default)]
pub struct LeastConnections {
    ledger: Arc<Ledger>,
}

impl LeastConnections {
    /// Counts a turn. Of two threads that picked the same backend, none is forgotten.
    fn took(&self, Facts { weight, memory: Memory { due, .. }, .. }: Facts, turn: u64) {
        self.ledger.clock.fetch_max(turn, Relaxed);
        let missed = turn.saturating_sub(due.load(Relaxed));
        due.fetch_add(missed + stride(weight), Relaxed);
    }
}

impl Policy for LeastConnections {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        let clock = self.ledger.clock.load(Relaxed);
        let mut best: Option<((Load, u64), Facts, usize)> = None;
        for index in (0..view.count()).filter(|index| view.is_usable(*index)) {
            let facts = view.facts(index);
            let turn = match facts.memory.due.load(Relaxed) {
                0 => (stride(facts.weight) / 2).max(clock),
                due => due.max(clock),
            };
            let rank = (Load::of(facts), turn);
            if best.is_none_or(|(least, ..)| rank.cmp(&least).is_lt()) {
                best = Some((rank, facts, index));
            }
        }
        let ((_, turn), facts, index) = best?;
        self.took(facts, turn);
        Some(index)
    }

    fn name(&self) -> &'static str {
        "least-connections"
    }

    fn ledger(&self) -> Option<&Arc<Ledger>> {
        Some(&self.ledger)
    }

    fn take_over(&mut self, ledger: &Arc<Ledger>) {
        self.ledger = Arc::clone(ledger);
    }
}

fn stride(weight: u32) -> u64 {
    (STRIDE / u64::from(weight.max(1))).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{Cast, counts, picks, together};

    fn busy(view: &Cast, in_use: &[u32]) {
        for (held, now) in view.in_use.iter().zip(in_use) {
            held.store(*now, Relaxed);
        }
    }

    #[test]
    fn the_least_busy_one_gets_the_next() {
        let (view, policy) = (Cast::new(&[true; 3]), LeastConnections::default());
        busy(&view, &[2, 1, 3]);
        assert_eq!(picks(&policy, &view, 3), [1, 1, 1]);
        busy(&view, &[2, 3, 1]);
        assert_eq!(picks(&policy, &view, 1), [2]);
    }

    #[test]
    fn it_fills_up_evenly() {
        let (view, policy) = (Cast::new(&[true; 3]), LeastConnections::default());
        busy(&view, &[4, 0, 2]);
        for _ in 0..6 {
            let index = policy.pick(&view).unwrap();
            view.in_use[index].fetch_add(1, Relaxed);
        }
        let held: Vec<u32> = view.in_use.iter().map(|held| held.load(Relaxed)).collect();
        assert_eq!(held, [4, 4, 4]);
    }

    #[test]
    fn requests_count_for_their_share_of_the_weight() {
        let view = Cast::weighing(&[4, 1]);
        let policy = LeastConnections::default();
        busy(&view, &[3, 1]);
        assert_eq!(picks(&policy, &view, 1), [0], "3 of 4 is less than 1 of 1");
        busy(&view, &[5, 1]);
        assert_eq!(picks(&policy, &view, 1), [1]);
    }

    #[test]
    fn ties_go_by_turn() {
        let policy = LeastConnections::default();
        assert_eq!(picks(&policy, &Cast::new(&[true; 3]), 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn ties_go_by_weight_too_and_smoothly() {
        let view = Cast::weighing(&[3, 1, 2]);
        let policy = LeastConnections::default();
        assert_eq!(picks(&policy, &view, 12), [0, 2, 0, 1, 2, 0, 0, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn with_one_down_the_others_share_its_ties_equally() {
        let policy = LeastConnections::default();
        assert_eq!(picks(&policy, &Cast::new(&[true, false, true]), 6), [0, 2, 0, 2, 0, 2]);
    }

    #[test]
    fn one_that_was_busy_or_down_has_saved_up_no_turns() {
        let (view, policy) = (Cast::new(&[true; 3]), LeastConnections::default());
        view.set(1, false);
        busy(&view, &[0, 0, 9]);
        assert_eq!(counts(&policy, &view, 1000), [1000, 0, 0]);
        view.set(1, true);
        busy(&view, &[0, 0, 0]);
        assert_eq!(counts(&policy, &view, 9), [3, 3, 3]);
    }

    #[test]
    fn the_last_one_standing_gets_everything_and_after_it_there_is_nobody() {
        let (view, policy) = (Cast::new(&[false, false, true]), LeastConnections::default());
        busy(&view, &[0, 0, 100]);
        assert_eq!(picks(&policy, &view, 3), [2, 2, 2]);
        view.set(2, false);
        assert_eq!(policy.pick(&view), None);
        assert_eq!(LeastConnections::default().pick(&Cast::new(&[])), None);
    }

    #[test]
    fn concurrent_pickers_even_the_load_out() {
        let (view, policy) = (Cast::weighing(&[1, 2, 1]), LeastConnections::default());
        together(4, |_| {
            for _ in 0..10_000 {
                view.in_use[policy.pick(&view).unwrap()].fetch_add(1, Relaxed);
            }
        });
        let held: Vec<u32> = view.in_use.iter().map(|held| held.load(Relaxed)).collect();
        // Off by what the threads were about to add: nothing tells the others of it.
        let mut fair = held.iter().zip([10_000, 20_000, 10_000]);
        assert!(fair.all(|(held, fair)| held.abs_diff(fair) <= 20), "{held:?}");
    }

    #[test]
    fn concurrent_pickers_share_ties_fairly() {
        let (view, policy) = (Cast::new(&[true, false, true]), LeastConnections::default());
        let counts = together(4, |_| counts(&policy, &view, 10_000));
        let sum = |index: usize| counts.iter().map(|counts| counts[index]).sum::<usize>();
        assert_eq!((sum(0) + sum(2), sum(1)), (40_000, 0));
        assert!(sum(0).abs_diff(sum(2)) <= 40_000 / 50, "{counts:?}");
    }
}
