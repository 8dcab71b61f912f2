//! The pool itself: its backends, what decides between them, and what changes their standing.
//!
//! One lock exists, `turn`: whoever changes a backend's standing holds it, so that rules which
//! look at several backends (never eject the last one) see them all at rest, and so that each
//! [`Change`] tells the truth about how many are left. Nothing else is locked under it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::health::Effect;
use super::policy::Policy;
use super::retry::Retrying;
use super::sticky::Tokens;
use super::{
    Backend, Change, CheckOutcome, Fault, Found, Mode, Notice, Outcome, Rules, Spec, Standing,
    Status, Witness,
};
use crate::text::Took;

/// The backends and what decides between them.
pub struct Pool {
    pub(super) backends: Vec<Backend>,
    pub(super) policy: Box<dyn Policy>,
    pub(super) rules: Rules,
    pub(super) retrying: Retrying,
    /// None without sticky sessions.
    pub(super) tokens: Option<Tokens>,
    turn: Mutex<()>,
}

impl Pool {
    /// A pool of `specs`, in the order of the file, with what the name of each has come to.
    pub fn new(
        specs: Vec<Spec>,
        found: Vec<Found>,
        policy: Box<dyn Policy>,
        rules: Rules,
    ) -> Arc<Self> {
        assert_eq!(specs.len(), found.len(), "each backend was looked up");
        let backends = specs.into_iter().zip(found);
        let backends: Vec<_> = backends.map(|(spec, found)| Backend::new(spec, found)).collect();
        let tokens =
            rules.sticky.map(|secret| Tokens::new(secret, backends.iter().map(Backend::name)));
        let retrying = Retrying::default();
        Arc::new(Self { backends, policy, rules, retrying, tokens, turn: Mutex::new(()) })
    }

