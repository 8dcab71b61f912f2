//! The ring: the last events, in memory, for whoever asks what has happened.
//!
//! The teller fills it; a status page or an alert reads it. Its lock is held to push one entry or
//! to copy pointers, so no step waits for it: all words are formed, cut and freed outside of it.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::what::{Class, Event};
use crate::text::{Escaped, beginning};

/// The most events that are remembered. With their texts they take about 300 KB at most.
pub const RING_MAX: usize = 1000;
/// What is kept of an event's line. The log has all of it; most have half as much.
const TEXT_BYTES_MAX: usize = 200;
/// What stands for the rest.
const CUT: &str = "...";

/// An event that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// They are counted from 1, since the start.
    pub number: u64,
    /// When it was told, as its line in the log has it.
    pub when: SystemTime,
    /// What kind of event it was.
    pub class: Class,
    /// The backend that it is about, if it is about one.
    pub backend: Option<Box<str>>,
    /// The pool that it is about, if it is about one of several.
    pub pool: Option<Box<str>>,
    /// Its line as the log has it, without time and level; a long one is cut.
    pub text: Box<str>,
}

/// What was told after some event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// In the order of their numbers.
    pub events: Vec<Arc<Told>>,
    /// Events before those, and after the one that was asked for, that are remembered no more.
    pub lost: u64,
}

#[derive(Default)]
pub(super) struct Ring(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Numbered without gaps; the last one has the number `last`.
    events: VecDeque<Arc<Told>>,
    last: u64,
}

impl Ring {
    /// Remembers an event by its words.
    pub(super) fn keep(&self, event: &Event, when: SystemTime, words: &str) {
        let class = event.class();
        let [backend, pool] = [event.backend(), event.pool()].map(|name| name.map(Box::from));
        let told = Told { number: 0, when, class, backend, pool, text: cut(words) };
        let forgotten = self.push(Arc::new(told));
        drop(forgotten); // outside of the lock
    }

    /// Gives it its number. What falls out on the other side is for the caller to free.
    fn push(&self, mut told: Arc<Told>) -> Option<Arc<Told>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        if let Some(told) = Arc::get_mut(&mut told) {
            told.number = kept.last;
        }
        let forgotten = (kept.events.len() == RING_MAX).then(|| kept.events.pop_front()).flatten();
        kept.events.push_back(told);
        forgotten
    }

    /// What was told after the event of this `number`. A number that was never given is from before
    /// a restart: then all that is remembered is news.
    pub(super) fn since(&self, number: u64) -> Since {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = if number > kept.last { 0 } else { number };
        let after = kept.last - number;
        let held = kept.events.len() as u64;
        let events = kept.events.iter().skip(held.saturating_sub(after) as usize);
        Since { events: events.cloned().collect(), lost: after.saturating_sub(held) }
    }
}

/// The words as the log shows them, on one line, or their beginning.
fn cut(words: &str) -> Box<str> {
    // No more is escaped than may be kept, however much there is.
    let start = beginning(words, TEXT_BYTES_MAX);
    let mut text = String::with_capacity(start.len());
    let _ = write!(text, "{}", Escaped(start));
    if start.len() < words.len() || text.len() > TEXT_BYTES_MAX {
        text.truncate(beginning(&text, TEXT_BYTES_MAX - CUT.len()).len());
        text.push_str(CUT);
    }
    text.into()
}
