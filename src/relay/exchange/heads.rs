//! The heads of a backend's answer: interim ones, which go down at once, and the final one, which
//! settles how the answer ends and what becomes of both connections.

use super::account::{field, text};
use super::trouble::Trouble;
use super::{Exchange, RelayedAnswer};
use crate::http::body::Reader;
use crate::http::response::{Onward, Response};
use crate::http::{Framing, INTERIM_BYTES_MAX, Repairs, Version};
use crate::relay::kit::Context;
use std::time::Duration;

impl RelayedAnswer {
    pub(super) fn awaited() -> Self {
        Self {
            status: 0,
            early: Vec::new(),
            interim_bytes: 0,
            continued: false,
            repairs: Repairs::default(),
            body: Reader::new(Framing::UntilClose),
            recoded: false,
            chunked: false,
            until_close: false,
            arises: false,
            keep_alive: false,
            listens: false,
            reusable: false,
            bytes: 0,
        }
    }

    /// True when its last byte has come from the backend.
    pub(super) fn is_whole(&self) -> bool {
        self.status != 0 && self.body.is_done()
    }
}

impl Exchange {
    /// An interim head goes to the client at once; a final one is written to `cx.out`, to be sent
    /// with the first bytes of its body.
    pub(super) fn take_head(
        &mut self,
        head: &Response,
        length: usize,
        cx: &mut Context,
    ) -> Result<(), Trouble> {
        self.answer.repairs |= head.repairs;
        if head.is_interim() {
            return self.take_interim(head, length, cx);
        }
        if head.status == 101 {
            self.check_switch(head)?;
        }
        if self.goes_elsewhere(head.status, cx) {
            return Err(Trouble::Elsewhere);
        }
        let onward = head.onward_framing(self.asked.version);
        let answer = &mut self.answer;
        answer.status = head.status;
        answer.chunked = onward == Framing::Chunked;
        answer.recoded = answer.chunked || head.framing == Framing::Chunked;
        answer.until_close = onward == Framing::UntilClose;
        answer.reusable = head.keep_alive && head.framing != Framing::UntilClose;
        answer.arises = !matches!(head.framing, Framing::Length(_));
        answer.body = Reader::of_answer(head.framing);
        if let Some(upstream) = &mut self.upstream {
            upstream.said = head.keep_alive_s.map(|seconds| Duration::from_secs(seconds.into()));
        }
        self.times.first_byte = Some(cx.now);
        // From here on: does the request go up to its end, and may the client ask again after it?
        // Who was not told to go on with its body may leave it out (RFC 9110 10.1.1).
        let was_told = self.answer.continued || self.bytes_received > 0;
        let body_comes = was_told || !self.asked.expects_continue;
        self.answer.listens = self.answer.reusable && !self.body_given_up && body_comes;
        let to_the_end = self.body.is_done() || self.answer.listens;
        self.answer.keep_alive = self.may_go_on(cx) && to_the_end && !self.answer.until_close;
        let lease = self.lease.as_ref();
        let sent = &self.sent.bytes[..self.asked.head_length.min(self.sent.bytes.len())];
        let token = |affinity| Some((affinity, self.branch.pool.token(lease?.index())));
        let tied = self.branch.affinity.as_ref().and_then(token);
        let how = Onward {
            client: self.asked.version,
            keep_alive: self.answer.keep_alive,
            date: &cx.kit.date.text,
            served_by: lease
                .filter(|_| self.branch.config.server.served_by)
                .map(|lease| lease.backend().name()),
            request_id: self
                .branch
                .config
                .server
                .request_id
                .then(|| text(field(sent, b"x-request-id"))),
            set_cookie: tied.and_then(|(affinity, token)| {
                affinity.cookie(token, self.ties, self.asked.origin.secure)
            }),
        };
        let out = if head.status == 101 { &mut self.client.out.bytes } else { &mut cx.out };
        head.write_forward(out, &how);
        Ok(())
    }

    /// A 101 changes to the protocol that was offered (RFC 9110 15.2.2), once all of the request is
    /// with the backend: before, the rest of its body would be taken for the other protocol's.
    fn check_switch(&self, head: &Response) -> Result<(), Trouble> {
        let offered = text(field(&self.sent.bytes[..self.asked.head_length], b"upgrade"));
        let agreed = head.upgrade.is_some_and(|named| named.eq_ignore_ascii_case(offered));
        if !agreed {
            return Err(Trouble::bad_answer("a 101 that nobody asked for"));
        }
        if !self.request_is_sent() {
            return Err(Trouble::bad_answer("a 101 ahead of the request's body"));
        }
        Ok(())
    }

    fn take_interim(
        &mut self,
        head: &Response,
        length: usize,
        cx: &Context,
    ) -> Result<(), Trouble> {
        self.answer.interim_bytes += length;
        if self.answer.interim_bytes > INTERIM_BYTES_MAX {
            return Err(Trouble::bad_answer("more interim answers than are allowed"));
        }
        self.answer.continued |= head.status == 100;
        self.times.interim = cx.now;
        // An HTTP/1.0 client does not know interim answers (RFC 9110 15.2).
        if self.asked.version == Version::Http11 {
            let how = Onward {
                client: Version::Http11,
                keep_alive: true,
                date: &cx.kit.date.text,
                served_by: None,
                request_id: None,
                set_cookie: None,
            };
            head.write_forward(&mut self.client.out.bytes, &how);
        }
        Ok(())
    }
}
