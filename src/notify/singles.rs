//! What is told one by one, with no backend to it: a reload that failed, a certificate, what has
//! run out, a thread that is stuck. The same words are told once, and again only after `repeat`.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::notice::{Aside, ITEMS_MAX, Item, Notice, State, blank, key};
use crate::config::Occasion;

/// Words that are remembered so as not to be told again; the oldest are forgotten.
const WORDS_MAX: usize = 64;
/// How long the same words are no news where nothing is told again.
const SAME_FOR: Duration = Duration::from_secs(24 * 3600);
/// Notices that wait for room under the hourly cap; the oldest are dropped.
const PUT_OFF_MAX: usize = 16;

/// Something that was told by itself, such as a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Single {
    /// What kind of thing it is.
    pub kind: Occasion,
    /// In which words it was told.
    pub words: String,
    /// When it happened.
    pub when: SystemTime,
    /// The key of its messages, and since when, where its end is to be told, too.
    pub open: Option<(String, SystemTime)>,
}

#[derive(Default)]
pub(super) struct Singles {
    /// In the order in which they were heard.
    heard: Vec<Heard>,
    /// The incident of each occasion that may end.
    open: Vec<Open>,
    /// What the hourly cap has held back, which no look at the backends makes up for.
    put_off: VecDeque<Notice>,
}

struct Heard {
    kind: Occasion,
    words: String,
    when: SystemTime,
    at: Duration,
    is_told: bool,
}

struct Open {
    kind: Occasion,
    incident: u64,
    /// Of one that another process began, in its words.
    key: Option<String>,
    began: SystemTime,
    /// What ended it, if that is to be told.
    end: Option<(String, SystemTime)>,
}

impl Singles {
    /// True if it is news.
    pub(super) fn hear(
        &mut self,
        kind: Occasion,
        words: &str,
        when: SystemTime,
        at: Duration,
        repeat: Option<Duration>,
    ) -> bool {
        let same_for = repeat.unwrap_or(SAME_FOR);
        self.heard.retain(|heard| !heard.is_told || at.saturating_sub(heard.at) < same_for);
        if self.heard.iter().any(|heard| heard.kind == kind && heard.words == words) {
            return false;
        }
        if self.heard.len() == WORDS_MAX {
            self.heard.remove(0);
        }
        let words = words.to_owned();
        self.heard.push(Heard { kind, words, when, at, is_told: false });
        true
    }

    /// True if something was told that this ends. What was not told yet need not be.
    pub(super) fn end(&mut self, kind: Occasion, words: &str, when: SystemTime) -> bool {
        self.heard.retain(|heard| heard.kind != kind);
        let open = self.open.iter_mut().find(|open| open.kind == kind);
        open.map(|open| open.end = Some((words.to_owned(), when))).is_some()
    }

    /// What was not told yet, in one notice for each occasion.
    pub(super) fn tell(
        &mut self,
        wants: impl Fn(Occasion) -> bool,
        incidents: &mut u64,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        for kind in Occasion::ALL {
            let untold = self.heard.iter_mut().filter(|it| it.kind == kind && !it.is_told);
            let mut items: Vec<Item> = untold.map(Heard::tell).collect();
            if let Some(first) = items.first().filter(|_| wants(kind)) {
                let (incident, key, began) = self.incident(kind, first.when, incidents);
                let more = items.len().saturating_sub(ITEMS_MAX);
                items.truncate(ITEMS_MAX);
                let (single, ends) = (Some(kind), wants(Occasion::Recovered));
                let notice = blank(kind, incident, began);
                notices.push(Notice { single, ends, key, items, more, ..notice });
            }
        }
        self.open.retain_mut(|open| {
            let Some((reason, when)) = open.end.take() else { return true };
            if wants(Occasion::Recovered) {
                let items = vec![Item {
                    backend: None,
                    state: State::Well,
                    aside: Aside::None,
                    reason,
                    when,
                }];
                let notice = blank(Occasion::Recovered, open.incident, open.began);
                let (single, key) = (Some(open.kind), open.key.take());
                notices.push(Notice { single, key, items, ..notice });
            }
            false
        });
        notices
    }

    /// The one that is open, or another.
    fn incident(
        &mut self,
        kind: Occasion,
        when: SystemTime,
        incidents: &mut u64,
    ) -> (u64, Option<String>, SystemTime) {
        if let Some(open) = self.open.iter().find(|open| open.kind == kind) {
            return (open.incident, open.key.clone(), open.began);
        }
        *incidents += 1;
        if kind == Occasion::ReloadFailed {
            let incident = *incidents;
            self.open.push(Open { kind, incident, key: None, began: when, end: None });
        }
        (*incidents, None, when)
    }

    /// This is to be told once there is room for it.
    pub(super) fn put_off(&mut self, notice: Notice) {
        if self.put_off.len() == PUT_OFF_MAX {
            self.put_off.pop_front();
        }
        self.put_off.push_back(notice);
    }

    pub(super) fn has_put_off(&self) -> bool {
        !self.put_off.is_empty()
    }

    /// The first that was put off.
    pub(super) fn next_put_off(&mut self) -> Option<Notice> {
        self.put_off.pop_front()
    }

    /// What was told, and which of it has an end to come.
    pub(super) fn hand_over(&self, balancer: &str, ends: bool) -> Vec<Single> {
        let told = self.heard.iter().filter(|heard| heard.is_told);
        let single = |Heard { kind, words, when, .. }: &Heard| {
            let open = self.open.iter().find(|open| open.kind == *kind);
            let own = |open: &Open| key(balancer, Some(open.kind), ends, open.began);
            let open = open.map(|it| (it.key.clone().unwrap_or_else(|| own(it)), it.began));
            Single { kind: *kind, words: words.clone(), when: *when, open }
        };
        told.map(single).collect()
    }

    /// Another process has told this.
    pub(super) fn inherit(&mut self, told: &Single, incidents: &mut u64, at: Duration) {
        let Single { kind, words, when, open } = told.clone();
        self.heard.retain(|heard| heard.kind != kind || heard.words != words);
        if self.heard.len() < WORDS_MAX {
            self.heard.push(Heard { kind, words, when, at, is_told: true });
        }
        if let Some((key, began)) = open
            && self.open.iter().all(|open| open.kind != kind)
        {
            *incidents += 1;
            self.open.push(Open { kind, incident: *incidents, key: Some(key), began, end: None });
        }
    }
}

impl Heard {
    fn tell(&mut self) -> Item {
        self.is_told = true;
        let (reason, when) = (self.words.clone(), self.when);
        Item { backend: None, state: State::Out, aside: Aside::None, reason, when }
    }
}
