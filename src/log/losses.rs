//! What did not make it into the log, counted by whoever noticed it until the writer of the events
//! says so; and who else is to hear of that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use super::own::{OnOwnEvent, OwnEvent};

/// Shared by the callers and the writers.
#[derive(Default)]
pub(super) struct Losses {
    /// Lines dropped because too much was waiting already.
    dropped: AtomicU64,
    /// Lines that a sink did not take.
    lost: AtomicU64,
    /// The last error of a sink; locked for a copy, never across I/O.
    why: Mutex<String>,
    /// There is more than the writer of the events has heard of.
    is_news: AtomicBool,
    /// Hears of what the writers say.
    on: OnceLock<OnOwnEvent>,
}

impl Losses {
    /// Has `on` hear of what the writers say, unless somebody does already.
    pub(super) fn listen(&self, on: OnOwnEvent) {
        let _ = self.on.set(on);
    }

    /// A writer says this.
    pub(super) fn said(&self, own: &OwnEvent, when: SystemTime) {
        self.on.get().into_iter().for_each(|on| on(own, when));
    }

    /// Counts a line that was dropped; true if the writer of the events is to be told.
    pub(super) fn drop_one(&self) -> bool {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.is_first()
    }

    /// Counts lines that a sink did not take; true as above.
    pub(super) fn lose(&self, lines: u64, why: String) -> bool {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        self.lost.fetch_add(lines, Ordering::Relaxed);
        self.is_first()
    }

    /// Before the counts are read, so that what is counted later is told again.
    pub(super) fn heed(&self) {
        self.is_news.swap(false, Ordering::AcqRel);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn why(&self) -> String {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_first(&self) -> bool {
        !self.is_news.swap(true, Ordering::AcqRel)
    }
}
