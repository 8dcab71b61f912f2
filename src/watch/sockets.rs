//! Where the checks thread waits: for the sockets of all checks under way, and for a word of
//! whoever started the watch.
//!
//! Owned by the checks thread; the other end of the [`Control`] is with [`Watch`](super::Watch).

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

/// What one wait brings at most; the rest comes with the next.
const EVENTS_MAX: usize = 64;

/// epoll data that stands for the control pipe. No backend has this number.
const CONTROL: u64 = u64::MAX;

/// The words on the control pipe.
const HURRY: u8 = b'!';
const LOOK: u8 = b'?';

/// The control pipe, at the end where something is said. Dropped, it says that all is over.
pub(super) struct Control(PipeWriter);

/// What was said on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Something else is to be watched.
    Look,
    /// Check all of them now.
    Hurry,
    /// The watch is over.
    Stop,
}

impl Control {
    /// Has everybody checked. Nobody listens when all is over.
    pub(super) fn hurry(&self) {
        let _ = (&self.0).write(&[HURRY]);
    }

    /// Has the watch look at what it is to watch now.
    pub(super) fn look(&self) {
        let _ = (&self.0).write(&[LOOK]);
    }
}

/// The sockets, and the end of the control pipe that listens.
pub(super) struct Sockets {
    epoll: OwnedFd,
    control: PipeReader,
}

impl Sockets {
    /// Errors: no descriptors are left.
    pub(super) fn new() -> io::Result<(Self, Control)> {
        let (control, speaks) = io::pipe()?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(CONTROL);
        epoll::add(&epoll, &control, data, epoll::EventFlags::IN)?;
        Ok((Self { epoll, control }, Control(speaks)))
    }

    /// Watches the socket of the backend `number` until it is closed. Edge-triggered: whoever
    /// hears of it goes on until it would wait.
    pub(super) fn watch(&self, socket: impl AsFd, number: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number);
        let all = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        Ok(epoll::add(&self.epoll, socket, data, all | epoll::EventFlags::ET)?)
    }

    /// Waits, no longer than `most`. Whose sockets have news comes in `ready`.
    pub(super) fn wait(&mut self, most: Duration, ready: &mut Vec<u64>) -> Option<Word> {
        let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
        let mut room = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        // EINTR is the only error that a sound call can return: then there is no news yet.
        let events = epoll::wait(&self.epoll, &mut room, Some(&most)).map(|(events, _)| events);
        let mut is_told = false;
        for event in events.into_iter().flatten() {
            match event.data.u64() {
                CONTROL => is_told = true,
                number => ready.push(number),
            }
        }
        is_told.then(|| self.hear())
    }

    /// Takes what was said. The end of the pipe comes behind all words, and is as good as any.
    fn hear(&mut self) -> Word {
        let mut words = [0; 64];
        match self.control.read(&mut words) {
            Ok(0) => Word::Stop,
            Ok(read) if words[..read].contains(&HURRY) => Word::Hurry,
            _ => Word::Look,
        }
    }
}
