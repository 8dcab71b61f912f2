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
    start(name, Box::new(guarded))
}

/// Likewise, for one whose panic is told by itself. All threads that outlive a scope begin here and
/// share its code, which would else be there once for each duty: 2 KiB.
pub fn start(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
        let what = format!("no thread for {name}: {error}");
        io::Error::new(error.kind(), format!("{what}; raise ulimit -u, or TasksMax= of systemd"))
    })
}
