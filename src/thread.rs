//! Threads with a name and a duty. One that panics where no connection is at stake leaves the house
//! without a keeper, so it ends the process with exit 1 instead of limping on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// Starts a thread. Fails, with a sentence, when the system has none left.
pub fn spawn(name: &str, duty: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(duty)).is_err() {
            std::process::exit(1);
        }
    };
    Builder::new().name(name.to_owned()).spawn(guarded).map_err(|error| none_left(name, &error))
}

/// The error of a thread that could not be started, with what it was for and what to do.
pub fn none_left(name: &str, error: &io::Error) -> io::Error {
    let text = format!("no thread for {name}: {error}; raise ulimit -u, or TasksMax= of systemd");
    io::Error::new(error.kind(), text)
}
