//! What will not do of an alert, before it is told with its place. Said by each way that is opened,
//! and by the heartbeat.

use std::fmt;

/// What will not do: the key that says it, what that says, and why it will not. Displayed without
/// what the key says, which may be a secret.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(super) key: &'static str,
    pub(super) said: String,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn new(key: &'static str, said: &str, why: impl Into<String>) -> Self {
        Self { key, said: said.to_owned(), why: why.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}
