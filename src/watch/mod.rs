//! The watch: asks every backend how it is, and looks up again where the named ones are.
//!
//! Started once beside the listener, from which it is apart: nothing it does holds up a request.
//! What it looks at is one value, [`Watched`], and may be replaced at any time.
//!
//! ```text
//! checks (1 thread)   schedule: whose check is due? ---> probe: a socket that does not block
//!                     sockets: whose has news? --------> probe: goes on as far as it can
//!                     schedule: whose time is up? -----> probe: what has not come?
//!                     question: is the answer good? ---> pool
//! names (1 thread)    has host names looked up anew, every 10 s and after failures, each on a
//!                     thread of its own (16 at most)
//! ```
//!
//! However many backends are silent, there are these two threads for them: a thousand that accept
//! and never answer cost a socket each and some 0.5 KiB. Answers are read by the code that reads
//! those of requests (`answer`).
//!
//! What it learns goes to the pool, what others should hear to a callback. It never writes
//! anywhere itself, and it stops at once: nobody waits out an interval.

mod answer;
mod checks;
mod lookup;
mod names;
mod probe;
mod question;
mod quota;
mod schedule;
mod sockets;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::config::{Answers, Asking, Config, Health};
use crate::event::Event;
use crate::pool::{Backend, Notice, Pool, Snapshot, Statuses};
use crate::tls::Connector;
use checks::Checker;
pub use lookup::{is_local, look_up_all};
use names::Names;
use sockets::{Control, Sockets};

/// What is watched, and how: all that the watch needs of a configuration.
pub struct Watched {
    /// The pools.
    pub pools: Vec<WatchedPool>,
    /// Which names are looked up again, and what they had come to when the pools were made of that.
    pub answers: Answers,
}

impl Watched {
    /// The first pool, which is the only one of most.
    pub fn first(&self) -> &WatchedPool {
        &self.pools[0]
    }
}

/// The same of one pool.
pub struct WatchedPool {
    /// Whose backends.
    pub pool: Arc<Pool>,
    /// How each of them is reached, in the order of this very pool; in the clear where there is
    /// none.
    pub connectors: Vec<Option<Connector>>,
    /// What they are asked, and when.
    pub settings: Settings,
}

impl WatchedPool {
    /// Those that are checked: all, or none while checks are off.
    fn checked(&self) -> &[Backend] {
        match self.settings.interval {
            Some(_) => self.pool.backends(),
            None => &[],
        }
    }

    /// How the backend at `index` is reached; none in the clear.
    fn connector(&self, index: usize) -> Option<&Connector> {
        self.connectors.get(index)?.as_ref()
    }

    /// What stands for whom the backend at `index` must prove to be; 0 in the clear.
    fn trust(&self, index: usize) -> u64 {
        self.connector(index).map_or(0, Connector::trust)
    }

    /// True if a check of the backend at `index` is as good as one of that at `at` in `before`: the
    /// same backend is asked the same, at the same place, and believed for the same reason.
    fn goes_on(&self, index: usize, before: &Self, at: usize) -> bool {
        let (backend, old) = (&self.pool.backends()[index], &before.pool.backends()[at]);
        backend.is(old)
            && backend.health_port() == old.health_port()
            && backend.preface() == old.preface()
            && self.trust(index) == before.trust(at)
            && self.settings == before.settings
    }
}

/// How to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From one check of a backend to the next; `None` turns checks off.
    pub interval: Option<Duration>,
    /// Longest that one check may take.
    pub timeout: Duration,
    /// Whether a connection is all that is asked for.
    pub connects_only: bool,
    /// The method: `GET`, or another that changes nothing.
    pub method: &'static str,
    /// What to ask for; starts with a slash.
    pub path: String,
    /// Whether the file sets `path`. While it does not, 404 and 405 count as up: a plain file
    /// server has no `/health`, yet it serves.
    pub path_set: bool,
    /// What the Host field says; `None` is where the check goes, by name if the backend has one.
    pub host: Option<String>,
    /// Further fields, as `Name: value`.
    pub headers: Vec<String>,
    /// Statuses that count as healthy; `None` is 200-299.
    pub expect: Option<Statuses>,
    /// What the body must contain; `None` takes any.
    pub contains: Option<String>,
    /// Statuses by which an application asks to be drained.
    pub drain: Statuses,
    /// Where checks go, if a backend says nothing else; `None` is to its own port.
    pub port: Option<u16>,
    /// From one look-up of the host names to the next.
    pub names_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(5)),
            timeout: Duration::from_secs(2),
            connects_only: false,
            method: "GET",
            path: "/health".into(),
            path_set: false,
            host: None,
            headers: Vec::new(),
            expect: None,
            contains: None,
            drain: Statuses::default(),
            port: None,
            names_every: Duration::from_secs(10),
        }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let health = &config.health;
        // A file that names statuses other than the default ones means just those.
        let is_stated = health.expect != Health::default().expect;
        Self {
            interval: health.interval,
            timeout: health.timeout,
            connects_only: config.asking() == Asking::Tcp,
            method: health.method,
            path: health.path().to_owned(),
            path_set: health.path.is_some(),
            host: health.host.clone(),
            headers: health.headers.clone(),
            expect: is_stated.then(|| Statuses::new(health.expect.clone())),
            contains: health.contains.clone(),
            drain: Statuses::new(health.drain.clone()),
            port: health.port,
            names_every: health.resolve_interval,
        }
    }
}

