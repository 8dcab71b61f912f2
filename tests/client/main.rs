//! The failover client: the library through real sockets, and `evenly get` as it is shipped.

#![cfg(all(feature = "client", feature = "lab"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

mod balancers;
mod command;
mod deadlines;
mod failover;
mod requests;
#[cfg(feature = "tls")]
mod secure;
mod waiting;

use evenly::client::{Builder, Client};
use harness::{Backend, Place};

/// Checks are made once, when the client starts.
const CHECKED_ONCE: [(&str, &str); 1] = [("health.interval", "1h")];
const NO_CHECKS: [(&str, &str); 1] = [("health.interval", "off")];

/// A client of these places, called A, B and so on, with these keys set.
fn client(places: &[&dyn Place], keys: &[(&str, &str)]) -> Client {
    keys.iter().fold(builder(places), |all, (key, value)| all.set(key, value)).build().unwrap()
}

fn builder(places: &[&dyn Place]) -> Builder {
    places.iter().zip('A'..).fold(Client::builder(), |all, (place, name)| {
        all.backend(&name.to_string(), format!("{}:{}", place.host(), place.port()))
    })
}

/// The requests that a backend got, but for checks.
fn asked(backend: &Backend) -> Vec<String> {
    let all = backend.requests().into_iter().map(|request| request.start);
    all.filter(|start| !start.contains("/health")).collect()
}
