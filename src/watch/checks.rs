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

use super::probe::Probe;
use super::question::Question;
use super::quota::Quota;
use super::schedule::{Schedule, jitter};
use super::sockets::{Sockets, Word};
use super::transport::CheckAnswer;
use super::{Never, OnEvent, Settings, WatchEvent};
use crate::blame::Blame;
use crate::event::Event;
use crate::pool::chance::Dice;
use crate::pool::{CheckOutcome, Look, Pool};
use crate::tls::Connector;

/// The interval while results speak against a backend's state, if the usual one is longer. Also
/// the longest sleep, after which a replaced pool is noticed.
const CHANGING: Duration = Duration::from_secs(1);

/// Checks that begin between two looks at those under way.
const BEGIN_MAX: usize = 64;

/// A shortage that has been over for so long is news when it comes back.
const SHORTAGE_FORGOTTEN: Duration = Duration::from_secs(60);

/// The state of the checks thread.
pub(super) struct Checker {
    interval: Duration,
    timeout: Duration,
    question: Question,
    /// How each backend is reached, in the order of the pool; in the clear where there is none.
    connectors: Vec<Option<Connector>>,
    look: Look<Pool>,
    /// The pool that `schedule` and `probes` are for.
    pool: Arc<Pool>,
    schedule: Schedule,
    dice: Dice,
    sockets: Sockets,
    /// The checks under way, by the place of the backend.
    probes: HashMap<usize, Probe>,
    quota: Quota,
    /// Where `now` counts from.
    epoch: Instant,
    /// Dropped when the first round is over.
    first_done: Option<Sender<Never>>,
    /// Backends that were warned about an unknown path; by name, so that a reload is no reason to
    /// say it again.
    warned: Vec<String>,
    /// When checks last lacked descriptors, ports or room.
    last_short: Option<Duration>,
    on: OnEvent,
}

impl Checker {
    pub(super) fn new(
        interval: Duration,
        settings: Settings,
        mut look: Look<Pool>,
        sockets: Sockets,
        epoch: Instant,
        first_done: Sender<Never>,
        on: OnEvent,
    ) -> Self {
        let pool = Arc::clone(look.current());
        Self {
            interval,
            timeout: settings.timeout,
            question: Question::new(&settings),
            connectors: settings.connectors,
            look,
            schedule: Schedule::new(pool.backends().len()),
            pool,
            dice: Dice::new(RandomState::new().hash_one(0)),
            sockets,
            probes: HashMap::new(),
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
            match self.sockets.wait(wait, &mut ready) {
                Some(Word::Stop) => return,
                Some(Word::Hurry) => self.schedule.hasten(self.epoch.elapsed()),
                None => {}
            }
            for index in ready.drain(..) {
                self.step(index);
            }
            while let Some(index) = self.schedule.late(self.epoch.elapsed()) {
                self.give_up(index);
            }
        }
    }

    /// Starts over if the pool was replaced. What is under way is of no use any more.
    fn follow(&mut self) {
        let pool = self.look.current();
        if !Arc::ptr_eq(pool, &self.pool) {
            self.pool = Arc::clone(pool);
            self.schedule = Schedule::new(self.pool.backends().len());
            self.probes.clear();
        }
    }

