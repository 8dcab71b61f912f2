//! The process's limit on open files, which bounds how many clients it can serve (law 10).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but clients: the log, the Lot, checks, a few backend connections.
const RESERVED: u64 = 64;

/// Raises the soft limit as far as `connections` clients, each with a backend's connection, can
/// need, and returns how many clients fit. The hard limit is left alone.
pub fn reserve(connections: usize) -> usize {
    let wanted = connections as u64 * 2 + RESERVED;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (soft, hard) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let raised = wanted.min(hard).max(soft);
    let limit = Rlimit { current: Some(raised), maximum };
    let got = if setrlimit(Resource::Nofile, limit).is_ok() { raised } else { soft };
    connections.min(got.saturating_sub(RESERVED) as usize)
}
