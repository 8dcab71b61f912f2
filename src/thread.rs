//! Threads with a name and a duty. One that panics where no connection is at stake leaves the house
//! without a keeper, so it ends the process with exit 1 instead of limping on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// Starts a thread. Fails when the system has none left.
pub fn spawn(name: &str, duty: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(duty)).is_err() {
            std::process::exit(1);
        }
    })
}
