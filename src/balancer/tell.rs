//! What the balancer tells beside what its rooms tell themselves: what the watch hears, and how the
//! backends stand when an operator asks.

use super::LAST_WORDS;
use crate::event::{Event, Teller};
use crate::log::{Level, Log};
use crate::relay::Controls;
use crate::watch::WatchEvent;
use std::time::SystemTime;

/// A line in the log for each backend, as HAProxy writes them on HUP. It answers a question and is
/// no event: nothing has happened, and what has is not to be pushed out of the ring.
pub(super) fn status(log: &Log, controls: &Controls) {
    for status in controls.pools().statuses(controls.now()) {
        log.event(SystemTime::now(), Level::Info, format_args!("{status}"));
    }
}

/// Tells what the watch has to say. A thread of its that died leaves nobody to notice the next
/// thing, so that ends the process.
pub(super) fn watched(teller: &Teller, event: WatchEvent) {
    let event = match event {
        WatchEvent::Noticed(notice) => Event::from(notice),
        WatchEvent::Other(event) => event,
    };
    teller.tell(event);
    if matches!(event, Event::Died { .. }) {
        teller.log().flush(LAST_WORDS);
        std::process::exit(1);
    }
}
