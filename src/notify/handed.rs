//! What one process tells the one that succeeds it of whom it has told what: an incident that is
//! open goes on, under its key and since it began, and nobody hears twice of what is known.

use std::time::{Duration, SystemTime};

use super::Message;
use super::incident::Book;
use super::known::Backend;
use super::notice::{State, key};
use super::scene::Sight;
use super::singles::Single;
use crate::config::Occasion;

/// What ends a reload that failed before an upgrade.
const FILE_READ: &str = "the process that has taken over has read the file";

/// What one alert has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Its name.
    pub alert: String,
    /// Of the incident that is open, if one is.
    pub open: Option<Open>,
    /// What it has told one by one.
    pub singles: Vec<Single>,
    /// What is not delivered yet, the oldest first.
    pub messages: Vec<Message>,
}

/// An incident of which somebody was told, and not yet of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What ties its messages together.
    pub key: String,
    /// When it began.
    pub began: SystemTime,
    /// The pools that were told to have no backend up, and since when that is so.
    pub lost: Vec<(String, SystemTime)>,
    /// Who was told to be out, or to flap.
    pub out: Vec<Out>,
}

/// A backend that somebody knows not to be well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// Its name.
    pub backend: String,
    /// Since when it stands there.
    pub since: SystemTime,
    /// It was told to come and go, and its changes are not told.
    pub is_flapping: bool,
}

impl Handed {
    /// Keeps as many messages as have room, the oldest first: how many had none.
    pub(super) fn keep_within(&mut self, room: &mut usize) -> u64 {
        let before = self.messages.len();
        self.messages.retain(|message| {
            let facts = message.facts.iter().map(|(name, value)| name.len() + value.len());
            let bytes = message.subject.len() + message.text.len() + facts.sum::<usize>();
            let left = room.checked_sub(bytes);
            *room = left.unwrap_or(*room);
            left.is_some()
        });
        (before - self.messages.len()) as u64
    }
}

impl Book {
    /// What waits is told when this is asked next.
    pub(super) fn hasten(&mut self, now: Duration) {
        self.due = self.due.map(|due| due.min(now));
    }

    /// `balancer` begins the keys of this one.
    pub(super) fn hand_over(&self, balancer: &str) -> Option<Open> {
        let outage = self.outage.as_ref().filter(|outage| outage.told.is_some())?;
        let own = || key(balancer, None, self.rules.tells_ends(), outage.began);
        let is_out = self.backends.iter().filter(|(_, one)| one.told != State::Well);
        Some(Open {
            key: outage.key.clone().unwrap_or_else(own),
            began: outage.began,
            lost: self.losses.told(),
            out: is_out.map(|(name, one)| out(name, one)).collect(),
        })
    }

    /// Goes on with an incident of another process.
    pub(super) fn succeed(&mut self, open: &Open, all: &[Sight], now: Duration) {
        for Out { backend, since, is_flapping } in &open.out {
            let sight = all.iter().find(|sight| sight.name == *backend);
            let why = sight.map_or("", |sight| sight.why.as_str());
            self.inherit(backend, why, *since, now);
            if let Some(known) = self.backends.get_mut(backend).filter(|_| *is_flapping) {
                known.flap(now);
            }
        }
        for (pool, when) in &open.lost {
            self.losses.inherit(pool, *when, now);
        }
        let outage = self.begin(open.began);
        (outage.key, outage.began) = (Some(open.key.clone()), open.began);
        outage.told = Some(now);
    }

    /// What was told one by one, likewise.
    pub(super) fn hand_over_singles(&self, balancer: &str) -> Vec<Single> {
        self.singles.hand_over(balancer, self.rules.tells_ends())
    }

    /// Takes that as told. A reload that failed is over: this process has read the file.
    pub(super) fn succeed_singles(&mut self, told: &[Single], when: SystemTime, now: Duration) {
        told.iter().for_each(|single| self.singles.inherit(single, &mut self.incidents, now));
        if self.singles.end(Occasion::ReloadFailed, FILE_READ, when) {
            self.fall_due(now + self.rules.wait);
        }
    }

    /// This one was out before the process began, and whoever is to know was told by another.
    pub fn inherit(&mut self, name: &str, reason: &str, when: SystemTime, now: Duration) {
        self.turn(name, true, reason, when, now);
        if let Some(backend) = self.backends.get_mut(name) {
            backend.told = State::Out;
        }
        let outage = self.begin(when);
        outage.told = Some(now);
    }
}

fn out(name: &str, known: &Backend) -> Out {
    let is_flapping = known.told == State::Flapping;
    Out { backend: name.to_owned(), since: known.item(name).when, is_flapping }
}
