//! A scenario out of nothing but a seed, for those who trust no list of cases.

use super::{Change, Patch, Scenario, Traits, Which};
use crate::lab::simulate::draw::{Purpose, Spread, stream};
use crate::pool::chance::{Dice, below, fraction};

/// Most things that happen in one.
const CHANGES_MAX: usize = 4;

impl Scenario {
    /// The scenario that the seed names: 3 to 8 instances, some of other hardware, asked for 20 to
    /// 80 % of what they can do, with up to four troubles.
    pub fn drawn(seed: u64) -> Self {
        let dice = &mut stream(seed, Purpose::Scenario);
        let instances = 3 + below(dice.roll(), 6);
        let mut scenario = Scenario {
            name: "drawn".to_owned(),
            about: "another for each seed".to_owned(),
            instances,
            load: 0.2 + 0.6 * fraction(dice.roll()),
            instance: Traits {
                latency_ns: ms(5 + below(dice.roll(), 96)),
                spread: spread(dice),
                workers: 1 + below(dice.roll(), 16) as u32,
                ..Traits::default()
            },
            ..Scenario::default()
        };
        if below(dice.roll(), 3) == 0 {
            let slower = Some(1.0 + 2.0 * fraction(dice.roll()));
            scenario.groups.push((which(dice, instances), Patch { slower, ..Patch::default() }));
        }
        let many = below(dice.roll(), CHANGES_MAX + 1);
        scenario.changes = (0..many).map(|_| change(dice, instances)).collect();
        scenario
    }
}

fn spread(dice: &mut Dice) -> Spread {
    match below(dice.roll(), 4) {
        0 => Spread::Constant,
        1 => Spread::Uniform,
        2 => Spread::Exponential,
        _ => Spread::lognormal(0.25 + 1.5 * fraction(dice.roll())),
    }
}

fn which(dice: &mut Dice, instances: usize) -> Which {
    Which::Listed(vec![1 + below(dice.roll(), instances)])
}

fn change(dice: &mut Dice, instances: usize) -> Change {
    let from = 0.1 + 0.6 * fraction(dice.roll());
    let until = from + (1.0 - from) * fraction(dice.roll()).max(0.05);
    let slower = Some(1.5 + 6.0 * fraction(dice.roll()));
    let errors = Some(0.02 + 0.6 * fraction(dice.roll()));
    let patch = match below(dice.roll(), 5) {
        0 => Patch { slower, ..Patch::default() },
        1 => Patch { errors, error_latency_ns: Some(ms(2)), ..Patch::default() },
        2 => Patch { slower, errors, status: Some(503), ..Patch::default() },
        3 => Patch { resets: errors, ..Patch::default() },
        _ => Patch { down: Some(true), crash: Some(true), ..Patch::default() },
    };
    Change { from, until, which: which(dice, instances), patch }
}

fn ms(count: usize) -> u64 {
    count as u64 * 1_000_000
}
