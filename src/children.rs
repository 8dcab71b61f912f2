//! Programs that are started from here, and the end of processes that are nobody's.
//!
//! Process 1 of a container is given the children of whoever ends before them, and they stay in the
//! kernel's table until it asks what became of them. So whoever starts a program says so first, and
//! waits for it as ever; who hears signals has the others reaped while there is none of our own.
//! Elsewhere than in process 1 that is the duty of somebody else, and nothing happens here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{WaitOptions, wait};

/// The first process, to which the kernel gives orphans.
pub const FIRST: u32 = 1;
/// As many as one turn reaps. Linux has no more numbers than these, unless it is told to.
const ORPHANS_MAX: usize = 32_768;

/// How many programs of our own there are. Locked for moments, in which nobody waits.
static OWN: Mutex<usize> = Mutex::new(0);

/// There is a program of our own, or there is about to be one: taken before it is started, dropped
/// when it has been waited for. The kernel reaps in no order that could be asked for, so as long as
/// one is held, orphans wait: not longer than the program of an alert may take.
pub struct Own(());

impl Own {
    /// From now on.
    pub fn one() -> Self {
        *own() += 1;
        Self(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut own = own();
        *own -= 1;
        reap_if_none(&own);
    }
}

/// True if orphans are given to this process.
pub fn is_first() -> bool {
    std::process::id() == FIRST
}

/// Asks for the end of all that have ended, unless one of them may be a program of our own.
pub fn reap_orphans() {
    reap_if_none(&own());
}

fn reap_if_none(own: &usize) {
    let is_over = || !matches!(wait(WaitOptions::NOHANG), Ok(Some(_)));
    if is_first() && *own == 0 {
        let _ = (0..ORPHANS_MAX).any(|_| is_over());
    }
}

fn own() -> MutexGuard<'static, usize> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}
