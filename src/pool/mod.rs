//! The pool: which backends there are, which of them may be used, and which one is next.
//!
//! Called by the proxy for each request and by the watch for each check, from many threads at
//! once. Pure: it does no I/O and reads no clock; `now` counts from an arbitrary start that all
//! callers share. The way of a request takes no lock: [`Pool::pick`], then [`Lease::finish`].

mod ask;
mod backend;
pub mod buckets;
mod candidates;
pub mod chance;
mod change;
mod checked;
mod course;
mod family;
pub mod hash;
mod health;
mod latencies;
mod lease;
mod line;
mod outcome;
mod past;
mod pick;
pub mod policy;
mod pools;
mod reason;
mod record;
mod retry;
mod roster;
mod routes;
mod row;
mod rules;
mod shards;
mod snapshot;
mod spec;
mod standing;
mod status;
mod steer;
mod sticky;
mod story;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unavailable;
mod wish;

pub use ask::Ask;
pub use backend::Backend;
pub use change::{Change, Notice};
pub use course::{Attempt, Course, Decision, GaveUp, Setback, is_better_part};
pub use health::Ejection;
pub use lease::Lease;
pub use line::Line;
pub use outcome::{CheckOutcome, Fault, Outcome};
pub use past::{Inheritance, PastCheck};
pub use pools::Pools;
pub use reason::Reason;
pub use retry::BODY_HELD_MAX;
pub use roster::{NO_POOL, ONLY, Pool};
pub use routes::{Ambiguous, NO_PATH, Route, RouteEnd, Routes};
pub use row::Witness;
pub use rules::{CheckRules, PassiveRules, RetryOn, RetryRules, Rules, Statuses};
pub use shards::Shards;
pub use snapshot::{Look, Snapshot};
pub use spec::{Found, Spec, Trust, authority, bracketed};
pub use standing::{Mode, Standing};
pub use status::Status;
pub use steer::LastUsable;
pub use sticky::Secret;
pub use story::{Shift, Spell, Story};
pub use tally::{CLASSES, Counts, End, Ended, Ends, add, count_class};
pub use unavailable::Unavailable;
pub use wish::Who;
