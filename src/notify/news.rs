//! News: what somebody may have to be told, as it was heard. Made of an event in the middle of a
//! step, so it copies a few words and waits for nothing.

use std::time::SystemTime;

use crate::config::Occasion;
use crate::event::{By, Event, Shift};
use crate::text::beginning;

/// The most that is kept of a reason: it may quote what a backend sent.
const REASON_BYTES_MAX: usize = 512;

/// Something that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// When it was told, as its line in the log has it.
    pub when: SystemTime,
    /// It was heard before the first checks were over, and is how things stood before that.
    pub is_start: bool,
    /// What it is.
    pub what: What,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A backend stands elsewhere.
    Backend {
        /// Its name.
        name: String,
        /// That of its pool; empty where there is but one.
        pool: String,
        /// Checks or requests find it bad.
        is_out: bool,
        /// For better or worse, and whether another of the pool is up.
        shift: Shift,
        /// An operator made it so.
        is_wanted: bool,
        /// What made it so, in words.
        reason: String,
    },
    /// No backend of this pool is up, whichever was the last, and what is said of that.
    NoneUp(String, String),
    /// Backends have come or gone, with no word about each: how all stand is to be looked at.
    Others,
    /// Something that has no end of its own, or whose end is [`What::Over`].
    Single(Occasion, String),
    /// What was told for this occasion holds no more.
    Over(Occasion, String),
}

impl News {
    /// None of what nobody is told.
    pub fn of(event: &Event<'_>, when: SystemTime, words: &str, is_start: bool) -> Option<Self> {
        let words = || cut(words);
        let what = match *event {
            Event::Standing { backend, pool, shift, by, is_fault, why, .. } => What::Backend {
                name: backend.to_owned(),
                pool: pool.unwrap_or_default().to_owned(),
                is_out: is_fault && shift != Shift::Up,
                shift,
                is_wanted: by == By::Operator,
                reason: cut(why),
            },
            // Whoever has taken out the rest knows.
            Event::NoneLeft { is_fault: false, .. } => return None,
            Event::NoneFound { pool } | Event::NoneLeft { pool, .. } => {
                What::NoneUp(pool.unwrap_or_default().to_owned(), words())
            }
            Event::Moved { .. } => What::Others,
            Event::NotReloaded(_) => What::Single(Occasion::ReloadFailed, words()),
            Event::Reloaded(_) => What::Over(Occasion::ReloadFailed, words()),
            Event::Certificate(_) | Event::NotRenewed(_) => {
                What::Single(Occasion::Certificate, words())
            }
            Event::Exhausted { .. } => What::Single(Occasion::Exhausted, words()),
            Event::Stuck { .. } | Event::Died { .. } => What::Single(Occasion::Stuck, words()),
            _ => return None,
        };
        Some(Self { when, is_start, what })
    }
}

/// With dots where there was more than has room.
fn cut(text: &str) -> String {
    let start = beginning(text, REASON_BYTES_MAX);
    let dots = if start.len() < text.len() { "..." } else { "" };
    format!("{start}{dots}")
}
