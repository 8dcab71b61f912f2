//! A lane: the lines that wait for the thread which writes them to one sink. `Log` offers them at
//! one end, `writer` takes them at the other. Bounded by lines and by bytes; nobody who offers a
//! line ever waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Level, line};

/// Spent line buffers on their way back to the callers: an allocation a request would be slow on
/// musl.
const SPENT_MAX: usize = 1024;
/// Larger line buffers are freed, not given back: one odd request must not cost memory for good.
const SPENT_BYTES_MAX: usize = 1024;
/// What a new line buffer holds: most lines, without growing.
const LINE_BYTES: usize = 512;

/// How much may wait in a lane before a line of some kind is dropped.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    /// 40 bytes each before their text.
    pub(super) lines: usize,
    /// In their buffers: clients choose how long their lines are.
    pub(super) bytes: usize,
}

impl Capacity {
    /// All that there is, for events.
    pub(super) const ALL: Capacity = Capacity { lines: 4096, bytes: 4 << 20 };
    /// For access lines, so that where both share a lane a flood of them hides no event.
    pub(super) const ACCESS: Capacity = Capacity { lines: 4096 - 128, bytes: 3 << 20 };
}

/// What comes over the lane.
pub(super) enum Message {
    Text(Vec<u8>),
    /// Answered when all that came before is written.
    Flush(Sender<()>),
    /// Something that the writer looks at has changed.
    Wake,
}

/// The callers' end. The writer ends when the last clone is gone.
#[derive(Clone)]
pub(super) struct Lane {
    messages: Sender<Message>,
    /// Cuts the writer's nap short; see `writer`.
    bell: Sender<()>,
    spent: Receiver<Vec<u8>>,
    state: Arc<State>,
}

/// The writer's end.
pub(super) struct Outlet {
    pub(super) messages: Receiver<Message>,
    pub(super) bell: Receiver<()>,
    spent: Sender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Held by the lines that wait.
    bytes: AtomicUsize,
    /// The sink is to be opened anew.
    reopen: AtomicBool,
}

impl Lane {
    pub(super) fn new() -> (Lane, Outlet) {
        let (messages, received) = bounded(Capacity::ALL.lines);
        let (bell, rung) = bounded(1);
        let (give_back, spent) = bounded(SPENT_MAX);
        let state = Arc::new(State::default());
        let outlet =
            Outlet { messages: received, bell: rung, spent: give_back, state: state.clone() };
        (Lane { messages, bell, spent, state }, outlet)
    }

    /// True for two clones of one lane.
    pub(super) fn is(&self, other: &Lane) -> bool {
        self.messages.same_channel(&other.messages)
    }

    /// An empty buffer for a line.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.spent.try_recv().unwrap_or_else(|_| Vec::with_capacity(LINE_BYTES))
    }

    /// True while a line may still be taken: where not, it need not be made.
    pub(super) fn has(&self, within: Capacity) -> bool {
        self.messages.len() < within.lines
            && self.state.bytes.load(Ordering::Relaxed) < within.bytes
    }

    /// Takes a line if there is room for it; false if it is dropped.
    pub(super) fn offer(&self, line: Vec<u8>, within: Capacity) -> bool {
        let bytes = line.capacity();
        let before = self.state.bytes.fetch_add(bytes, Ordering::Relaxed);
        let taken =
            before + bytes <= within.bytes && self.messages.try_send(Message::Text(line)).is_ok();
        if !taken {
            self.state.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    /// Takes an event, to be written at once; false if it is dropped.
    pub(super) fn say(&self, when: SystemTime, level: Level, text: fmt::Arguments) -> bool {
        let mut line = self.buffer();
        line::event(&mut line, when, level, text);
        let taken = self.offer(line, Capacity::ALL);
        self.ring();
        taken
    }

    /// Has the writer look around.
    pub(super) fn wake(&self) {
        // A full channel means that the writer is awake, or will be before it is empty.
        let _ = self.messages.try_send(Message::Wake);
        self.ring();
    }

    /// Has the sink opened anew.
    pub(super) fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Release);
        self.wake();
    }

    /// Waits until what was offered before is written; false when `until` comes first.
    pub(super) fn flush(&self, until: Instant) -> bool {
        let (done, written) = bounded(1);
        if self.messages.send_deadline(Message::Flush(done), until).is_err() {
            return false;
        }
        self.ring();
        written.recv_deadline(until).is_ok()
    }

    fn ring(&self) {
        // A full bell is already ringing.
        let _ = self.bell.try_send(());
    }
}

impl Outlet {
    /// Takes note that a line waits no more, and gives its buffer back.
    pub(super) fn give_back(&self, mut line: Vec<u8>) {
        self.state.bytes.fetch_sub(line.capacity(), Ordering::Relaxed);
        if line.capacity() <= SPENT_BYTES_MAX {
            line.clear();
            let _ = self.spent.try_send(line);
        }
    }

    /// True if the sink is to be opened anew.
    pub(super) fn awaits_reopen(&self) -> bool {
        self.state.reopen.load(Ordering::Relaxed)
    }

    /// True once after each call to reopen the sink.
    pub(super) fn is_to_reopen(&self) -> bool {
        self.state.reopen.swap(false, Ordering::Acquire)
    }
}