    /// All backends, in the order of the file.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The policy's name.
    pub fn policy(&self) -> &'static str {
        self.policy.name()
    }

    /// The rules it was made with.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What a client is to send as its sticky cookie to stay with the backend at `index`, if there
    /// are sticky sessions.
    pub fn token(&self, index: usize) -> Option<u64> {
        self.tokens.as_ref().map(|tokens| tokens.of(index))
    }

    /// Requests in flight, over all backends.
    pub fn in_flight(&self) -> usize {
        self.backends.iter().map(|backend| backend.in_use() as usize).sum()
    }

    /// How many backends are up.
    pub fn usable(&self, now: Duration) -> usize {
        self.backends.iter().filter(|backend| backend.standing(now) == Standing::Up).count()
    }

    /// Takes in the result of a check of the backend at `index`.
    pub fn record_check(
        &self,
        index: usize,
        outcome: &CheckOutcome,
        now: Duration,
    ) -> Option<Notice> {
        let counters = self.backends[index].counters();
        let count = match outcome.passed {
            true => &counters.checks_passed,
            false => &counters.checks_failed,
        };
        count.fetch_add(1, Relaxed);
        if !outcome.passed {
            self.backends[index].doubt();
        }
        let change = self.change(index, now, |backend, _| {
            let turned = backend.health.checked(outcome.passed, &self.rules.check);
            let is_news = turned || (outcome.passed && backend.is_back_untold(now));
            is_news.then(|| outcome.to_string())
        });
        let judged = self.policy.checked(index, outcome).map(|why| self.judged(index, why, false));
        change.map(Notice::Changed).or(judged)
    }

    /// Takes in what the name of the backend at `index` has come to. One that is found for the
    /// first time is up, unless a check has still to say so. A look-up tells nothing else: that an
    /// ejection is over is for a check or a request to say.
    pub fn relocate(&self, index: usize, found: Found, now: Duration) -> Option<Change> {
        self.change(index, now, |backend, _| {
            let first = backend.relocate(found)?;
            Some(format!("{} is at {first}", backend.host()))
        })
    }

    /// The backend at `index` in one line for people: where it stands, what it does, and how the
    /// policy sees it.
    pub fn status(&self, index: usize, now: Duration) -> Status {
        let (backend, load) = (&self.backends[index], |count: &AtomicU64| count.load(Relaxed));
        let counters = backend.counters();
        Status {
            backend: backend.name().to_owned(),
            standing: backend.standing(now),
            why: backend.addresses().err(),
            in_use: backend.in_use(),
            requests: load(&counters.requests),
            failures: load(&counters.failures),
            repaired: load(&counters.repaired),
            policy: self.explain(index),
        }
    }

    /// How the policy sees the backend at `index` now, in words, if it has a view of its own.
    pub fn explain(&self, index: usize) -> Option<String> {
        self.policy.explain(index)
    }

    /// The policy's score of the backend at `index`, if it has one; lower is better.
    pub fn score(&self, index: usize) -> Option<f64> {
        self.policy.score(index)
    }

    /// Does as an operator says with the backend at `index`.
    pub fn set_mode(&self, index: usize, mode: Mode, now: Duration) -> Option<Change> {
        self.change(index, now, |backend, _| {
            backend.set_mode(mode);
            Some(format!("set to {mode}"))
        })
    }

    /// Draws the consequences of a try's outcome; `witness` is asked for if it is one that a
    /// request may have brought about.
    pub(super) fn judge(
        &self,
        index: usize,
        outcome: &Outcome,
        witness: impl FnOnce() -> Option<Witness>,
        now: Duration,
    ) -> Option<Notice> {
        let of_health = self.judge_health(index, outcome, witness, now);
        let words = self.policy.served(index, outcome);
        of_health.or(words.map(|why| self.judged(index, why, false)))
    }

    fn judged(&self, index: usize, why: String, is_grave: bool) -> Notice {
        let backend = self.backends[index].name().to_owned();
        Notice::Judged { index, backend, why, is_grave }
    }

    fn judge_health(
        &self,
        index: usize,
        outcome: &Outcome,
        witness: impl FnOnce() -> Option<Witness>,
        now: Duration,
    ) -> Option<Notice> {
        let (backend, passive) = (&self.backends[index], &self.rules.passive);
        let failed = match *outcome {
            Outcome::Abandoned => return None,
            Outcome::Failed(_) => true,
            Outcome::Answered { status, .. } => {
                backend.counters().answered(status);
                passive.statuses.contains(status)
            }
        };
        if failed {
            backend.counters().failures.fetch_add(1, Relaxed);
            return match *outcome {
                Outcome::Failed(Fault::BadAnswer) if !passive.bad_answers => None,
                // No request was sent: none can have brought it about.
                Outcome::Failed(Fault::Connect) => {
                    backend.doubt();
                    self.failed(index, outcome, None, now)
                }
                _ => self.failed(index, outcome, witness(), now),
            };
        }
        if !backend.health.succeeded(now) {
            return None;
        }
        self.policy.returned(index);
        self.welcome(index, outcome, now).map(Notice::Changed)
    }

    fn failed(
        &self,
        index: usize,
        outcome: &Outcome,
        witness: Option<Witness>,
        now: Duration,
    ) -> Option<Notice> {
        match self.backends[index].health.failed(witness, now, &self.rules.passive) {
            Effect::Nothing => None,
            Effect::OneClient(row) => {
                let reason = "that may be the client's doing ([passive] clients)";
                Some(self.judged(index, format!("{row}: it stays in, as {reason}"), false))
            }
            Effect::Eject { is_news } => {
                let ejected = self.eject(index, outcome, now).map(Notice::Changed);
                ejected.or_else(|| is_news.then(|| self.spare(index, outcome, now))?)
            }
        }
    }

    /// Ejects the backend at `index`, unless that were the last one up or over half of all.
    fn eject(&self, index: usize, last: &Outcome, now: Duration) -> Option<Change> {
        self.change(index, now, |backend, standing| {
            let is_out = |backend: &&Backend| backend.health.ejected_for(now).is_some();
            let out = self.backends.iter().filter(is_out).count();
            let too_many = (out + 1) * 2 > self.backends.len();
            if standing != Standing::Up || too_many || self.usable(now) < 2 {
                return None;
            }
            let (length, row) = backend.health.eject(now, &self.rules.passive)?;
            Some(format!("{row}, the last: {last}; out for {}", Took(length)))
        })
    }

    /// Says why a backend that fails is not ejected, unless another thread has done so.
    fn spare(&self, index: usize, last: &Outcome, now: Duration) -> Option<Notice> {
        let is_up = self.backends[index].standing(now) == Standing::Up;
        let is_last = self.usable(now) < 2;
        let why = if is_last { "it is the last one up" } else { "half of all are out already" };
        let text = format!("fails on, the last: {last}; it stays in, as {why}");
        is_up.then(|| self.judged(index, text, true))
    }

    /// The first success after an ejection: the backend was up again since its end, and now it is
    /// known to work. Only the log learns from this, unless a check has told it before.
    fn welcome(&self, index: usize, first: &Outcome, now: Duration) -> Option<Change> {
        let _turn = self.take_turn();
        let backend = &self.backends[index];
        let is_news = backend.standing(now) == Standing::Up && backend.tell(Standing::Up);
        let reason = format!("answers after its ejection: {first}");
        let ejected = Standing::Ejected;
        is_news.then(|| Change::new(&self.backends, index, ejected, reason, now))
    }

    /// Lets `act` change one backend while no other changes. `act` gets its standing and returns
    /// the reason if it did anything; there is a [`Change`] if the standing is another now, or
    /// another than people were told.
    fn change(
        &self,
        index: usize,
        now: Duration,
        act: impl FnOnce(&Backend, Standing) -> Option<String>,
    ) -> Option<Change> {
        let _turn = self.take_turn();
        let backend = &self.backends[index];
        let from = backend.standing(now);
        let reason = act(backend, from)?;
        let to = backend.standing(now);
        if from != to && to == Standing::Up {
            backend.came_back(now);
            self.policy.returned(index);
        }
        let is_news = backend.tell(to);
        // An ejection has ended by itself.
        let from = if is_news && from == to { Standing::Ejected } else { from };
        (from != to).then(|| Change::new(&self.backends, index, from, reason, now))
    }

    fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
