//! Draws by chance, in proportion to weight, each in constant time.
//!
//! Built once from the weights. Knows nothing of who is usable, and has no chance of its own.
//!
//! There is one column a backend, all equally high. A backend that weighs less than the average
//! fills its column up to a mark; above it the column belongs to one that weighs more. A draw picks
//! a column and a height. With weights A 4, B 1, C 1, so 2 a column:
//!
//! ```text
//! column   A      B      C
//! above    A      A      A
//! mark     2      1      1        A has 2 + 1 + 1, B and C have 1 each
//! ```
//!
//! Source: Walker, 1974; built as by Vose, "A linear algorithm for generating random numbers with a
//! given distribution", 1991, but in whole numbers, so the odds are exact.

use crate::pool::chance;

/// The columns of all backends.
pub(super) struct Aliases {
    columns: Vec<Column>,
    /// The sum of the weights.
    height: usize,
}

#[derive(Clone, Copy)]
struct Column {
    mark: usize,
    above: u32,
}

impl Aliases {
    /// For backends of these weights.
    pub(super) fn new(weights: &[u32]) -> Self {
        let (count, height) = (weights.len(), weights.iter().map(|weight| *weight as usize).sum());
        // Times the count, so that a column is as high as the sum of the weights.
        let mut left: Vec<usize> = weights.iter().map(|weight| *weight as usize * count).collect();
        let whole = |index| Column { mark: height, above: index as u32 };
        let mut columns: Vec<Column> = (0..count).map(whole).collect();
        let (mut low, mut high): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|index| left[*index] < height);
        while let (Some(short), Some(tall)) = (low.pop(), high.pop()) {
            columns[short] = Column { mark: left[short], above: tall as u32 };
            left[tall] -= height - left[short];
            let side = if left[tall] < height { &mut low } else { &mut high };
            side.push(tall);
        }
        Self { columns, height }
    }

    /// The backend that `random` names, any of u64; there is at least one.
    pub(super) fn draw(&self, random: u64) -> usize {
        // The product's upper half is the column; the lower half is as good as drawn anew.
        let product = u128::from(random) * self.columns.len() as u128;
        let (index, random) = ((product >> 64) as usize, product as u64);
        let column = self.columns[index];
        let is_below = chance::below(random, self.height) < column.mark;
        if is_below { index } else { column.above as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each backend has of all columns together.
    fn odds(weights: &[u32]) -> Vec<usize> {
        let aliases = Aliases::new(weights);
        let mut odds = vec![0; weights.len()];
        for (index, column) in aliases.columns.iter().enumerate() {
            odds[index] += column.mark;
            odds[column.above as usize] += aliases.height - column.mark;
        }
        odds
    }

    #[test]
    fn the_odds_are_exactly_the_weights() {
        let many: Vec<u32> = (1..=1000).collect();
        for weights in [&[4, 1, 1][..], &[1], &[7, 7], &[1, 1000], &[1, 2, 3, 4, 5], &many] {
            let expected: Vec<usize> =
                weights.iter().map(|weight| *weight as usize * weights.len()).collect();
            assert_eq!(odds(weights), expected);
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let (aliases, mut dice) = (Aliases::new(&[5, 1, 3, 1]), chance::Dice::new(1));
        let mut counts = [0_u32; 4];
        (0..100_000).for_each(|_| counts[aliases.draw(dice.roll())] += 1);
        let near = |count: u32, fair: u32| count.abs_diff(fair) < 1000;
        let fair = [50_000, 10_000, 30_000, 10_000];
        assert!(counts.iter().zip(fair).all(|(count, fair)| near(*count, fair)), "{counts:?}");
        assert!([0, u64::MAX].iter().all(|random| aliases.draw(*random) < 4));
    }
}
