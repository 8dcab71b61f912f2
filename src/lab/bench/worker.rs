//! One worker: draws a request, makes the exchange, counts it, until there is none left. It owns
//! its connection and its tally, so that workers share nothing but the pace.

use std::time::Instant;

use super::pace::Pace;
use super::tally::Tally;
use super::wire::{Target, Wire};

/// Works until the pace has no more turns.
pub(super) fn work(target: &Target, pace: &Pace) -> Tally {
    let mut wire = Wire::new(target);
    let mut tally = Tally::new(target.is_open_loop);
    while let Some(turn) = pace.next() {
        let sent = Instant::now();
        match wire.exchange(sent) {
            Ok(status) => {
                let done = Instant::now();
                let response = done - turn.due.unwrap_or(sent);
                tally.answered(status, wire.served_by(), response, done - sent);
            }
            Err(failed) => tally.failed(failed),
        }
    }
    (tally.bytes, tally.resent) = (wire.bytes, wire.resent);
    tally
}
