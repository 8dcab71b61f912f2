//! After the last answer: shut down writing, and discard what the client still sends, so that it
//! can read the 400 or 413 instead of a reset (RFC 9112 9.6).

use super::client::Client;
use super::socket::Read;
use super::task::{Next, Task};
use super::worker::Context;
use std::time::Duration;

/// The most that is discarded.
const DISCARD_MAX: usize = 64 * 1024;
/// The longest that is waited, once the answer is written.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection that has been answered and waits to be closed by its client.
pub(crate) struct Linger {
    pub(crate) client: Box<Client>,
    /// The answer is written and the writing side shut down.
    finished: bool,
    discarded: usize,
    deadline: Duration,
}

impl Linger {
    /// Closes `client` once its outbox is written and it has had the time to read it.
    pub(crate) fn begin(client: Box<Client>, cx: &mut Context) -> Next {
        let deadline = cx.now + cx.shared.config.timeouts.client_write;
        Next::Step(Task::Linger(Box::new(Self { client, finished: false, discarded: 0, deadline })))
    }

    /// Writes the rest of the answer, then discards until the client closes or patience ends.
    pub(crate) fn step(mut self: Box<Self>, cx: &mut Context, buf: &mut [u8]) -> Next {
        let client = &mut self.client;
        client.stream.refresh();
        if client.out.drain_to(&mut client.stream).is_err() || cx.now >= self.deadline {
            return Next::Done;
        }
        if !self.finished && client.out.is_flushed() {
            client.stream.finish_writes();
            self.finished = true;
            self.deadline = cx.now + PATIENCE;
        }
        while self.discarded < DISCARD_MAX {
            match client.stream.read(&mut buf[..DISCARD_MAX]) {
                Ok(Read::Bytes(n)) => self.discarded += n,
                Ok(Read::WouldBlock) => {
                    let deadline = self.deadline;
                    return Next::Park(Task::Linger(self), deadline);
                }
                Ok(Read::End) | Err(_) => break,
            }
        }
        if self.finished {
            Next::Done
        } else {
            let deadline = self.deadline;
            Next::Park(Task::Linger(self), deadline)
        }
    }
}
