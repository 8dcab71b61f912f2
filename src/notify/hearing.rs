//! How what happens is heard: an ear of the teller, and a bounded channel behind it. Whoever tells
//! never waits: what finds no room is counted, and made up for by a look at how all stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crossbeam_channel::{Receiver, bounded};

use super::news::News;
use crate::event::{Event, Teller};

/// News that wait to be taken in. They are taken within moments.
pub(super) const HEARD_MAX: usize = 1024;

/// What was heard since it began.
pub struct Hearing {
    pub(super) news: Receiver<News>,
    missed: Arc<AtomicU64>,
}

impl Hearing {
    /// From now on all that somebody may have to be told is kept for whoever takes it in.
    #[must_use]
    pub fn begin(teller: &Teller) -> Self {
        let (heard, news) = bounded(HEARD_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let misses = Arc::clone(&missed);
        let is_start = AtomicBool::new(true);
        teller.on_event(Box::new(move |event, when, words| {
            if matches!(event, Event::Listening { .. }) {
                is_start.store(false, Relaxed);
            }
            if let Some(news) = News::of(event, when, words, is_start.load(Relaxed))
                && heard.try_send(news).is_err()
            {
                misses.fetch_add(1, Relaxed);
            }
        }));
        Self { news, missed }
    }

    /// All that waits to be taken in. What comes meanwhile is for later, so this ends.
    pub(super) fn waiting(&self) -> impl Iterator<Item = News> {
        self.news.try_iter().take(self.news.len())
    }

    /// How many were not heard since it was asked last.
    pub(super) fn missed(&self) -> u64 {
        self.missed.swap(0, Relaxed)
    }
}
