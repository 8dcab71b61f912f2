//! `evenly drain`, `ready`, `maint`, `pause` and `resume`: what an operator wants of backends and
//! of their pool, told to a running balancer; and waiting until it has come about.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Failure;
use super::asked::{Outcomes, SOON, change, each};
use super::reach::{Balancer, Purpose, Reach};
use super::status::view::{BackendView, View};
use crate::config::nearest;
use crate::pool::Mode;
use crate::text::{Took, Traffic, percent};

/// How often somebody who waits looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is wanted of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeWish {
    /// How it is to stand.
    pub mode: Mode,
    /// The backend.
    pub name: String,
    /// Even if it is the last that is usable.
    pub force: bool,
    /// How long to wait until it is so: nothing in flight any more, or up.
    pub wait: Option<Duration>,
}

/// Has each balancer put the backend into the mode; then waits for all of them at once.
pub(super) fn mode(reach: &Reach, wish: &ModeWish) -> Result<(), Failure> {
    let balancers = reach.find(Purpose::Steer)?;
    let mut outcomes = Outcomes::of(&balancers);
    let force = if wish.force { "?force=1" } else { "" };
    let path = format!("/backends/{}/{}{force}", encoded(&wish.name), wish.mode);
    let mut done = Vec::new();
    for balancer in &balancers {
        let said = balancer.tell(&change(&path, SOON));
        let said = said.map_err(|why| corrected(balancer, &wish.name, &why));
        let words = |said: &Value| mode_words(said, wish);
        done.extend(outcomes.heard(balancer, said, words).map(|_| balancer));
    }
    if let Some(wait) = wish.wait {
        let until = Instant::now() + wait;
        for balancer in done {
            let said = wait_for(balancer, wish, wait, until);
            outcomes.heard(balancer, said, String::clone);
        }
    }
    outcomes.end()
}

/// What was done, and what remains in flight, unless the words say it already.
fn mode_words(said: &Value, wish: &ModeWish) -> String {
    let words = said["words"].as_str().unwrap_or_default();
    match said["in_flight"].as_u64() {
        Some(count) if wish.mode != Mode::Ready && !words.contains("in flight") => {
            let traffic = Traffic::called(said["traffic"].as_str().unwrap_or_default());
            format!("{words}; {} in flight", some(count, traffic))
        }
        _ => words.to_owned(),
    }
}

/// Why it was refused, with the name that was most likely meant.
pub(super) fn corrected(balancer: &Balancer, name: &str, why: &str) -> String {
    // Only who knows no such name quotes it.
    let is_unknown = why.contains(&format!("{name:?}"));
    let Some(view) = is_unknown.then(|| seen(balancer, SOON).ok()).flatten() else {
        return why.to_owned();
    };
    let names = view.pools.iter().flat_map(|pool| &pool.backends).map(|it| it.name.as_str());
    match nearest(name, names) {
        Some(meant) if meant != name => format!("{why}; did you mean {meant}?"),
        _ => why.to_owned(),
    }
}

fn seen(balancer: &Balancer, within: Duration) -> Result<View, String> {
    balancer.status(within).and_then(|body| View::read(&body).map_err(|_| balancer.is_stranger()))
}

/// Looks until it is so. A balancer that does not answer meanwhile may be one that is replaced.
fn wait_for(
    balancer: &Balancer,
    wish: &ModeWish,
    wait: Duration,
    until: Instant,
) -> Result<String, String> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let seen = seen(balancer, SOON.min(left.max(LOOK_EVERY)));
        let still = match seen.as_ref().map(|view| view.backend(&wish.name)) {
            Ok(None) => return Ok(format!("{} is no backend any more", wish.name)),
            Ok(Some((pool, backend))) => match remains(backend, pool.traffic, wish)? {
                Some(remains) => remains,
                None => return Ok(come_about(wish)),
            },
            Err(why) => why.clone(),
        };
        if left.is_zero() {
            return Err(format!("after {}: {still}", Took(wait)));
        }
        park_timeout(LOOK_EVERY.min(left));
    }
}

/// What is not yet as it was wanted; an error if somebody else has undone it.
fn remains(
    backend: &BackendView,
    traffic: Traffic,
    wish: &ModeWish,
) -> Result<Option<String>, String> {
    let BackendView { name, mode, standing, why, in_flight, .. } = backend;
    if *mode != wish.mode.to_string() {
        return Err(format!("{name} is set to {mode} now: by somebody else, or by a new start"));
    }
    Ok(match wish.mode {
        Mode::Ready if standing == "up" => None,
        Mode::Ready => Some(format!("{name} is {standing}: {why}")),
        _ if *in_flight == 0 => None,
        _ => Some(format!("{name} still has {} in flight", some(*in_flight, traffic))),
    })
}

fn come_about(wish: &ModeWish) -> String {
    match wish.mode {
        Mode::Ready => format!("{} is up", wish.name),
        _ => format!("{} has nothing in flight", wish.name),
    }
}

/// Has each balancer hold new requests, for so long or as long as it does by itself.
pub(super) fn pause(
    reach: &Reach,
    pool: Option<&str>,
    time: Option<Duration>,
) -> Result<(), Failure> {
    let mut query = Vec::new();
    query.extend(time.map(|time| format!("for={}ms", time.as_millis())));
    query.extend(pool.map(|pool| format!("pool={}", encoded(pool))));
    each(reach, &change(&with_query("/pause", &query), SOON))
}

/// Has each balancer let them go on.
pub(super) fn resume(reach: &Reach, pool: Option<&str>) -> Result<(), Failure> {
    let query: Vec<_> = pool.map(|pool| format!("pool={}", encoded(pool))).into_iter().collect();
    each(reach, &change(&with_query("/resume", &query), SOON))
}

fn with_query(path: &str, query: &[String]) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

fn some(count: u64, traffic: Traffic) -> String {
    if count == 0 { "nothing".to_owned() } else { traffic.many(count).to_string() }
}

/// A name as one segment of a path.
pub(super) fn encoded(name: &str) -> String {
    let mut out = Vec::new();
    percent(&mut out, name.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}
