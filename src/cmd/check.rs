//! `evenly check`: the effective configuration, or what is wrong with it. Opens no socket and
//! resolves no name, so that it may run beside a server, or in a build.

use std::io::{self, Write};

use super::{Failure, Source};
use crate::tls::Tls;

/// Prints the configuration as TOML with every key, secrets hidden, and below it, as comments, the
/// certificates and when they expire. What needs an eye soon goes to standard error.
pub fn run(source: &Source) -> Result<(), Failure> {
    let config = source.load()?;
    let tls = Tls::load(&config)?;
    let mut out = io::stdout().lock();
    out.write_all(config.show(crate::config::Extent::All).as_bytes())?;
    if !tls.shown.is_empty() {
        out.write_all(b"\n# Certificates:\n")?;
    }
    for shown in &tls.shown {
        writeln!(out, "# {shown}")?;
    }
    out.flush()?;
    let mut err = io::stderr().lock();
    for warning in source.warning(&config).into_iter().chain(tls.warnings(&config.applications)) {
        writeln!(err, "warning: {warning}")?;
    }
    Ok(())
}
