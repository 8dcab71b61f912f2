//! The health checks of a run: made as often as `watch/checks.rs` makes them, told to the same
//! pool. A check finds an instance down or up; how long it takes is a draw of its service time.

use std::time::Duration;

use super::{Event, REFUSAL_NS, World};
use crate::lab::simulate::Terms;
use crate::lab::simulate::draw::{Purpose, stream};
use crate::pool::CheckOutcome;
use crate::pool::chance::{Dice, fraction};

/// The interval while results speak against a backend's state, if the usual one is longer: the
/// watch's.
const CHANGING: Duration = Duration::from_secs(1);

/// What is needed to make checks.
pub(super) struct Checks {
    interval: Option<Duration>,
    timeout: Duration,
    /// One stream an instance, so that one's checks do not shift another's.
    dice: Vec<Dice>,
}

impl Checks {
    pub(super) fn new(seed: u64, terms: &Terms, instances: usize) -> Self {
        let mut seeds = stream(seed, Purpose::Checks);
        let dice = (0..instances).map(|_| Dice::new(seeds.roll())).collect();
        Self { interval: terms.interval, timeout: terms.check_timeout, dice }
    }
}

impl World<'_> {
    /// All are due at once, as the watch has it.
    pub(super) fn begin_checks(&mut self) {
        if self.checks.interval.is_some() {
            (0..self.instances.len()).for_each(|index| self.agenda.after(0, Event::Check(index)));
        }
    }

    pub(super) fn check(&mut self, instance: usize) {
        let traits = self.instances[instance].traits();
        let timeout = self.checks.timeout;
        let dice = &mut self.checks.dice[instance];
        let time_ns = match traits.down {
            true => REFUSAL_NS,
            false => traits.spread.draw(traits.latency_ns, dice),
        };
        let took = Duration::from_nanos(time_ns).min(timeout);
        let passed = !traits.down && took < timeout;
        self.agenda.after(took.as_nanos() as u64, Event::Checked { instance, passed, took });
    }

    pub(super) fn checked(&mut self, instance: usize, passed: bool, took: Duration) {
        let seen = if passed { "status 200" } else { "no answer" }.to_owned();
        let now = self.now();
        let outcome = CheckOutcome { passed, asks_drain: false, seen, took };
        let _ = self.pool.record_check(instance, &outcome, now);
        let interval = self.checks.interval.expect("a check is made where there are any");
        let is_calm = !self.pool.backends()[instance].is_changing();
        let pause = if is_calm { interval } else { interval.min(CHANGING) };
        let jitter = 0.9 + 0.2 * fraction(self.checks.dice[instance].roll());
        let pause_ns = (pause.as_nanos() as f64 * jitter) as u64;
        self.agenda.after(pause_ns, Event::Check(instance));
    }
}
