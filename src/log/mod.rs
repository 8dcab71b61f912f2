//! The log: events to stderr, one access line a request to where the operator wants it.
//!
//! Everyone holds a `Log` (a cheap clone) and may call it in the middle of a step: the caller
//! renders its line and offers it to a `lane`, which is bounded by lines and by bytes; a thread a
//! lane (`writer`) does all the writing. A caller must never wait: what finds no room is dropped
//! and counted, and the count is said among the events, which have a lane of their own. Nothing a
//! client or a backend sends may forge a line, or make one long (`text`). What an event is, and how
//! often it is said, is decided above, in the room `event`.

mod access;
mod cause;
mod lane;
mod line;
mod losses;
mod own;
mod sink;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub use access::{Access, Format};
pub use cause::Cause;
#[cfg(any(feature = "admin", feature = "alerts"))]
pub use line::rfc3339;
pub use own::{OnOwnEvent, OwnEvent};
pub use sink::Sink;

use lane::{Capacity, Lane};
use losses::Losses;
use writer::Writer;

/// Where access lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// Standard error, between the events.
    Stderr,
    /// A file: made if missing, appended to, opened anew by `reopen`. Or a pipe, which need have no
    /// reader yet, or a path that stands for a descriptor of ours, such as `/dev/stdout`.
    File(PathBuf),
}

impl Destination {
    /// As the configuration has it.
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "stdout".into(),
            Self::Stderr => "stderr".into(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed and someone should look.
    Error,
    /// Something is not as it should be; Evenly carries on.
    Warn,
    /// Good to know.
    Info,
}

/// The handle that everyone logs through. The writers end when the last clone is gone.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    /// The form of access lines and the lane they take; none if they are not kept.
    access: Option<(Format, Lane)>,
    events: Lane,
    losses: Arc<Losses>,
}

impl Log {
    /// Starts the writers: access lines in this form go where was opened for them, events always to
    /// stderr; `None` keeps no access lines. Fails, with a sentence, where there is no thread.
    pub fn start(access: Option<(Format, Sink)>) -> io::Result<Log> {
        Log::start_with(access, Sink::open(&Destination::Stderr)?)
    }

    /// Opens what access lines are to be written to. An error is a whole sentence.
    pub fn open(to: &Destination) -> io::Result<Sink> {
        Sink::open(to)
    }

    /// What that would come to; leaves nothing behind.
    pub fn probe(to: &Destination) -> io::Result<()> {
        Sink::probe(to)
    }

    fn start_with(access: Option<(Format, Sink)>, events: Sink) -> io::Result<Log> {
        let losses = Arc::new(Losses::default());
        let (lane, outlet) = Lane::new();
        let access = match access {
            // Two threads would cut into each other's lines.
            Some((format, sink)) if sink.leads_where(&events) => Some((format, lane.clone())),
            Some((format, sink)) => {
                let (own, outlet) = Lane::new();
                Writer::new(outlet, sink, losses.clone(), Some(lane.clone())).spawn("access")?;
                Some((format, own))
            }
            None => None,
        };
        Writer::new(outlet, events, losses.clone(), None).spawn("log")?;
        Ok(Log(Arc::new(Inner { access, events: lane, losses })))
    }

    /// Whether access lines are kept: if not, a caller need not gather what goes into one.
    pub fn keeps_access(&self) -> bool {
        self.0.access.is_some()
    }

    /// Logs one request. Never blocks.
    pub fn access(&self, record: &Access) {
        let Some((format, lane)) = &self.0.access else { return };
        let taken = lane.has(Capacity::ACCESS) && {
            let mut line = lane.buffer();
            record.write(*format, &mut line);
            lane.offer(line, Capacity::ACCESS)
        };
        if !taken {
            self.drop_one();
        }
    }

    /// Logs one event: `2026-11-21T06:15:28.123Z INFO  text`. Never blocks.
    pub fn event(&self, when: SystemTime, level: Level, text: fmt::Arguments) {
        if !self.0.events.say(when, level, text) {
            self.drop_one();
        }
    }

    /// Has `on` hear of what happens to the log itself, beside the line that it writes of that. For
    /// one listener, the first.
    pub fn on_own_event(&self, on: OnOwnEvent) {
        self.0.losses.listen(on);
    }

    /// Lines that were dropped because the writer could not keep up, since the start.
    pub fn dropped(&self) -> u64 {
        self.0.losses.dropped()
    }

    /// Lines that could not be written (disk full, closed pipe), since the start.
    pub fn lost(&self) -> u64 {
        self.0.losses.lost()
    }

    /// Has the access log's file opened anew, after it was renamed (USR1). Never blocks.
    pub fn reopen(&self) {
        if let Some((_, lane)) = &self.0.access {
            lane.reopen();
        }
    }

    /// Waits until what was logged before is written, at most `deadline`. For the end of the
    /// process; false when time ran out. Access lines may take half of it, so that where nobody
    /// reads them the events still get their last words out.
    pub fn flush(&self, deadline: Duration) -> bool {
        let (events, now) = (&self.0.events, Instant::now());
        let own = self.0.access.as_ref().map(|(_, lane)| lane).filter(|lane| !lane.is(events));
        let access = own.is_none_or(|lane| lane.flush(now + deadline / 2));
        events.flush(now + deadline) && access
    }

    fn drop_one(&self) {
        if self.0.losses.drop_one() {
            self.0.events.wake();
        }
    }
}
