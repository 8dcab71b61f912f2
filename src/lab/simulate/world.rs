//! One run: a scenario, a seed and a policy, played on a virtual clock.
//!
//! The pool, the policy, the retry rule and its budget, and the waiting line are those of the proxy
//! (`pool`), asked in the same order as `relay/exchange` asks them. What stands in for the rest:
//! requests are GETs that come by chance (Poisson) at a steady rate whatever becomes of the others;
//! the network takes no time, but for a refused connect; a client waits as long as it takes.

mod checks;
mod exchange;

use std::sync::Arc;
use std::time::Duration;

use super::Terms;
use super::agenda::Agenda;
use super::draw::{Purpose, exponential, stream};
use super::instance::{End, Instance, Job};
use super::scenario::{Scenario, Spell, Traits};
use super::tally::{Counting, PARTS, Tally};
use crate::pool::chance::Dice;
use crate::pool::policy::Kind;
use crate::pool::{Fault, Line, Pool, Spec};
use checks::Checks;
use exchange::Request;

/// The way of a refused connect, there and back, on a near network.
const REFUSAL_NS: u64 = 200_000;

/// What can happen. Of a job that is over, nothing more is heard: its request has moved on.
enum Event {
    /// A request comes.
    Arrival,
    /// A worker of the instance's present life is done.
    Served { instance: usize, life: u32, job: Job, end: End },
    /// The backend refused to be connected to.
    Refused(Job),
    /// The wait for an answer has been too long.
    Late(Job),
    /// The wait for a place at a backend has been too long.
    LeftWaiting(Job),
    /// What happens to an instance begins or ends.
    Turn(usize),
    /// A check is due.
    Check(usize),
    /// A check is over.
    Checked { instance: usize, passed: bool, took: Duration },
    /// A part of the run begins.
    Part,
}

/// A run under way.
pub(super) struct World<'s> {
    scenario: &'s Scenario,
    terms: &'s Terms,
    well: Vec<Traits>,
    spells: Vec<Spell>,
    pool: Arc<Pool>,
    agenda: Agenda<Event>,
    instances: Vec<Instance>,
    requests: Vec<Request>,
    /// Slots of requests that are over.
    free: Vec<u32>,
    /// Slots of those who wait for a place.
    line: Line<u32>,
    checks: Checks,
    arrivals: Dice,
    paths: Dice,
    picks: Dice,
    gap_ns: f64,
    length_ns: f64,
    came: u64,
    under_way: u64,
    counting: Counting,
}

impl<'s> World<'s> {
    /// Plays the scenario to its end.
    pub(super) fn play(scenario: &'s Scenario, terms: &'s Terms, seed: u64, kind: Kind) -> Tally {
        let mut world = Self::new(scenario, terms, seed, kind);
        world.begin();
        while world.came < scenario.requests || world.under_way > 0 {
            let event = world.agenda.next().expect("a request that is under way will end");
            world.happen(event);
        }
        world.counting.finish()
    }

    fn new(scenario: &'s Scenario, terms: &'s Terms, seed: u64, kind: Kind) -> Self {
        let well = scenario.well();
        let gap_ns = 1e9 / (scenario.load * scenario.capacity());
        let length_ns = gap_ns * scenario.requests as f64;
        let instance =
            |(index, traits): (usize, &Traits)| Instance::new(seed, index as u32, traits.clone());
        Self {
            scenario,
            terms,
            spells: scenario.spells(),
            pool: pool(&well, terms, kind),
            agenda: Agenda::new(),
            instances: well.iter().enumerate().map(instance).collect(),
            requests: Vec::new(),
            free: Vec::new(),
            line: Line::new(terms.queue_length),
            checks: Checks::new(seed, terms, well.len()),
            arrivals: stream(seed, Purpose::Arrivals),
            paths: stream(seed, Purpose::Paths),
            picks: stream(seed, Purpose::Picks),
            gap_ns,
            length_ns,
            came: 0,
            under_way: 0,
            counting: Counting::new(well.len(), length_ns as u64),
            well,
        }
    }

    /// Enters what is certain to happen. The first round of checks begins with the run.
    fn begin(&mut self) {
        let turns: Vec<(f64, usize)> = self
            .spells
            .iter()
            .flat_map(|spell| [(spell.from, spell.instance), (spell.until, spell.instance)])
            .collect();
        for (share, instance) in turns {
            self.agenda.after(self.at(share), Event::Turn(instance));
        }
        for part in 0..PARTS {
            self.agenda.after(self.at(part as f64 / PARTS as f64), Event::Part);
        }
        self.begin_checks();
        self.await_arrival();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrive(),
            Event::Served { instance, life, job, end } => self.serve(instance, life, job, end),
            Event::Refused(job) if self.awaits(job) => self.fail(job.slot, Fault::Connect),
            Event::Late(job) if self.awaits(job) => self.fail(job.slot, Fault::Timeout),
            Event::LeftWaiting(job) if self.is_waiting(job) => self.give_up(job.slot),
            Event::Refused(_) | Event::Late(_) | Event::LeftWaiting(_) => {}
            Event::Turn(instance) => self.turn(instance),
            Event::Check(instance) => self.check(instance),
            Event::Checked { instance, passed, took } => self.checked(instance, passed, took),
            Event::Part => self.note_scores(),
        }
    }

    /// The time of a share of the run, from its start.
    fn at(&self, share: f64) -> u64 {
        (share * self.length_ns) as u64
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.agenda.now_ns())
    }

    fn await_arrival(&mut self) {
        let gap_ns = self.gap_ns * exponential(&mut self.arrivals);
        self.agenda.after(gap_ns as u64, Event::Arrival);
    }

    /// What happens to an instance has begun or ended.
    fn turn(&mut self, instance: usize) {
        let now_ns = self.agenda.now_ns();
        let mut traits = self.well[instance].clone();
        for spell in self.spells.iter().filter(|spell| spell.instance == instance) {
            if (self.at(spell.from)..self.at(spell.until)).contains(&now_ns) {
                traits.apply(&spell.patch);
            }
        }
        for job in self.instances[instance].become_like(traits) {
            if self.awaits(job) {
                self.fail(job.slot, Fault::Reset);
            }
        }
    }

    fn note_scores(&mut self) {
        let now_ns = self.agenda.now_ns();
        for index in 0..self.instances.len() {
            self.counting.scored(index, self.pool.score(index), now_ns);
        }
    }
}

/// The pool of a run. Its addresses are never connected to.
fn pool(well: &[Traits], terms: &Terms, kind: Kind) -> Arc<Pool> {
    let spec = |(index, traits): (usize, &Traits)| Spec {
        name: super::name(index),
        host: "127.0.0.1".to_owned(),
        port: 1 + index as u16,
        found: None,
        alive: true,
        weight: traits.weight,
        max_connections: traits.max_connections,
        backup: false,
        public: None,
        tls: None,
        health_port: None,
        preface: None,
    };
    let specs: Vec<Spec> = well.iter().enumerate().map(spec).collect();
    let policy = kind.build(&specs, &terms.scored);
    Pool::new(specs, policy, terms.rules.clone())
}
