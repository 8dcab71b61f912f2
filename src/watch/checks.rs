//! The checks thread: owns the schedule, hands probes out, tells the pool what they found.
//!
//! Started by [`Watch`](super::Watch). It alone decides when a backend is asked, so the pool hears
//! of each in order; it never waits on a backend itself.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::probe::{Finding, Prober};
use super::schedule::{Schedule, jitter};
use super::{Listener, Never, WatchEvent, spawn};
use crate::pool::chance::Dice;
use crate::pool::{Pool, Reader};

/// Most probes at once, and threads for them. With a timeout of 2 s, 8 threads get round 100
/// backends that all swallow connects within 5 s.
const PROBES_MAX: usize = 8;

/// The interval while results speak against a backend's state, if the usual one is longer. Also
/// the longest sleep, after which a replaced pool is noticed.
const CHANGING: Duration = Duration::from_secs(1);

/// The state of the checks thread.
pub(super) struct Checks {
    /// `None`: no checks.
    interval: Option<Duration>,
    reader: Reader,
    /// The pool that `schedule` is for.
    pool: Arc<Pool>,
    schedule: Schedule,
    dice: Dice,
    probes: Probes,
    epoch: Instant,
    /// Dropped when the first round is over.
    first_done: Option<Sender<Never>>,
    /// Backends that were warned about an unknown path; by name, so that a reload is no reason to
    /// say it again.
    warned: Vec<String>,
    /// Checks lack threads, descriptors or ports, and that was said.
    is_short: bool,
    on: Listener,
}

impl Checks {
    pub(super) fn new(
        interval: Option<Duration>,
        mut reader: Reader,
        prober: Arc<Prober>,
        epoch: Instant,
        first_done: Sender<Never>,
        on: Listener,
    ) -> Self {
        let pool = Arc::clone(reader.pool());
        Self {
            interval,
            reader,
            schedule: Schedule::new(pool.backends().len()),
            pool,
            dice: Dice::new(RandomState::new().hash_one(0)),
            probes: Probes::new(prober, Arc::clone(&on)),
            epoch,
            first_done: Some(first_done),
            warned: Vec::new(),
            is_short: false,
            on,
        }
    }

    /// Runs until `stop` closes, and checks all at once for each word from `hurry`. Without an
    /// interval there is nothing to do.
    pub(super) fn run(mut self, stop: &Receiver<Never>, hurry: &Receiver<()>) {
        let Some(interval) = self.interval else {
            return;
        };
        let reports = self.probes.reports.clone();
        loop {
            self.follow();
            let wait = self.hand_out();
            select! {
                recv(stop) -> _ => return,
                // An error is the end of the watch, which `stop` is about to tell.
                recv(hurry) -> _ => self.schedule.hasten(self.epoch.elapsed()),
                recv(reports) -> report => {
                    let report = report.expect("`probes` holds a sender");
                    self.take(report, interval);
                }
                default(wait) => {}
            }
        }
    }

    /// Starts over if the pool was replaced.
    fn follow(&mut self) {
        let pool = self.reader.pool();
        if !Arc::ptr_eq(pool, &self.pool) {
            self.pool = Arc::clone(pool);
            self.schedule = Schedule::new(self.pool.backends().len());
        }
    }

    /// Hands out what is due, as far as there are threads for it. The longest time until there
    /// is more to do: a report may come sooner.
    fn hand_out(&mut self) -> Duration {
        if let Err(error) = self.probes.grow(self.pool.backends().len()) {
            self.fall_short(&error);
        }
        let now = self.epoch.elapsed();
        while let Some(index) = self.schedule.due(now) {
            let job = Job { pool: Arc::clone(&self.pool), index };
            if self.probes.jobs.try_send(job).is_err() {
                return CHANGING;
            }
            self.schedule.began(index);
        }
        self.schedule.wait(now).unwrap_or(CHANGING).min(CHANGING)
    }

    /// Takes in what a probe found. One of a pool that was replaced is of no use.
    fn take(&mut self, report: Report, interval: Duration) {
        let (Job { pool, index }, finding) = report;
        if !Arc::ptr_eq(&pool, &self.pool) {
            return;
        }
        let is_known = self.record(index, finding);
        let is_calm = is_known && !pool.backends()[index].is_changing();
        let pause = if is_calm { interval } else { interval.min(CHANGING) };
        self.schedule.ended(index, self.epoch.elapsed() + jitter(pause, &mut self.dice));
        if self.schedule.is_first_round_over() {
            self.first_done = None;
        }
    }

    /// Tells the pool; false if there was nothing to tell.
    fn record(&mut self, index: usize, finding: Finding) -> bool {
        let outcome = match finding {
            Finding::OurLimit(error) => {
                self.fall_short(&error);
                return false;
            }
            Finding::UnknownPath(status, outcome) => {
                self.warn_of_path(index, status);
                outcome
            }
            Finding::Outcome(outcome) => outcome,
        };
        self.is_short = false;
        if let Some(notice) = self.pool.record_check(index, &outcome, self.epoch.elapsed()) {
            (self.on)(WatchEvent::Noticed(notice));
        }
        true
    }

    /// Says, once until a check can be made again, that we are what is at fault.
    fn fall_short(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_short, true) {
            let text = format!("backends are not checked, for want of our own: {error}");
            (self.on)(WatchEvent::Warning(text));
        }
    }

    fn warn_of_path(&mut self, index: usize, status: u16) {
        let name = self.pool.backends()[index].name();
        if self.warned.iter().any(|warned| warned == name) {
            return;
        }
        let path = self.probes.prober.path();
        let text = format!(
            "backend {name}: GET {path} answered {status}, which counts as up while [health] path \
             is not set; set it to a path that tells whether the application is well"
        );
        self.warned.push(name.to_owned());
        (self.on)(WatchEvent::Warning(text));
    }
}

/// A backend to check.
struct Job {
    pool: Arc<Pool>,
    index: usize,
}

/// What came of a job.
type Report = (Job, Finding);

/// The probe threads and the way to them. They end when this is dropped.
struct Probes {
    prober: Arc<Prober>,
    jobs: Sender<Job>,
    /// For the threads; one job more for each of them may wait here.
    jobs_taken: Receiver<Job>,
    reported: Sender<Report>,
    reports: Receiver<Report>,
    threads: usize,
    on: Listener,
}

impl Probes {
    fn new(prober: Arc<Prober>, on: Listener) -> Self {
        let (jobs, jobs_taken) = bounded(PROBES_MAX);
        let (reported, reports) = bounded(PROBES_MAX);
        Self { prober, jobs, jobs_taken, reported, reports, threads: 0, on }
    }

    /// Sees to it that there are as many threads as `backends` can use.
    fn grow(&mut self, backends: usize) -> io::Result<()> {
        while self.threads < backends.min(PROBES_MAX) {
            let (jobs, reported) = (self.jobs_taken.clone(), self.reported.clone());
            let prober = Arc::clone(&self.prober);
            spawn("probe", &self.on, move || work(&prober, &jobs, &reported))?;
            self.threads += 1;
        }
        Ok(())
    }
}

/// A probe thread: until the checks thread is gone.
fn work(prober: &Prober, jobs: &Receiver<Job>, reported: &Sender<Report>) {
    for job in jobs {
        let finding = prober.probe(job.index, &job.pool.backends()[job.index]);
        if reported.send((job, finding)).is_err() {
            return;
        }
    }
}
