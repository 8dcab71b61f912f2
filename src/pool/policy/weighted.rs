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

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use super::{Facts, Ledger, Policy, View};

/// The policy `weighted-round-robin`. A pick holds a lock while it looks at every backend once;
/// `round-robin` gives the same shares without, only in another order.
#[derive(Default)]
pub struct WeightedRoundRobin {
    ledger: Arc<Ledger>,
}

impl Policy for WeightedRoundRobin {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        let _turn = self.ledger.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sum, mut best) = (0, None::<(i64, _, _)>);
        for index in (0..view.count()).filter(|index| view.is_usable(*index)) {
            let Facts { weight, memory, .. } = view.facts(index);
            let current = &memory.current;
            let raised = current.load(Relaxed) + i64::from(weight);
            current.store(raised, Relaxed);
            sum += i64::from(weight);
            if best.is_none_or(|(highest, ..)| raised > highest) {
                best = Some((raised, current, index));
            }
        }
        let (raised, current, index) = best?;
        current.store(raised - sum, Relaxed);
        Some(index)
    }

    fn name(&self) -> &'static str {
        "weighted-round-robin"
    }

    fn ledger(&self) -> Option<&Arc<Ledger>> {
        Some(&self.ledger)
    }

    fn take_over(&mut self, ledger: &Arc<Ledger>) {
        self.ledger = Arc::clone(ledger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{Cast, counts, picks, together};

    /// The sequence as letters.
    fn letters(policy: &WeightedRoundRobin, view: &Cast, times: usize) -> String {
        let letter = |index| char::from(b'a' + index as u8);
        picks(policy, view, times).into_iter().map(letter).collect()
    }

    /// Of three backends with these weights.
    fn sequence(weights: [u32; 3], usable: [bool; 3]) -> String {
        let view = Cast::weighing(&weights);
        (0..3).for_each(|index| view.set(index, usable[index]));
        letters(&WeightedRoundRobin::default(), &view, 16)
    }

    #[test]
    fn the_sequence_is_nginxs() {
        // Taken from nginx 1.22.1 with one worker, each server answering with its letter.
        assert_eq!(sequence([5, 1, 1], [true; 3]), "aabacaaaabacaaaa");
        assert_eq!(sequence([4, 2, 1], [true; 3]), "abacabaabacabaab");
        assert_eq!(sequence([5, 1, 2], [true, false, true]), "acaaacaacaaacaac");
    }

    #[test]
    fn equal_weights_go_round() {
        assert_eq!(sequence([7; 3], [true; 3]), "abcabcabcabcabca");
    }

    #[test]
    fn every_round_holds_exactly_the_weights() {
        let view = Cast::weighing(&[7, 1, 13, 4]);
        let policy = WeightedRoundRobin::default();
        for _ in 0..100 {
            assert_eq!(counts(&policy, &view, 25), [7, 1, 13, 4]);
        }
    }

    #[test]
    fn one_that_is_down_saves_up_no_turns() {
        let (view, policy) = (Cast::weighing(&[1, 1, 1]), WeightedRoundRobin::default());
        view.set(1, false);
        assert_eq!(letters(&policy, &view, 6), "acacac");
        view.set(1, true);
        assert_eq!(counts(&policy, &view, 30), [10, 10, 10]);
    }

    #[test]
    fn the_last_one_standing_gets_everything_and_after_it_there_is_nobody() {
        let (view, policy) = (Cast::weighing(&[1, 1, 1000]), WeightedRoundRobin::default());
        view.set(1, false);
        view.set(2, false);
        assert_eq!(letters(&policy, &view, 4), "aaaa");
        view.set(0, false);
        assert_eq!(policy.pick(&view), None);
        assert_eq!(WeightedRoundRobin::default().pick(&Cast::new(&[])), None);
    }

    #[test]
    fn concurrent_pickers_share_exactly_by_weight() {
        let (view, policy) = (Cast::weighing(&[5, 1, 2]), WeightedRoundRobin::default());
        let all = together(8, |_| counts(&policy, &view, 2000));
        let sum = |index: usize| all.iter().map(|counts| counts[index]).sum::<usize>();
        assert_eq!([sum(0), sum(1), sum(2)], [10_000, 2000, 4000]);
    }
}