/// Something that whoever watches should hear.
#[derive(Clone, Copy)]
pub enum WatchEvent<'e> {
    /// What the pool made of a check, or of an address.
    Noticed(&'e Notice),
    /// Something else. After `Died` what the thread did is done no more: end the process.
    Other(Event<'e>),
}

/// Hears of events, from several threads. Must not block for long.
type OnEvent = Arc<dyn Fn(WatchEvent) + Send + Sync>;

/// Has another pool made, as names lead elsewhere now: returns what is to be watched then, or none
/// where that is to be replaced later, or by another thread. Called again while it is not.
pub type Respread = Box<dyn FnMut(&Watched, &Answers) -> Option<Watched> + Send>;

/// The running watch. Dropped, it stops as well, without waiting for its threads.
pub struct Watch {
    watched: Arc<Snapshot<Watched>>,
    /// What names have come to by now.
    answers: Arc<Mutex<Answers>>,
    /// Closed rather than sent on, when that round is over.
    first_round: Receiver<()>,
    /// None once it has been stopped.
    alive: Mutex<Option<Alive>>,
}

/// What ends the threads when it is dropped, and the one that is waited for.
struct Alive {
    control: Arc<Control>,
    checks: JoinHandle<()>,
}

impl Watch {
    /// Starts watching, each pool with what is said of it. `epoch` is where the pool's `now` counts
    /// from. Errors: no thread or no descriptor was to be had.
    pub fn start(
        first: Watched,
        epoch: Instant,
        respread: Respread,
        on: impl Fn(WatchEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let on: OnEvent = Arc::new(on);
        let (first_done, first_round) = bounded(0);
        let (sockets, control) = Sockets::new()?;
        let (control, watched) = (Arc::new(control), Snapshot::new(Arc::new(first)));
        let (answers, checks) = (Arc::default(), Arc::downgrade(&control));
        let names = Names::new(&watched, &answers, respread, checks, Arc::clone(&on));
        spawn("names", &on, move || names.run())?;
        let look = watched.look();
        let checker = Checker::new(look, sockets, epoch, first_done, Arc::clone(&on));
        let checks = spawn("checks", &on, move || checker.run())?;
        let alive = Mutex::new(Some(Alive { control, checks }));
        Ok(Self { watched, answers, first_round, alive })
    }

    /// Watches `next` from now on. A backend that is asked in both goes on as if nothing had
    /// happened, with the check that is under way; one that is new, that has moved or that is asked
    /// otherwise is checked at once. Any setting may be another, also whether there are checks.
    pub fn replace(&self, next: Watched) {
        self.watched.replace(Arc::new(next));
        self.alive().iter().for_each(|alive| alive.control.look());
    }

    /// What is watched now.
    pub fn current(&self) -> Arc<Watched> {
        self.watched.current()
    }

    /// What names have come to by now.
    pub fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until every backend that was there at the start was checked once, or is gone, at most
    /// for `deadline`; false if that was not enough. True at once if checks are off.
    pub fn first_round(&self, deadline: Duration) -> bool {
        let waited = self.first_round.recv_timeout(deadline);
        matches!(waited, Err(RecvTimeoutError::Disconnected))
    }

    /// Has every backend checked now, but for those that are being checked. Does nothing if checks
    /// are off.
    pub fn hurry(&self) {
        self.alive().iter().for_each(|alive| alive.control.hurry());
    }

    /// Stops. Afterwards no result of a check reaches the pool or the callback.
    ///
    /// Checks under way are cut off. A look-up cannot be, and is not waited for.
    pub fn stop(&self) {
        let alive = self.alive().take();
        let Some(Alive { control, checks }) = alive else { return };
        drop(control);
        // A panic was told through the callback.
        let _ = checks.join();
    }

    fn alive(&self) -> MutexGuard<'_, Option<Alive>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a thread that tells `on` if it panics.
fn spawn(
    name: &str,
    on: &OnEvent,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let tripwire = Tripwire { name: name.into(), on: Arc::clone(on) };
    let guarded = move || {
        let _tripwire = tripwire;
        work();
    };
    crate::thread::start(name, Box::new(guarded))
}

/// Dropped by a panic, it says so.
struct Tripwire {
    name: String,
    on: OnEvent,
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.on)(WatchEvent::Other(Event::Died { thread: &self.name }));
        }
    }
}
