//! What happens becomes a line of the log.

use super::LAST_WORDS;
use crate::log::{Level, Log, Throttle};
use crate::pool::{Notice, Pool};
use crate::relay;
use crate::watch::WatchEvent;
use std::time::Duration;

/// A line in the log for each backend, as HAProxy writes them on HUP.
pub(super) fn status(log: &Log, pool: &Pool, now: Duration) {
    for index in 0..pool.backends().len() {
        let status = pool.status(index, now);
        log.event(Level::Info, format_args!("{status}"));
    }
}

/// Words what the watch noticed. A thread of its that died leaves nobody to notice the next thing.
pub(super) fn noticed(log: &Log, judged: &[Throttle], event: WatchEvent) {
    match event {
        WatchEvent::Noticed(ref notice @ Notice::Changed(_)) => {
            log.event(relay::level(notice), format_args!("{notice}"));
        }
        WatchEvent::Noticed(ref notice @ Notice::Judged { index, .. }) => {
            if let Some(judged) = judged.get(index) {
                log.limited(judged, Level::Info, format_args!("{notice}"));
            }
        }
        WatchEvent::Note(text) => log.event(Level::Info, format_args!("{text}")),
        WatchEvent::Warning(text) => log.event(Level::Warn, format_args!("{text}")),
        WatchEvent::Died(name) => {
            log.event(Level::Error, format_args!("thread {name} panicked: ending the process"));
            log.flush(LAST_WORDS);
            std::process::exit(1);
        }
    }
}
