//! The checks thread: owns the schedule, asks backends, tells the pool what they said.
//!
//! Started by [`Watch`](super::Watch). It alone decides when a backend is asked, so the pool hears
//! of each in order. All checks are under way side by side, and none waits in a call: a backend
//! that is silent costs a descriptor, and holds up nobody.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::answer::CheckAnswer;
use super::probe::Probe;
use super::question::{Question, Verdict};
use super::quota::Quota;
use super::schedule::{Schedule, jitter};
use super::sockets::{Sockets, Word};
use super::{OnEvent, WatchEvent, Watched, WatchedPool};
use crate::blame::Blame;
use crate::event::Event;
use crate::pool::chance::Dice;
use crate::pool::{Backend, CheckOutcome, Look};

/// The interval while results speak against a backend's state, if the usual one is longer. Also
/// the longest sleep: a shortage of ours may be over, and nobody tells.
const CHANGING: Duration = Duration::from_secs(1);

/// Checks that begin between two looks at those under way.
const BEGIN_MAX: usize = 64;

/// A shortage that has been over for so long is news when it comes back.
const SHORTAGE_FORGOTTEN: Duration = Duration::from_secs(60);

/// The state of the checks thread.
pub(super) struct Checker {
    look: Look<Watched>,
    /// What all of this is for. Backends go by their numbers, which they keep when it is replaced.
    watched: Arc<Watched>,
    /// What the backends of each pool are asked.
    questions: Vec<Question>,
    /// Each backend that is checked.
    asked: HashMap<u64, Asked>,
    schedule: Schedule,
    dice: Dice,
    sockets: Sockets,
    quota: Quota,
    /// Where `now` counts from.
    epoch: Instant,
    /// Dropped when the first round is over.
    first_done: Option<Sender<()>>,
    /// Applications of which an unknown path was told; by name, so that neither a reload nor a
    /// further address is a reason to say it again.
    warned: Vec<String>,
    /// When checks last lacked descriptors, ports or room.
    last_short: Option<Duration>,
    on: OnEvent,
}

/// A backend that is checked.
struct Asked {
    /// The place of its pool, and its own there.
    place: Place,
    /// The check under way: apart, as most have none.
    probe: Option<Box<Probe>>,
}

/// The place of a pool, and that of a backend in it.
type Place = (usize, usize);

impl Checker {
    pub(super) fn new(
        mut look: Look<Watched>,
        sockets: Sockets,
        epoch: Instant,
        first_done: Sender<()>,
        on: OnEvent,
    ) -> Self {
        let watched = Arc::clone(look.current());
        let asked =
            |(place, backend): (Place, &Backend)| (backend.number(), Asked { place, probe: None });
        Self {
            look,
            questions: questions(&watched),
            asked: checked(&watched).map(asked).collect(),
            schedule: Schedule::new(checked(&watched).map(|(_, backend)| backend.number())),
            watched: Arc::clone(&watched),
            dice: Dice::new(RandomState::new().hash_one(0)),
            sockets,
            quota: Quota::new(),
            epoch,
            first_done: Some(first_done),
            warned: Vec::new(),
            last_short: None,
            on,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            self.follow();
            let wait = self.begin_due();
            if self.schedule.is_first_round_over() {
                self.first_done = None;
            }
            match self.sockets.wait(wait, &mut ready) {
                Some(Word::Stop) => return,
                Some(Word::Hurry) => self.schedule.hasten(self.epoch.elapsed()),
                Some(Word::Look) | None => {}
            }
            for number in ready.drain(..) {
                self.step(number);
            }
            while let Some(number) = self.schedule.late(self.epoch.elapsed()) {
                self.give_up(number);
            }
        }
    }

