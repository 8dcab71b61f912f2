//! A command as process 1 of a container, which the kernel spares every signal that it has not
//! asked for: without this, nobody could interrupt `docker run -it evenly status --watch`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;

use crate::children;

/// What a shell adds to a signal's number, to say that it was the end.
const ENDED_BY: i32 = 128;

/// Has these signals end the process, as they do elsewhere.
pub(super) fn heed() {
    if !children::is_first() {
        return;
    }
    let always = Arc::new(AtomicBool::new(true));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // Where it cannot be had, all is as it was.
        let _ = register_conditional_shutdown(signal, ENDED_BY + signal, Arc::clone(&always));
    }
}
