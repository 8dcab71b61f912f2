//! The process's limit on open files, which bounds how many clients it can serve (law 10).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt;

/// Descriptors for everything but clients. Standard streams, log, listener, Lot and signals are a
/// dozen, and look-ups of names 16 at most. Checks may have an eighth of the limit: 16 of 128, the
/// fewest for [`FEWEST`] clients, and where that is more than is left here, the rest is of clients'
/// room. In the first round, whose end clients wait for, it is a half. When it is short, checks
/// make do with what there is, and connections to backends that are kept idle give way.
const RESERVED: u64 = 64;
/// A client's own and the connection to a backend that its request may need.
const A_CLIENT: u64 = 2;
/// With fewer clients at once, a browser or two that keep their six connections open (and an outer
/// balancer its pool of them) would leave no place for anybody else.
const FEWEST: usize = 32;

/// Too few to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    limit: u64,
    clients: usize,
}

/// What is needed for so many clients, each with a backend's connection.
pub fn needed(clients: usize) -> u64 {
    clients as u64 * A_CLIENT + RESERVED
}

/// The soft limit now.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many of so many clients fit, with a sentence if that is fewer. Where hardly anybody could be
/// served, it refuses.
pub fn fit(wanted: usize) -> Result<(usize, Option<String>), TooFew> {
    let fitting = reserve(wanted)?;
    let (limit, needed) = (limit(), needed(wanted));
    let lowered = || {
        format!(
            "max_connections lowered from {wanted} to {fitting}: open files are limited to \
             {limit}, and {needed} are needed for so many clients with a connection to a backend \
             each; raise it with ulimit -n, or LimitNOFILE= of systemd"
        )
    };
    Ok((fitting, (fitting < wanted).then(lowered)))
}

/// Raises the soft limit as far as so many clients can need, and returns how many fit: not all of
/// them have a request under way at once. The hard limit is left alone.
pub fn reserve(clients: usize) -> Result<usize, TooFew> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let raised = needed(clients).min(hard).max(soft);
    let raising = Rlimit { current: Some(raised), maximum };
    let limit = if setrlimit(Resource::Nofile, raising).is_ok() { raised } else { soft };
    let fewest = clients.min(FEWEST);
    match limit < needed(fewest) {
        true => Err(TooFew { limit, clients: fewest }),
        false => Ok(clients.min((limit - RESERVED) as usize)),
    }
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, clients } = self;
        let least = needed(*clients);
        write!(
            f,
            "open files are limited to {limit}, and at least {least} are needed: {RESERVED} for "
        )?;
        write!(
            f,
            "logs, checks and look-ups, and {A_CLIENT} for each of {clients} clients; raise it "
        )?;
        f.write_str("with ulimit -n, or LimitNOFILE= of systemd")
    }
}
