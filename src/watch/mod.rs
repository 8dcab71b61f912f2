//! The watch: asks every backend how it is, and looks up again where the named ones are.
//!
//! Started once beside the listener, from which it is apart: nothing it does holds up a request.
//!
//! ```text
//! checks (1 thread)   owns the schedule --jobs--> probes (8 threads at most): ask, with ureq
//!                     tells the pool    <-reports-
//! names (1 thread)    resolves host names anew, every 30 s
//! ```
//!
//! What it learns goes to the pool, what is worth a line in the log to a callback. It never writes
//! anywhere itself, and it stops at once: no thread waits out an interval.

mod checks;
mod names;
mod probe;
mod schedule;
#[cfg(test)]
mod tests;
mod transport;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::config::Health;
use crate::pool::{Notice, Snapshot, Statuses};
use crate::tls::Connector;
use checks::Checks;
use names::Names;
use probe::Prober;

/// How to watch.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From one check of a backend to the next; `None` turns checks off.
    pub interval: Option<Duration>,
    /// Longest that one check may take.
    pub timeout: Duration,
    /// What to GET; starts with a slash.
    pub path: String,
    /// Whether the file sets `path`. While it does not, 404 and 405 count as up: a plain file
    /// server has no `/health`, yet it serves.
    pub path_set: bool,
    /// Statuses that count as healthy; `None` is 200-299.
    pub expect: Option<Statuses>,
    /// How each backend is reached, in the order of the pool; in the clear where there is none.
    pub connectors: Vec<Option<Connector>>,
    /// From one look-up of the host names to the next.
    pub names_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(5)),
            timeout: Duration::from_secs(2),
            path: "/health".into(),
            path_set: false,
            expect: None,
            connectors: Vec::new(),
            names_every: Duration::from_secs(30),
        }
    }
}

impl From<&Health> for Settings {
    fn from(health: &Health) -> Self {
        // A file that names statuses other than the default ones means just those.
        let is_stated = health.expect != Health::default().expect;
        Self {
            interval: health.interval,
            timeout: health.timeout,
            path: health.path().to_owned(),
            path_set: health.path.is_some(),
            expect: is_stated.then(|| Statuses::new(health.expect.clone())),
            ..Self::default()
        }
    }
}

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// What a check made of a backend.
    Noticed(Notice),
    /// Good to know.
    Note(String),
    /// Something needs a person's eye.
    Warning(String),
    /// The thread of this name panicked, and what it did is done no more: end the process.
    Died(String),
}

/// Hears of events, from several threads. Must not block for long.
type Listener = Arc<dyn Fn(WatchEvent) + Send + Sync>;

/// Closed rather than sent on: every thread sees that at once.
enum Never {}

/// The running watch. Dropped, it stops as well, without waiting for its threads.
pub struct Watch {
    stop: Sender<Never>,
    hurry: Sender<()>,
    first_round: Receiver<Never>,
    prober: Arc<Prober>,
    checks: JoinHandle<()>,
}

impl Watch {
    /// Starts watching the pool that `snapshot` holds, also after it was replaced. `epoch` is
    /// where the pool's `now` counts from. Errors: a thread could not be started.
    pub fn start(
        settings: Settings,
        snapshot: &Arc<Snapshot>,
        epoch: Instant,
        on: impl Fn(WatchEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let on: Listener = Arc::new(on);
        let (stop, stopped) = bounded(0);
        let (hurry, hurried) = bounded(1);
        let (first_done, first_round) = bounded(0);
        let prober = Arc::new(Prober::new(&settings));
        let names = Names::new(snapshot.reader(), settings.names_every, Arc::clone(&on));
        let names_stopped = stopped.clone();
        spawn("names", &on, move || names.run(&names_stopped))?;
        let checks = Checks::new(
            settings.interval,
            snapshot.reader(),
            Arc::clone(&prober),
            epoch,
            first_done,
            Arc::clone(&on),
        );
        let checks = spawn("checks", &on, move || checks.run(&stopped, &hurried))?;
        Ok(Self { stop, hurry, first_round, prober, checks })
    }

    /// Waits until every backend was checked once, at most for `deadline`; false if that was not
    /// enough. True at once if checks are off.
    pub fn first_round(&self, deadline: Duration) -> bool {
        let waited = self.first_round.recv_timeout(deadline);
        matches!(waited, Err(RecvTimeoutError::Disconnected))
    }

    /// Has every backend checked now, but for those that are being checked. Does nothing if checks
    /// are off.
    pub fn hurry(&self) {
        // Full, one is waiting already that will do as well.
        let _ = self.hurry.try_send(());
    }

    /// Stops. Afterwards no result of a check reaches the pool or the callback.
    ///
    /// Checks under way are cut off. Threads in a connect or a look-up, which cannot be, end by
    /// themselves when it does, and are not waited for.
    pub fn stop(self) {
        drop(self.stop);
        // A panic was told through the callback.
        let _ = self.checks.join();
        // Only now: nobody is left to take a check that we cut off for one that failed.
        self.prober.cut_off();
    }
}

/// Starts a thread that tells `on` if it panics.
fn spawn(
    name: &str,
    on: &Listener,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let tripwire = Tripwire { name: name.into(), on: Arc::clone(on) };
    thread::Builder::new().name(name.into()).spawn(move || {
        let _tripwire = tripwire;
        work();
    })
}

/// Dropped by a panic, it says so.
struct Tripwire {
    name: String,
    on: Listener,
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.on)(WatchEvent::Died(std::mem::take(&mut self.name)));
        }
    }
}
