//! `evenly check`: a verdict, what differs from the defaults, and what would fail if it were served
//! now. Leaves nothing behind and takes no address, so that it may run beside a server.

use std::io::{self, Write};

use super::trial::Trial;
use super::{Failure, Source, warn};
use crate::config::{Config, Extent, Mode};
use crate::tls::Tls;

/// Prints the verdict and the configuration as TOML, secrets hidden, and below it, as comments, the
/// certificates and when they expire. What would fail, or needs an eye soon, goes to standard
/// error; the former is a failure at run time.
pub fn run(source: &Source, extent: Extent) -> Result<(), Failure> {
    let (config, warnings) = source.load()?;
    let tls = Tls::load(&config)?;
    let Trial { faults, notes } = Trial::of(&config);
    let mut out = io::stdout().lock();
    let path = source.path.display();
    match faults.len() {
        0 => writeln!(out, "# {path} is fine: {}\n", summary(&config))?,
        1 => writeln!(out, "# {path} is well written, but one thing would fail here\n")?,
        many => writeln!(out, "# {path} is well written, but {many} things would fail here\n")?,
    }
    out.write_all(config.show(extent).as_bytes())?;
    if !tls.shown.is_empty() {
        out.write_all(b"\n# Certificates:\n")?;
    }
    for shown in &tls.shown {
        writeln!(out, "# {shown}")?;
    }
    out.flush()?;
    warn(warnings.into_iter().chain(tls.warnings(&config.applications)).chain(notes));
    for fault in &faults {
        // A closed stderr is no reason to hide the exit code.
        let _ = writeln!(io::stderr(), "{fault}");
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::Told) }
}

fn summary(config: &Config) -> String {
    let (count, policy) = (config.applications.len(), config.balance.policy.name());
    let noun = if count == 1 { "application" } else { "applications" };
    let how = if config.server.mode == Mode::Redirect { ", redirecting" } else { "" };
    let tls = if config.tls.certificates.is_empty() { "" } else { " with TLS" };
    format!("{count} {noun}, {policy}{how}, on {}{tls}", config.server.listen)
}
