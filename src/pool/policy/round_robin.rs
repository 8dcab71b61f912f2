//! Round robin: each usable backend in turn, fair to within one request however many pick at once.
//!
//! Each pick draws tickets from one counter; ticket % count names a backend. A ticket whose
//! backend is not usable is thrown away, not passed to its neighbour, which would then serve twice
//! its share. With B of A, B, C down:
//!
//! ```text
//! ticket   0  1  2  3  4  5  6  7  8
//! backend  A  B  C  A  B  C  A  B  C
//! given    A  -  C  A  -  C  A  -  C     passed on it would be  A C C A C C
//! ```

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Policy, View};

/// Tickets that one pick may draw, for each backend there is. Threads in lockstep can keep drawing
/// each other's gaps: with k of n usable, a pick comes to its end with a chance of about e^(-8k).
const ROUNDS_MAX: usize = 8;

/// The policy `round-robin`.
#[derive(Default)]
pub struct RoundRobin {
    /// Wraps after 2^64 tickets, five centuries at a billion a second.
    tickets: AtomicUsize,
}

impl Policy for RoundRobin {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        let count = view.count();
        let draw = || self.tickets.fetch_add(1, Relaxed) % count;
        let drawn = (0..count * ROUNDS_MAX).map(|_| draw()).find(|index| view.is_usable(*index));
        drawn.or_else(|| (0..count).find(|index| view.is_usable(*index)))
    }

    fn name(&self) -> &'static str {
        "round-robin"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::pool::testing::together;

    /// Backends that are usable or not.
    struct Switches(Vec<AtomicBool>);

    impl Switches {
        fn new(usable: &[bool]) -> Self {
            Self(usable.iter().map(|usable| AtomicBool::new(*usable)).collect())
        }

        fn set(&self, index: usize, usable: bool) {
            self.0[index].store(usable, Relaxed);
        }
    }

    impl View for Switches {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn is_usable(&self, index: usize) -> bool {
            self.0[index].load(Relaxed)
        }

        fn in_use(&self, _: usize) -> u32 {
            0
        }

        fn weight(&self, _: usize) -> u32 {
            1
        }
    }

    fn picks(policy: &RoundRobin, view: &Switches, times: usize) -> Vec<usize> {
        (0..times).filter_map(|_| policy.pick(view)).collect()
    }

    #[test]
    fn it_goes_round() {
        let view = Switches::new(&[true, true, true]);
        assert_eq!(picks(&RoundRobin::default(), &view, 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn with_one_down_the_others_share_equally() {
        let view = Switches::new(&[true, false, true]);
        assert_eq!(picks(&RoundRobin::default(), &view, 6), [0, 2, 0, 2, 0, 2]);
    }

    #[test]
    fn the_last_one_standing_gets_everything_and_a_recovered_one_its_share_again() {
        let view = Switches::new(&[false, false, true]);
        let policy = RoundRobin::default();
        assert_eq!(picks(&policy, &view, 4), [2, 2, 2, 2]);
        view.set(0, true);
        assert_eq!(picks(&policy, &view, 4), [0, 2, 0, 2]);
    }

    #[test]
    fn nobody_usable_is_nobody() {
        assert_eq!(RoundRobin::default().pick(&Switches::new(&[false, false])), None);
        assert_eq!(RoundRobin::default().pick(&Switches::new(&[])), None);
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
                self.0.fetch_add(1, Relaxed) >= 2 * ROUNDS_MAX && index == 1
            }
            fn in_use(&self, _: usize) -> u32 {
                0
            }
            fn weight(&self, _: usize) -> u32 {
                1
            }
        }
        assert_eq!(RoundRobin::default().pick(&Late(AtomicUsize::new(0))), Some(1));
    }

    #[test]
    fn concurrent_pickers_are_fair_to_within_one() {
        for usable in [&[true, true, true][..], &[true, false, true], &[true; 7], &[true, false]] {
            let (view, policy) = (Switches::new(usable), RoundRobin::default());
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
