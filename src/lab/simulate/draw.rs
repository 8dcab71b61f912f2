//! What chance decides in a simulation: streams of numbers for each purpose, and service times.
//!
//! Called by the world. Every figure follows from the seed alone, on any machine: only `+ - * /`
//! and libm's `log`, `exp` and `sqrt`, which are the same code everywhere; never the system's.

use crate::pool::chance::{Dice, fraction, scramble};

/// What numbers are drawn for. Each purpose has a stream of its own, so that all policies of one
/// seed meet the same arrivals whatever they pick.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// When requests come, and whose they are.
    Arrivals = 1,
    /// What befalls each of them at each instance.
    Fates,
    /// The number that each pick brings along.
    Picks,
    /// When checks are made, and how long they take.
    Checks,
    /// A scenario out of nothing.
    Scenario,
    /// What requests ask for.
    Paths,
}

/// The stream of a purpose.
pub(super) fn stream(seed: u64, purpose: Purpose) -> Dice {
    Dice::new(key(seed, purpose))
}

/// What befalls a request at an instance is drawn from who meets whom and at which try, and from
/// nothing else: no choice that a policy makes shifts another request's luck.
pub(super) fn fate(seed: u64, request: u64, instance: u32, tries: u32) -> Dice {
    let who = scramble(key(seed, Purpose::Fates) ^ request);
    Dice::new(scramble(who ^ (u64::from(instance) << 32 | u64::from(tries))))
}

fn key(seed: u64, purpose: Purpose) -> u64 {
    scramble(scramble(seed) ^ purpose as u64)
}

/// How service times lie around their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// All the same.
    Constant,
    /// Even from half to one and a half of the mean.
    Uniform,
    /// Exponential: most are short, a few are long.
    Exponential,
    /// Lognormal, as many real services are; `sigma` is the deviation of the logarithm.
    Lognormal {
        /// Follows from the coefficient of variation v: sqrt(ln(1 + v^2)).
        sigma: f64,
    },
}

impl Spread {
    /// Lognormal with this coefficient of variation (deviation through mean).
    pub fn lognormal(variation: f64) -> Self {
        Self::Lognormal { sigma: libm::sqrt(libm::log(1.0 + variation * variation)) }
    }

    /// A time around `mean_ns`, at least 1 ns.
    pub(super) fn draw(self, mean_ns: u64, dice: &mut Dice) -> u64 {
        let factor = match self {
            Self::Constant => 1.0,
            Self::Uniform => 0.5 + fraction(dice.roll()),
            Self::Exponential => exponential(dice),
            Self::Lognormal { sigma } => libm::exp(sigma * normal(dice) - sigma * sigma / 2.0),
        };
        ((mean_ns as f64 * factor) as u64).max(1)
    }
}

/// Exponential with mean 1, by inversion.
pub(super) fn exponential(dice: &mut Dice) -> f64 {
    -libm::log(1.0 - fraction(dice.roll()))
}

/// Standard normal, by the polar method (Marsaglia and Bray, "A convenient method for generating
/// normal variables", 1964): it needs no sine.
fn normal(dice: &mut Dice) -> f64 {
    loop {
        let [x, y] = [(); 2].map(|()| 2.0 * fraction(dice.roll()) - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * libm::sqrt(-2.0 * libm::log(square) / square);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spread_keeps_its_mean_and_its_variation() {
        let spreads = [
            (Spread::Constant, 0.0),
            (Spread::Uniform, 1.0 / 12.0_f64.sqrt()),
            (Spread::Exponential, 1.0),
            (Spread::lognormal(0.5), 0.5),
            (Spread::lognormal(1.5), 1.5),
        ];
        for (spread, variation) in spreads {
            let mut dice = Dice::new(7);
            let times: Vec<f64> =
                (0..400_000).map(|_| spread.draw(1_000_000, &mut dice) as f64 / 1e6).collect();
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            let square = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
            let seen = (square / times.len() as f64).sqrt();
            assert!((mean - 1.0).abs() < 0.01, "{spread:?}: mean {mean}");
            assert!((seen - variation).abs() < 0.05, "{spread:?}: variation {seen}");
        }
    }

    #[test]
    fn a_fate_depends_on_who_meets_whom_and_on_nothing_else() {
        let draw = |seed, request, instance, tries| fate(seed, request, instance, tries).roll();
        assert_eq!(draw(1, 2, 3, 4), draw(1, 2, 3, 4));
        let others = [draw(2, 2, 3, 4), draw(1, 3, 3, 4), draw(1, 2, 4, 4), draw(1, 2, 3, 5)];
        assert!(!others.contains(&draw(1, 2, 3, 4)));
    }

    #[test]
    fn each_purpose_has_a_stream_of_its_own() {
        let first = |purpose| stream(1, purpose).roll();
        assert_ne!(first(Purpose::Arrivals), first(Purpose::Picks));
        assert_ne!(first(Purpose::Picks), first(Purpose::Checks));
    }
}
