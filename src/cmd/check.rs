//! `evenly check`: the effective configuration, or what is wrong with it. Opens no socket and
//! resolves no name, so that it may run beside a server, or in a build.

use std::io::{self, Write};

use crate::config::Config;

/// Prints the configuration as TOML with every key. Fails only if standard output does.
pub fn run(config: &Config) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(config.render().as_bytes())?;
    out.flush()
}
