//! Answers that Evenly makes itself: refusals, failures, and all that the demo backend says.
//!
//! The proxy and the demo backend write them. They must never repeat bytes of a client's in a
//! head: what is filled in here is ours, but for the path and query of a Location (see `location`).

use super::cookie::SetCookie;
use super::response::write_persistence;
use super::{Version, render};
use crate::text::decimal;

/// An answer of our own. [`Reply::new`] fills in what is usual; set the rest by name.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// A final status: 200 to 599.
    pub status: u16,
    /// What a person reads, or JSON. Not sent with 204 and 304. Text goes out as a line, lest it
    /// stand in front of the next prompt.
    pub body: &'a str,
    /// What `body` is.
    pub content_type: &'a str,
    /// Whether the connection stays open after it.
    pub keep_alive: bool,
    /// Whether it answers HEAD: then the body is only counted.
    pub head_only: bool,
    /// Date, as RFC 9110 5.6.7 writes it.
    pub date: &'a str,
    /// Retry-After in seconds, for 503.
    pub retry_after_s: Option<u64>,
    /// Allow, for 405 (RFC 9110 15.5.6 demands it there).
    pub allow: Option<&'a str>,
    /// Location, for redirects.
    pub location: Option<&'a str>,
    /// Whether nobody may keep it: `Cache-Control: no-store` (RFC 9111 section 5.2.2.5).
    pub no_store: bool,
    /// The sticky cookie, if it is to be set; such an answer is kept by nobody either.
    pub set_cookie: Option<SetCookie<'a>>,
    /// X-Served-By, if it is to be shown.
    pub served_by: Option<&'a str>,
    /// X-Request-Id, if it is to be shown.
    pub request_id: Option<&'a str>,
    /// Further fields, by name and value.
    pub fields: &'a [(&'a str, &'a str)],
}

/// What a person reads.
pub const TEXT: &str = "text/plain; charset=utf-8";

impl<'a> Reply<'a> {
    /// A plain text answer after which the connection closes.
    #[must_use]
    pub const fn new(status: u16, body: &'a str, date: &'a str) -> Self {
        Reply {
            status,
            body,
            content_type: TEXT,
            keep_alive: false,
            head_only: false,
            date,
            retry_after_s: None,
            allow: None,
            location: None,
            no_store: false,
            set_cookie: None,
            served_by: None,
            request_id: None,
            fields: &[],
        }
    }

    /// Appends the whole answer, for a client of that version.
    pub fn write(&self, out: &mut Vec<u8>, client: Version) {
        out.extend_from_slice(b"HTTP/1.1 ");
        decimal(out, self.status.into());
        out.push(b' ');
        out.extend_from_slice(reason(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        render::field(out, "Date", self.date.as_bytes());
        let (bodiless, line_end) = (self.is_bodiless(), self.line_end());
        if !bodiless {
            render::field(out, "Content-Type", self.content_type.as_bytes());
            render::number_field(out, "Content-Length", (self.body.len() + line_end.len()) as u64);
        }
        self.write_optional(out);
        write_persistence(out, client, self.keep_alive);
        out.extend_from_slice(b"\r\n");
        if !bodiless && !self.head_only {
            out.extend_from_slice(self.body.as_bytes());
            out.extend_from_slice(line_end);
        }
    }

    /// How many bytes follow the head.
    pub fn body_bytes(&self) -> usize {
        match self.is_bodiless() || self.head_only {
            true => 0,
            false => self.body.len() + self.line_end().len(),
        }
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    fn line_end(&self) -> &'static [u8] {
        let is_open = !self.body.is_empty() && !self.body.ends_with('\n');
        if is_open && self.content_type == TEXT { b"\n" } else { b"" }
    }

    fn write_optional(&self, out: &mut Vec<u8>) {
        if let Some(seconds) = self.retry_after_s {
            render::number_field(out, "Retry-After", seconds);
        }
        let named = [
            ("Allow", self.allow),
            ("Location", self.location),
            ("X-Served-By", self.served_by),
            ("X-Request-Id", self.request_id),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                render::field(out, name, value.as_bytes());
            }
        }
        self.fields.iter().for_each(|(name, value)| render::field(out, name, value.as_bytes()));
        if self.no_store || self.set_cookie.is_some() {
            render::field(out, "Cache-Control", b"no-store");
        }
        if let Some(cookie) = self.set_cookie {
            cookie.write(out);
        }
    }
}

/// The reason phrase of the statuses that Evenly itself may answer with.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Unnamed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn text(reply: Reply, client: Version) -> String {
        let mut out = Vec::new();
        reply.write(&mut out, client);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_refusal_says_why_and_closes() {
        assert_eq!(
            text(Reply::new(400, "no Host\n", DATE), Version::Http11),
            "HTTP/1.1 400 Bad Request\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\n\
             Connection: close\r\n\r\nno Host\n"
        );
    }

    #[test]
    fn text_goes_out_as_a_line_and_json_as_it_is() {
        let text_of = |reply| text(reply, Version::Http11);
        let one = text_of(Reply::new(400, "no Host", DATE));
        assert!(one.contains("Content-Length: 8\r\n") && one.ends_with("\r\n\r\nno Host\n"));
        assert_eq!(one, text_of(Reply::new(400, "no Host\n", DATE)));
        assert!(text_of(Reply::new(200, "", DATE)).ends_with("\r\n\r\n"));
        let json = Reply { content_type: "application/json", ..Reply::new(200, "{}", DATE) };
        assert!(text_of(json).ends_with("\r\n\r\n{}"));
    }

    #[test]
    fn an_answer_to_head_counts_its_body_and_leaves_it_out() {
        let reply = Reply { head_only: true, keep_alive: true, ..Reply::new(200, "ok\n", DATE) };
        let text = text(reply, Version::Http11);
        assert!(text.contains("Content-Length: 3\r\n") && text.ends_with("\r\n\r\n"));
        assert!(!text.contains("Connection"));
    }

    #[test]
    fn statuses_without_a_body_get_no_length() {
        let text = text(Reply::new(204, "ignored", DATE), Version::Http11);
        assert!(!text.contains("Content-") && text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn an_old_client_is_told_that_the_connection_stays() {
        let reply = Reply { keep_alive: true, ..Reply::new(200, "", DATE) };
        assert!(text(reply, Version::Http10).contains("Connection: keep-alive\r\n"));
    }

    #[test]
    fn what_a_status_demands_is_said() {
        let reply = Reply {
            retry_after_s: Some(5),
            allow: Some("GET"),
            location: Some("http://a.test/"),
            no_store: true,
            set_cookie: Some(SetCookie { name: "B", token: 1, max_age_s: None, secure: false }),
            served_by: Some("API01"),
            request_id: Some("id-1"),
            fields: &[("WWW-Authenticate", "Bearer")],
            ..Reply::new(503, "", DATE)
        };
        let text = text(reply, Version::Http11);
        for line in [
            "Retry-After: 5",
            "Allow: GET",
            "Location: http://a.test/",
            "Cache-Control: no-store",
            "Set-Cookie: B=0000000000000001; Path=/; HttpOnly; SameSite=Lax",
            "X-Served-By: API01",
            "X-Request-Id: id-1",
            "WWW-Authenticate: Bearer",
        ] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}");
        }
    }

    #[test]
    fn every_status_of_ours_has_a_name() {
        for status in [
            200, 201, 204, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 411, 413, 414,
            415, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505,
        ] {
            assert_ne!(reason(status), "Unnamed");
        }
        assert_eq!(reason(599), "Unnamed");
    }
}
