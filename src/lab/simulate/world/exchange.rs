//! A request's way through a run: picked for, sent, answered, tried again or given up, as
//! `relay/exchange` and `relay/queue` do it, with the pool asked the same things in the same order.

use std::time::Duration;

use super::{Event, REFUSAL_NS, World};
use crate::lab::simulate::instance::{End, Job, Reception};
use crate::lab::simulate::scenario::Scenario;
use crate::pool::chance::{below, fraction, scramble};
use crate::pool::{
    Ask, Attempt, Course, Decision, Fault, Lease, Outcome, Setback, Unavailable, Witness,
};

/// Who asks, and for what.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    client: u64,
    path: u64,
    bad_path: bool,
}

/// A request under way.
#[derive(Default)]
pub(super) struct Request {
    /// Counts from 0 in order of arrival.
    number: u64,
    asked: Asked,
    begun_ns: u64,
    sent_ns: u64,
    course: Course,
    lease: Option<Lease>,
    ticket: Option<u64>,
    /// It is over, and its slot is free.
    is_over: bool,
}

impl Asked {
    fn witness(self) -> Witness {
        Witness::new(scramble(self.client), scramble(self.path))
    }
}

impl World<'_> {
    /// A request comes, and is sent, told to wait, or turned away.
    pub(super) fn arrive(&mut self) {
        let asked = self.ask();
        let slot = self.open(self.came, asked);
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

    /// Draws who asks for what.
    fn ask(&mut self) -> Asked {
        let Scenario { clients, paths, bad_path, bad_path_clients, .. } = *self.scenario;
        let client = below(self.arrivals.roll(), clients as usize) as u64;
        let path = below(self.paths.roll(), paths as usize) as u64;
        match fraction(self.paths.roll()) < bad_path {
            true if bad_path_clients > 0 => {
                Asked { client: client % bad_path_clients, path: paths, bad_path: true }
            }
            true => Asked { client, path: paths, bad_path: true },
            false => Asked { client, path, bad_path: false },
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
        let key = Some(scramble(request.asked.client));
        let ask = Ask { now, chance, key, ..Ask::default() };
        request.lease = Some(request.course.pick(&self.pool, &ask)?);
        Ok(())
    }

    /// Sends the request to the backend that it has leased.
    fn send(&mut self, slot: u32) {
        let now_ns = self.agenda.now_ns();
        let request = self.request(slot);
        request.course.begin();
        request.sent_ns = now_ns;
        let is_retry = request.course.tries() > 1;
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
    pub(super) fn serve(&mut self, instance: usize, life: u32, job: Job, end: End) {
        if self.instances[instance].life() != life {
            return;
        }
        if let Some((next, time_ns, end)) = self.instances[instance].finish(job) {
            self.await_service(instance, next, time_ns, end);
        }
        match end {
            _ if !self.awaits(job) => {}
            End::Answered(status) => self.answer(job.slot, status),
            End::Refused => self.fail(job.slot, Fault::BadAnswer),
            End::Reset => self.fail(job.slot, Fault::Reset),
        }
    }

    /// The backend has answered, well or not: the client gets that, unless the rules would rather
    /// have the answer of another.
    fn answer(&mut self, slot: u32, status: u16) {
        let (now, now_ns) = (self.now(), self.agenda.now_ns());
        let request = self.request(slot);
        let latency = Duration::from_nanos(now_ns - request.sent_ns);
        let lease = request.lease.take().expect("an answer comes from the backend leased");
        let witness = request.asked.witness();
        let goes_elsewhere = self.takes_another(slot, Setback::Status(status));
        let notice = lease.finish_for(|| witness, Outcome::Answered { status, latency }, now);
        self.counting.noticed(notice.as_ref());
        match goes_elsewhere {
            true => self.send(slot),
            false => self.end(slot, status >= 500, true),
        }
        self.ring();
    }

    /// The backend has failed: another try, if the rules and the budget allow one.
    pub(super) fn fail(&mut self, slot: u32, fault: Fault) {
        let now = self.now();
        let request = self.request(slot);
        let lease = request.lease.take().expect("who fails was leased");
        let witness = request.asked.witness();
        let notice = lease.finish_for(|| witness, Outcome::Failed(fault), now);
        self.counting.noticed(notice.as_ref());
        match self.takes_another(slot, fault.into()) {
            true => self.send(slot),
            false => self.end(slot, true, fault != Fault::Connect),
        }
        self.ring();
    }

    /// Leases another backend after a try that came to this, if the rules and the budget allow one.
    fn takes_another(&mut self, slot: u32, setback: Setback) -> bool {
        let attempt = Attempt {
            setback,
            sent_any: setback != Setback::Fault(Fault::Connect),
            idempotent: true,
            body_held: true,
            response_started: false,
        };
        let course = &mut self.requests[slot as usize].course;
        let decision = course.judge(&attempt, &self.pool.rules().retry);
        decision == Decision::AnotherBackend
            && course.has_leave(&self.pool)
            && self.pick(slot).is_ok()
    }

    /// No place came free in time.
    pub(super) fn give_up(&mut self, slot: u32) {
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
        request.course = Course::default();
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

    /// A slot for a request that has just come. Slots are used again.
    fn open(&mut self, number: u64, asked: Asked) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.requests.push(Request::default());
            self.requests.len() as u32 - 1
        });
        let begun_ns = self.agenda.now_ns();
        let request = self.request(slot);
        *request = Request { number, asked, begun_ns, ..Request::default() };
        slot
    }

    fn request(&mut self, slot: u32) -> &mut Request {
        &mut self.requests[slot as usize]
    }

    /// The try that the request is at.
    fn job(&self, slot: u32) -> Job {
        let Request { number, asked, course, .. } = &self.requests[slot as usize];
        Job { slot, request: *number, tries: course.tries(), bad_path: asked.bad_path }
    }

    /// True if the request still waits for what comes of this very try.
    pub(super) fn awaits(&self, job: Job) -> bool {
        let request = &self.requests[job.slot as usize];
        !request.is_over && request.lease.is_some() && self.job(job.slot) == job
    }

    pub(super) fn is_waiting(&self, job: Job) -> bool {
        let request = &self.requests[job.slot as usize];
        !request.is_over && request.ticket.is_some() && self.job(job.slot) == job
    }
}
