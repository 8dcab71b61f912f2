//! What one process tells the one that succeeds it of whom it has told what: an incident that is
//! open goes on, under its key and since it began, and nobody hears twice of what is known.

use std::time::{Duration, SystemTime};

use super::incident::Book;
use super::known::Loss;
use super::notice::State;
use super::scene::Sight;

/// What one alert has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Its name.
    pub alert: String,
    /// Of the incident that is open, if one is.
    pub open: Option<Open>,
}

/// An incident of which somebody was told, and not yet of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What ties its messages together.
    pub key: String,
    /// When it began.
    pub began: SystemTime,
    /// That no backend is up, was told.
    pub none_up: bool,
    /// Who was told to be out, and since when that is so.
    pub out: Vec<(String, SystemTime)>,
}

impl Book {
    /// What waits is told when this is asked next.
    pub(super) fn hasten(&mut self, now: Duration) {
        self.due = self.due.map(|due| due.min(now));
    }

    /// `key` is that of incidents of this process.
    pub(super) fn hand_over(&self, key: &str) -> Option<Open> {
        let outage = self.outage.as_ref().filter(|outage| outage.told.is_some())?;
        let own = || format!("{key}-{}", outage.number);
        let is_out = self.backends.iter().filter(|(_, one)| one.told != State::Well);
        Some(Open {
            key: outage.key.clone().unwrap_or_else(own),
            began: outage.began,
            none_up: self.told_none_up,
            out: is_out.map(|(name, one)| (name.clone(), one.item(name).when)).collect(),
        })
    }

    /// Goes on with an incident of another process.
    pub(super) fn succeed(&mut self, open: &Open, all: &[Sight], now: Duration) {
        for (name, when) in &open.out {
            let sight = all.iter().find(|sight| sight.name == *name);
            let why = sight.map_or("", |sight| sight.why.as_str());
            self.inherit(name, why, *when, now);
        }
        if open.none_up {
            let (reason, when) = ("no backend is up".to_owned(), open.began);
            self.none_up = Some(Loss { reason, when, ripe: now });
            self.told_none_up = true;
        }
        let outage = self.begin(open.began);
        (outage.key, outage.began) = (Some(open.key.clone()), open.began);
        outage.told = Some(now);
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
