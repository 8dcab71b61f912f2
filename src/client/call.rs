//! One call: rounds of tries until there is an answer, or a reason to stop. Called by the client,
//! in the caller's thread.
//!
//! A round is what the proxy makes of a request: a pick, and while tries fail and the rules allow
//! it, another backend. With a wait, a round that found nobody is followed by another one at the
//! next good news, or at the next beat of the vigil.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::vigil::Woken;
use super::wire::{Answer, Failed, Wire};
use super::{Client, Error, GaveUp, Request, Response, Skipped, Step};
use crate::pool::{
    Attempt, Course, Decision, Fault, Lease, Outcome, Setback, Standing, Unavailable,
};
use crate::watch::Watched;

/// A call under way.
pub(super) struct Call<'c> {
    client: &'c Client,
    /// What this round goes by.
    watched: Arc<Watched>,
    request: &'c Request,
    idempotent: bool,
    tell: &'c mut dyn FnMut(Step),
    /// What was told of backends that were skipped, so that it is said once.
    told: BTreeMap<String, String>,
    /// Tries so far, in all rounds.
    tries: u32,
}

/// Why a round has no answer.
enum Impasse {
    /// Nobody is left. Better news may help.
    NoneLeft { skipped: Vec<Skipped>, needs_place: bool },
    /// There was one more, but the rules would not have it. A later round may.
    Spent(Error),
    /// Nothing will help.
    Final(Error),
}

impl<'c> Call<'c> {
    pub(super) fn new(
        client: &'c Client,
        request: &'c Request,
        idempotent: bool,
        tell: &'c mut dyn FnMut(Step),
    ) -> Self {
        let watched = client.watch.current();
        Self { client, watched, request, idempotent, tell, told: BTreeMap::new(), tries: 0 }
    }

    /// Rounds, with rests between them, until one has an answer or the wait is over.
    pub(super) fn run(mut self) -> Result<Response, Error> {
        let began = Instant::now();
        let mut waiting = None;
        loop {
            if let Some(thread) = self.client.vigil.died() {
                let what = format!("thread {thread} of this client panicked; make a new client");
                return Err(Error::System(std::io::Error::other(what)));
            }
            // Read first, so that no news is missed between the round and the rest.
            let seen = self.client.vigil.seen();
            let impasse = match self.round() {
                Ok(response) => return Ok(response),
                Err(impasse) => impasse,
            };
            let until = began + self.patience(&impasse);
            let left = until.saturating_duration_since(Instant::now());
            let is_final = matches!(impasse, Impasse::Final(_));
            if !is_final && !left.is_zero() {
                (self.tell)(Step::Waiting(left));
                let rests = waiting.get_or_insert_with(|| self.client.vigil.join(Instant::now()));
                match rests.rest(seen, impasse.needs_place(), until) {
                    Woken::News => continue,
                    Woken::Beat => {
                        self.client.watch.hurry();
                        continue;
                    }
                    Woken::Late => {}
                }
            }
            return Err(impasse.into_error(began.elapsed(), !self.client.terms.wait.is_zero()));
        }
    }

    /// How long to wait for better news. Where all are merely full it is as long as a request may
    /// stand in the proxy's queue, if that is more.
    fn patience(&self, impasse: &Impasse) -> Duration {
        let terms = &self.client.terms;
        match impasse {
            _ if impasse.needs_place() => terms.wait.max(terms.queue),
            _ => terms.wait,
        }
    }

