//! The signals, heard by a thread of their own from the first moment of a command that serves: what
//! its start waits for (a name, a disk, a file that is a pipe) keeps nobody from ending it.

use super::{CannotStart, failed};
use crate::thread;
use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::{Handle, Signals as Heard};
use std::mem;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// Signals that may wait to be taken.
const WAITING_MAX: usize = 64;

/// No signal: another process has taken over. It waits among them for whoever takes them.
pub(super) const SUCCEEDED: i32 = 0;

/// What was heard and not taken yet.
pub struct Signals {
    heard: Receiver<i32>,
    /// To it, for the thread that hears them.
    sender: Sender<i32>,
    started: Arc<AtomicBool>,
    ear: Ear,
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
        let (sender, heard) = bounded(WAITING_MAX);
        let started = Arc::new(AtomicBool::new(false));
        let ear = listen(sender.clone(), Arc::clone(&started))?;
        Ok(Self { heard, sender, started, ear })
    }

    /// Has them heard by a thread that begins now, with the rights that the caller has now. One
    /// that comes in between may be heard twice, and is never missed.
    pub fn renew(&mut self) -> Result<(), CannotStart> {
        let ear = listen(self.sender.clone(), Arc::clone(&self.started))?;
        let Ear { thread, handle } = mem::replace(&mut self.ear, ear);
        handle.close();
        // A panic in it has ended the process.
        let _ = thread.join();
        Ok(())
    }

    /// To be heard among them.
    #[cfg(feature = "admin")]
    pub(super) fn sender(&self) -> Sender<i32> {
        self.sender.clone()
    }

    /// The start is over: the end is for whoever takes the signals.
    pub fn start_is_over(&self) {
        self.started.store(true, Ordering::SeqCst);
    }

    /// The next one; none if `until` comes first.
    pub fn next(&self, until: Option<Instant>) -> Option<i32> {
        match until {
            Some(until) => self.heard.recv_deadline(until).ok(),
            None => self.heard.recv().ok(),
        }
    }

    /// True if one that ends the process is among those that wait; the others are forgotten.
    pub fn want_the_end(&self) -> bool {
        self.heard.try_iter().any(is_end)
    }
}

/// True for one that ends the process.
pub fn is_end(signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT)
}

fn listen(sender: Sender<i32>, is_started: Arc<AtomicBool>) -> Result<Ear, CannotStart> {
    let cannot = failed("cannot listen to signals");
    let source = Heard::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP]).map_err(&cannot)?;
    let handle = source.handle();
    let duty = move || pass_on(source, &sender, &is_started);
    let thread = thread::spawn("signals", duty).map_err(&cannot)?;
    Ok(Ear { thread, handle })
}

fn pass_on(mut source: Heard, heard: &Sender<i32>, is_started: &AtomicBool) {
    for signal in source.forever() {
        if is_end(signal) && !is_started.load(Ordering::SeqCst) {
            exit(0);
        }
        // A signal that ends the process must not be lost, so sending it may wait. Of the others
        // WAITING_MAX wait already where there is no place: one more changes nothing. An error
        // means that nobody takes them any more: the process is at its end.
        let _ = match is_end(signal) {
            true => heard.send(signal).is_ok(),
            false => heard.try_send(signal).is_ok(),
        };
    }
}
