//! Whose turn it is: tickets from one counter, each naming a backend.
//!
//! Held by the policies that go round. One atomic addition a ticket, no lock. With equal weights
//! ticket % count names the backend; with others the tickets run over a table in which each backend
//! stands as often as it weighs, spread evenly:
//!
//! ```text
//! weights  A 3, B 1, C 2
//! stands   A at 1/6 3/6 5/6, B at 1/2, C at 1/4 3/4 of the way round
//! table    A C A B C A
//! ```

use super::Ledger;
use super::rounds::Rounds;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The most places in the table; where the weights need more, they are scaled down to it.
const PLACES_MAX: u64 = 1 << 20;

/// Tickets that one pick may draw for each place of the table, within the bounds below. Threads in
/// lockstep can keep drawing each other's gaps: with k of n usable, a pick comes to its end with a
/// chance of about e^(-8k).
const ROUNDS_MAX: usize = 8;
const DRAWS_ALWAYS: usize = 64;
const DRAWS_MAX: usize = 16 * 1024;

/// An endless sequence of turns.
pub(super) struct Turns {
    count: usize,
    /// Empty where all weigh the same.
    table: Vec<u32>,
    /// With the tickets.
    pub(super) ledger: Arc<Ledger>,
}

impl Turns {
    /// Turns for backends of these weights.
    pub(super) fn new(weights: &[u32]) -> Self {
        let equal = weights.windows(2).all(|pair| pair[0] == pair[1]);
        let table = if equal { Vec::new() } else { spread(weights) };
        Self { count: weights.len(), table, ledger: Arc::default() }
    }

    /// The next one that may take its turn. The turns of those that may not are lost, not passed to
    /// their neighbours, which would then serve twice their share. With B of A, B, C down:
    ///
    /// ```text
    /// ticket   0  1  2  3  4  5  6  7  8
    /// backend  A  B  C  A  B  C  A  B  C
    /// given    A  -  C  A  -  C  A  -  C     passed on it would be  A C C A C C
    /// ```
    ///
    /// Where the draws run out, the first in the file that may.
    pub(super) fn next(&self, may: impl Fn(usize) -> bool) -> Option<usize> {
        let places = self.table.len().max(self.count);
        if places == 0 {
            return None;
        }
        let draws = (places * ROUNDS_MAX).clamp(DRAWS_ALWAYS, DRAWS_MAX.max(places));
        let drawn = (0..draws).map(|_| self.draw(places)).find(|index| may(*index));
        drawn.or_else(|| (0..self.count).find(|index| may(*index)))
    }

    fn draw(&self, places: usize) -> usize {
        let place = (self.ledger.tickets.fetch_add(1, Relaxed) % places as u64) as usize;
        self.table.get(place).map_or(place, |index| *index as usize)
    }
}

/// Each backend as often as it weighs, its places as far apart as can be.
fn spread(weights: &[u32]) -> Vec<u32> {
    let divisor = weights.iter().copied().fold(0, common_divisor).max(1);
    let sum: u64 = weights.iter().map(|weight| u64::from(weight / divisor)).sum();
    let scale = |weight: u32| match sum > PLACES_MAX {
        true => (u64::from(weight / divisor) * PLACES_MAX / sum).max(1),
        false => u64::from(weight / divisor),
    };
    let places = weights.iter().map(|weight| scale(*weight));
    let count = places.clone().sum::<u64>() as usize;
    Rounds::of(places).take(count).map(|index| index as u32).collect()
}

/// Euclid's.
fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(table: &[u32], count: usize) -> Vec<usize> {
        let mut shares = vec![0; count];
        table.iter().for_each(|index| shares[*index as usize] += 1);
        shares
    }

    #[test]
    fn places_lie_as_far_apart_as_can_be() {
        assert_eq!(spread(&[3, 1, 2]), [0, 2, 0, 1, 2, 0]);
        assert_eq!(spread(&[5, 1, 1]), [0, 0, 0, 1, 2, 0, 0]);
        assert_eq!(spread(&[30, 10, 20]), spread(&[3, 1, 2]), "what they share is divided out");
    }

    #[test]
    fn equal_weights_need_no_table() {
        let turns = Turns::new(&[1000; 50]);
        assert!(turns.table.is_empty());
        assert_eq!((turns.next(|_| true), turns.next(|_| true)), (Some(0), Some(1)));
    }

    #[test]
    fn weights_beyond_all_bounds_are_scaled_down_and_nobody_is_lost() {
        let weights = [u32::MAX, u32::MAX - 1, 1];
        let table = spread(&weights);
        assert!(table.len() as u64 <= PLACES_MAX + weights.len() as u64);
        let shares = shares(&table, 3);
        assert!(shares[0].abs_diff(shares[1]) <= 1 && shares[2] == 1, "{shares:?}");
    }

    #[test]
    fn the_turns_of_those_that_may_not_are_lost() {
        let turns = Turns::new(&[1; 3]);
        let given: Vec<usize> = (0..6).filter_map(|_| turns.next(|index| index != 1)).collect();
        assert_eq!(given, [0, 2, 0, 2, 0, 2]);
    }

    #[test]
    fn one_that_stands_at_one_place_of_thousands_is_found() {
        let turns = Turns::new(&[1000, 999, 1]);
        assert_eq!(turns.next(|index| index == 2), Some(2));
        assert_eq!(turns.next(|_| false), None);
        assert_eq!(Turns::new(&[]).next(|_| true), None);
    }
}
