//! `evenly check`: a verdict, what differs from the defaults, and what would fail if it were served
//! now. Leaves nothing behind and takes no address, so that it may run beside a server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

#[cfg(feature = "admin")]
use super::reach;
use super::{Failure, warn};
use crate::balancer::{CannotStart, Trial, at_listen, summary};
use crate::config::{Config, Errors, Extent, Source};
use crate::tls::{self, Tls};

/// Prints the verdict and the configuration as TOML, secrets hidden, and below it, as comments, the
/// certificates and when they expire. What would fail, or needs an eye soon, goes to standard
/// error; the former is a failure at run time.
pub fn run(source: &Source, extent: Extent) -> Result<(), Failure> {
    let (mut config, warnings) = source.load()?;
    let tls = Tls::load(&config);
    let Trial { mut faults, notes, names, taken, taken_admin } = Trial::of(&config);
    let unread = tls.as_ref().err().cloned().into_iter().flat_map(Errors::apart);
    faults.extend(unread.map(CannotStart::Config));
    let taken = Taken::of(&taken, taken_admin, &config, &source.path);
    let mut out = io::stdout().lock();
    let path = source.path.display();
    match faults.len() {
        0 => {
            writeln!(out, "# {path} is fine: {}{}\n", served(&config), taken.by_us)?;
        }
        1 => writeln!(out, "# {path} is well written, but one thing would fail here\n")?,
        many => writeln!(out, "# {path} is well written, but {many} things would fail here\n")?,
    }
    out.write_all(config.show(extent).as_bytes())?;
    let shown = tls.as_ref().map_or(&[][..], |tls| &tls.shown);
    if !shown.is_empty() {
        out.write_all(b"\n# Certificates:\n")?;
    }
    for shown in shown {
        writeln!(out, "# {shown}")?;
    }
    if !names.is_empty() {
        out.write_all(b"\n# Names:\n")?;
    }
    for led in names {
        writeln!(out, "# {led}")?;
    }
    out.flush()?;
    warn(warnings.into_iter().chain(notes).chain(taken.by_others));
    if let Ok(tls) = tls {
        warn(tls.warnings().chain(tls::unverified(&config.applications)));
    }
    // Last of all what is wrong in the file, as it decides how this ends.
    let is_of_file = |fault: &CannotStart| matches!(fault, CannotStart::Config(_));
    let (of_file, mut faults): (Vec<_>, Vec<_>) = faults.into_iter().partition(is_of_file);
    faults.extend(of_file);
    let last = faults.pop().map(Failure::from);
    for fault in faults {
        // A closed stderr is no reason to hide the exit code.
        let _ = writeln!(io::stderr(), "{}", Failure::from(fault));
    }
    last.map_or(Ok(()), Err)
}

/// What is served where; what is the same at several listeners is said once.
fn served(config: &Config) -> String {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for one in config.listening() {
        let (what, at) = (summary(config, &one), one.listen.to_string());
        match all.iter_mut().find(|(known, _)| *known == what) {
            Some((_, places)) => places.push(at),
            None => all.push((what, vec![at])),
        }
    }
    let said = |(what, places): &(String, Vec<String>)| format!("{what}, on {}", places.join(", "));
    all.iter().map(said).collect::<Vec<_>>().join("; ")
}

/// Who has the addresses already.
#[derive(Default)]
struct Taken {
    /// What the verdict ends with, if it is the balancer of this configuration.
    by_us: String,
    /// A warning for each, if that is not known.
    by_others: Vec<String>,
}

impl Taken {
    fn of(taken: &[SocketAddr], taken_admin: Vec<String>, config: &Config, file: &Path) -> Self {
        if taken.is_empty() && taken_admin.is_empty() {
            return Self::default();
        }
        let what = match owner(config, taken, file) {
            Owner::Us(pid) => {
                let by_us = match taken.is_empty() {
                    true => String::new(),
                    false => format!(", where its balancer serves already (process {pid})"),
                };
                return Self { by_us, by_others: Vec::new() };
            }
            Owner::Other(who) => format!("in use by {who}; choose another"),
            Owner::Unknown => {
                "in use; if not by the server that this is for, choose another".to_owned()
            }
        };
        let warning = |at: &SocketAddr| at_listen(config, *at, format!("{at} is {what}"));
        let admin = taken_admin.into_iter().map(|said| said.replace("in use", &what));
        Self { by_us: String::new(), by_others: taken.iter().map(warning).chain(admin).collect() }
    }
}

/// Who has an address that is in use.
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "nobody can be asked"))]
enum Owner {
    /// The process that serves by this file.
    Us(u64),
    /// A balancer that serves by another, in words.
    Other(String),
    /// Nobody says so.
    Unknown,
}

#[cfg(feature = "admin")]
fn owner(config: &Config, addresses: &[SocketAddr], file: &Path) -> Owner {
    match reach::server_of(config, addresses) {
        Some(view) if view.is_of(file) == Some(false) => Owner::Other(view.called()),
        Some(view) => Owner::Us(view.pid),
        None => Owner::Unknown,
    }
}

#[cfg(not(feature = "admin"))]
fn owner(_: &Config, _: &[SocketAddr], _: &Path) -> Owner {
    Owner::Unknown
}
