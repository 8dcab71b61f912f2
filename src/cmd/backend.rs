//! `evenly backend`: the demo backend in the foreground, until it is told to stop.

use std::io::{self, Write};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Failure, failed};
use crate::lab::backend::{Demo, DemoOptions};

/// Starts the instances, prints a line for each, and waits for TERM or INT. Fails mostly for an
/// address in use.
pub fn run(options: &DemoOptions) -> Result<(), Failure> {
    // Before anyone can know that we run.
    let signals = Signals::new([SIGTERM, SIGINT]);
    let mut signals = signals.map_err(failed("cannot listen to signals"))?;
    let demo = Demo::start(options).map_err(|error| Failure::Run(error.to_string()))?;
    for (name, address) in demo.names().zip(demo.addresses()) {
        // A closed stdout is no reason not to serve.
        let _ = writeln!(io::stdout(), "{name} listens on http://{address}");
    }
    signals.forever().next();
    demo.stop();
    Ok(())
}
