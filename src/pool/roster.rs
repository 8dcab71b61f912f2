//! The pool itself: its backends, what decides between them, and what changes their standing.
//!
//! One lock exists, the family's `turn`: whoever changes a backend's standing holds it, so that
//! rules which look at several backends (never eject the last one) see them all at rest, and so
//! that each [`Change`] tells the truth about how many are left. Those that are looked at are the
//! newest pool's, whichever pool the report came to.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::family::{Family, heirs};
use super::health::Effect;
use super::policy::Policy;
use super::retry::RetryPermit;
use super::sticky::Tokens;
use super::{Backend, Change, Fault, Notice, Outcome, Rules, Spec, Standing, Witness};
use crate::text::Took;

/// What people call a pool that has no name, as there is but one.
pub const ONLY: &str = "default";
/// What stands for a pool in the numbers of requests that none is for. It is no pool's name.
pub const NO_POOL: &str = "none";

/// The backends and what decides between them.
pub struct Pool {
    pub(super) backends: Arc<[Backend]>,
    pub(super) policy: Box<dyn Policy>,
    pub(super) rules: Rules,
    /// None without sticky sessions.
    pub(super) tokens: Option<Tokens>,
    pub(super) family: Arc<Family>,
}

impl Pool {
    /// A pool of `specs`, in the order of the file.
    pub fn new(specs: Vec<Spec>, policy: Box<dyn Policy>, rules: Rules) -> Arc<Self> {
        Self::beginning(Duration::ZERO, specs, policy, rules)
    }

    /// One that begins when others have served for a while.
    pub fn beginning(
        now: Duration,
        specs: Vec<Spec>,
        policy: Box<dyn Policy>,
        rules: Rules,
    ) -> Arc<Self> {
        let begin = |spec| Backend::new(spec, now);
        let backends = specs.into_iter().map(begin).collect();
        let family = Family::new(&backends);
        Self::of(backends, policy, rules, family)
    }

    /// The pool that takes the place of `old` when the file has changed. A backend of the same
    /// name, else one at the same host and port, has the same record as before: places in use,
    /// counters, mode and health (`record.rs` says what of it is kept when). A policy of the same
    /// kind goes on where the old one stood. Places and retries are counted together, so that
    /// nothing is exceeded while requests still hold on to the old pool; what they report counts
    /// for as long as the backend is still there.
    ///
    /// To be called once nothing can prevent the change any more: standings are told of these
    /// backends from now on, also to whoever still asks `old`.
    pub fn succeeding(
        old: &Self,
        specs: Vec<Spec>,
        mut policy: Box<dyn Policy>,
        rules: Rules,
        now: Duration,
    ) -> Arc<Self> {
        let mut turn = old.family.take_turn();
        let heirs = heirs(&turn.backends, specs.iter());
        let follow = |(spec, heir): (Spec, Option<usize>)| match heir {
            Some(index) => turn.backends[index].followed_by(spec, now),
            None => Backend::new(spec, now),
        };
        let backends: Arc<[Backend]> = specs.into_iter().zip(heirs).map(follow).collect();
        match old.policy.ledger() {
            _ if old.policy.name() != policy.name() => {
                for backend in backends.iter() {
                    backend.memory().forget();
                    backend.record.past.forget_turns();
                }
            }
            Some(ledger) => policy.take_over(ledger),
            None => {}
        }
        turn.follow(&backends);
        drop(turn);
        Self::of(backends, policy, rules, Arc::clone(&old.family))
    }

    /// Which backend of this pool each of `specs` would be if they followed it, by index.
    pub fn heirs(&self, specs: &[Spec]) -> Vec<Option<usize>> {
        heirs(&self.backends, specs.iter())
    }

    fn of(
        backends: Arc<[Backend]>,
        policy: Box<dyn Policy>,
        rules: Rules,
        family: Arc<Family>,
    ) -> Arc<Self> {
        let names = || backends.iter().map(Backend::name);
        let tokens = rules.sticky.map(|secret| Tokens::new(secret, names()));
        Arc::new(Self { backends, policy, rules, tokens, family })
    }

    /// All backends, in the order of the file.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        self.rules.pool.as_deref().unwrap_or(ONLY)
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

    /// Requests in flight, over all backends of this pool, those before it and those after it.
    pub fn in_flight(&self) -> usize {
        self.family.in_flight()
    }

    /// How many backends are up.
    pub fn usable(&self, now: Duration) -> usize {
        usable(&self.backends, now)
    }

    /// Leave to retry a request, while fewer than the budget do.
    pub(super) fn retry_permit(&self) -> Option<RetryPermit> {
        RetryPermit::take(&self.family.retrying, || self.in_flight(), &self.rules.retry)
    }

    /// How the policy sees the backend at `index` now, in words, if it has a view of its own.
    pub fn explain(&self, index: usize) -> Option<String> {
        self.policy.explain(self.backends[index].memory())
    }

    /// The policy's score of the backend at `index`, if it has one; lower is better.
    pub fn score(&self, index: usize) -> Option<f64> {
        self.policy.score(self.backends[index].memory())
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
        let backend = &self.backends[index];
        let words = backend.is_current().then(|| self.policy.served(backend.memory(), outcome));
        let words = words.flatten().inspect(|_| self.remember_turns(index, now));
        of_health.or(words.map(|why| self.judged(index, why, false)))
    }

