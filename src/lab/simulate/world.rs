//! One run: a scenario, a seed and a policy, played on a virtual clock.
//!
//! The pool, the policy, the retry rule and its budget, and the waiting line are those of the proxy
//! (`pool`), asked in the same order as `proxy/exchange` asks them. What stands in for the rest:
//! requests are GETs that come by chance (Poisson) at a steady rate whatever becomes of the others;
//! the network takes no time, but for a refused connect; a client waits as long as it takes.

mod checks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Terms;
use super::agenda::Agenda;
use super::draw::{Purpose, exponential, stream};
use super::instance::{End, Instance, Job, Reception};
use super::scenario::{Scenario, Spell, Traits};
use super::tally::{Counting, PARTS, Tally};
use crate::pool::chance::{Dice, below, scramble};
use crate::pool::policy::Kind;
use crate::pool::{
    Ask, Attempt, Fault, Lease, Line, Outcome, Pool, RetryPermit, Spec, Unavailable, Verdict,
};
use checks::Checks;

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

/// A request under way.
#[derive(Default)]
struct Request {
    /// Counts from 0 in order of arrival.
    number: u64,
    key: u64,
    begun_ns: u64,
    sent_ns: u64,
    tries: u32,
    tried: Vec<usize>,
    lease: Option<Lease>,
    permit: Option<RetryPermit>,
    ticket: Option<u64>,
    /// It is over, and its slot is free.
    is_over: bool,
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
            picks: stream(seed, Purpose::Picks),
            gap_ns,
            length_ns,
            came: 0,
            under_way: 0,
            counting: Counting::new(well.len(), length_ns as u64),
            well,
        }
    }

    /// Enters what is certain to happen. The first round of checks comes before the first request,
    /// as the balancer waits for it.
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

    /// A request comes, and is sent, told to wait, or turned away.
    fn arrive(&mut self) {
        let client = below(self.arrivals.roll(), self.scenario.clients as usize) as u64;
        let slot = self.open(self.came, scramble(client));
        self.came += 1;
        self.under_way += 1;
        self.counting.came();
        if self.came < self.scenario.requests {
            self.await_arrival();
        }
        if !self.line.is_empty() {
            return self.wait(slot);
        }
        match self.pick(slot) {
            Ok(()) => self.send(slot),
            Err(none) if none.full > 0 => self.wait(slot),
            Err(_) => self.refuse(slot),
        }
    }

    /// Joins the line for a place at a backend (law 7).
    fn wait(&mut self, slot: u32) {
        let Some(ticket) = self.line.draw(slot) else {
            return self.refuse(slot);
        };
        self.request(slot).ticket = Some(ticket);
        let job = self.job(slot);
        self.agenda.after(self.terms.queue_timeout_ns, Event::LeftWaiting(job));
    }

    /// Leases a backend that the request has not tried.
    fn pick(&mut self, slot: u32) -> Result<(), Unavailable> {
        let (now, chance) = (self.now(), self.picks.roll());
        let request = &mut self.requests[slot as usize];
        let key = Some(request.key);
        let ask = Ask { now, chance, key, tried: &request.tried, ..Ask::default() };
        let lease = self.pool.pick(&ask)?;
        request.tried.push(lease.index());
        request.lease = Some(lease);
        Ok(())
    }

    /// Sends the request to the backend that it has leased.
    fn send(&mut self, slot: u32) {
        let now_ns = self.agenda.now_ns();
        let request = self.request(slot);
        request.tries += 1;
        request.sent_ns = now_ns;
        let is_retry = request.tries > 1;
        let index = request.lease.as_ref().expect("it is sent once it is leased").index();
        let job = self.job(slot);
        self.counting.tried(index, is_retry, now_ns);
        match self.instances[index].receive(job) {
            Reception::Begun(time_ns, end) => self.await_service(index, job, time_ns, end),
            Reception::Waiting => {}
            Reception::Refused => return self.agenda.after(REFUSAL_NS, Event::Refused(job)),
        }
        self.agenda.deadline(self.terms.response_ns, Event::Late(job));
    }

    fn await_service(&mut self, instance: usize, job: Job, time_ns: u64, end: End) {
        let life = self.instances[instance].life();
        self.agenda.after(time_ns, Event::Served { instance, life, job, end });
    }

    /// A worker is done: it takes the next job, and the answer goes to whoever still waits.
    fn serve(&mut self, instance: usize, life: u32, job: Job, end: End) {
        if self.instances[instance].life() != life {
            return;
        }
        if let Some((next, time_ns, end)) = self.instances[instance].finish(job) {
            self.await_service(instance, next, time_ns, end);
        }
        match end {
            _ if !self.awaits(job) => {}
            End::Answered(status) => self.answer(job.slot, status),
            End::Reset => self.fail(job.slot, Fault::Reset),
        }
    }

    /// The backend has answered, well or not: a status is no reason for another try.
    fn answer(&mut self, slot: u32, status: u16) {
        let (now, now_ns) = (self.now(), self.agenda.now_ns());
        let request = self.request(slot);
        let latency = Duration::from_nanos(now_ns - request.sent_ns);
        let lease = request.lease.take().expect("an answer comes from the backend leased");
        lease.finish(Outcome::Answered { status, latency }, now);
        self.end(slot, status >= 500, true);
        self.ring();
    }

    /// The backend has failed: another try, if the rules and the budget allow one.
    fn fail(&mut self, slot: u32, fault: Fault) {
        let (now, was_sent) = (self.now(), fault != Fault::Connect);
        let request = self.request(slot);
        let lease = request.lease.take().expect("who fails was leased");
        let attempt = Attempt {
            tries: request.tries,
            idempotent: true,
            sent_any: was_sent,
            body_held: true,
            stale: false,
            response_started: false,
        };
        lease.finish(Outcome::Failed(fault), now);
        let may_try = attempt.verdict(&self.pool.rules().retry) == Verdict::AnotherBackend;
        match may_try && self.is_within_budget(slot, was_sent) && self.pick(slot).is_ok() {
            true => self.send(slot),
            false => self.end(slot, true, was_sent),
        }
        self.ring();
    }

    /// As the proxy has it: a try that no backend has heard of needs no permit.
    fn is_within_budget(&mut self, slot: u32, was_sent: bool) -> bool {
        let pool = Arc::clone(&self.pool);
        let request = self.request(slot);
        if was_sent && request.permit.is_none() {
            request.permit = pool.retry_permit();
        }
        !was_sent || request.permit.is_some()
    }

    /// No place came free in time.
    fn give_up(&mut self, slot: u32) {
        self.end(slot, true, true);
        self.ring();
    }

    /// No backend can be had, and there is nothing to wait for.
    fn refuse(&mut self, slot: u32) {
        self.end(slot, true, false);
    }

    /// A place may be free: the first in line asks for it, then the next.
    fn ring(&mut self) {
        while let Some(slot) = self.line.first().copied() {
            match self.pick(slot) {
                Ok(()) => {
                    self.leave_line(slot);
                    self.send(slot);
                }
                Err(none) if none.full > 0 => return,
                Err(_) => self.refuse(slot),
            }
        }
    }

    fn leave_line(&mut self, slot: u32) {
        if let Some(ticket) = self.request(slot).ticket.take() {
            self.line.leave(ticket);
        }
    }

    /// The client has its answer. `waited`: it is one that tells how long a client waits.
    fn end(&mut self, slot: u32, is_error: bool, waited: bool) {
        self.leave_line(slot);
        let now_ns = self.agenda.now_ns();
        let request = self.request(slot);
        request.permit = None;
        request.is_over = true;
        let time_ns = now_ns - request.begun_ns;
        if is_error {
            self.counting.failed();
        }
        if waited {
            self.counting.waited(time_ns);
        }
        self.free.push(slot);
        self.under_way -= 1;
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

    /// A slot for a request that has just come. Slots are used again, with the memory they hold.
    fn open(&mut self, number: u64, key: u64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.requests.push(Request::default());
            self.requests.len() as u32 - 1
        });
        let begun_ns = self.agenda.now_ns();
        let request = self.request(slot);
        let mut tried = std::mem::take(&mut request.tried);
        tried.clear();
        *request = Request { number, key, begun_ns, tried, ..Request::default() };
        slot
    }

    fn request(&mut self, slot: u32) -> &mut Request {
        &mut self.requests[slot as usize]
    }

    /// The try that the request is at.
    fn job(&self, slot: u32) -> Job {
        let Request { number, tries, .. } = self.requests[slot as usize];
        Job { slot, request: number, tries }
    }

    /// True if the request still waits for what comes of this very try.
    fn awaits(&self, job: Job) -> bool {
        let request = &self.requests[job.slot as usize];
        !request.is_over && request.lease.is_some() && self.job(job.slot) == job
    }

    fn is_waiting(&self, job: Job) -> bool {
        let request = &self.requests[job.slot as usize];
        !request.is_over && request.ticket.is_some() && self.job(job.slot) == job
    }
}

/// The pool of a run. Its addresses are never connected to.
fn pool(well: &[Traits], terms: &Terms, kind: Kind) -> Arc<Pool> {
    let spec = |(index, traits): (usize, &Traits)| Spec {
        name: super::name(index),
        host: "127.0.0.1".to_owned(),
        port: 1 + index as u16,
        alive: true,
        weight: traits.weight,
        max_connections: traits.max_connections,
        backup: false,
    };
    let specs: Vec<Spec> = well.iter().enumerate().map(spec).collect();
    let addresses = specs.iter().map(|spec| SocketAddr::from(([127, 0, 0, 1], spec.port)));
    let addresses = addresses.collect();
    let policy = kind.build(&specs, &terms.scored);
    Pool::new(specs, addresses, policy, terms.rules.clone())
}
