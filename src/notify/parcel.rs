//! A message on its way: how often it was tried, and what goes before what. Called by `line`.

use std::time::{Duration, Instant};

use super::Message;
use crate::config::Occasion;

/// Begins the subject of what was overtaken: read last, it is not what holds.
const EARLIER: &str = "earlier: ";
/// How long one message is tried. A mail server may be restarted meanwhile.
const TRIED_FOR: Duration = Duration::from_secs(600);
/// The same of what must arrive: whoever sleeps on hears of nothing else until it is repeated.
const URGENT_TRIED_FOR: Duration = Duration::from_secs(3600);
/// The rest after the first try that failed; each is twice as long as the one before.
const REST: Duration = Duration::from_secs(1);

/// A message, and how often it was tried.
pub(super) struct Parcel {
    pub(super) message: Message,
    pub(super) tries: u32,
    pub(super) rest: Duration,
    /// When it is given up; none before its first try.
    pub(super) until: Option<Instant>,
}

impl Parcel {
    pub(super) fn new(message: Message) -> Self {
        Self { message, tries: 0, rest: REST, until: None }
    }

    /// It tells that no backend is up.
    pub(super) fn is_urgent(&self) -> bool {
        self.message.kind == Occasion::AllDown.word()
    }

    pub(super) fn tried_for(&self) -> Duration {
        if self.is_urgent() { URGENT_TRIED_FOR } else { TRIED_FOR }
    }

    /// Whether this one, which came later, is to be tried first.
    pub(super) fn goes_before(&self, other: &Self) -> bool {
        self.is_urgent() && !other.is_urgent()
    }

    /// It arrives after one that came later. If it told the end of an incident of the same key, the
    /// one that is open now would be closed by it.
    pub(super) fn fall_behind(&mut self, urgent: &Self) {
        let Message { subject, key, facts, .. } = &mut self.message;
        if !subject.starts_with(EARLIER) {
            subject.insert_str(0, EARLIER);
        }
        if *key == urgent.message.key {
            let action = facts.iter_mut().find(|(name, _)| name == "action");
            action.into_iter().for_each(|(_, action)| "trigger".clone_into(action));
        }
    }
}
