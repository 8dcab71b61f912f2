//! The one thread that writes the log. Only it touches the sinks, so only it waits for a slow one.
//! It must never end the process: what cannot be written is counted and said on stderr.
//!
//! It writes what waits in one call for each sink. While lines keep coming it naps between two
//! batches, so that callers find it awake or napping and need no system call to wake it; an event
//! rings the bell and is written at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::sink::Sink;
use super::{LINES_MAX, Level, Shared, text};

/// A batch ends with the line that reaches this.
const BATCH_BYTES: usize = 64 * 1024;
/// The rest between two batches. At 4096 places this keeps up with 800,000 lines a second.
const NAP: Duration = Duration::from_millis(5);
/// The least time between two reports of lines that were dropped or lost.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Larger line buffers are freed, not given back: one odd request must not cost memory for good.
const SPENT_BYTES_MAX: usize = 1024;

/// What comes over the channel.
pub(super) enum Line {
    Access(Vec<u8>),
    Event(Vec<u8>),
    /// Answered when all that came before is written.
    Flush(Sender<()>),
    /// Something in `Shared` changed.
    Wake,
}

pub(super) struct Writer {
    lines: Receiver<Line>,
    bell: Receiver<()>,
    spent: Sender<Vec<u8>>,
    shared: Arc<Shared>,
    access: Sink,
    events: Sink,
    flushes: Vec<Sender<()>>,
    said: Said,
}

/// What was reported so far.
struct Said {
    dropped: u64,
    lost: u64,
    /// The last error of a sink.
    error: String,
    /// Not before.
    next: Instant,
}

impl Writer {
    pub(super) fn new(
        lines: Receiver<Line>,
        bell: Receiver<()>,
        spent: Sender<Vec<u8>>,
        shared: Arc<Shared>,
        access: Sink,
        events: Sink,
    ) -> Writer {
        let said = Said { dropped: 0, lost: 0, error: String::new(), next: Instant::now() };
        Writer { lines, bell, spent, shared, access, events, flushes: Vec::new(), said }
    }

    pub(super) fn spawn(self) -> io::Result<()> {
        thread::Builder::new().name("log".into()).spawn(|| self.run()).map(drop)
    }

    fn run(mut self) {
        while self.collect() {
            if self.shared.reopen.swap(false, Ordering::Acquire) {
                self.reopen();
            }
            self.write();
            self.report(Instant::now());
            for done in self.flushes.drain(..) {
                let _ = done.send(()); // whoever asked may have stopped waiting
            }
            if self.lines.is_empty() {
                let _ = self.bell.recv_timeout(NAP);
            }
        }
    }

    /// Waits for a line, then takes what is there, up to a batch. False once every `Log` is gone.
    fn collect(&mut self) -> bool {
        let first = if self.has_news() {
            self.lines.recv_deadline(self.said.next)
        } else {
            self.lines.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match first {
            Ok(line) => self.take(line),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while self.access.batch.len() + self.events.batch.len() < BATCH_BYTES {
            match self.lines.try_recv() {
                Ok(line) => self.take(line),
                Err(_) => break,
            }
        }
        true
    }

    fn take(&mut self, line: Line) {
        let (sink, mut line) = match line {
            Line::Access(line) => (&mut self.access, line),
            Line::Event(line) => (&mut self.events, line),
            Line::Flush(done) => return self.flushes.push(done),
            Line::Wake => return,
        };
        sink.batch.extend_from_slice(&line);
        if line.capacity() <= SPENT_BYTES_MAX {
            line.clear();
            let _ = self.spent.try_send(line);
        }
    }

    fn reopen(&mut self) {
        match self.access.reopen() {
            Ok(()) => self.say(Level::Info, format_args!("{}: reopened", self.access.name())),
            Err(error) => {
                let name = self.access.name();
                self.say(Level::Error, format_args!("{name}: not reopened, kept as is: {error}"));
            }
        }
    }

    fn write(&mut self) {
        for sink in [&mut self.access, &mut self.events] {
            if let Err((lost, error)) = sink.write() {
                self.shared.lost.fetch_add(lost, Ordering::Relaxed);
                self.said.error = format!("{}: {error}", sink.name());
            }
        }
    }

    /// Says what was dropped and lost, at most once a second, and before a flush ends in any case.
    fn report(&mut self, now: Instant) {
        if !self.has_news() || (now < self.said.next && self.flushes.is_empty()) {
            return;
        }
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let lost = self.shared.lost.load(Ordering::Relaxed);
        let (dropped_now, lost_now) = (dropped - self.said.dropped, lost - self.said.lost);
        if dropped_now > 0 {
            self.say(
                Level::Warn,
                format_args!("log: {dropped_now} lines dropped: {LINES_MAX} were waiting already"),
            );
        }
        if lost_now > 0 {
            let error = std::mem::take(&mut self.said.error);
            self.say(Level::Error, format_args!("log: {lost_now} lines lost: {error}"));
        }
        // A report that fails has nowhere to go; counting it would make the next one, for ever.
        let _ = self.events.write();
        self.said = Said { dropped, lost, next: now + REPORT_EVERY, error: String::new() };
    }

    fn has_news(&self) -> bool {
        self.shared.dropped.load(Ordering::Relaxed) > self.said.dropped
            || self.shared.lost.load(Ordering::Relaxed) > self.said.lost
    }

    fn say(&mut self, level: Level, text: std::fmt::Arguments) {
        text::event(&mut self.events.batch, SystemTime::now(), level, text);
    }
}