    /// The policy has had words about the backend at `index`: its past hears what they come to.
    pub(super) fn remember_turns(&self, index: usize, now: Duration) {
        let backend = &self.backends[index];
        if let Some(said) = self.policy.sat_out(backend.memory()) {
            backend.record.past.sat_out(&said, now);
        }
    }

    pub(super) fn judged(&self, index: usize, why: String, is_grave: bool) -> Notice {
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
            Outcome::Connected { .. } => false,
            Outcome::Failed(_) => true,
            Outcome::Answered { status, latency } => {
                backend.tally().answered(status, latency, now);
                passive.statuses.contains(status)
            }
        };
        if failed {
            backend.tally().failures.fetch_add(1, Relaxed);
        }
        match *outcome {
            // It is somewhere else now, and this says nothing of that.
            _ if !backend.is_current() => None,
            Outcome::Failed(Fault::BadAnswer) if !passive.bad_answers => None,
            // No request was sent: none can have brought it about.
            Outcome::Failed(Fault::Connect) => {
                backend.doubt();
                self.failed(index, outcome, None, now)
            }
            _ if failed => self.failed(index, outcome, witness(), now),
            _ if !backend.record.health.succeeded(now) => None,
            _ => {
                self.policy.returned(backend.memory());
                self.welcome(index, outcome, now).map(Notice::Changed)
            }
        }
    }

    fn failed(
        &self,
        index: usize,
        outcome: &Outcome,
        witness: Option<Witness>,
        now: Duration,
    ) -> Option<Notice> {
        match self.backends[index].record.health.failed(witness, now, &self.rules.passive) {
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
        self.change(index, now, |Seat { all, backend, standing }| {
            let is_out = |one: &&Backend| one.record.health.is_ejected(now);
            let too_many = (all.iter().filter(is_out).count() + 1) * 2 > all.len();
            if standing != Standing::Up || too_many || usable(all, now) < 2 {
                return None;
            }
            let (length, row) = backend.record.health.eject(now, &self.rules.passive)?;
            let reason = format!("{row}, the last: {last}; out for {}", Took(length));
            backend.record.past.ejected(&reason);
            Some(reason)
        })
    }

    /// Says why a backend that fails is not ejected, unless another thread has done so.
    fn spare(&self, index: usize, last: &Outcome, now: Duration) -> Option<Notice> {
        let is_last = {
            let turn = self.family.take_turn();
            let place = turn.place(&self.backends[index])?;
            let is_up = turn.backends[place].standing(now) == Standing::Up;
            is_up.then(|| usable(&turn.backends, now) < 2)?
        };
        let why = if is_last { "it is the last one up" } else { "half of all are out already" };
        let text = format!("fails on, the last: {last}; it stays in, as {why}");
        Some(self.judged(index, text, true))
    }

    /// The first success after an ejection: the backend was up again since its end, and now it is
    /// known to work. Only the log learns from this, unless a check has told it before.
    fn welcome(&self, index: usize, first: &Outcome, now: Duration) -> Option<Change> {
        let turn = self.family.take_turn();
        let place = turn.place(&self.backends[index])?;
        let backend = &turn.backends[place];
        let is_news = backend.standing(now) == Standing::Up && backend.record.tell(Standing::Up);
        let reason = format!("answers after its ejection: {first}");
        is_news.then(|| self.note(&turn.backends, place, Standing::Ejected, reason, now))
    }

    /// Lets `act` change one backend while no other changes, if the newest file still has it where
    /// this one does. `act` returns the reason if it did anything; there is a [`Change`] if the
    /// standing is another now, or another than people were told.
    pub(super) fn change(
        &self,
        index: usize,
        now: Duration,
        act: impl FnOnce(Seat) -> Option<String>,
    ) -> Option<Change> {
        let turn = self.family.take_turn();
        let (all, place) = (&turn.backends, turn.place(&self.backends[index])?);
        let (backend, from) = (&all[place], all[place].standing(now));
        let reason = act(Seat { all, backend, standing: from })?;
        let to = backend.standing(now);
        if from != to && to == Standing::Up {
            backend.record.came_back(now);
            self.policy.returned(backend.memory());
        }
        let is_news = backend.record.tell(to);
        // An ejection has ended by itself.
        let from = if is_news && from == to { Standing::Ejected } else { from };
        (from != to).then(|| self.note(all, place, from, reason, now))
    }

    /// The standing is another now, or is known to be: noted, and put into words.
    fn note(
        &self,
        all: &[Backend],
        place: usize,
        from: Standing,
        reason: String,
        now: Duration,
    ) -> Change {
        let record = &all[place].record;
        record.past.came(record.standing(now), &reason, now);
        let pool = self.rules.pool.clone();
        Change { pool, ..Change::new(all, place, from, reason, now) }
    }
}

/// One backend among all of the newest pool, while none of them changes.
pub(super) struct Seat<'t> {
    pub(super) all: &'t [Backend],
    pub(super) backend: &'t Backend,
    standing: Standing,
}

/// How many of these are up.
fn usable(backends: &[Backend], now: Duration) -> usize {
    backends.iter().filter(|backend| backend.standing(now) == Standing::Up).count()
}