    /// Takes over what was put in the place of what it watched. Whoever is asked as before keeps
    /// its time and the check under way, which then reports to the new pool; so replacements, be
    /// they ever so many, neither starve checks nor double them.
    fn follow(&mut self) {
        let Some(next) = self.look.replaced() else { return };
        let before = std::mem::replace(&mut self.watched, Arc::clone(next));
        let (next, mut gone) = (next.as_ref(), std::mem::take(&mut self.asked));
        self.questions = questions(next);
        for (place @ (pool, index), backend) in checked(next) {
            let number = backend.number();
            let goes_on = |old: &Asked| {
                let (old_pool, at) = old.place;
                next.pools[pool].goes_on(index, &before.pools[old_pool], at)
            };
            let old = gone.remove(&number).filter(goes_on);
            if old.is_none() {
                self.schedule.renew(number);
            }
            let probe = old.and_then(|old| old.probe);
            self.asked.insert(number, Asked { place, probe });
        }
        for number in gone.keys() {
            self.schedule.forget(*number);
        }
    }

    /// What the backend of this number is watched with, what it is asked, and its place in its
    /// pool. Whoever has a time in the schedule is in `asked`, and the other way round.
    fn asked(&self, number: u64) -> (&WatchedPool, &Question, usize) {
        let (pool, index) = self.asked[&number].place;
        (&self.watched.pools[pool], &self.questions[pool], index)
    }

    fn backend(&self, number: u64) -> &Backend {
        let (watched, _, index) = self.asked(number);
        &watched.pool.backends()[index]
    }

    fn timeout(&self, number: u64) -> Duration {
        self.asked(number).0.settings.timeout
    }

    fn probe(&self, number: u64) -> Option<&Probe> {
        self.asked.get(&number)?.probe.as_deref()
    }

    fn set_probe(&mut self, number: u64, probe: Option<Probe>) -> Option<Box<Probe>> {
        let asked = self.asked.get_mut(&number)?;
        std::mem::replace(&mut asked.probe, probe.map(Box::new))
    }

    /// Begins the checks that are due, as many as may be under way. Returns how long to wait for
    /// the sockets at the most, until the next check is due or late.
    fn begin_due(&mut self) -> Duration {
        for _ in 0..BEGIN_MAX {
            let now = self.epoch.elapsed();
            let under_way = self.schedule.under_way();
            let is_first_round = self.first_done.is_some();
            let room = self.quota.at(now, is_first_round);
            match self.schedule.due(now, room) {
                Some(number) => self.begin(number, now),
                None => {
                    if self.schedule.is_short(now, room) && !self.quota.is_shrunk(now) {
                        let bound = self.quota.bound(is_first_round);
                        self.fall_short(&format!(
                            "{under_way} checks are under way, as many as may be at once \
                             ({bound}): those that kept their time last come first"
                        ));
                    }
                    let wait = self.schedule.wait(now, room);
                    return wait.unwrap_or(CHANGING).min(CHANGING);
                }
            }
        }
        Duration::ZERO
    }

    fn begin(&mut self, number: u64, now: Duration) {
        match self.connect(number) {
            Ok(probe) => {
                self.schedule.began(number, now + self.timeout(number));
                self.set_probe(number, Some(probe));
            }
            // The shortage is ours. The check stays due, and begins when another one has ended and
            // has given its descriptor back.
            Err(error) if Blame::of(&error) == Blame::Ours => {
                self.quota.shrink(self.schedule.under_way(), now + CHANGING);
                self.lack(&error);
            }
            Err(error) => self.take(number, Err(error), Duration::ZERO),
        }
    }

    fn connect(&self, number: u64) -> io::Result<Probe> {
        let (watched, question, index) = self.asked(number);
        let backend = &watched.pool.backends()[index];
        let request = question.request(backend);
        let connector = watched.connector(index);
        let mut address = backend.address().map_err(io::Error::other)?;
        let port = question.port(backend);
        address.set_port(port);
        // What listens for checks alone has no balancer in front of it.
        let preface = backend.preface().filter(|_| port == backend.port());
        let probe = Probe::begin(address, connector, preface, request)?;
        self.sockets.watch(probe.socket(), number)?;
        Ok(probe)
    }

    /// Goes on with the check of the backend as far as its socket lets it.
    fn step(&mut self, number: u64) {
        if let Some(Asked { probe: Some(probe), .. }) = self.asked.get_mut(&number)
            && let Some(answer) = probe.step()
        {
            let took = probe.took();
            self.take(number, answer, took);
        }
    }

