//! Round robin: each usable backend in turn, as often as it weighs, fair to within one request
//! however many pick at once. One atomic addition a pick, and no lock; `turns.rs` says how.

use super::turns::Turns;
use super::{Ledger, Policy, View};
use std::sync::Arc;

/// The policy `round-robin`.
pub struct RoundRobin {
    turns: Turns,
}

impl RoundRobin {
    /// For backends of these weights.
    pub fn new(weights: &[u32]) -> Self {
        Self { turns: Turns::new(weights) }
    }
}

impl Policy for RoundRobin {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        self.turns.next(|index| view.is_usable(index))
    }

    fn name(&self) -> &'static str {
        "round-robin"
    }

    fn ledger(&self) -> Option<&Arc<Ledger>> {
        Some(&self.turns.ledger)
    }

    fn take_over(&mut self, ledger: &Arc<Ledger>) {
        self.turns.ledger = Arc::clone(ledger);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::pool::policy::Facts;
    use crate::pool::testing::{Cast, counts, picks, together};

    #[test]
    fn it_goes_round() {
        let view = Cast::new(&[true, true, true]);
        assert_eq!(picks(&RoundRobin::new(&[1; 3]), &view, 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn with_one_down_the_others_share_equally() {
        let view = Cast::new(&[true, false, true]);
        assert_eq!(picks(&RoundRobin::new(&[1; 3]), &view, 6), [0, 2, 0, 2, 0, 2]);
    }

    #[test]
    fn the_last_one_standing_gets_everything_and_a_recovered_one_its_share_again() {
        let view = Cast::new(&[false, false, true]);
        let policy = RoundRobin::new(&[1; 3]);
        assert_eq!(picks(&policy, &view, 4), [2, 2, 2, 2]);
        view.set(0, true);
        assert_eq!(picks(&policy, &view, 4), [0, 2, 0, 2]);
    }

    #[test]
    fn nobody_usable_is_nobody() {
        assert_eq!(RoundRobin::new(&[1, 1]).pick(&Cast::new(&[false, false])), None);
        assert_eq!(RoundRobin::new(&[]).pick(&Cast::new(&[])), None);
    }

    #[test]
    fn one_that_comes_up_between_the_draws_is_found() {
        /// Usable only from the n-th look on.
        struct Late(AtomicUsize);
        impl View for Late {
            fn count(&self) -> usize {
                2
            }
            fn is_usable(&self, index: usize) -> bool {
                self.0.fetch_add(1, Relaxed) >= 64 && index == 1
            }
            fn facts(&self, _: usize) -> Facts<'_> {
                unreachable!("it goes by nothing else")
            }
            fn chance(&self) -> u64 {
                0
            }
            fn key(&self) -> Option<u64> {
                None
            }
        }
        assert_eq!(RoundRobin::new(&[1, 1]).pick(&Late(AtomicUsize::new(0))), Some(1));
    }

    #[test]
    fn every_round_holds_exactly_the_weights_spread_evenly() {
        let (view, policy) = (Cast::weighing(&[3, 1, 2]), RoundRobin::new(&[3, 1, 2]));
        assert_eq!(picks(&policy, &view, 12), [0, 2, 0, 1, 2, 0, 0, 2, 0, 1, 2, 0]);
        view.set(0, false);
        assert_eq!(counts(&policy, &view, 300), [0, 100, 200]);
    }

    #[test]
    fn concurrent_pickers_share_exactly_by_weight() {
        let policy = RoundRobin::new(&[5, 1, 2]);
        let all = together(8, |_| counts(&policy, &Cast::weighing(&[5, 1, 2]), 2000));
        let sum = |index: usize| all.iter().map(|counts| counts[index]).sum::<usize>();
        assert_eq!([sum(0), sum(1), sum(2)], [10_000, 2000, 4000]);
    }

    #[test]
    fn concurrent_pickers_are_fair_to_within_one() {
        for usable in [&[true, true, true][..], &[true, false, true], &[true; 7], &[true, false]] {
            let (view, policy) = (Cast::new(usable), RoundRobin::new(&vec![1; usable.len()]));
            let counts: Vec<AtomicUsize> = usable.iter().map(|_| AtomicUsize::new(0)).collect();
            together(8, |_| {
                for index in picks(&policy, &view, 10_007) {
                    counts[index].fetch_add(1, Relaxed);
                }
            });
            let counts: Vec<usize> = counts.iter().map(|count| count.load(Relaxed)).collect();
            let shares = || counts.iter().zip(usable).filter(|(_, usable)| **usable);
            let (least, most) = (shares().min().unwrap().0, shares().max().unwrap().0);
            assert!(most - least <= 1, "{counts:?}");
            assert_eq!(counts.iter().sum::<usize>(), 8 * 10_007);
        }
    }
}
