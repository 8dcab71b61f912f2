//! Two choices: of two backends drawn by chance, the less busy one.
//!
//! Nearly as even as looking at all of them, for the price of looking at two: with n requests at n
//! backends the busiest has about log log n of them, where one draw alone gives log n / log log n.
//! And many balancers that know nothing of each other do not all run to the same idle backend.
//! Draws follow the weights; how busy one is counts for its weight as well; a tie goes to the first
//! drawn, so a pool with nothing to do shares by weight.
//!
//! Source: Mitzenmacher, "The power of two choices in randomized load balancing", 2001.

use super::alias::Aliases;
use super::load::Load;
use super::{Policy, View};
use crate::pool::chance::{self, Dice};

/// Draws for each of the two, before all backends are looked at. With half of them usable that
/// happens to one pick in 2^32.
const DRAWS_MAX: usize = 32;

/// The policy `two-choices`.
pub struct TwoChoices {
    aliases: Aliases,
}

impl TwoChoices {
    /// For backends of these weights.
    pub fn new(weights: &[u32]) -> Self {
        Self { aliases: Aliases::new(weights) }
    }

    /// A backend that may, drawn by weight.
    fn draw(&self, view: &dyn View, dice: &mut Dice, may: impl Fn(usize) -> bool) -> Option<usize> {
        let drawn =
            (0..DRAWS_MAX).map(|_| self.aliases.draw(dice.roll())).find(|index| may(*index));
        drawn.or_else(|| draw_from_all(view, dice, may))
    }
}

impl Policy for TwoChoices {
    fn pick(&self, view: &dyn View) -> Option<usize> {
        if view.count() == 0 {
            return None;
        }
        let mut dice = Dice::new(view.chance());
        let first = self.draw(view, &mut dice, |index| view.is_usable(index))?;
        let other = |index| index != first && view.is_usable(index);
        let second = self.draw(view, &mut dice, other);
        let load = |index| Load::of(view.facts(index));
        Some(second.filter(|second| load(*second) < load(first)).unwrap_or(first))
    }

    fn name(&self) -> &'static str {
        "two-choices"
    }
}

/// The same odds, by looking at all: each that may takes the place of the one held so far with the
/// odds of its weight against the weights seen (Chao, "A general purpose unequal probability
/// sampling plan", 1982).
fn draw_from_all(view: &dyn View, dice: &mut Dice, may: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut seen, mut held) = (0, None);
    for index in (0..view.count()).filter(|index| may(*index)) {
        let weight = view.facts(index).weight as usize;
        seen += weight;
        if held.is_none() || chance::below(dice.roll(), seen) < weight {
            held = Some(index);
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::pool::testing::{Cast, counts, picks, together};

    /// True if each count is within `percent` of all of its share by `weights`.
    fn are_fair(counts: &[usize], weights: &[u32], percent: usize) -> bool {
        let (all, sum) = (counts.iter().sum::<usize>(), weights.iter().sum::<u32>() as usize);
        let fair = weights.iter().map(|weight| all * *weight as usize / sum);
        counts.iter().zip(fair).all(|(count, fair)| count.abs_diff(fair) <= all * percent / 100)
    }

    #[test]
    fn the_less_busy_of_the_two_wins() {
        let (view, policy) = (Cast::new(&[true; 2]), TwoChoices::new(&[1; 2]));
        view.in_use[0].store(1, Relaxed);
        assert_eq!(counts(&policy, &view, 1000), [0, 1000], "of two, both are always looked at");
        view.in_use[1].store(2, Relaxed);
        assert_eq!(counts(&policy, &view, 1000), [1000, 0]);
    }

    #[test]
    fn the_busiest_of_all_gets_nothing_and_the_idlest_two_draws_worth() {
        let (view, policy) = (Cast::new(&[true; 4]), TwoChoices::new(&[1; 4]));
        (0..4).for_each(|index| view.in_use[index as usize].store(index, Relaxed));
        // Of the 12 ordered pairs, 6 hold the idlest, 4 more the next, 2 more the next.
        let counts = counts(&policy, &view, 12_000);
        assert!(counts[0].abs_diff(6000) < 300 && counts[1].abs_diff(4000) < 300, "{counts:?}");
        assert_eq!(counts[3], 0);
    }

    #[test]
    fn the_same_chance_makes_the_same_choice() {
        let policy = TwoChoices::new(&[1; 5]);
        let sequence = || picks(&policy, &Cast::new(&[true; 5]), 100);
        assert_eq!(sequence(), sequence());
        assert_eq!(sequence()[..8], [3, 1, 1, 3, 3, 4, 3, 3]);
    }

    #[test]
    fn ties_are_shared_by_weight() {
        for weights in [&[1, 1, 1][..], &[5, 1, 1], &[1, 2, 3, 4]] {
            let counts = counts(&TwoChoices::new(weights), &Cast::weighing(weights), 50_000);
            assert!(are_fair(&counts, weights, 1), "{counts:?}");
        }
    }

    #[test]
    fn requests_count_for_their_share_of_the_weight() {
        let (view, policy) = (Cast::weighing(&[4, 1]), TwoChoices::new(&[4, 1]));
        view.in_use[0].store(3, Relaxed);
        view.in_use[1].store(1, Relaxed);
        assert_eq!(counts(&policy, &view, 100), [100, 0], "3 of 4 is less than 1 of 1");
    }

    #[test]
    fn with_one_down_or_all_but_a_few_the_others_share_equally() {
        let policy = TwoChoices::new(&[1; 3]);
        let held = counts(&policy, &Cast::new(&[true, false, true]), 30_000);
        assert!(are_fair(&held, &[1, 0, 1], 1), "{held:?}");
        let few: Vec<bool> = (0..100).map(|index| index > 96).collect();
        let counts = counts(&TwoChoices::new(&[1; 100]), &Cast::new(&few), 30_000);
        assert!(are_fair(&counts[97..], &[1; 3], 1), "{:?}", &counts[97..]);
    }

    #[test]
    fn the_last_one_standing_gets_everything_and_after_it_there_is_nobody() {
        let (view, policy) = (Cast::new(&[false, false, true]), TwoChoices::new(&[1; 3]));
        assert_eq!(picks(&policy, &view, 4), [2, 2, 2, 2]);
        view.set(2, false);
        assert_eq!(policy.pick(&view), None);
        assert_eq!(TwoChoices::new(&[]).pick(&Cast::new(&[])), None);
    }

    #[test]
    fn the_load_stays_far_more_even_than_by_one_draw() {
        let (view, policy) = (Cast::new(&[true; 100]), TwoChoices::new(&[1; 100]));
        for _ in 0..10_000 {
            view.in_use[policy.pick(&view).unwrap()].fetch_add(1, Relaxed);
        }
        let most = view.in_use.iter().map(|held| held.load(Relaxed)).max().unwrap();
        // 100 each is even; one draw each would give the busiest some 125.
        assert!(most <= 105, "{most}");
    }

    #[test]
    fn concurrent_pickers_share_ties_by_weight() {
        let (view, policy) = (Cast::weighing(&[3, 1, 2]), TwoChoices::new(&[3, 1, 2]));
        let all = together(4, |_| counts(&policy, &view, 10_000));
        let sums: Vec<usize> =
            (0..3).map(|index| all.iter().map(|counts| counts[index]).sum()).collect();
        assert!(are_fair(&sums, &view.weights, 2), "{sums:?}");
    }
}
