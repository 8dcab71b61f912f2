//! What is to be told, before it has words.

use std::time::{Duration, SystemTime};

use crate::config::Occasion;

/// Things that one notice names.
pub(super) const ITEMS_MAX: usize = 20;

/// What is to be told, and of which incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The gravest of it.
    pub kind: Occasion,
    /// Which incident of this alert it is of, counted from 1.
    pub incident: u64,
    /// Its key, if another process began it.
    pub key: Option<String>,
    /// When that began.
    pub began: SystemTime,
    /// What happened, the gravest first, at most 20.
    pub items: Vec<Item>,
    /// How many more there are.
    pub more: usize,
    /// It was told before, and lasts.
    pub again: bool,
    /// Notices before it that the hourly cap held back.
    pub held: u64,
    /// It is the last for so long.
    pub last_for: Option<Duration>,
    /// So much was not heard, in a flood.
    pub missed: u64,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The backend that it is about, if it is about one.
    pub backend: Option<String>,
    /// How that stands.
    pub state: State,
    /// It counts as well because an operator has taken it out, in, or off the file.
    pub is_left: bool,
    /// What made it so.
    pub reason: String,
    /// When.
    pub when: SystemTime,
}

/// How a backend stands, as somebody is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It takes requests, or an operator has taken it out.
    #[default]
    Well,
    /// It comes and goes.
    Flapping,
    /// It takes none.
    Out,
}

/// A notice of nothing in particular.
#[must_use]
pub fn blank(kind: Occasion, incident: u64, began: SystemTime) -> Notice {
    Notice {
        kind,
        incident,
        key: None,
        began,
        items: Vec::new(),
        more: 0,
        again: false,
        held: 0,
        last_for: None,
        missed: 0,
    }
}

/// What ties the messages of an incident together: `process`, which tells this one from others,
/// and when it began. So alerts that tell of the same incident agree, and no two incidents do.
pub(super) fn key(process: &str, began: SystemTime) -> String {
    let since = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{process}-{}", since.as_millis())
}
