//! The exchange's entry in the access log, in its backend's counts and in the totals.
//!
//! The log's fields are read from the head that was sent, which is still held: so a request whose
//! line nobody wants pays nothing for them.

use super::Exchange;
use crate::event::About;
use crate::log::{Access, Cause};
use crate::pool::{Backend, End};
use crate::relay::Shared;
use crate::relay::totals::Outcome;
use std::time::{Duration, SystemTime};

impl Exchange {
    /// Counts the bytes and writes the access log's line; to be called once, when the exchange is
    /// over.
    pub(in crate::relay) fn account(&self, cause: Cause, shared: &Shared, now: Duration) {
        self.account_for(cause, "", shared, now);
    }

    /// The same, with the cause in words.
    pub(super) fn account_for(&self, cause: Cause, reason: &str, shared: &Shared, now: Duration) {
        let course = &self.tries.course;
        let backend = course.last().map(|index| &self.site.pool.backends()[index]);
        let since_begun = |then: Duration| then.saturating_sub(self.times.begun);
        let (status, took) = (self.answer.status, since_begun(now));
        let waited = since_begun(self.times.first_byte.unwrap_or(now));
        let outcome = Outcome { status, cause, waited };
        if let Some(backend) = backend.filter(|_| course.tries() > 0) {
            let (bytes_up, bytes_down) = (self.bytes_received, self.answer.bytes);
            backend.count_end(&End { status, took, bytes_up, bytes_down });
            self.tell_repairs(backend, shared);
            shared.seen.own().count(&outcome);
        } else {
            shared.seen.own().count_without_backend(&outcome, took);
        }
        if !shared.log.keeps_access() {
            return;
        }
        let names: [&[u8]; 4] = [b"referer", b"user-agent", b"x-request-id", b"host"];
        let [referer, user_agent, id, host] = fields(self.head(), names);
        let pool = &self.site.pool;
        let (method, target) = self.request_line();
        shared.log.access(&Access {
            when: SystemTime::now(),
            client: self.asked.origin.client,
            peer: self.client.address(),
            method: method.as_bytes(),
            target: target.as_bytes(),
            version: self.asked.version.name().as_bytes(),
            status,
            bytes_sent: self.answer.bytes,
            bytes_received: self.bytes_received,
            referer,
            user_agent,
            backend: backend.map(|backend| backend.name()),
            tries: course.tries(),
            first_byte: self.times.first_byte.map(since_begun),
            total: took,
            cause,
            reason,
            request_id: text(id),
            // Where the client named none, it is the application's own address that was sent.
            host: if self.asked.own_host.is_some() { b"" } else { host },
            pool: Some(pool.name()),
            pick: course.reason().map(|reason| reason.word(pool.policy())),
        });
    }

    /// The head as a backend gets it.
    pub(super) fn head(&self) -> &[u8] {
        &self.sent.bytes[..self.asked.head_length.min(self.sent.bytes.len())]
    }

    /// What the request is called in logs, as a backend is told.
    pub(super) fn request_id(&self) -> &str {
        text(field(self.head(), b"x-request-id"))
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
        let (method, rest) = self.sent.bytes.split_at(self.asked.method_length);
        (text(method), text(&rest[1..][..self.asked.target_length]))
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
