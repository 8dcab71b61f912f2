//! The access record and its three renderings. Called by `Log::access` on the caller's thread, once
//! a request: no format machinery and no allocation in the common case.
//!
//! `common` and `combined` begin byte for byte as Apache writes them, so tools that anchor on the
//! start of the line keep working; five fields of ours follow:
//!
//! ```text
//! 192.0.2.7 - - [21/Nov/2026:06:15:28 +0000] "GET /a HTTP/1.1" 200 512 API01 1 0.412 0.598 --
//! client        when                         request line  status bytes |     | |     |     cause
//!                                                          backend, tries, first byte ms, total ms
//! ```
//!
//! `combined` has `"referer" "user agent"` between the bytes and the backend. A dash is "none".
//! Where a request did not end well, a last field says why in words: `"no Host"`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::Cause;
use super::line::{clf_time, json_field, millis, quoted_field, rfc3339};
use crate::text::{address, bare, decimal};

/// The form of an access line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Common Log Format, then our fields.
    Common,
    /// The Common Log Format with referer and user agent, then our fields.
    Combined,
    /// One JSON object a line, in ASCII.
    Json,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Access<'a> {
    /// When the request arrived.
    pub when: SystemTime,
    /// The client, as far as it is known behind trusted proxies.
    pub client: IpAddr,
    /// Who has the connection: the client, or the last of those proxies. JSON alone tells, where it
    /// is another.
    pub peer: IpAddr,
    /// As received; empty when it could not be read.
    pub method: &'a [u8],
    /// As received; empty when it could not be read.
    pub target: &'a [u8],
    /// `HTTP/1.1` or `HTTP/1.0`, or as received in a request that was refused.
    pub version: &'a [u8],
    /// As the client was told; 499 when the client left before there was one. 0 for what is no
    /// request, a TCP client's connection.
    pub status: u16,
    /// Bytes of the answer's body, as Apache's `%b`: heads do not count.
    pub bytes_sent: u64,
    /// Bytes of the request's body.
    pub bytes_received: u64,
    /// Empty when there was none.
    pub referer: &'a [u8],
    /// Empty when there was none.
    pub user_agent: &'a [u8],
    /// The name of the last backend that was tried.
    pub backend: Option<&'a str>,
    /// Backends tried.
    pub tries: u32,
    /// From the request's arrival to the first byte of the answer; of a TCP client's, until a
    /// backend had taken the connection.
    pub first_byte: Option<Duration>,
    /// From the request's arrival to the end of the exchange.
    pub total: Duration,
    /// Why it ended.
    pub cause: Cause,
    /// The same in words; empty when it ended well.
    pub reason: &'a str,
    /// As sent to the backend in X-Request-Id.
    pub request_id: &'a str,
    /// Whom the client asked for, by Host or in the target; empty when it named none.
    pub host: &'a [u8],
    /// The pool that the request was for.
    pub pool: Option<&'a str>,
    /// The route that led there, if it is for routes to say.
    pub route: Option<&'a str>,
    /// By which rule the last backend was picked.
    pub pick: Option<&'a str>,
}

