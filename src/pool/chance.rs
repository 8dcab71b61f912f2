//! Random numbers that need not be secret, the same on every machine for the same seed.
//!
//! The pool draws none itself: whoever asks it for a backend brings a number along. Callers keep a
//! [`Dice`] each; policies that need more than one number [`scramble`] the one they were given.

/// One step of `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014): scrambles a counter into 64 even bits.
pub fn scramble(state: u64) -> u64 {
    let mut z = state.wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A random number as a fraction, in [0, 1), in steps of 2^-53.
pub fn fraction(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// A random number below `end`, which is at least 1 (Lemire, "Fast random integer generation in an
/// interval", 2019, without the rejection: off by at most `end` / 2^64).
pub fn below(random: u64, end: usize) -> usize {
    ((u128::from(random) * end as u128) >> 64) as usize
}

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform over all of u64.
    pub fn roll(&mut self) -> u64 {
        let random = scramble(self.0);
        self.0 = self.0.wrapping_add(GAMMA);
        random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_give_the_published_sequence() {
        // The reference implementation, seeded with 1234567.
        let mut dice = Dice::new(1_234_567);
        let expected =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([dice.roll(), dice.roll(), dice.roll()], expected);
    }

    #[test]
    fn fractions_and_bounded_numbers_stay_within_their_bounds_and_reach_both_ends() {
        assert_eq!((fraction(0), below(0, 7)), (0.0, 0));
        assert!(fraction(u64::MAX) < 1.0);
        assert_eq!(below(u64::MAX, 7), 6);
        let mut dice = Dice::new(1);
        let mut counts = [0; 3];
        (0..3000).for_each(|_| counts[below(dice.roll(), 3)] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
