//! The load generator: `evenly bench` and comparisons of policies run a [`LoadPlan`] and get a
//! [`LoadTally`]. Each worker is a thread with one blocking connection.
//!
//! *Closed loop*: a worker sends its next request when its last one is answered, so a server that
//! stalls is asked less just then, and its worst moments are hardly measured. *Open loop*: requests
//! are due at a fixed rate whatever the server does, and latency counts from the moment when one
//! was due, not from when a worker was free to send it. That corrects for coordinated omission
//! (Gil Tene, "How NOT to Measure Latency", 2013; wrk2 does the same).
//!
//! It must never be kinder than a strict client: answers are read by `http`'s own parser, and
//! whatever is wrong with one is counted under a name of its own.
//!
//! Reading order: this file, `pace`, `worker`, `kept`, `tally`, `show`; `request` before the
//! start.

mod fault;
mod kept;
mod pace;
mod request;
mod show;
mod tally;
#[cfg(test)]
mod tests;
mod worker;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::ControlFlow;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::plain::url::Url;
use crate::pool::Trust;
use crate::tls::{Connector, Remedy};
pub use fault::{Failures, LoadFault};
use kept::LoadTarget;
use pace::Pace;
pub use request::LoadRequest;
pub use show::LoadReport;
pub use tally::LoadTally;

/// The most workers: each is a thread and a descriptor, and soft limits of 1024 are common.
pub const WORKERS_MAX: usize = 1000;

/// The highest rate that may be asked for, a second: far more than one machine sends.
pub const RATE_MAX: f64 = 10_000_000.0;

/// The lowest rate that may be asked for, a second.
pub const RATE_MIN: f64 = 0.001;

/// How often whoever watches a run is told how far it is.
const TICK: Duration = Duration::from_millis(100);

/// What to send, how much of it, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPlan {
    /// The request that is sent again and again.
    pub request: LoadRequest,
    /// Threads with one connection each, 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// How many requests to send. Without it, `duration` must end the run.
    pub requests: Option<u64>,
    /// How long requests are sent. Those in flight at the end are awaited.
    pub duration: Option<Duration>,
    /// Requests due a second, all workers together: the open loop. None is the closed loop.
    pub rate: Option<f64>,
    /// How long one exchange may take, its connect included.
    pub timeout: Duration,
    /// Whom the server of an https URL must prove to be.
    pub trust: Trust,
}

impl LoadPlan {
    /// Ten workers that GET this for ten seconds in a closed loop. With https, a server must be the
    /// URL's host by the word of somebody whom the system trusts.
    #[must_use]
    pub fn to(url: Url) -> LoadPlan {
        LoadPlan {
            request: LoadRequest::get(url),
            workers: 10,
            requests: None,
            duration: Some(Duration::from_secs(10)),
            rate: None,
            timeout: Duration::from_secs(10),
            trust: Trust { verify: true, ca: None, name: None, certificate: None, key: None },
        }
    }
}

/// Why a run did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadRefusal {
    /// The plan cannot be carried out as written, such as a header with a line end in it.
    Plan(String),
    /// This machine could not: the host has no address here, or no thread was to be had.
    Machine(String),
}

impl fmt::Display for LoadRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Plan(what) | Self::Machine(what)) = self;
        f.write_str(what)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// Requests begun.
    pub requests: u64,
    /// Time since the start.
    pub elapsed: Duration,
}

/// Carries out a plan.
///
/// # Errors
/// The plan makes no sense, or cannot begin on this machine. A server that refuses, closes or lies
/// is no error here: it is counted in the tally.
pub fn run(plan: &LoadPlan) -> Result<LoadTally, LoadRefusal> {
    run_watched(plan, |_| ControlFlow::Continue(()))
}

