//! One backend at one moment: all that people are shown of it.
//!
//! Made by the pool for whoever asks, read by the log and the endpoint. Each number stands alone:
//! read while requests go on, they may be a request apart.

use std::fmt;
use std::time::Duration;

use super::tally::quantiles;
use super::{Counts, Inheritance, Mode, PastCheck, Pool, Standing, Story, Who};
use crate::text::{Escaped, Many};

/// One backend at one moment. Displayed, it is one line of the log:
/// `backend API01: up, 3 in use, 12 requests, 4 failures; score 9, threshold 250: takes its turns`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The backend's name.
    pub backend: String,
    /// Host and port, as configured.
    pub address: String,
    /// Where it stands.
    pub standing: Standing,
    /// Checks call it up, and its name has come to an address.
    pub is_up: bool,
    /// How much longer it is out after its failures.
    pub ejected_for: Option<Duration>,
    /// What an operator wants of it.
    pub mode: Mode,
    /// Who wants it to take nothing new, if anybody does.
    pub asked_by: Option<Who>,
    /// What brought it where it stands, in words.
    pub why: String,
    /// Since when it stands there, on the pool's clock.
    pub since: Duration,
    /// The last checks, the newest first.
    pub checks: Vec<PastCheck>,
    /// Requests it is busy with.
    pub in_use: u32,
    /// Most requests at once; 0 is no limit.
    pub max_connections: u32,
    /// Share under a weighted policy.
    pub weight: u32,
    /// Used only when no other is usable.
    pub is_backup: bool,
    /// What it has done.
    pub counts: Counts,
    /// Half of its latest answers began sooner than this: each counts for half after a minute.
    pub p50: Option<Duration>,
    /// All of them but one in a hundred began sooner than this.
    pub p99: Option<Duration>,
    /// The policy's score, if it has one; lower is better.
    pub score: Option<f64>,
    /// How the policy sees it, if that has a view of its own.
    pub policy: Option<String>,
}

impl Pool {
    /// The backend at `index` as it is at `now`.
    pub fn status(&self, index: usize, now: Duration) -> Status {
        let backend = &self.backends[index];
        let record = &backend.record;
        let (health, standing) = (&record.health, backend.standing(now));
        let (why, since) = record.past.why(standing, health.last_ejection_ends());
        let nowhere = backend.address().err().filter(|_| standing == Standing::Down);
        let [p50, p99] = quantiles(&record.tallies, [0.5, 0.99], now);
        Status {
            backend: backend.name().to_owned(),
            address: backend.place(),
            standing,
            is_up: health.is_up() && record.is_found(),
            ejected_for: health.ejected_for(now),
            mode: backend.mode(),
            asked_by: record.wish.asked_by(),
            why: nowhere.map_or(why, str::to_owned),
            since,
            checks: record.past.checks(),
            in_use: backend.in_use(),
            max_connections: backend.max_connections(),
            weight: backend.weight(),
            is_backup: backend.is_backup(),
            counts: backend.counts(),
            p50,
            p99,
            score: self.score(index),
            policy: self.explain(index),
        }
    }

    /// The backend at `index` goes on from what the process before knew of it, if that did. This
    /// process has been watching since `began`.
    pub fn inherit(&self, index: usize, known: Option<Inheritance>, began: Duration) {
        let record = &self.backends[index].record;
        let _turn = self.family.take_turn();
        if let Some(known) = &known {
            record.health.inherit(known.ejection, began);
        }
        let standing = record.standing(began);
        // Whoever heard of it from that process is not to hear of it again.
        record.tell(standing);
        record.past.inherit(known, standing == Standing::Ejected, began);
    }

    /// The story of the backend at `index` until `now`.
    pub fn story(&self, index: usize, now: Duration) -> Story {
        let backend = &self.backends[index];
        let (record, standing) = (&backend.record, backend.standing(now));
        let turns = self.policy.sat_out(backend.memory()).map_or(0, |said| said.turns);
        record.past.story(standing, record.health.last_ejection_ends(), turns)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backend {}: {}", Escaped(&self.backend), self.standing)?;
        if self.standing != Standing::Up && !self.why.is_empty() {
            write!(f, ": {}", Escaped(&self.why))?;
        }
        write!(f, ", {} in use, ", self.in_use)?;
        let Counts { requests, failures, .. } = self.counts;
        let requests = Many(requests, "request", "requests");
        write!(f, "{requests}, {}", Many(failures, "failure", "failures"))?;
        if self.counts.repaired > 0 {
            write!(f, ", {} answers mended", self.counts.repaired)?;
        }
        self.policy.iter().try_for_each(|words| write!(f, "; {}", Escaped(words)))
    }
}
