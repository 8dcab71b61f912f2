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
    /// What that is of: backends, or what has no backend to it.
    pub single: Option<Occasion>,
    /// Whoever is told of it is told its end, too.
    pub ends: bool,
    /// Its key, if another process began it.
    pub key: Option<String>,
    /// When that began.
    pub began: SystemTime,
    /// Since when it is as the kind says.
    pub since: SystemTime,
    /// The pools that are lost now and were not when this was told last, the latest first.
    pub lost: Vec<String>,
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
    /// But that no backend is up may follow.
    pub is_kept: bool,
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
    /// What is to be known besides.
    pub aside: Aside,
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

/// What is to be known of how a backend stands, besides when and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aside {
    /// Nothing.
    #[default]
    None,
    /// It counts as well because an operator has taken it out, in, or off the file.
    Left,
    /// It stood so when this process began, nobody knows since when.
    AtStart,
    /// It has come and gone, and has not for a while.
    Calm,
}

/// A notice of nothing in particular.
#[must_use]
pub fn blank(kind: Occasion, incident: u64, began: SystemTime) -> Notice {
    Notice {
        kind,
        incident,
        single: None,
        ends: true,
        key: None,
        began,
        since: began,
        lost: Vec::new(),
        items: Vec::new(),
        more: 0,
        again: false,
        held: 0,
        last_for: None,
        is_kept: false,
        missed: 0,
    }
}

/// What ties the messages of an incident together: `balancer`, which tells this one from others,
/// and what the incident is of. All alerts and each process after a restart agree on it, so that
/// whoever was told of an incident by a process that has ended hears of its end; services that go
/// by such a key begin another incident where one was resolved. What has no end that is told is
/// never resolved there, so that each has a key of its own.
pub(super) fn key(
    balancer: &str,
    single: Option<Occasion>,
    ends: bool,
    began: SystemTime,
) -> String {
    let subject = single.map_or("backends", Occasion::word);
    if ends && matches!(single, None | Some(Occasion::ReloadFailed)) {
        return format!("{balancer}-{subject}");
    }
    let since = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{balancer}-{subject}-{}", since.as_millis())
}
