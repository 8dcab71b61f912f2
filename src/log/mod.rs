//! The log: events to stderr, one access line a request to where the operator wants it.
//!
//! Everyone holds a `Log` (a cheap clone) and may call it in the middle of a step: the caller
//! renders its line and offers it to a bounded channel; one thread (`writer`) does all the
//! writing. A caller must never wait: when the channel is full the line is dropped and counted,
//! and the count is said once the writer has caught up. Nothing a client or a backend sends may
//! forge a line (`text`).

mod access;
mod cause;
mod sink;
mod text;
mod throttle;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use access::{Access, Format};
pub use cause::Cause;
pub use throttle::Throttle;

use sink::Sink;
pub(crate) use text::json;
use writer::{Line, Writer};

/// Lines that may wait for the writer, 40 bytes each before their text.
const LINES_MAX: usize = 4096;
/// Of these, the places that access lines may not take, so that a flood of them hides no event.
const EVENT_PLACES: usize = 128;
/// Spent line buffers on their way back to the callers: an allocation a request would be slow on
/// musl.
const SPENT_MAX: usize = 1024;
/// What a new line buffer holds: most lines, without growing.
const LINE_BYTES: usize = 512;

/// What is logged, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The form of the access log; `None` keeps none.
    pub access: Option<Format>,
    /// Where access lines go. Events always go to stderr.
    pub to: Target,
}

/// Where access lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error, between the events.
    Stderr,
    /// A file: made if missing, appended to, opened anew by `reopen`.
    File(PathBuf),
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

/// The handle that everyone logs through. The writer ends when the last clone is gone.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    format: Option<Format>,
    lines: Sender<Line>,
    /// Cuts the writer's nap short; see `writer`.
    bell: Sender<()>,
    spent: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
}

/// What the callers and the writer tell each other outside the channel. No order between them
/// matters.
#[derive(Default)]
struct Shared {
    /// Lines dropped by callers because the channel was full.
    dropped: AtomicU64,
    /// Lines the sink did not take.
    lost: AtomicU64,
    /// The access log is to be opened anew.
    reopen: AtomicBool,
}

impl Log {
    /// Opens the access log and starts the writer. Fails when either cannot be done.
    pub fn start(settings: Settings) -> io::Result<Log> {
        let access = Sink::open(&settings.to)?;
        Log::start_with(settings.access, access, Sink::open(&Target::Stderr)?)
    }

    fn start_with(format: Option<Format>, access: Sink, events: Sink) -> io::Result<Log> {
        let (lines, waiting) = bounded(LINES_MAX);
        let (bell, rung) = bounded(1);
        let (give_back, spent) = bounded(SPENT_MAX);
        let shared = Arc::new(Shared::default());
        Writer::new(waiting, rung, give_back, shared.clone(), access, events).spawn()?;
        Ok(Log(Arc::new(Inner { format, lines, bell, spent, shared })))
    }

    /// Whether access lines are kept: if not, a caller need not gather what goes into one.
    pub fn keeps_access(&self) -> bool {
        self.0.format.is_some()
    }

    /// Logs one request. Never blocks.
    pub fn access(&self, record: &Access) {
        let Some(format) = self.0.format else { return };
        if self.0.lines.len() >= LINES_MAX - EVENT_PLACES {
            return self.drop_one();
        }
        let mut line = self.buffer();
        record.write(format, &mut line);
        self.offer(Line::Access(line));
    }

    /// Logs one event: `2026-11-21T06:15:28.123Z INFO  text`. Never blocks.
    pub fn event(&self, level: Level, text: fmt::Arguments) {
        let mut line = self.buffer();
        text::event(&mut line, SystemTime::now(), level, text);
        self.offer(Line::Event(line));
        self.ring();
    }

    /// Logs an event at most once a second for each throttle, with how many were left out before.
    pub fn limited(&self, throttle: &Throttle, level: Level, text: fmt::Arguments) {
        match throttle.pass(Instant::now()) {
            None => {}
            Some(0) => self.event(level, text),
            Some(left_out) => self.event(level, format_args!("{text} ({left_out} more left out)")),
        }
    }

    /// Lines that were dropped because the writer could not keep up, since the start.
    pub fn dropped(&self) -> u64 {
        self.0.shared.dropped.load(Ordering::Relaxed)
    }

    /// Lines that could not be written (disk full, closed pipe), since the start.
    pub fn lost(&self) -> u64 {
        self.0.shared.lost.load(Ordering::Relaxed)
    }

    /// Has the access log's file opened anew, after it was renamed (USR1). Never blocks.
    pub fn reopen(&self) {
        self.0.shared.reopen.store(true, Ordering::Release);
        // A full channel means that the writer is awake and will see the flag.
        let _ = self.0.lines.try_send(Line::Wake);
        self.ring();
    }

    /// Waits until what was logged before is written, at most `deadline`. For the end of the
    /// process; false when time ran out.
    pub fn flush(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let (done, written) = bounded(1);
        if self.0.lines.send_deadline(Line::Flush(done), until).is_err() {
            return false;
        }
        self.ring();
        written.recv_deadline(until).is_ok()
    }

    fn buffer(&self) -> Vec<u8> {
        self.0.spent.try_recv().unwrap_or_else(|_| Vec::with_capacity(LINE_BYTES))
    }

    fn offer(&self, line: Line) {
        if self.0.lines.try_send(line).is_err() {
            self.drop_one();
        }
    }

    fn drop_one(&self) {
        self.0.shared.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn ring(&self) {
        // A full bell is already ringing.
        let _ = self.0.bell.try_send(());
    }
}