impl Access<'_> {
    /// When something came that has just ended, and took so long: by a clock that may have been set
    /// meanwhile, so the two need not add up.
    pub fn arrived(took: Duration) -> SystemTime {
        let now = SystemTime::now();
        now.checked_sub(took).unwrap_or(now)
    }

    /// Appends the record as one line.
    pub fn write(&self, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::Common => self.write_common(out),
            Format::Combined => {
                self.write_common(out);
                self.write_agents(out);
            }
            Format::Json => return self.write_json(out),
        }
        self.write_extras(out);
    }

    fn write_common(&self, out: &mut Vec<u8>) {
        address(out, self.client);
        out.extend_from_slice(b" - - [");
        clf_time(out, self.when);
        out.extend_from_slice(b"] \"");
        self.write_request_line(out);
        out.extend_from_slice(b"\" ");
        match self.status {
            0 => out.push(b'-'),
            status => decimal(out, status.into()),
        }
        out.push(b' ');
        match self.bytes_sent {
            0 => out.push(b'-'),
            bytes => decimal(out, bytes),
        }
    }

    fn write_request_line(&self, out: &mut Vec<u8>) {
        let start = out.len();
        for word in [self.method, self.target, self.version] {
            if !word.is_empty() {
                if out.len() > start {
                    out.push(b' ');
                }
                quoted_field(out, word);
            }
        }
        if out.len() == start {
            out.push(b'-');
        }
    }

    fn write_agents(&self, out: &mut Vec<u8>) {
        for agent in [self.referer, self.user_agent] {
            out.extend_from_slice(b" \"");
            quoted_field(out, if agent.is_empty() { b"-" } else { agent });
            out.push(b'"');
        }
    }

    fn write_extras(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        bare(out, self.backend.unwrap_or("-").as_bytes());
        out.push(b' ');
        decimal(out, self.tries.into());
        out.push(b' ');
        match self.first_byte {
            Some(waited) => millis(out, waited),
            None => out.push(b'-'),
        }
        out.push(b' ');
        millis(out, self.total);
        out.push(b' ');
        out.extend_from_slice(self.code().as_bytes());
        if !self.reason.is_empty() {
            out.extend_from_slice(b" \"");
            quoted_field(out, self.reason.as_bytes());
            out.push(b'"');
        }
        out.push(b'\n');
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        rfc3339(out, self.when);
        out.extend_from_slice(b"\",\"client\":\"");
        address(out, self.client);
        if self.peer != self.client {
            out.extend_from_slice(b"\",\"peer\":\"");
            address(out, self.peer);
        }
        out.extend_from_slice(b"\",\"method\":");
        json_field(out, self.method);
        out.extend_from_slice(b",\"target\":");
        json_field(out, self.target);
        out.extend_from_slice(b",\"version\":");
        json_field(out, self.version);
        out.extend_from_slice(b",\"status\":");
        match self.status {
            0 => out.extend_from_slice(b"null"),
            status => decimal(out, status.into()),
        }
        out.extend_from_slice(b",\"bytes_sent\":");
        decimal(out, self.bytes_sent);
        out.extend_from_slice(b",\"bytes_received\":");
        decimal(out, self.bytes_received);
        out.extend_from_slice(b",\"referer\":");
        json_field(out, self.referer);
        out.extend_from_slice(b",\"user_agent\":");
        json_field(out, self.user_agent);
        self.write_json_relay(out);
    }

    fn write_json_relay(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"backend\":");
        json_or_null(out, self.backend.unwrap_or_default().as_bytes());
        out.extend_from_slice(b",\"tries\":");
        decimal(out, self.tries.into());
        out.extend_from_slice(b",\"first_byte_ms\":");
        match self.first_byte {
            Some(waited) => millis(out, waited),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"total_ms\":");
        millis(out, self.total);
        out.extend_from_slice(b",\"cause\":\"");
        out.extend_from_slice(self.code().as_bytes());
        out.extend_from_slice(b"\",\"reason\":");
        json_or_null(out, self.reason.as_bytes());
        out.extend_from_slice(b",\"request_id\":");
        json_or_null(out, self.request_id.as_bytes());
        out.extend_from_slice(b",\"host\":");
        json_or_null(out, self.host);
        out.extend_from_slice(b",\"pool\":");
        json_or_null(out, self.pool.unwrap_or_default().as_bytes());
        out.extend_from_slice(b",\"route\":");
        json_or_null(out, self.route.unwrap_or_default().as_bytes());
        out.extend_from_slice(b",\"pick\":");
        json_or_null(out, self.pick.unwrap_or_default().as_bytes());
        out.extend_from_slice(b"}\n");
    }

    fn code(&self) -> &'static str {
        self.cause.code(self.first_byte.is_some())
    }
}

