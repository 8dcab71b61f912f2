//! The rule by which one of several backends is picked: one file a policy.
//!
//! Called by the pool for each request, from many workers at once. A policy sees its candidates
//! through a [`View`] and never learns what keeps the others out.

mod alias;
mod first_alive;
mod hash;
mod kind;
mod least_connections;
mod load;
mod memory;
mod round_robin;
mod rounds;
mod scored;
mod turns;
mod two_choices;
mod view;
mod weighted;

pub use first_alive::FirstAlive;
pub use hash::Hash;
pub use kind::Kind;
pub use least_connections::LeastConnections;
pub use memory::{Ledger, Memory};
pub use round_robin::RoundRobin;
pub use scored::{ScoredRoundRobin, ScoredRules};
pub use two_choices::TwoChoices;
pub use view::{Facts, Policy, SatOut, View};
pub use weighted::WeightedRoundRobin;
