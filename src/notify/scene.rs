//! How all stands, as somebody who is woken is to see it. Implemented by whoever runs the pool;
//! this room knows none.

use std::time::Duration;

/// Where a message looks around before it is sent.
pub trait Scene: Send + Sync {
    /// All backends as they are now, in the order of the file.
    fn look(&self) -> Vec<Sight>;

    /// False while a thread that clients depend on does not move on: nothing may then be sent that
    /// says that all is well.
    fn is_well(&self) -> bool;
}

/// One backend as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Its name.
    pub name: String,
    /// That of its pool; empty where there is but one.
    pub pool: String,
    /// Host and port, as configured.
    pub address: String,
    /// Where it stands, in a word.
    pub standing: String,
    /// It takes requests.
    pub is_up: bool,
    /// Checks or requests find it bad, and no operator has taken it out.
    pub is_out: bool,
    /// How long it has stood there.
    pub stood_for: Duration,
    /// What brought it there, in words that may quote it.
    pub why: String,
    /// Its last checks, the newest first.
    pub checks: Vec<SightCheck>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SightCheck {
    /// How long ago it ended.
    pub ago: Duration,
    /// What it came to, in a word or a few.
    pub verdict: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What was seen, in words that may quote the backend.
    pub seen: String,
}
