//! Two balancers behind one floating address: real keepalived and BIRD, the files of deploy/ha as
//! they are shipped, each machine a network of its own. What becomes of requests when one dies.

#![cfg(all(feature = "admin", feature = "client", feature = "lab"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

mod aware;
mod crosswise;
mod failing;
mod leaving;
mod load;
mod pair;
mod routes;
mod same;
mod strangers;
mod world;
