//! Why there is no balancer, in words that say what to do.

use crate::config::Errors;
use std::fmt;
use std::io;

/// Why there is no balancer. Displayed, it says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotStart {
    /// The configuration names files that do not do.
    Config(Errors),
    /// The system does not give what is needed, such as an address.
    System(String),
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::System(what) => f.write_str(what),
        }
    }
}

impl From<Errors> for CannotStart {
    fn from(errors: Errors) -> Self {
        Self::Config(errors)
    }
}

/// Puts its subject in front of an error of the system, which names none.
pub(super) fn failed(what: &str) -> impl Fn(io::Error) -> CannotStart {
    move |error| CannotStart::System(format!("{what}: {error}"))
}
