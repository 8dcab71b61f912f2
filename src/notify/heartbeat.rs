//! The heartbeat: a GET now and then to somebody who raises the alarm when none comes. What cannot
//! be told from here any more, as the process, its machine or its network is gone, is noticed so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::line::Tally;
use super::remote::Remote;
use crate::config::{Errors, Heartbeat};
use crate::event::{Event, Teller};
use crate::thread;

/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What events and `/status` call it.
pub(super) const NAME: &str = "heartbeat";

/// A heartbeat that the file asks for, with its secrets read.
#[derive(Clone)]
pub struct Beat {
    remote: Remote,
    interval: Duration,
}

impl Beat {
    /// None where the file asks for none.
    pub(super) fn open(heartbeat: &Heartbeat) -> Result<Option<Self>, Errors> {
        if heartbeat.url.is_empty() {
            return Ok(None);
        }
        let remote = Remote::open(&heartbeat.url, heartbeat.ca.as_deref());
        let remote = remote.map_err(|what| Errors::of("[heartbeat]", what))?;
        Ok(Some(Self { remote, interval: heartbeat.interval }))
    }

    /// Beats until the other end of `stop` is gone.
    pub(super) fn start(
        self,
        tally: Arc<Mutex<Tally>>,
        teller: Teller,
        stop: Receiver<()>,
    ) -> std::io::Result<()> {
        let work = move || {
            let mut is_told = false;
            loop {
                let outcome = self.remote.ask("GET", "", b"", TIMEOUT);
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.sent += u64::from(outcome.is_ok());
                tally.failed += u64::from(outcome.is_err());
                let (is_ok, words) = match outcome {
                    Ok(words) => (true, words),
                    Err(undelivered) => (false, undelivered.words),
                };
                tally.last = Some((SystemTime::now(), is_ok, words.clone()));
                drop(tally);
                // Once is enough: the other side notices the rest.
                if !is_ok && !is_told {
                    teller.tell(Event::Undelivered { alert: NAME, why: &words });
                }
                is_told = !is_ok;
                if stop.recv_timeout(self.interval) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        thread::start("heartbeat", Box::new(work)).map(drop)
    }
}
