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
}

/// How a job will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered(u16),
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
        if lot < traits.resets {
            return (time_ns, End::Reset);
        }
        if lot < traits.resets + traits.errors {
            let error_ns = traits.error_latency_ns.map(|mean| traits.spread.draw(mean, dice));
            return (error_ns.unwrap_or(time_ns), End::Answered(traits.status));
        }
        (time_ns, End::Answered(200))
    }
}
