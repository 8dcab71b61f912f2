//! What a channel of any kind does, and what came of it.

use std::time::Duration;

use super::Message;

/// Says that the process ends, and waits for nothing any more. What would outlive it, such as a
/// program, is to be ended then.
pub(crate) type Over<'o> = &'o dyn Fn() -> bool;

/// One way to somebody. Used by one thread, for one message after the other.
pub(crate) trait Deliver: Send {
    /// Delivers a message, or says why it cannot. Must return soon after `within`, whatever the
    /// other side does. What it returns are the other side's words, shortened.
    fn deliver(
        &mut self,
        message: &Message,
        within: Duration,
        is_over: Over<'_>,
    ) -> Result<String, Undelivered>;
}

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// What was seen, in words; they may quote the other side.
    pub(crate) words: String,
    /// Whether the same may do better later.
    pub(crate) may_retry: bool,
}
