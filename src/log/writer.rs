//! The thread that writes what waits in a lane to its sink. Only it touches the sink, so only it
//! waits for a slow one; access lines and events have one each, so that a log which nobody reads
//! holds up no event. It must never end the process: what cannot be written is counted, and said
//! on stderr by the writer of the events.
//!
//! It writes what waits in one call. While lines keep coming it naps between two batches, so that
//! callers find it awake or napping and need no system call to wake it; an event rings the bell and
//! is written at once.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{RecvTimeoutError, Sender};

use super::lane::{Lane, Message, Outlet};
use super::sink::{self, Sink};
use super::{Losses, OwnEvent, line};
use crate::thread;

/// A batch ends with the line that reaches this.
const BATCH_BYTES: usize = 64 * 1024;
/// The rest between two batches. At 4096 places this keeps up with 800,000 lines a second.
const NAP: Duration = Duration::from_millis(5);
/// The least time between two reports of lines that were dropped or lost.
const REPORT_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    outlet: Outlet,
    sink: Sink,
    losses: Arc<Losses>,
    /// Where events go; none for the writer of the events, which also reports the losses.
    events: Option<Lane>,
    flushes: Vec<Sender<()>>,
    said: Said,
}

/// The losses that were reported so far.
struct Said {
    dropped: u64,
    lost: u64,
    /// Not before.
    next: Instant,
}

impl Writer {
    pub(super) fn new(
        outlet: Outlet,
        sink: Sink,
        losses: Arc<Losses>,
        events: Option<Lane>,
    ) -> Writer {
        let said = Said { dropped: 0, lost: 0, next: Instant::now() };
        Writer { outlet, sink, losses, events, flushes: Vec::new(), said }
    }

    pub(super) fn spawn(self, name: &str) -> io::Result<()> {
        thread::start(name, Box::new(|| self.run())).map(drop)
    }

    fn run(mut self) {
        while self.collect() {
            if self.outlet.is_to_reopen() {
                self.reopen();
            }
            self.write();
            self.report(Instant::now());
            for done in self.flushes.drain(..) {
                let _ = done.try_send(()); // whoever asked may have stopped waiting
            }
            if self.outlet.messages.is_empty() {
                let _ = self.outlet.bell.recv_timeout(NAP);
            }
        }
    }

    /// Waits for a line, then takes what is there, up to a batch. False once every `Log` is gone.
    fn collect(&mut self) -> bool {
        let first = if self.has_news() {
            self.outlet.messages.recv_deadline(self.said.next)
        } else {
            self.outlet.messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match first {
            Ok(message) => self.take(message),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while self.sink.batch.len() < BATCH_BYTES {
            match self.outlet.messages.try_recv() {
                Ok(message) => self.take(message),
                Err(_) => break,
            }
        }
        true
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Text(line) => {
                self.sink.batch.extend_from_slice(&line);
                self.outlet.give_back(line);
            }
            Message::Flush(done) => self.flushes.push(done),
            Message::Wake => {}
        }
    }

    fn reopen(&mut self) {
        let name = self.sink.name();
        match self.sink.reopen() {
            Ok(()) => self.say(&OwnEvent::Reopened(&name)),
            Err(error) => self.say(&OwnEvent::NotReopened { name: &name, error: &error }),
        }
    }

    fn write(&mut self) {
        let outlet = &self.outlet;
        if let Err((lost, error)) = self.sink.write(&|| outlet.awaits_reopen()) {
            let name = self.sink.name();
            let why = match error.kind() {
                io::ErrorKind::WouldBlock => format!("{name}: nobody reads it"),
                _ => format!("{name}: {error}; {}", sink::remedy(&error)),
            };
            if self.losses.lose(lost, why)
                && let Some(events) = &self.events
            {
                events.wake();
            }
        }
    }

    /// Says what was dropped and lost, at most once a second, and before a flush ends in any case.
    fn report(&mut self, now: Instant) {
        if !self.has_news() || (now < self.said.next && self.flushes.is_empty()) {
            return;
        }
        self.losses.heed();
        let (dropped, lost) = (self.losses.dropped(), self.losses.lost());
        let (dropped_now, lost_now) = (dropped - self.said.dropped, lost - self.said.lost);
        if dropped_now > 0 {
            self.say(&OwnEvent::Dropped(dropped_now));
        }
        if lost_now > 0 {
            let why = self.losses.why();
            self.say(&OwnEvent::Lost { lines: lost_now, why: &why });
        }
        // A report that fails has nowhere to go; counting it would make the next one, for ever.
        let _ = self.sink.write(&|| false);
        self.said = Said { dropped, lost, next: now + REPORT_EVERY };
    }

    /// True when there is something to report, and it is for this writer to do so.
    fn has_news(&self) -> bool {
        let (dropped, lost) = (self.losses.dropped(), self.losses.lost());
        self.events.is_none() && (dropped > self.said.dropped || lost > self.said.lost)
    }

    fn say(&mut self, own: &OwnEvent) {
        let (when, level) = (SystemTime::now(), own.level());
        self.losses.said(own, when);
        match &self.events {
            // That one more event may be dropped is said with the others.
            Some(events) => drop(events.say(when, level, format_args!("{own}"))),
            None => line::event(&mut self.sink.batch, when, level, format_args!("{own}")),
        }
    }
}
