//! The names thread: looks host names up again, and has a change of their addresses carried out.
//!
//! Started by [`Watch`](super::Watch). A name has its turn every so often, and soon after a connect
//! or a check of a backend of it has failed: that may have moved. One that has no address yet is
//! looked up until it has. No look-up holds up another, nor a check.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::lookup::{LookUps, Named, Resolved, system};
use super::sockets::Control;
use super::{OnEvent, Respread, WatchEvent, Watched, WatchedPool};
use crate::config::{Answer, Answers, leads_alike};
use crate::event::Event;
use crate::pool::{Backend, Look, Snapshot};

/// The least time between two look-ups of a name, so that failures make no storm of them; and
/// between two attempts to have a change carried out.
const DISTANCE_MIN: Duration = Duration::from_secs(1);
/// How often it looks whether a backend has failed. Whoever meets the failure may be in a step: it
/// sets a flag, and rings nobody.
const GLANCE: Duration = Duration::from_millis(200);

/// The state of the names thread.
pub(super) struct Names {
    snapshot: Arc<Snapshot<Watched>>,
    look: Look<Watched>,
    /// Whose names these are.
    watched: Arc<Watched>,
    /// The names of its backends, each once, with when it is to be looked up; and those that were
    /// looked up a moment ago and have no user any more, lest one that comes and goes causes a
    /// storm.
    known: Vec<KnownName>,
    lookups: LookUps,
    /// What all of it comes to, for others.
    answers: Arc<Mutex<Answers>>,
    respread: Respread,
    /// When it was asked for last.
    respread_at: Option<Instant>,
    /// Gone when the watch is over.
    checks: Weak<Control>,
    on: OnEvent,
}

/// The place of a pool, and that of a backend in it.
type Place = (usize, usize);

struct KnownName {
    named: Named,
    /// The backends that have it, each by the place of its pool and its own there.
    users: Vec<Place>,
    /// When it is to be looked up, at the latest.
    next: Instant,
    begun: Instant,
    is_under_way: bool,
    /// It did not resolve the last time. That was told, and is not told again until it resolves.
    is_failing: bool,
    /// What it has come to: an error only until it is found.
    answer: Answer,
    /// Those of its addresses that were not in the last answer.
    missing: Vec<SocketAddr>,
}

impl Names {
    pub(super) fn new(
        snapshot: &Arc<Snapshot<Watched>>,
        answers: &Arc<Mutex<Answers>>,
        respread: Respread,
        checks: Weak<Control>,
        on: OnEvent,
    ) -> Self {
        let mut look = snapshot.look();
        let watched = Arc::clone(look.current());
        let mut names = Self {
            snapshot: Arc::clone(snapshot),
            look,
            watched,
            known: Vec::new(),
            lookups: LookUps::new(system),
            answers: Arc::clone(answers),
            respread,
            respread_at: None,
            checks,
            on,
        };
        names.know_all(Instant::now());
        names
    }

    /// Runs until the watch is over, which it sees at its next glance. The answers at the start are
    /// fresh, so it begins with a wait.
    pub(super) fn run(mut self) {
        loop {
            let wait = self.begin_due(Instant::now());
            let one = self.lookups.resolved.recv_timeout(wait);
            if self.checks.strong_count() == 0 {
                return;
            }
            one.into_iter().for_each(|one| self.take(one, Instant::now()));
        }
    }

    /// Begins the look-ups that are due; how long until there may be another. As this is done at
    /// each glance, it costs a name no more than a few loads.
    fn begin_due(&mut self, now: Instant) -> Duration {
        self.follow(now);
        let watched = &self.watched;
        for name in self.known.iter_mut().filter(|name| !name.users.is_empty()) {
            // Every backend's doubt is taken, not only the first: one that is left behind would
            // cause a further look-up a second later.
            let doubts = name.users.iter().filter(|place| backend(watched, **place).take_doubt());
            if doubts.count() > 0 {
                name.next = name.next.min(name.begun + DISTANCE_MIN);
            }
            if !name.is_under_way && name.next <= now {
                (name.begun, name.is_under_way) = (now, true);
                self.lookups.begin(&name.named);
            }
        }
        self.have_changes_carried_out(now);
        if self.known.is_empty() { DISTANCE_MIN } else { GLANCE }
    }

    fn follow(&mut self, now: Instant) {
        if let Some(next) = self.look.replaced() {
            self.watched = Arc::clone(next);
            self.know_all(now);
        }
    }

    /// Lists the names of the pool. What is known of a name that was in the pool before stays, with
    /// its look-up if one is under way: that is then for whoever has the name now.
    fn know_all(&mut self, now: Instant) {
        let mut before = std::mem::take(&mut self.known);
        before.iter_mut().for_each(|name| name.users.clear());
        for (named, answer) in &self.watched.answers {
            let users = users(&self.watched, named);
            let every = every(&self.watched, &users);
            let old = before.iter().position(|name| name.named == *named);
            let new = || KnownName::new(named, answer, now, every);
            let mut name = old.map_or_else(new, |old| before.swap_remove(old));
            if answer.is_ok() && name.answer.is_err() {
                name.answer = answer.clone();
            }
            name.users = users;
            self.known.push(name);
        }
        before.retain(|name| name.is_under_way || now < name.begun + DISTANCE_MIN);
        self.known.append(&mut before);
        self.publish();
    }