/// Carries out a plan and says as it begins, and ten times a second, how far it is. `Break` ends it
/// early: no request is sent after that, and those in flight are awaited.
///
/// # Errors
/// As [`run`].
pub fn run_watched(
    plan: &LoadPlan,
    mut watch: impl FnMut(LoadProgress) -> ControlFlow<()>,
) -> Result<LoadTally, LoadRefusal> {
    let target = prepare(plan)?;
    let (going, stop) = bounded(0);
    let pace = Pace::new(plan, Instant::now(), stop);
    let mut stopped = None;
    let mut tally = thread::scope(|scope| {
        // Dropped before the scope waits, so that an early return ends the workers that have begun.
        let mut going = Some(going).filter(|_| watch(pace.progress()).is_continue());
        let (workers, done) = start(scope, plan.workers, &target, &pace)?;
        while done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if going.is_some() && watch(pace.progress()).is_break() {
                going = None;
                stopped = Some(Instant::now());
            }
        }
        let tallies = workers.into_iter().map(|worker| worker.join());
        Ok(tallies.fold(LoadTally::new(plan.rate.is_some()), |mut sum, tally| {
            sum.add(tally.expect("a worker that panics has a bug, and its figures are worthless"));
            sum
        }))
    })?;
    tally.elapsed = pace.elapsed();
    tally.unsent = pace.owed(stopped).saturating_sub(tally.requests());
    Ok(tally)
}

type Workers<'s> = Vec<ScopedJoinHandle<'s, LoadTally>>;

/// Starts the workers, and a channel that disconnects when the last of them has ended.
fn start<'s>(
    scope: &'s Scope<'s, '_>,
    count: usize,
    target: &'s LoadTarget,
    pace: &'s Pace,
) -> Result<(Workers<'s>, Receiver<()>), LoadRefusal> {
    let (busy, done) = bounded(0);
    let mut workers = Vec::new();
    for _ in 0..count {
        let busy = busy.clone();
        let work = move || {
            let _busy = busy; // gone when the worker is
            worker::work(target, pace)
        };
        let worker = thread::Builder::new().name("bench".into()).spawn_scoped(scope, work);
        workers.push(worker.map_err(|error| no_thread(count, &error))?);
    }
    Ok((workers, done))
}

fn no_thread(workers: usize, error: &io::Error) -> LoadRefusal {
    LoadRefusal::Machine(format!("{workers} workers are more threads than the system has: {error}"))
}

fn prepare(plan: &LoadPlan) -> Result<LoadTarget, LoadRefusal> {
    check(plan).map_err(LoadRefusal::Plan)?;
    let request = plan.request.bytes().map_err(LoadRefusal::Plan)?;
    let url = &plan.request.url;
    let connector = || Connector::new(url.host(), &plan.trust, Remedy::BENCH);
    let connector = url.is_tls().then(connector).transpose();
    let connector = connector.map_err(|errors| LoadRefusal::Plan(errors.to_string()))?;
    let addresses = resolve(url).map_err(LoadRefusal::Machine)?;
    Ok(LoadTarget::new(plan, request, addresses, connector))
}

fn check(plan: &LoadPlan) -> Result<(), String> {
    let LoadPlan { workers, requests, duration, rate, timeout, .. } = plan;
    if !(1..=WORKERS_MAX).contains(workers) {
        return Err(format!("{workers} workers: expected a number from 1 to {WORKERS_MAX}"));
    }
    if *requests == Some(0) || *duration == Some(Duration::ZERO) {
        return Err("a run of no requests or no time measures nothing; give it some".into());
    }
    if requests.is_none() && duration.is_none() {
        return Err("a run needs a number of requests or a duration to end it".into());
    }
    if let Some(rate) = rate.filter(|rate| !(RATE_MIN..=RATE_MAX).contains(rate)) {
        return Err(format!("rate {rate}: expected a number from {RATE_MIN} to {RATE_MAX}"));
    }
    if timeout.is_zero() {
        return Err("a timeout of nothing fails every request; give it some".into());
    }
    Ok(())
}

/// Looked up once: a run measures a server, not a resolver.
fn resolve(url: &Url) -> Result<Vec<SocketAddr>, String> {
    let found = (url.host(), url.port()).to_socket_addrs();
    let addresses: Vec<_> =
        found.map_err(|error| format!("{} has no address: {error}", url.host()))?.collect();
    if addresses.is_empty() {
        return Err(format!("{} has no address", url.host()));
    }
    Ok(addresses)
}
