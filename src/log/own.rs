//! What the log has to say of itself. Its writers write it among the events, and whoever keeps
//! events hears of it.

use std::fmt;
use std::io;
use std::time::SystemTime;

use super::{Level, sink};

/// Something that happened to the log. Displayed, it is one line of it.
pub enum OwnEvent<'l> {
    /// Lines were dropped, as too many waited.
    Dropped(u64),
    /// A sink did not take lines.
    Lost {
        /// How many.
        lines: u64,
        /// The sink, its error and what to do.
        why: &'l str,
    },
    /// The access log's file was opened anew.
    Reopened(&'l str),
    /// It was not, and the one before is kept.
    NotReopened {
        /// Its name.
        name: &'l str,
        /// Why.
        error: &'l io::Error,
    },
}

/// Hears of them, from the writers' threads. Must not block.
pub type OnOwnEvent = Box<dyn Fn(&OwnEvent, SystemTime) + Send + Sync>;

impl OwnEvent<'_> {
    /// What programs know it by.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dropped(_) => "log-dropped",
            Self::Lost { .. } => "log-lost",
            Self::Reopened(_) => "log-reopened",
            Self::NotReopened { .. } => "log-not-reopened",
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::Dropped(_) => Level::Warn,
            Self::Reopened(_) => Level::Info,
            Self::Lost { .. } | Self::NotReopened { .. } => Level::Error,
        }
    }
}

impl fmt::Display for OwnEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped(lines) => {
                write!(
                    f,
                    "log: {lines} lines dropped: too many before them are not written yet; see \
                     whether its disk or whoever reads it is slow"
                )
            }
            Self::Lost { lines, why } => write!(f, "log: {lines} lines lost: {why}"),
            Self::Reopened(name) => write!(f, "{name}: reopened"),
            Self::NotReopened { name, error } => {
                let remedy = sink::remedy(error);
                write!(f, "{name}: not reopened, kept as is: {error}; {remedy}")
            }
        }
    }
}
