//! The exchange's entry in its backend's counts, in the totals, among the traces and in the access
//! log.
//!
//! The log's fields are read from the head that was sent, which is still held: so a request whose
//! line nobody wants pays nothing for them.

use super::Exchange;
use crate::event::About;
use crate::log::{Access, Cause};
use crate::pool::{Backend, End};
use crate::relay::Shared;
use crate::relay::totals::Ending;
use crate::relay::traces::{Mishap, Short, Trace};
use std::time::Duration;

impl Exchange {
    /// Counts it, keeps what was decided for it and writes its line; to be called once, when the
    /// exchange is over.
    pub(in crate::relay) fn account(&mut self, cause: Cause, shared: &Shared, now: Duration) {
        self.account_for(cause, "", shared, now);
    }

    /// The same, with the cause in words; empty where that needs none.
    pub(super) fn account_for(
        &mut self,
        cause: Cause,
        reason: &str,
        shared: &Shared,
        now: Duration,
    ) {
        self.times.leave_line(now);
        let took = self.times.since_begun(now);
        let waited = self.times.since_begun(self.times.first_byte.unwrap_or(now));
        let ending = Ending { status: self.answer.status, cause, waited };
        self.count(&ending, took, shared);
        // Without the endpoint nobody could ask for it.
        if cfg!(feature = "admin") {
            shared.traces.keep(self.trace(&ending, reason, took));
        }
        if shared.log.keeps_access() {
            self.log(&ending, reason, took, shared);
        }
    }

    fn count(&self, ending: &Ending, took: Duration, shared: &Shared) {
        let Some(backend) = self.backend().filter(|_| self.tries.course.tries() > 0) else {
            return self.branch.seen.own().count_without_backend(ending, took);
        };
        let (bytes_up, bytes_down) = (self.bytes_received, self.answer.bytes);
        backend.count_end(&End { status: ending.status, took, bytes_up, bytes_down });
        self.tell_repairs(backend, shared);
        self.branch.seen.own().count(ending);
    }

    fn trace(&self, ending: &Ending, reason: &str, took: Duration) -> Trace {
        Trace {
            begun: self.times.begun,
            id: Short::from(self.id()),
            asked: Short::until(self.line(), b'?'),
            led: if self.is_led() { self.branch.led(&self.asked.way) } else { 0 },
            client: self.asked.origin.client,
            status: ending.status,
            cause: ending.cause,
            mishap: (!reason.is_empty()).then(|| Mishap::of(reason, self.host())),
            was_held: self.is_held,
            queued: self.times.queued.into(),
            waited: ending.waited.into(),
            took: took.into(),
            tries: self.tries.told,
        }
    }

    /// Writes the line of the access log.
    fn log(&self, ending: &Ending, reason: &str, took: Duration, shared: &Shared) {
        let [referer, user_agent] = fields(self.head(), [b"referer", b"user-agent"]);
        let (pool, course) = (&self.branch.pool, &self.tries.course);
        let (method, target) = self.request_line();
        let first_byte = self.times.first_byte;
        shared.log.access(&Access {
            when: Access::arrived(took),
            client: self.asked.origin.client,
            peer: self.client.address(),
            method: method.as_bytes(),
            target: target.as_bytes(),
            version: self.asked.version.name().as_bytes(),
            status: ending.status,
            bytes_sent: self.answer.bytes,
            bytes_received: self.bytes_received,
            referer,
            user_agent,
            backend: self.backend().map(Backend::name),
            tries: course.tries(),
            first_byte: first_byte.map(|at| self.times.since_begun(at)),
            total: took,
            cause: ending.cause,
            reason,
            request_id: self.request_id(),
            host: self.host(),
            pool: self.is_led().then(|| pool.name()),
            route: self.branch.route(&self.asked.way).filter(|_| self.is_led()),
            pick: course.reason().map(|reason| reason.word(pool.policy())),
        });
    }

    /// True if it was led to a pool: there is a way for it, and its client is not sent to another
    /// port first.
    pub(super) fn is_led(&self) -> bool {
        self.client.entrance.sends_to().is_none() && self.asked.way.is_ok()
    }

    /// The last that was tried, or was to be.
    fn backend(&self) -> Option<&Backend> {
        self.tries.course.last().map(|index| &self.branch.pool.backends()[index])
    }

    /// The head as a backend gets it.
    pub(super) fn head(&self) -> &[u8] {
        &self.sent.bytes[..self.asked.head_length.min(self.sent.bytes.len())]
    }

    /// Whom the client asked for: the first field that a backend gets. Where it named none, that
    /// is the backend's own address.
    fn host(&self) -> &[u8] {
        let first = self.head().split(|&byte| byte == b'\n').nth(1).unwrap_or_default();
        let is_named = self.asked.own_host.is_none();
        let host = first.strip_prefix(b"Host: ").filter(|_| is_named);
        host.unwrap_or_default().trim_ascii_end()
    }

    /// What the request is called in logs, as a backend is told.
    pub(super) fn request_id(&self) -> &str {
        text(self.id())
    }

    fn id(&self) -> &[u8] {
        let (from_end, length) = self.asked.id;
        let start = self.asked.head_length - from_end;
        self.sent.bytes.get(start..start + length).unwrap_or_default()
    }

    /// An answer that was mended is counted, so that whoever wrote the application can learn of it.
    fn tell_repairs(&self, backend: &Backend, shared: &Shared) {
        let mut repairs = self.answer.repairs;
        repairs |= self.answer.body.repairs();
        if !repairs.is_empty() {
            backend.count_repaired();
            self.complain(About::Repaired, format_args!("mended its answer: {repairs}"), shared);
        }
    }

    /// The method and the target, as a backend gets them.
    pub(super) fn request_line(&self) -> (&str, &str) {
        let (method, rest) = self.line().split_at(self.asked.method_length);
        (text(method), text(&rest[1..]))
    }

    /// Both with the blank between them: the head begins so.
    fn line(&self) -> &[u8] {
        &self.sent.bytes[..self.asked.method_length + 1 + self.asked.target_length]
    }
}

/// Bytes that we wrote from text.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("-")
}

/// The value of the field `name` (lower case) in a head that we wrote ourselves.
pub(super) fn field<'h>(head: &'h [u8], name: &[u8]) -> &'h [u8] {
    let [value] = fields(head, [name]);
    value
}

/// The values of several fields, in one walk over the head: three were a fifth of what a request
/// with its line in the log costs.
fn fields<'h, const N: usize>(head: &'h [u8], names: [&[u8]; N]) -> [&'h [u8]; N] {
    let mut values = [None; N];
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        for (value, name) in values.iter_mut().zip(names) {
            if value.is_none() && line.get(name.len()) == Some(&b':') {
                let (found, rest) = line.split_at(name.len());
                *value = found.eq_ignore_ascii_case(name).then(|| rest[1..].trim_ascii());
            }
        }
    }
    values.map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_wherever_they_stand_and_the_first_counts() {
        let head =
            b"GET /a: HTTP/1.1\r\nB: 1\r\nReferer:\r\nUser-Agent: \xff x \r\nReferer: no\r\n\r\n";
        let names: [&[u8]; 4] = [b"user-agent", b"referer", b"get /a", b"b"];
        let none: &[u8] = b"";
        assert_eq!(fields(head, names), [b"\xff x", none, none, b"1"]);
        assert_eq!(field(head, b"user-agent"), b"\xff x");
        assert_eq!(field(head, b"user"), none);
        assert_eq!(field(b"", b"b"), none);
    }
}
