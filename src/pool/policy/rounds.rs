//! Who is next when backends take turns by weight, each one's turns as far apart as can be.
//!
//! Used where tables are made, not for picks. Of w turns in a round the k-th is due at
//! (2k + 1) / 2w of it. Of those due at once the first in the list is first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A round's length: so long that what is lost by dividing it by a weight, at most 2^20, changes no
/// order in it, and so short that a million rounds fit a u64.
const ROUND: u64 = 1 << 44;

/// An endless sequence of indexes into a list of weights.
pub(super) struct Rounds {
    strides: Vec<u64>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Rounds {
    pub(super) fn of(weights: impl Iterator<Item = u64>) -> Self {
        let strides: Vec<u64> = weights.map(|weight| ROUND / weight.max(1)).collect();
        let first = |(index, stride): (usize, &u64)| Reverse((stride / 2, index));
        Self { due: strides.iter().enumerate().map(first).collect(), strides }
    }
}

impl Iterator for Rounds {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let Reverse((due, index)) = self.due.pop()?;
        self.due.push(Reverse((due + self.strides[index], index)));
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(weights: &[u64], turns: usize) -> Vec<usize> {
        Rounds::of(weights.iter().copied()).take(turns).collect()
    }

    #[test]
    fn turns_lie_as_far_apart_as_can_be() {
        assert_eq!(order(&[3, 1, 2], 12), [0, 2, 0, 1, 2, 0, 0, 2, 0, 1, 2, 0]);
        assert_eq!(order(&[1, 1, 1], 4), [0, 1, 2, 0]);
        assert!(order(&[], 4).is_empty());
    }

    #[test]
    fn each_round_gives_each_its_weight() {
        let weights = [1 << 20, 999, 1000, 7, 1, 1];
        let sum = weights.iter().sum::<u64>() as usize;
        for round in order(&weights, 2 * sum).chunks(sum) {
            let mut counts = [0; 6];
            round.iter().for_each(|index| counts[*index] += 1);
            assert_eq!(counts, weights);
        }
    }
}