    /// Tries one backend after the other. An answer that another was asked for in vain is the
    /// answer.
    fn round(&mut self) -> Result<Response, Impasse> {
        let until = Instant::now() + self.client.terms.timeout;
        let mut round = Round::default();
        self.watched = self.client.watch.current();
        let failed = loop {
            match self.turn(&mut round, until) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) => {}
                Err(impasse) => break impasse,
            }
        };
        round.answered.ok_or(failed)
    }

    /// Tries the next backend; none where another may be tried.
    fn turn(&mut self, round: &mut Round, until: Instant) -> Result<Option<Response>, Impasse> {
        let (pool, key) = (&self.watched.first().pool, self.request.hash_key());
        let picked = self.client.pick(pool, &mut round.course, key);
        let lease = picked.map_err(|none| self.none_left(&none, &round.tried))?;
        self.tell_skipped(&lease);
        let (index, backend) = (lease.index(), lease.backend().name().to_owned());
        (self.tell)(Step::Using(backend.clone()));
        round.course.begin();
        let (why, setback, sent_any) = match self.attempt(lease, until) {
            Ok(response) => {
                let status = response.status();
                round.answered = Some(response);
                (format!("status {status}"), Setback::Status(status), true)
            }
            Err(Trouble::Backend { why, setback, sent_any }) => (why, setback, sent_any),
            Err(Trouble::Final(error)) => return Err(Impasse::Final(error)),
        };
        let forbidden = self.forbids(round, setback, sent_any, until);
        if forbidden.is_some() && matches!(setback, Setback::Status(_)) {
            return Ok(round.answered.take());
        }
        let failed = Skipped { backend, why };
        (self.tell)(Step::Failed(failed.clone()));
        round.tried.push((index, failed.clone()));
        let Some(because) = forbidden else { return Ok(None) };
        let error = Error::Failed { last: failed, because };
        Err(match because {
            GaveUp::MayHaveActed | GaveUp::BadAnswer => Impasse::Final(error),
            _ => Impasse::Spent(error),
        })
    }

    /// Why there may be no other try in this round.
    fn forbids(
        &self,
        round: &mut Round,
        setback: Setback,
        sent_any: bool,
        until: Instant,
    ) -> Option<GaveUp> {
        let attempt = Attempt {
            setback,
            sent_any,
            idempotent: self.idempotent,
            body_held: true,
            // An answer is handed out when it is whole: what broke off has reached nobody.
            response_started: false,
        };
        match round.course.judge(&attempt, &self.watched.first().pool.rules().retry) {
            Decision::GiveUp(because) => Some(because),
            _ if Instant::now() >= until => Some(GaveUp::Deadline),
            _ if !round.course.has_leave(&self.watched.first().pool) => Some(GaveUp::Budget),
            _ => None,
        }
    }

    /// One try; the pool hears what came of it.
    fn attempt(&mut self, lease: Lease, until: Instant) -> Result<Response, Trouble> {
        self.tries += 1;
        let backend = lease.backend();
        let request = self.request.bytes(&backend.authority());
        let connector = self.watched.first().connectors.get(lease.index()).and_then(Option::as_ref);
        match Wire::connect(backend, connector, until, &self.client.terms) {
            Err(failed) => Err(self.fail(lease, failed, false)),
            Ok(mut wire) => match wire.exchange(&request, self.request.method()) {
                Err(failed) => Err(self.fail(lease, failed, wire.sent_any)),
                Ok(answer) => Ok(self.succeed(lease, answer)),
            },
        }
    }

    fn succeed(&self, lease: Lease, answer: Answer) -> Response {
        let Answer { status, headers, body, latency } = answer;
        let backend = lease.backend().name().to_owned();
        self.finish(lease, Outcome::Answered { status, latency });
        Response { status, headers, body, backend, tries: self.tries }
    }

    fn fail(&self, lease: Lease, failed: Failed, sent_any: bool) -> Trouble {
        let backend = lease.backend().name().to_owned();
        match failed {
            Failed::Backend(fault, why) => {
                self.finish(lease, Outcome::Failed(fault));
                // What is no HTTP came from no application: the next may have one.
                Trouble::Backend { why, setback: fault.into(), sent_any }
            }
            Failed::Hurried(why) => {
                self.finish(lease, Outcome::Abandoned);
                let fault = if sent_any { Fault::Timeout } else { Fault::Connect };
                Trouble::Backend { why, setback: Setback::Fault(fault), sent_any }
            }
            Failed::TooLong(status, latency) => {
                self.finish(lease, Outcome::Answered { status, latency });
                let limit = self.client.terms.body_bytes_max;
                Trouble::Final(Error::TooLong { backend, limit })
            }
            Failed::Ours(error) => {
                self.finish(lease, Outcome::Abandoned);
                Trouble::Final(Error::System(error))
            }
            Failed::NoWay(error) => {
                self.finish(lease, Outcome::Abandoned);
                let why = format!("no way there: {error}; out of local ports?");
                Trouble::Backend { why, setback: Setback::NoWay, sent_any }
            }
        }
    }

    fn finish(&self, lease: Lease, outcome: Outcome) {
        if let Some(notice) = lease.finish(outcome, self.client.now()) {
            self.client.vigil.notice(&notice);
        }
        self.client.vigil.freed();
    }

    /// Tells of those that could not be picked for they are not up.
    fn tell_skipped(&mut self, lease: &Lease) {
        let now = self.client.now();
        let watched = Arc::clone(&self.watched);
        for (index, backend) in watched.first().pool.backends().iter().enumerate() {
            if index != lease.index() && (backend.standing(now) != Standing::Up) {
                self.skip(index, now);
            }
        }
    }

    fn none_left(&mut self, none: &Unavailable, tried: &[(usize, Skipped)]) -> Impasse {
        let now = self.client.now();
        let count = self.watched.first().pool.backends().len();
        let skipped = (0..count).map(|index| match tried.iter().find(|(one, _)| *one == index) {
            Some((_, failed)) => failed.clone(),
            None => self.skip(index, now),
        });
        let needs_place = none.full > 0 && tried.is_empty();
        Impasse::NoneLeft { skipped: skipped.collect(), needs_place }
    }

    /// Why the backend at `index` is not used, told if that is new.
    fn skip(&mut self, index: usize, now: Duration) -> Skipped {
        let backend = &self.watched.first().pool.backends()[index];
        let name = backend.name().to_owned();
        let why = match backend.standing(now) {
            Standing::Up => format!("all {} places are taken", backend.max_connections()),
            standing => self.client.vigil.why(&name).unwrap_or_else(|| standing.to_string()),
        };
        let skipped = Skipped { backend: name.clone(), why: why.clone() };
        if self.told.insert(name, why.clone()).as_ref() != Some(&why) {
            (self.tell)(Step::Skipped(skipped.clone()));
        }
        skipped
    }
}

/// What has been tried in a round.
#[derive(Default)]
struct Round {
    course: Course,
    /// How each of them failed.
    tried: Vec<(usize, Skipped)>,
    /// The last answer that another is asked for instead.
    answered: Option<Response>,
}

/// Why a try has no answer.
enum Trouble {
    Backend { why: String, setback: Setback, sent_any: bool },
    Final(Error),
}

impl Impasse {
    /// Someone is up, with all places taken: what helps is a call that ends.
    fn needs_place(&self) -> bool {
        matches!(self, Self::NoneLeft { needs_place: true, .. })
    }

    fn into_error(self, elapsed: Duration, was_patient: bool) -> Error {
        let waited = if was_patient { elapsed } else { Duration::ZERO };
        match self {
            Self::NoneLeft { skipped, .. } => Error::NoneLeft { skipped, waited },
            Self::Spent(error) | Self::Final(error) => error,
        }
    }
}
