//! The sentences of the log: each event as one line.

use std::fmt::{self, Display, Formatter};

use super::what::Event;
use crate::text::{Escaped, Many, Traffic};

impl Display for Event<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Standing { words, .. } | Self::Judged { words, .. } => words.fmt(f),
            Self::Complaint { backend, what, .. }
            | Self::Moved { backend, what }
            | Self::Unresolved { backend, why: what }
            | Self::UnknownPath { backend, what } => write!(f, "backend {backend}: {what}"),
            Self::Habit { backend, learnt } => write!(f, "backend {backend} {learnt}"),
            Self::NoneFound { pool } => {
                let (pool, there) = (within(pool), there(pool));
                let so = "no name resolves; until one does, nobody is served";
                write!(f, "NO BACKEND IS FOUND{pool}: {so}{there}")
            }
            Self::NoneLeft { pool, .. } => {
                let (pool, there) = (within(pool), there(pool));
                let so = "by the file that serves now; nobody is served";
                write!(f, "NO BACKEND IS UP{pool} {so}{there}")
            }
            Self::Unavailable { pool, none, how, request } => {
                write!(f, "{how}{}: {none}; {request}", within(pool))
            }
            Self::Busy { pool, why, how, request } => {
                write!(f, "{how}{}: {why}; {request}", within(pool))
            }
            Self::Unshaken { client, why } => write!(f, "client {client}: {why}"),
            Self::Stranger { peer } => write!(
                f,
                "closed a connection from {peer}: with proxy_protocol = \"required\" only \
                 trusted_proxies may connect; name it there if it is a balancer of yours"
            ),
            Self::Unprefaced { peer, why } => write!(
                f,
                "closed a connection from {peer}: no PROXY protocol: {why}; have it sent there \
                 (HAProxy: send-proxy-v2), or write proxy_protocol = \"off\""
            ),
            Self::Lowered(text)
            | Self::ChecksShort(text)
            | Self::Configuration(text)
            | Self::Certificate(text)
            | Self::Admin { words: text, .. } => f.write_str(text),
            Self::Delayed { alert, why } => write!(f, "alert {alert}: not delivered yet: {why}"),
            Self::Delivered { alert, how } => write!(f, "alert {alert}: delivered at last: {how}"),
            Self::Undelivered { alert, why } => write!(f, "alert {alert}: NOT DELIVERED: {why}"),
            Self::Log(own) => own.fmt(f),
            _ => self.fmt_own(f),
        }
    }
}

fn within(pool: Option<&str>) -> String {
    pool.map_or(String::new(), |pool| format!(" in pool {pool}"))
}

/// Other pools may serve.
fn there(pool: Option<&str>) -> &'static str {
    if pool.is_some() { " there" } else { "" }
}

impl Event<'_> {
    /// What happens to the balancer itself.
    fn fmt_own(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full { listener, limit } => {
                listener.map_or(Ok(()), |name| write!(f, "listener {name}: "))?;
                write!(
                    f,
                    "max_connections = {limit} reached: new clients wait in the backlog; \
                     raise it if memory and descriptors allow"
                )
            }
            Self::Crowded { taken, limit, leaving } => write!(
                f,
                "{taken} of {limit} places taken, and more clients wait: \
                 the longest idle are closed, {leaving} now"
            ),
            Self::Exhausted { doing, error } => {
                write!(f, "{doing}: {error}; raise the limit or lower max_connections")
            }
            Self::Reloaded(what) => write!(f, "reloaded: {what}"),
            Self::NotReloaded(why) => write!(f, "not reloaded, all stays as it was: {why}"),
            Self::Renewed(what) => write!(f, "renewed: {what}"),
            Self::NotRenewed(why) => write!(f, "not renewed, the one before goes on: {why}"),
            Self::Listening { address, summary } => {
                write!(f, "listening on {address}: {summary}")
            }
            Self::Paused { pool, traffic, at_most } => write!(
                f,
                "paused{}: new {} are held, until somebody resumes or {at_most:?} have passed",
                of_pool(pool),
                traffic.word()
            ),
            Self::Resumed { pool, traffic, held } => {
                write!(f, "resumed{}: {}", of_pool(pool), freed(traffic, held))
            }
            Self::PauseOver { pool, traffic, held } => {
                let (of, freed) = (if pool.is_some() { " of" } else { "" }, freed(traffic, held));
                write!(f, "the pause{of}{} is over by itself: {freed}", of_pool(pool))
            }
            Self::Unready { lame_duck } => {
                write!(f, "not ready any more: serving on for {lame_duck:?}, then stopping")
            }
            Self::Stopping { connections, patience } => {
                let open = Many(connections as u64, "connection has", "connections have");
                write!(f, "stopping: {open} up to {patience:?} to finish")
            }
            Self::CutOff { connections } => {
                let open = Many(connections as u64, "connection", "connections");
                write!(f, "stopping with {open} open")
            }
            Self::Stopped => f.write_str("stopped"),
            Self::Panicked => f.write_str("a step panicked; its connection is closed"),
            Self::Upgraded(who) => write!(f, "upgraded: {who}"),
            Self::NotUpgraded(why) => write!(f, "not upgraded, this process serves on: {why}"),
            Self::Stuck { thread } => {
                write!(f, "thread {thread} is stuck: the watchdog is not fed any more")
            }
            Self::Died { thread } => {
                write!(f, "thread {thread} panicked: ending the process")
            }
            _ => Ok(()),
        }
    }
}

fn freed(traffic: Traffic, held: usize) -> String {
    let end = if held == 1 { "was held goes on" } else { "were held go on" };
    format!("{} that {end}", traffic.many(held as u64))
}

fn of_pool(pool: Option<&str>) -> String {
    pool.map_or(String::new(), |pool| format!(" pool {}", Escaped(pool)))
}