    /// Takes in what a name has come to.
    fn take(&mut self, (named, answer): Resolved, now: Instant) {
        self.lookups.over();
        self.follow(now);
        let Some(name) = self.known.iter_mut().find(|name| name.named == named) else { return };
        let failed = answer.as_ref().err().cloned();
        let was_failing = std::mem::replace(&mut name.is_failing, failed.is_some());
        name.take(answer);
        name.is_under_way = false;
        let every = every(&self.watched, &name.users);
        name.next = now + if name.answer.is_ok() { every } else { DISTANCE_MIN };
        let user = name.users.first().map(|place| backend(&self.watched, *place));
        let event = |event| (self.on)(WatchEvent::Other(event));
        match (user, failed) {
            (Some(user), Some(why)) if !was_failing => {
                let count = name.answer.as_ref().map_or(0, Vec::len);
                let kept = match count {
                    0 => String::new(),
                    1 => "; its last address is kept".to_owned(),
                    many => format!("; its last {many} addresses are kept"),
                };
                let (backend, why) = (user.application(), &format_args!("{why}{kept}"));
                event(Event::Unresolved { backend, why });
            }
            (Some(user), None) if was_failing && user.address().is_ok() => {
                let what = &format_args!("{} resolves again", user.host());
                event(Event::Moved { backend: user.application(), what });
            }
            _ => {}
        }
        self.publish();
        self.have_changes_carried_out(now);
    }

    /// Asks for another pool while this one was made of other answers. Again after a while, if
    /// nothing has come of it: whoever carries it out may be busy.
    fn have_changes_carried_out(&mut self, now: Instant) {
        let used = || self.known.iter().filter(|name| !name.users.is_empty());
        let is_news = |name: &KnownName| {
            let made_of = self.watched.answers.get(&name.named);
            !made_of.is_some_and(|answer| leads_alike(answer, &name.answer))
        };
        let is_late = self.respread_at.is_none_or(|at| now >= at + DISTANCE_MIN);
        if !is_late || !used().any(is_news) {
            return;
        }
        self.respread_at = Some(now);
        let words = |name: &KnownName| {
            let application = backend(&self.watched, name.users[0]).application();
            (application.to_owned(), format!("{} leads elsewhere", name.named.0))
        };
        let moved: Vec<_> = used().filter(|name| is_news(name)).map(words).collect();
        let answers = used().map(|name| (name.named.clone(), name.answer.clone())).collect();
        if let Some(next) = (self.respread)(&self.watched, &answers) {
            self.snapshot.replace(Arc::new(next));
            self.checks.upgrade().iter().for_each(|checks| checks.look());
            self.follow(now);
            for (backend, what) in &moved {
                (self.on)(WatchEvent::Other(Event::Moved { backend, what }));
            }
        }
    }

    fn publish(&self) {
        let all = self.known.iter().map(|name| (name.named.clone(), name.answer.clone()));
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }
}

/// Those of which this is the name.
fn users(watched: &Watched, named: &Named) -> Vec<Place> {
    let is_user = |one: &Backend| one.port() == named.1 && one.host() == named.0;
    let of = |(pool, one): (usize, &WatchedPool)| {
        let places = (0..one.pool.backends().len()).map(move |index| (pool, index));
        places.filter(|(_, index)| is_user(&one.pool.backends()[*index])).collect::<Vec<_>>()
    };
    watched.pools.iter().enumerate().flat_map(of).collect()
}

fn backend(watched: &Watched, (pool, index): Place) -> &Backend {
    &watched.pools[pool].pool.backends()[index]
}

/// From one look-up of their name to the next.
fn every(watched: &Watched, users: &[Place]) -> Duration {
    let of = |(pool, _): &Place| watched.pools[*pool].settings.names_every;
    users.iter().map(of).min().unwrap_or(DISTANCE_MIN)
}

impl KnownName {
    /// One whose answer is as fresh as `now`.
    fn new(named: &Named, answer: &Answer, now: Instant, every: Duration) -> Self {
        let is_failing = answer.is_err();
        Self {
            named: named.clone(),
            users: Vec::new(),
            next: now + if is_failing { Duration::ZERO } else { every },
            begun: now,
            is_under_way: false,
            is_failing,
            answer: answer.clone(),
            missing: Vec::new(),
        }
    }

    /// Takes in an answer. Whatever was known is better than none. An address goes when two answers
    /// in a row are without it: many a server tells only some of its addresses at a time.
    fn take(&mut self, answer: Answer) {
        let (Ok(known), Ok(found)) = (&self.answer, &answer) else {
            if self.answer.is_err() {
                self.answer = answer;
            }
            return;
        };
        let is_held = |at: &&SocketAddr| !found.contains(at) && !self.missing.contains(at);
        let held: Vec<SocketAddr> = known.iter().filter(is_held).copied().collect();
        let mut all = [found.as_slice(), &held].concat();
        all.sort_unstable();
        self.answer = Ok(all);
        self.missing = held;
    }
}

#[cfg(test)]
mod tests;
