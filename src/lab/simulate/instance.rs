//! One simulated instance: so many workers, a backlog in front of them, and what it is like now.
//!
//! Owned by the world, which tells it the time and enters in the agenda what it says will happen.
//! Work is never lost nor invented: whatever is taken ends as served or as reset.

use std::collections::VecDeque;

use super::draw::fate;
use super::scenario::Traits;

/// A try of a request, as the instance knows it. A client that stopped waiting does not change it:
/// the instance serves it all the same, as servers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Where the world keeps the request.
    pub(super) slot: u32,
    pub(super) request: u64,
    /// Which try it is, from 1.
    pub(super) tries: u32,
    /// It asks for the path that every instance answers with 503.
    pub(super) bad_path: bool,
}

/// How a job will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered(u16),
    /// With what our rules refuse.
    Refused,
    Reset,
}

/// What becomes of a request that has just come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// A worker has it, and ends it after so long.
    Begun(u64, End),
    Waiting,
    /// The connect is refused.
    Refused,
}

/// The instance.
pub(super) struct Instance {
    seed: u64,
    index: u32,
    traits: Traits,
    serving: Vec<Job>,
    backlog: VecDeque<Job>,
    /// Moves on when it crashes: what was entered for its workers is void then.
    life: u32,
}

impl Instance {
    pub(super) fn new(seed: u64, index: u32, traits: Traits) -> Self {
        Self { seed, index, traits, serving: Vec::new(), backlog: VecDeque::new(), life: 0 }
    }

    pub(super) fn traits(&self) -> &Traits {
        &self.traits
    }

    pub(super) fn life(&self) -> u32 {
        self.life
    }

    /// A request comes.
    pub(super) fn receive(&mut self, job: Job) -> Reception {
        if self.traits.down {
            return Reception::Refused;
        }
        if self.serving.len() < self.traits.workers as usize {
            let (time_ns, end) = self.begin(job);
            return Reception::Begun(time_ns, end);
        }
        if self.backlog.len() >= self.traits.backlog as usize {
            return Reception::Refused;
        }
        self.backlog.push_back(job);
        Reception::Waiting
    }

    /// A worker is done with a job; returns the job that it begins next.
    pub(super) fn finish(&mut self, job: Job) -> Option<(Job, u64, End)> {
        let place = self.serving.iter().position(|other| *other == job);
        self.serving.swap_remove(place.expect("what ends is being served"));
        let next = self.backlog.pop_front()?;
        let (time_ns, end) = self.begin(next);
        Some((next, time_ns, end))
    }

    /// Becomes like this. Returns the jobs that are reset by a crash.
    pub(super) fn become_like(&mut self, traits: Traits) -> Vec<Job> {
        let crashes = traits.down && traits.crash && !self.traits.down;
        self.traits = traits;
        if !crashes {
            return Vec::new();
        }
        self.life += 1;
        self.serving.drain(..).chain(self.backlog.drain(..)).collect()
    }

    /// Requests taken and not ended yet.
    #[cfg(test)]
    pub(super) fn in_hand(&self) -> usize {
        self.serving.len() + self.backlog.len()
    }

    fn begin(&mut self, job: Job) -> (u64, End) {
        self.serving.push(job);
        let traits = &self.traits;
        let dice = &mut fate(self.seed, job.request, self.index, job.tries);
        let lot = crate::pool::chance::fraction(dice.roll());
        let time_ns = traits.spread.draw(traits.latency_ns, dice);
        if job.bad_path {
            return (time_ns, End::Answered(503));
        }
        if lot < traits.resets {
            return (time_ns, End::Reset);
        }
        if lot >= 1.0 - traits.bad_answers {
            return (time_ns, End::Refused);
        }
        if lot < traits.resets + traits.errors {
            let error_ns = traits.error_latency_ns.map(|mean| traits.spread.draw(mean, dice));
            return (error_ns.unwrap_or(time_ns), End::Answered(traits.status));
        }
        (time_ns, End::Answered(200))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::simulate::draw::Spread;

    fn job(request: u64) -> Job {
        Job { slot: 0, request, tries: 1, bad_path: false }
    }

    fn instance(workers: u32, backlog: u32) -> Instance {
        let spread = Spread::Constant;
        Instance::new(1, 0, Traits { spread, workers, backlog, ..Traits::default() })
    }

    #[test]
    fn workers_are_busy_while_anyone_waits_and_serve_in_order_of_arrival() {
        let mut one = instance(2, 2);
        let begun = Reception::Begun(10_000_000, End::Answered(200));
        let seen: Vec<Reception> = (0..5).map(|number| one.receive(job(number))).collect();
        let (waiting, refused) = (Reception::Waiting, Reception::Refused);
        assert_eq!(seen.iter().collect::<Vec<_>>(), [&begun, &begun, &waiting, &waiting, &refused]);
        let next = |one: &mut Instance, done| one.finish(job(done)).map(|(next, ..)| next.request);
        assert_eq!(next(&mut one, 1), Some(2));
        assert_eq!(next(&mut one, 0), Some(3));
        assert_eq!((next(&mut one, 3), next(&mut one, 2)), (None, None));
        assert_eq!(one.in_hand(), 0);
    }

    #[test]
    fn work_is_neither_lost_nor_invented() {
        let mut one = instance(3, 5);
        let (mut serving, mut taken, mut ended) = (Vec::new(), 0, 0);
        let mut dice = crate::pool::chance::Dice::new(1);
        for number in 0..10_000 {
            if dice.roll().is_multiple_of(2) {
                match one.receive(job(number)) {
                    Reception::Refused => continue,
                    Reception::Begun(..) => serving.push(number),
                    Reception::Waiting => {}
                }
                taken += 1;
            } else if let Some(done) = serving.pop() {
                ended += 1;
                serving.extend(one.finish(job(done)).map(|(next, ..)| next.request));
            }
            assert_eq!(one.in_hand(), taken - ended);
            assert_eq!(one.serving.len(), one.in_hand().min(3), "no worker idles beside a backlog");
        }
        assert!(ended > 4000, "{ended}");
    }

    #[test]
    fn who_goes_down_takes_nothing_new_and_resets_only_in_a_crash() {
        let down = Traits { down: true, ..instance(1, 1).traits };
        let mut one = instance(1, 1);
        one.receive(job(0));
        one.receive(job(1));
        assert_eq!(one.become_like(down.clone()), []);
        assert_eq!((one.receive(job(2)), one.in_hand(), one.life()), (Reception::Refused, 2, 0));
        let mut one = instance(1, 1);
        one.receive(job(0));
        one.receive(job(1));
        let crash = Traits { crash: true, ..down };
        assert_eq!(one.become_like(crash.clone()), [job(0), job(1)]);
        assert_eq!((one.in_hand(), one.life()), (0, 1));
        assert_eq!(one.become_like(crash), [], "it crashes once");
    }

    #[test]
    fn errors_and_resets_come_as_often_as_told_and_errors_as_fast() {
        let mut one = instance(1, 0);
        one.traits = Traits {
            errors: 0.2,
            resets: 0.1,
            status: 503,
            error_latency_ns: Some(5),
            ..one.traits
        };
        let ends: Vec<_> = (0..10_000)
            .map(|number| {
                let Reception::Begun(time_ns, end) = one.receive(job(number)) else { panic!() };
                one.finish(job(number));
                (time_ns, end)
            })
            .collect();
        let count = |wanted| ends.iter().filter(|end| **end == wanted).count();
        assert!((1900..2100).contains(&count((5, End::Answered(503)))));
        assert!((900..1100).contains(&count((10_000_000, End::Reset))));
    }
}