    /// Takes in how a check ended.
    fn take(&mut self, number: u64, answer: io::Result<Option<CheckAnswer>>, took: Duration) {
        let outcome = match answer {
            Ok(answer) => {
                let verdict = self.asked(number).1.judge(answer.as_ref());
                if let Some(status) = verdict.unknown_path {
                    self.warn_of_path(number, status);
                }
                let Verdict { passed, asks_drain, seen, .. } = verdict;
                Some(CheckOutcome { passed, asks_drain, seen, took })
            }
            Err(error) if Blame::of(&error).is_ours() => {
                self.lack(&error);
                None
            }
            Err(error) => Some(failed(error.to_string(), took)),
        };
        self.end(number, outcome.as_ref(), false);
    }

    /// The time of a check is up. This thread may have been busy, or the whole process stopped: so
    /// the socket is looked at once more, and an answer that waits there counts as in time.
    fn give_up(&mut self, number: u64) {
        self.step(number);
        if self.schedule.late(self.epoch.elapsed()) != Some(number) {
            return;
        }
        let timeout = self.timeout(number);
        let outcome = self.probe(number);
        let outcome = outcome.map(|probe| failed(probe.lateness(timeout), probe.took()));
        self.end(number, outcome.as_ref(), true);
    }

    /// Tells the pool, if there is anything to tell, and sets the time of the next check.
    fn end(&mut self, number: u64, outcome: Option<&CheckOutcome>, hangs: bool) {
        self.set_probe(number, None);
        let now = self.epoch.elapsed();
        let (watched, _, index) = self.asked(number);
        let usual = watched.settings.interval.unwrap_or(CHANGING);
        let notice = outcome.and_then(|outcome| watched.pool.record_check(index, outcome, now));
        if let Some(notice) = notice {
            (self.on)(WatchEvent::Noticed(&notice));
        }
        let is_calm = outcome.is_some() && !self.backend(number).is_changing();
        let pause = if is_calm { usual } else { usual.min(CHANGING) };
        self.schedule.ended(number, now + jitter(pause, &mut self.dice), hangs);
    }

    /// Says that a check could not be made for want of something of our own, such as descriptors.
    fn lack(&mut self, error: &io::Error) {
        self.fall_short(&format!("backends are not checked, for want of our own: {error}"));
    }

    /// Tells of a shortage, unless it was told and has hardly been over since.
    fn fall_short(&mut self, text: &str) {
        let now = self.epoch.elapsed();
        let last = self.last_short.replace(now);
        if last.is_none_or(|last| now - last > SHORTAGE_FORGOTTEN) {
            (self.on)(WatchEvent::Other(Event::ChecksShort(text)));
        }
    }

    fn warn_of_path(&mut self, number: u64, status: u16) {
        let (watched, question, index) = self.asked(number);
        let backend = &watched.pool.backends()[index];
        let name = backend.application();
        if self.warned.iter().any(|warned| warned == name) {
            return;
        }
        let question = question.words(backend);
        let what = &format_args!(
            "{question} answered {status}, which counts as up while [health] path is not set; set \
             it to a path that tells whether the application is well"
        );
        (self.on)(WatchEvent::Other(Event::UnknownPath { backend: name, what }));
        let name = name.to_owned();
        self.warned.push(name);
    }
}

/// All that are checked, one pool behind the other.
fn checked(watched: &Watched) -> impl Iterator<Item = (Place, &Backend)> {
    watched.pools.iter().enumerate().flat_map(|(pool, one)| {
        one.checked().iter().enumerate().map(move |(index, backend)| ((pool, index), backend))
    })
}

fn questions(watched: &Watched) -> Vec<Question> {
    watched.pools.iter().map(|one| Question::new(&one.settings)).collect()
}

fn failed(seen: String, took: Duration) -> CheckOutcome {
    CheckOutcome { passed: false, asks_drain: false, seen, took }
}
