//! `evenly simulate`: the pool and its policies on a virtual clock. No sockets, no sleeping.
//!
//! A run plays one scenario with one seed under one policy (`world`). All policies of a seed meet
//! the same arrivals, and each request the same luck at each instance (`draw`), so that what
//! differs is what the policy made of it. The same seed gives the same bytes on any machine: times
//! are whole nanoseconds, and nothing is asked of the system's mathematics or of a hash map.
//!
//! Called by `cmd/simulate`. Must never read a clock, nor decide anything that the pool decides.

mod agenda;
mod draw;
mod instance;
mod page;
mod scenario;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod world;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::config::Config;
use crate::pool::policy::{Kind, ScoredRules};
use crate::pool::{RetryRules, Rules};

pub use draw::Spread;
pub use page::{latencies, page};
pub use scenario::{Change, INSTANCES_MAX, Patch, REQUESTS_MAX, SHIPPED, Scenario, Traits, Which};
pub use summary::{Quartiles, Summary};
pub use tally::{PARTS, QUANTILES, Tally};
pub use text::{write_json, write_text};

/// What the configuration says about the pool and the waits in front of it.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The pool's.
    pub rules: Rules,
    /// The policy `scored-round-robin`'s.
    pub scored: ScoredRules,
    /// Requests that may wait for a place at a backend.
    pub queue_length: usize,
    /// For so long.
    pub queue_timeout_ns: u64,
    /// Time between two checks of an instance; `None`: no checks.
    pub interval: Option<Duration>,
    /// Longest that a check may take.
    pub check_timeout: Duration,
    /// Longest wait for an answer, unless the scenario says otherwise.
    pub response_ns: u64,
}

/// What to compare.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Played with every seed; `None`: each seed draws its own.
    pub scenario: Option<Scenario>,
    /// At least one.
    pub seeds: Vec<u64>,
    /// In place of the scenario's own.
    pub instances: Option<usize>,
    /// In place of the scenario's own.
    pub requests: Option<u64>,
    /// At least one.
    pub policies: Vec<Kind>,
    /// The configuration's part.
    pub terms: Terms,
    /// Threads that play.
    pub threads: usize,
}

/// What came of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// As planned.
    pub seeds: Vec<u64>,
    /// Failed requests were tried again, as far as the rules allow.
    pub retry: bool,
    /// Each policy with its runs in the order of the seeds.
    pub policies: Vec<(Kind, Vec<Tally>)>,
}

impl Terms {
    /// Those of a configuration. Without `retry` no request is tried twice, so that policies are
    /// compared by their picks.
    pub fn of(config: &Config, rules: Rules, scored: ScoredRules, retry: bool) -> Self {
        let attempts = if retry { rules.retry.attempts } else { 0 };
        Self {
            rules: Rules { retry: RetryRules { attempts, ..rules.retry }, ..rules },
            scored,
            queue_length: config.queue.length,
            queue_timeout_ns: ns(config.queue.timeout),
            interval: config.health.interval,
            check_timeout: config.health.timeout,
            response_ns: ns(config.timeouts.response),
        }
    }

    fn for_scenario(&self, scenario: &Scenario) -> Self {
        let response_ns = scenario.timeout.map_or(self.response_ns, ns);
        Self { response_ns, ..self.clone() }
    }
}

impl Plan {
    /// Plays every policy with every seed; `played` hears of each run that is over, from several
    /// threads. What comes of it does not depend on how many there are. The error is a sentence.
    pub fn play(&self, played: &(dyn Fn() + Sync)) -> Result<Comparison, String> {
        let scenarios: Vec<Scenario> =
            self.seeds.iter().map(|seed| self.scenario_of(*seed)).collect::<Result<_, _>>()?;
        let jobs: Vec<(Kind, usize)> = self
            .policies
            .iter()
            .flat_map(|kind| (0..self.seeds.len()).map(|place| (*kind, place)))
            .collect();
        let results: Vec<OnceLock<Tally>> = jobs.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((job, (kind, place))) = take(&jobs, &next) {
                let scenario = &scenarios[*place];
                let terms = self.terms.for_scenario(scenario);
                let tally = world::World::play(scenario, &terms, self.seeds[*place], *kind);
                results[job].set(tally).expect("each job is taken once");
                played();
            }
        };
        std::thread::scope(|scope| {
            (1..self.threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let mut tallies = results.into_iter().map(|one| one.into_inner().expect("all are played"));
        let runs = |kind: &Kind| (*kind, tallies.by_ref().take(self.seeds.len()).collect());
        Ok(Comparison {
            scenario: scenarios[0].name.clone(),
            about: scenarios[0].about.clone(),
            seeds: self.seeds.clone(),
            retry: self.terms.rules.retry.attempts > 0,
            policies: self.policies.iter().map(runs).collect(),
        })
    }

    /// How many runs it takes.
    pub fn runs(&self) -> usize {
        self.seeds.len() * self.policies.len()
    }

    fn scenario_of(&self, seed: u64) -> Result<Scenario, String> {
        let scenario = self.scenario.clone().unwrap_or_else(|| Scenario::drawn(seed));
        let requests = self.requests.unwrap_or(scenario.requests);
        let instances = self.instances.unwrap_or(scenario.instances);
        Scenario { requests, ..scenario }.with_instances(instances)
    }
}

fn take<'j, T>(jobs: &'j [T], next: &AtomicUsize) -> Option<(usize, &'j T)> {
    let job = next.fetch_add(1, Relaxed);
    jobs.get(job).map(|one| (job, one))
}

/// What the instance at this index is called: `API01`.
fn name(index: usize) -> String {
    format!("API{:02}", index + 1)
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