/// The field, or null if there is nothing in it.
fn json_or_null(out: &mut Vec<u8>, field: &[u8]) {
    match field {
        [] => out.extend_from_slice(b"null"),
        field => json_field(out, field),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 21 November 2026, 06:15:28.123 UTC.
    pub const WHEN: Duration = Duration::from_millis(1_795_241_728_123);

    pub fn sample() -> Access<'static> {
        Access {
            when: SystemTime::UNIX_EPOCH + WHEN,
            client: [192, 0, 2, 7].into(),
            peer: [192, 0, 2, 7].into(),
            method: b"GET",
            target: b"/a?b=c",
            version: b"HTTP/1.1",
            status: 200,
            bytes_sent: 512,
            bytes_received: 0,
            referer: b"http://example.org/",
            user_agent: b"curl/8.5.0",
            backend: Some("API01"),
            tries: 1,
            first_byte: Some(Duration::from_micros(412)),
            total: Duration::from_micros(12_598),
            cause: Cause::Done,
            reason: "",
            request_id: "0123abcd",
            host: b"example.org",
            pool: Some("default"),
            route: Some("*.a.test/api"),
            pick: Some("round-robin"),
        }
    }

    fn line(record: &Access, format: Format) -> String {
        let mut out = Vec::new();
        record.write(format, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn common_is_clf_and_then_our_fields() {
        assert_eq!(
            line(&sample(), Format::Common),
            "192.0.2.7 - - [21/Nov/2026:06:15:28 +0000] \"GET /a?b=c HTTP/1.1\" 200 512 \
             API01 1 0.412 12.598 --\n"
        );
    }

    #[test]
    fn combined_has_referer_and_user_agent_before_our_fields() {
        assert_eq!(
            line(&sample(), Format::Combined),
            "192.0.2.7 - - [21/Nov/2026:06:15:28 +0000] \"GET /a?b=c HTTP/1.1\" 200 512 \
             \"http://example.org/\" \"curl/8.5.0\" API01 1 0.412 12.598 --\n"
        );
    }

    #[test]
    fn json_has_every_field() {
        assert_eq!(
            line(&sample(), Format::Json),
            "{\"time\":\"2026-11-21T06:15:28.123Z\",\"client\":\"192.0.2.7\",\"method\":\"GET\",\
             \"target\":\"/a?b=c\",\"version\":\"HTTP/1.1\",\"status\":200,\"bytes_sent\":512,\
             \"bytes_received\":0,\"referer\":\"http://example.org/\",\
             \"user_agent\":\"curl/8.5.0\",\"backend\":\"API01\",\"tries\":1,\
             \"first_byte_ms\":0.412,\"total_ms\":12.598,\"cause\":\"--\",\
             \"reason\":null,\"request_id\":\"0123abcd\",\"host\":\"example.org\",\
             \"pool\":\"default\",\"route\":\"*.a.test/api\",\"pick\":\"round-robin\"}\n"
        );
    }

    #[test]
    fn json_names_the_peer_that_asked_for_the_client() {
        let record = Access { peer: [10, 0, 0, 1].into(), ..sample() };
        let json = line(&record, Format::Json);
        assert!(
            json.contains(",\"client\":\"192.0.2.7\",\"peer\":\"10.0.0.1\",\"method\""),
            "{json}"
        );
        assert!(!line(&record, Format::Combined).contains("10.0.0.1"));
    }

    #[test]
    fn what_is_missing_is_a_dash_or_null() {
        let record = Access {
            method: b"",
            target: b"",
            version: b"",
            status: 400,
            bytes_sent: 0,
            referer: b"",
            user_agent: b"",
            backend: None,
            tries: 0,
            first_byte: None,
            cause: Cause::Refused,
            host: b"",
            pool: None,
            route: None,
            pick: None,
            ..sample()
        };
        assert_eq!(
            line(&record, Format::Combined),
            "192.0.2.7 - - [21/Nov/2026:06:15:28 +0000] \"-\" 400 - \"-\" \"-\" - 0 - 12.598 PR\n"
        );
        let json: serde_json::Value = serde_json::from_str(&line(&record, Format::Json)).unwrap();
        let nulls = ["backend", "first_byte_ms", "host", "pool", "route", "pick"];
        assert!(nulls.iter().all(|key| json[key].is_null()), "{json}");
        assert_eq!(json["referer"], "");
    }

    #[test]
    fn what_is_known_of_a_refused_request_is_told_with_the_reason() {
        let record = Access {
            target: b"\x16\x03\x01",
            method: b"",
            version: b"",
            status: 400,
            cause: Cause::Refused,
            reason: "the method is not a \"token\"",
            ..sample()
        };
        let common = line(&record, Format::Common);
        assert!(common.contains(" \"\\x16\\x03\\x01\" 400 "), "{common}");
        assert!(common.ends_with(" PR \"the method is not a \\x22token\\x22\"\n"), "{common}");
        let json: serde_json::Value = serde_json::from_str(&line(&record, Format::Json)).unwrap();
        assert_eq!((&json["method"], &json["reason"]), (&"".into(), &record.reason.into()));
    }

    #[test]
    fn the_cause_tells_whether_the_answer_had_begun() {
        let begun = Access { cause: Cause::BackendReset, ..sample() };
        assert!(line(&begun, Format::Common).ends_with(" SD\n"));
        let not_begun = Access { first_byte: None, ..begun };
        assert!(line(&not_begun, Format::Common).ends_with(" - 12.598 SH\n"));
    }

    #[test]
    fn a_hostile_client_forges_no_line_and_no_field() {
        let record = Access {
            target: "/\u{e4}\" 200\n127.0.0.1".as_bytes(),
            user_agent: b"a\"\\\r\n\x7f\xff\x1b[31m",
            host: b"a\",\"pick\":\"x\r\n",
            backend: Some("two words"),
            ..sample()
        };
        assert_eq!(
            line(&record, Format::Combined),
            "192.0.2.7 - - [21/Nov/2026:06:15:28 +0000] \
             \"GET /\\xC3\\xA4\\x22 200\\x0A127.0.0.1 HTTP/1.1\" 200 512 \"http://example.org/\" \
             \"a\\x22\\x5C\\x0D\\x0A\\x7F\\xFF\\x1B[31m\" two\\x20words 1 0.412 12.598 --\n"
        );
        let text = line(&record, Format::Json);
        assert!(text.is_ascii() && text.find('\n') == Some(text.len() - 1));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["target"].as_str().map(str::as_bytes), Some(record.target));
        assert_eq!(json["host"], "a\",\"pick\":\"x\r\n");
        assert_eq!(json["pick"], "round-robin");
        assert_eq!(json["user_agent"], "a\"\\\r\n\u{7f}\u{fffd}\u{1b}[31m");
    }

    #[test]
    fn an_ipv6_client_is_written_plainly_and_a_mapped_one_as_ipv4() {
        let common = |ip: &str| {
            let client = ip.parse().unwrap();
            line(&Access { client, ..sample() }, Format::Common)
        };
        assert!(common("2001:db8::1").starts_with("2001:db8::1 - - ["));
        assert!(common("::ffff:192.0.2.1").starts_with("192.0.2.1 - - ["));
    }
}
