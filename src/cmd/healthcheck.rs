//! `evenly healthcheck`: whether a running balancer serves, as an exit code, for containers and for
//! keepalived. Says nothing where all is well, and takes no longer than they wait.

use std::time::Duration;

use super::Failure;
use super::reach::{Purpose, Reach};
use crate::admin::ask::Question;

/// Docker asks every 30 s, keepalived every second or two. With the look for the socket it is 2 s.
const WITHIN: Duration = Duration::from_millis(1500);

/// Fails unless the balancer is ready; or, if only that is asked, unless it lives.
pub(super) fn run(reach: &Reach, is_life_enough: bool) -> Result<(), Failure> {
    let path = if is_life_enough { "/live" } else { "/ready" };
    let question = Question { method: "GET", path, body: b"", within: WITHIN };
    // Docker reserves 2: whatever is wrong, it is 1.
    let balancers = reach.find(Purpose::Check).map_err(|failure| Failure::Run(plain(&failure)))?;
    balancers.iter().try_for_each(|balancer| {
        let word = balancer.ask(&question).map_err(Failure::Run)?;
        let is_one = word.trim_end() == &path[1..];
        is_one.then_some(()).ok_or_else(|| Failure::Run(balancer.is_stranger()))
    })
}

/// Without what stands in front of every failure.
fn plain(failure: &Failure) -> String {
    let words = failure.to_string();
    words.strip_prefix("evenly: ").unwrap_or(&words).to_owned()
}
