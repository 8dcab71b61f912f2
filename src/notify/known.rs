//! What a book knows of one backend: how it stands, how often that has changed, and what was told
//! of it last. And what it knows of an incident.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::notice::{Aside, Item, State};

/// A backend flaps that changes so often within so long, and until it has not for so long.
pub(super) const FLAPPING_CHANGES: usize = 4;
pub(super) const FLAPPING_WITHIN: Duration = Duration::from_secs(600);

/// An incident of backends: from the first that is out until none is.
pub(super) struct Outage {
    pub(super) number: u64,
    pub(super) began: SystemTime,
    /// When something of it was told last; none if nothing was, or if its end was.
    pub(super) told: Option<Duration>,
    /// Of one that another process began, in its words.
    pub(super) key: Option<String>,
}

#[derive(Default)]
pub(super) struct Backend {
    is_out: bool,
    /// What is to be known of it since it has turned.
    aside: Aside,
    reason: String,
    when: Option<SystemTime>,
    /// The latest changes, at most [`FLAPPING_CHANGES`].
    changes: VecDeque<Duration>,
    is_flapping: bool,
    pub(super) told: State,
}

impl Backend {
    pub(super) fn state(&self) -> State {
        match (self.is_flapping, self.is_out) {
            (true, _) => State::Flapping,
            (false, true) => State::Out,
            (false, false) => State::Well,
        }
    }

    /// When it flaps no more, if it does not change again.
    pub(super) fn calm_at(&self) -> Option<Duration> {
        let last = self.changes.back().filter(|_| self.is_flapping)?;
        Some(*last + FLAPPING_WITHIN)
    }

    pub(super) fn item(&self, name: &str) -> Item {
        Item {
            backend: Some(name.to_owned()),
            state: self.state(),
            aside: match self.aside {
                Aside::None if self.has_calmed() => Aside::Calm,
                aside => aside,
            },
            reason: self.reason.clone(),
            when: self.when.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }

    /// True if it stands elsewhere now.
    pub(super) fn turn(
        &mut self,
        is_out: bool,
        reason: &str,
        when: SystemTime,
        now: Duration,
    ) -> bool {
        if self.is_out == is_out {
            return false;
        }
        (self.is_out, self.aside, self.when) = (is_out, Aside::None, Some(when));
        reason.clone_into(&mut self.reason);
        if self.changes.len() == FLAPPING_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(now);
        let first = self.changes.front().copied().unwrap_or(now);
        let is_often = self.changes.len() == FLAPPING_CHANGES;
        self.is_flapping |= is_often && now.saturating_sub(first) <= FLAPPING_WITHIN;
        true
    }

    /// An operator has taken it out, or in, or off the file.
    pub(super) fn leave(&mut self, when: SystemTime) {
        if self.aside != Aside::Left {
            self.when = Some(when);
        }
        (self.is_out, self.aside, self.is_flapping) = (false, Aside::Left, false);
        self.changes.clear();
        "left to an operator".clone_into(&mut self.reason);
    }

    /// It was found so at the start, which is no change.
    pub(super) fn found_so(&mut self) {
        self.aside = Aside::AtStart;
        self.changes.clear();
    }

    /// It was told to flap, by another process: until it has not changed for so long here.
    pub(super) fn flap(&mut self, now: Duration) {
        (self.is_flapping, self.told) = (true, State::Flapping);
        if self.changes.is_empty() {
            self.changes.push_back(now);
        }
    }

    /// True if it flaps no more, from now on.
    pub(super) fn calm_down(&mut self, now: Duration) -> bool {
        let is_calm = self.calm_at().is_some_and(|at| at <= now);
        if is_calm {
            self.is_flapping = false;
            self.changes.clear();
        }
        is_calm
    }

    fn has_calmed(&self) -> bool {
        self.told == State::Flapping && !self.is_flapping
    }

    /// True if there is nothing to be known of it any more.
    pub(super) fn is_forgotten(&self, now: Duration) -> bool {
        let changed = self.changes.back().copied().unwrap_or_default();
        self.is_well() && now.saturating_sub(changed) >= FLAPPING_WITHIN
    }

    /// It is well, and whoever is to know knows.
    pub(super) fn is_well(&self) -> bool {
        self.told == State::Well && self.state() == State::Well
    }
}
