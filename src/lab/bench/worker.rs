//! One worker: draws a request, makes the exchange, counts it, until there is none left. It owns
//! its connection and its tally, so that workers share nothing but the pace.

use std::time::Instant;

use super::kept::{KeptLink, LoadTarget};
use super::pace::Pace;
use super::tally::LoadTally;

/// Works until the pace has no more turns.
pub(super) fn work(target: &LoadTarget, pace: &Pace) -> LoadTally {
    let mut link = KeptLink::new(target);
    let mut tally = LoadTally::new(target.is_open_loop);
    while let Some(turn) = pace.next() {
        let sent = Instant::now();
        match link.exchange(sent) {
            Ok(status) => {
                let done = Instant::now();
                let response = done - turn.due.unwrap_or(sent);
                tally.answered(status, link.served_by(), response, done - sent);
            }
            Err(failed) => tally.failed(failed),
        }
    }
    (tally.bytes, tally.resent) = (link.bytes, link.resent);
    tally
}
