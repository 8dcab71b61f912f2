//! `evenly backend`: the demo backend in the foreground, until it is told to stop.

use std::io::{self, Write};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::lab::backend::{Demo, Options};

/// Starts the instances, prints a line for each, and waits for TERM or INT. An error (an address in
/// use, mostly) is a sentence for stderr and exit 1.
pub fn run(options: &Options) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?; // before anyone can know that we run
    let demo = Demo::start(options)?;
    for (name, address) in demo.names().zip(demo.addresses()) {
        // A closed stdout is no reason not to serve.
        let _ = writeln!(io::stdout(), "{name} listens on http://{address}");
    }
    signals.forever().next();
    demo.stop();
    Ok(())
}