    /// Begins the checks that are due, as many as may be under way. Returns how long to wait for
    /// the sockets at the most, until the next check is due or late.
    fn begin_due(&mut self) -> Duration {
        for _ in 0..BEGIN_MAX {
            let now = self.epoch.elapsed();
            let under_way = self.probes.len();
            let is_first_round = self.first_done.is_some();
            let room = self.quota.at(now, is_first_round);
            match self.schedule.due(now, room) {
                Some(index) => self.begin(index, now),
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

    fn begin(&mut self, index: usize, now: Duration) {
        match self.probe(index) {
            Ok(probe) => {
                self.schedule.began(index, now + probe.patience(self.timeout));
                self.probes.insert(index, probe);
            }
            // The shortage is ours. The check stays due, and begins when another one has ended and
            // has given its descriptor back.
            Err(error) if Blame::of(&error) == Blame::Ours => {
                self.quota.shrink(self.probes.len(), now + CHANGING);
                self.lack(&error);
            }
            Err(error) => self.take(index, Err(error), Duration::ZERO),
        }
    }

    fn probe(&self, index: usize) -> io::Result<Probe> {
        let backend = &self.pool.backends()[index];
        let request = self.question.request(backend)?;
        let connector = self.connectors.get(index).cloned().flatten();
        let mut addresses = backend.addresses().map_err(io::Error::other)?;
        addresses.iter_mut().for_each(|one| one.set_port(self.question.port(backend)));
        self.watched(Probe::begin(addresses, connector, request)?, index)
    }

    /// Goes on with the check of the backend at `index` as far as its socket lets it.
    fn step(&mut self, index: usize) {
        if let Some(probe) = self.probes.get_mut(&index)
            && let Some(answer) = probe.step()
        {
            let took = probe.took();
            match answer {
                Err(error) if Blame::of(&error) != Blame::Ours && self.goes_elsewhere(index) => {}
                answer => self.take(index, answer, took),
            }
        }
    }

    /// Goes on to the backend's next address if there was no connection at this one. True if it
    /// did: then the next address decides how the check ends, or has already decided it.
    fn goes_elsewhere(&mut self, index: usize) -> bool {
        let can = |probe: &Probe| probe.can_go_elsewhere() && probe.took() < self.timeout;
        if !self.probes.get(&index).is_some_and(can) {
            return false;
        }
        let Some(probe) = self.probes.remove(&index) else { return false };
        let (mut failed, took) = (probe.address(), probe.took());
        let backend = &self.pool.backends()[index];
        failed.set_port(backend.port());
        backend.avoid(failed);
        match probe.elsewhere().and_then(|probe| self.watched(probe, index)) {
            Ok(probe) => {
                self.probes.insert(index, probe);
                self.has_time(index)
            }
            Err(error) => {
                self.take(index, Err(error), took);
                true
            }
        }
    }

    fn watched(&self, probe: Probe, index: usize) -> io::Result<Probe> {
        self.sockets.watch(probe.socket(), index)?;
        Ok(probe)
    }

    /// True if some of its timeout is left to the check of the backend at `index`. Then the
    /// schedule calls it late again only when that has passed, too.
    fn has_time(&mut self, index: usize) -> bool {
        let Some(probe) = self.probes.get(&index) else { return false };
        let left = self.timeout.saturating_sub(probe.took());
        self.schedule.prolong(index, self.epoch.elapsed() + probe.patience(left));
        !left.is_zero()
    }

    /// Takes in how a check ended.
    fn take(&mut self, index: usize, answer: io::Result<CheckAnswer>, took: Duration) {
        let outcome = match answer {
            Ok(answer) => {
                let verdict = self.question.judge(&answer);
                if let Some(status) = verdict.unknown_path {
                    self.warn_of_path(index, status);
                }
                Some(CheckOutcome { passed: verdict.passed, seen: verdict.seen, took })
            }
            Err(error) if Blame::of(&error).is_ours() => {
                self.lack(&error);
                None
            }
            Err(error) => Some(CheckOutcome { passed: false, seen: error.to_string(), took }),
        };
        self.end(index, outcome.as_ref(), false);
    }

    /// The time of a check is up, or the part of it that is meant for one address. This thread may
    /// have been busy, or the whole process stopped: so the socket is looked at once more, and an
    /// answer that waits there counts as in time.
    fn give_up(&mut self, index: usize) {
        self.step(index);
        let is_still_late = self.schedule.late(self.epoch.elapsed()) == Some(index);
        if !is_still_late || self.goes_elsewhere(index) || self.has_time(index) {
            return;
        }
        let outcome = self.probes.get(&index).map(|probe| CheckOutcome {
            passed: false,
            seen: probe.lateness(self.timeout),
            took: probe.took(),
        });
        self.end(index, outcome.as_ref(), true);
    }

    /// Tells the pool, if there is anything to tell, and sets the time of the next check.
    fn end(&mut self, index: usize, outcome: Option<&CheckOutcome>, hangs: bool) {
        self.probes.remove(&index);
        let now = self.epoch.elapsed();
        let notice = outcome.and_then(|outcome| self.pool.record_check(index, outcome, now));
        if let Some(notice) = notice {
            (self.on)(WatchEvent::Noticed(&notice));
        }
        let is_calm = outcome.is_some() && !self.pool.backends()[index].is_changing();
        let pause = if is_calm { self.interval } else { self.interval.min(CHANGING) };
        self.schedule.ended(index, now + jitter(pause, &mut self.dice), hangs);
        if self.schedule.is_first_round_over() {
            self.first_done = None;
        }
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

    fn warn_of_path(&mut self, index: usize, status: u16) {
        let name = self.pool.backends()[index].name();
        if self.warned.iter().any(|warned| warned == name) {
            return;
        }
        let question = self.question.words(&self.pool.backends()[index]);
        let what = &format_args!(
            "{question} answered {status}, which counts as up while [health] path is not set; set \
             it to a path that tells whether the application is well"
        );
        (self.on)(WatchEvent::Other(Event::UnknownPath { backend: name, what }));
        self.warned.push(name.to_owned());
    }
}
