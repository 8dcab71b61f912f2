//! The signals, heard by a thread of their own from the first moment of a command that serves: what
//! its start waits for (a name, a disk, a file that is a pipe) keeps nobody from ending it.

use super::{CannotStart, failed};
use crate::{children, thread};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::{Handle, Signals as Heard};
use std::mem;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No signal: another process has taken over. It waits among them for whoever takes them.
pub(super) const SUCCEEDED: i32 = 0;

/// The signals, and the thread that hears them.
pub struct Signals {
    heard: Arc<Waiting>,
    ear: Ear,
}

/// What was heard and not taken yet: each once, as the kernel has it, in the order of their coming.
#[derive(Default)]
pub(super) struct Waiting {
    signals: Mutex<Vec<i32>>,
    come: Condvar,
    /// The start is over.
    is_started: AtomicBool,
}

/// The thread that hears them, and what ends it.
struct Ear {
    thread: JoinHandle<()>,
    handle: Handle,
}

impl Signals {
    /// Hears them from now on. Until the start is over, TERM and INT end the process: nobody is
    /// served who could be drained. Fails when the system has no thread or descriptor for it.
    pub fn listen() -> Result<Self, CannotStart> {
        let heard = Arc::new(Waiting::default());
        let ear = listen(Arc::clone(&heard))?;
        Ok(Self { heard, ear })
    }

    /// Has them heard by a thread that begins now, with the rights that the caller has now. One
    /// that comes in between may be heard twice, and is never missed.
    pub fn renew(&mut self) -> Result<(), CannotStart> {
        let ear = listen(Arc::clone(&self.heard))?;
        let Ear { thread, handle } = mem::replace(&mut self.ear, ear);
        handle.close();
        // A panic in it has ended the process.
        let _ = thread.join();
        Ok(())
    }

    /// For what is to be heard among them.
    #[cfg(feature = "admin")]
    pub(super) fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.heard)
    }

    /// The start is over: the end is for whoever takes the signals.
    pub fn start_is_over(&self) {
        self.heard.is_started.store(true, Ordering::SeqCst);
    }

    /// The next one; none if `until` comes first.
    pub fn next(&self, until: Option<Instant>) -> Option<i32> {
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        let patience = until.map_or(Duration::MAX, left);
        let waiting = self.heard.waiting();
        let waited = self.heard.come.wait_timeout_while(waiting, patience, |it| it.is_empty());
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!waiting.is_empty()).then(|| waiting.remove(0))
    }

    /// True if one that ends the process is among those that wait; the others are forgotten.
    pub fn want_the_end(&self) -> bool {
        mem::take(&mut *self.heard.waiting()).into_iter().any(is_end)
    }
}

impl Waiting {
    fn waiting(&self) -> MutexGuard<'_, Vec<i32>> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, signal: i32) {
        let mut waiting = self.waiting();
        if !waiting.contains(&signal) {
            waiting.push(signal);
        }
        self.come.notify_one();
    }
}

/// True for one that ends the process.
pub fn is_end(signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT)
}

fn listen(heard: Arc<Waiting>) -> Result<Ear, CannotStart> {
    let cannot = failed("cannot listen to signals");
    let source = Heard::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP]).map_err(&cannot)?;
    if children::is_first() {
        source.add_signal(SIGCHLD).map_err(&cannot)?;
        // Whoever was process 1 before, and became this program, may have left some.
        children::reap_orphans();
    }
    let handle = source.handle();
    let duty = move || pass_on(source, &heard);
    let thread = thread::spawn("signals", duty).map_err(&cannot)?;
    Ok(Ear { thread, handle })
}

fn pass_on(mut source: Heard, heard: &Waiting) {
    for signal in source.forever() {
        if signal == SIGCHLD {
            children::reap_orphans();
            continue;
        }
        if is_end(signal) && !heard.is_started.load(Ordering::SeqCst) {
            exit(0);
        }
        heard.add(signal);
    }
}
