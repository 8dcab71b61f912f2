//! The head of a request: bytes in, a checked [`Request`] or a [`Refusal`] out.
//!
//! The proxy's downstream side and the demo backend call it. It must never let through what two
//! readers could understand in two ways; `forward` writes what it let through.

use httparse::{Error, Header, Status};

use super::connection::{self, Connection};
use super::fields::{self, Mask, Name};
use super::framing::{self, Declared};
use super::{BARE_LF, Broken, Framing, HEADERS_MAX, HeadLimits, Parsed, Refusal, Slots, Version};
use super::{cookie, has_bare_lf, target};

pub use super::forward::{Forwarding, name_host};

/// The methods to name in the Allow field of a 405, and of an answer to OPTIONS of our own.
pub const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Twice the longest name in the registry of methods. More is 400.
const METHOD_BYTES_MAX: usize = 64;

/// Bytes of empty lines before a message, which mean nothing. More are no accident.
const BLANK_BYTES_MAX: usize = 16;

/// A request head that obeys every rule. It borrows from the bytes it was read from.
#[derive(Debug)]
pub struct Request<'h, 'b> {
    /// The method, case and all.
    pub method: &'b str,
    /// The target to send on: a path with its query, or `*`. Where an absolute target had a query
    /// and no path this starts with `?`, and a `/` is written in front of it.
    pub target: &'b str,
    /// The authority of an absolute target, else Host; empty if an HTTP/1.0 request has neither.
    pub host: &'b str,
    /// The version of the client.
    pub version: Version,
    /// How the end of the body is known; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// Whether the client means to keep the connection.
    pub keep_alive: bool,
    /// Whether the client waits for a 100 before it sends the body that `framing` announces.
    pub expects_continue: bool,
    /// The protocol to change to, if Connection names the field too and it is no version of HTTP.
    /// Otherwise the offer is dropped, as RFC 9110 7.8 allows. A body comes before the change.
    pub upgrade: Option<&'b str>,
    /// The same for `h2c` where it is not the offer to take this very request as HTTP/2.
    pub(super) h2c: bool,
    /// Whether the client can use trailers (RFC 9110 10.1.4).
    pub(super) wants_trailers: bool,
    /// Hops that an OPTIONS request may still take. At 0 it is not sent on: answer it here with
    /// 200 and [`ALLOW`] (RFC 9110 7.6.2).
    pub max_forwards: Option<u64>,
    pub(super) fields: &'h [Header<'b>],
    pub(super) connection: Connection<'b>,
    pub(super) rewritten: Mask,
}

impl<'b> Request<'_, 'b> {
    /// The value of the first field of that name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        let named = |field: &&Header<'b>| field.name.eq_ignore_ascii_case(name);
        self.fields.iter().find(named).map(|field| field.value)
    }

    /// The values of the fields of that name, in any case and from either end.
    pub fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        let named = move |field: &&Header<'b>| field.name.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|field| field.value)
    }

    /// The values of the cookies of that name, in this very case, in the order sent.
    pub fn cookies(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.values("cookie").flat_map(move |field| cookie::named(field, name))
    }

    /// Whether sending it twice does what sending it once does (RFC 9110 9.2.2).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
    }
}

/// Reads a head from the start of `bytes`, which may go on with a body and further requests.
///
/// # Errors
/// The first rule that the head breaks; limits are found out before the head is complete.
pub fn parse<'h, 'b>(
    bytes: &'b [u8],
    limits: &HeadLimits,
    slots: &'h mut Slots<'b>,
) -> Result<Parsed<Request<'h, 'b>>, Refusal> {
    let skipped = leading_lines(bytes)?;
    let window = &bytes[skipped..bytes.len().min(limits.head_bytes.saturating_add(skipped))];
    let room = &mut slots[..limits.headers.min(HEADERS_MAX)];
    let mut raw = httparse::Request::new(&mut []);
    match raw.parse_with_uninit_headers(window, room) {
        Ok(Status::Complete(length)) => {
            let head = understand(&window[..length], raw, limits)?;
            Ok(Parsed::Complete { head, length: skipped + length })
        }
        Ok(Status::Partial) => check_unfinished(window, limits).map(|()| Parsed::Partial),
        Err(error) => Err(explain(error, &raw, window)),
    }
}

/// How many bytes at the start are empty lines, or the first half of one: no request has begun with
/// them, so who sent nothing else is idle.
#[must_use]
pub fn blank(bytes: &[u8]) -> usize {
    let mut length = 0;
    while bytes[length..].starts_with(b"\r\n") {
        length += 2;
    }
    length + usize::from(bytes[length..] == *b"\r")
}

/// Some clients end a body with an empty line, which is forgiven (RFC 9112 2.2). httparse would
/// skip any number, and those of a line feed alone.
pub(super) fn leading_lines(bytes: &[u8]) -> Result<usize, Broken> {
    let length = blank(bytes);
    if length > BLANK_BYTES_MAX || bytes[length..].first() == Some(&b'\n') {
        return Err("too many empty lines in front, or one that ends with LF alone");
    }
    Ok(length - length % 2)
}

/// Finds what is over its limit in a head that has not ended, so that it need not be awaited.
fn check_unfinished(window: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
    let line = window.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    check_method_length(words.next().unwrap_or_default().len())?;
    check_target_length(words.next().unwrap_or_default().len(), limits)?;
    if window.len() >= limits.head_bytes {
        return Err(Refusal { status: 431, reason: "the head is longer than [limits] head_bytes" });
    }
    Ok(())
}

fn check_method_length(bytes: usize) -> Result<(), Broken> {
    if bytes > METHOD_BYTES_MAX { Err("the method is too long") } else { Ok(()) }
}

fn check_target_length(bytes: usize, limits: &HeadLimits) -> Result<(), Refusal> {
    if bytes > limits.target_bytes {
        return Err(Refusal {
            status: 414,
            reason: "the target is longer than [limits] target_bytes",
        });
    }
    Ok(())
}

fn explain(error: Error, raw: &httparse::Request, window: &[u8]) -> Refusal {
    match error {
        Error::TooManyHeaders => {
            Refusal { status: 431, reason: "more fields than [limits] headers" }
        }
        Error::Version if is_other_version(raw, window) => {
            Refusal { status: 505, reason: "only HTTP/1.0 and HTTP/1.1 are spoken here" }
        }
        Error::Version => "the request line does not end with a version of HTTP".into(),
        Error::Token if raw.method.is_none() => "the method is not a token".into(),
        Error::Token => "a bad character in the request line".into(),
        Error::HeaderName => "a bad character in or around a field name".into(),
        Error::HeaderValue => "a control character in a field value".into(),
        Error::NewLine | Error::Status => "a line does not end with CR LF".into(),
    }
}

/// Whether the version is one of HTTP's, only not ours: `HTTP/`, a digit, a dot, a digit
/// (RFC 9112 2.3). What lacks that shape is no HTTP at all.
fn is_other_version(raw: &httparse::Request, window: &[u8]) -> bool {
    let spaces = 2;
    let start = raw.method.map_or(0, str::len) + raw.path.map_or(0, str::len) + spaces;
    let text = window.get(start..).unwrap_or_default();
    let shape = b"HTTP/0.0\r";
    text.iter().zip(shape).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    })
}

fn understand<'h, 'b>(
    head: &[u8],
    raw: httparse::Request<'h, 'b>,
    limits: &HeadLimits,
) -> Result<Request<'h, 'b>, Refusal> {
    let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
        return Err(Refusal::from("the request line is incomplete"));
    };
    if has_bare_lf(head) {
        return Err(BARE_LF.into());
    }
    check_method_length(method.len())?;
    check_method(method)?;
    check_target_length(target.len(), limits)?;
    let target = target::read(target, method)?;
    let version = Version::of(minor);
    let mut seen = Seen::default();
    for (index, field) in raw.headers.iter().enumerate() {
        seen.take(index, field, method)?;
    }
    seen.declared.check(version)?;
    if version == Version::Http11 && seen.host.is_none() {
        return Err("no Host".into());
    }
    let framing = match seen.declared {
        Declared { chunked: true, .. } => Framing::Chunked,
        Declared { length: Some(length), .. } => Framing::Length(length),
        _ => Framing::None,
    };
    let modern = version == Version::Http11;
    let bodiless = matches!(framing, Framing::None | Framing::Length(0));
    // HTTP/1.0 has no expectations, upgrades or trailers: what it says of them is ignored
    // (RFC 9110 10.1.1, 7.8).
    let offered = seen.upgrade.filter(|_| seen.connection.upgrade && modern);
    Ok(Request {
        method,
        target: target.path,
        host: target.authority.or(seen.host).unwrap_or_default(),
        version,
        framing,
        keep_alive: seen.connection.persists(version),
        expects_continue: seen.expects_continue && modern && !bodiless,
        upgrade: offered.filter(|protocol| !connection::is_http(protocol)),
        h2c: !seen.h2_settings && offered.is_some_and(|name| name.eq_ignore_ascii_case("h2c")),
        wants_trailers: seen.wants_trailers && modern,
        max_forwards: seen.max_forwards,
        fields: raw.headers,
        connection: seen.connection,
        rewritten: seen.rewritten,
    })
}

/// CONNECT would make a tunnel of any target, TRACE, and TRACK as IIS has it, would show a client
/// what the hops before the backend added. To a server that ignores the case of methods `Trace` is
/// the same. PRI opens HTTP/2, ANNOUNCE belongs to RTSP: their senders speak something else.
fn check_method(method: &str) -> Result<(), Refusal> {
    match method {
        "GET" | "POST" | "HEAD" => Ok(()),
        "PRI" | "ANNOUNCE" => Err(Refusal { status: 501, reason: "not a method of HTTP/1.1" }),
        _ if is_never_relayed(method) => {
            Err(Refusal { status: 405, reason: "the method is not relayed" })
        }
        _ => Ok(()),
    }
}

/// Whether requests of this method are refused whatever they ask for.
#[must_use]
pub fn is_never_relayed(method: &str) -> bool {
    ["CONNECT", "TRACE", "TRACK"].iter().any(|refused| method.eq_ignore_ascii_case(refused))
}

/// What the field lines say, gathered in one pass.
#[derive(Default)]
struct Seen<'b> {
    host: Option<&'b str>,
    declared: Declared,
    connection: Connection<'b>,
    upgrade: Option<&'b str>,
    upgrades: usize,
    h2_settings: bool,
    wants_trailers: bool,
    expects_continue: bool,
    max_forwards: Option<u64>,
    rewritten: Mask,
}

impl<'b> Seen<'b> {
    fn take(&mut self, index: usize, field: &Header<'b>, method: &str) -> Result<(), Refusal> {
        match fields::classify(field.name.as_bytes()) {
            Name::Other | Name::Date | Name::ServedBy => return Ok(()),
            Name::MaxForwards if method != "OPTIONS" => return Ok(()),
            Name::Host if self.host.is_some() => return Err("more than one Host".into()),
            Name::Host => self.host = Some(target::host(field.value)?),
            Name::ContentLength => self.declared.content_length(field.value)?,
            Name::TransferEncoding => self.declared.transfer_encoding(field.value)?,
            Name::FramingLookalike => return Err("a framing field in disguise".into()),
            Name::Connection => self.connection.read(field.value)?,
            Name::Upgrade => self.offer(field.value),
            Name::Http2Settings => self.h2_settings = true,
            Name::Te => self.wants_trailers |= fields::members(field.value).any(is_trailers),
            Name::Expect => self.expect(field.value)?,
            Name::MaxForwards => self.spend(field.value)?,
            Name::RequestId
            | Name::Forwarded
            | Name::ForwardedFor
            | Name::ForwardedHost
            | Name::ForwardedProto
            | Name::KeepAlive
            | Name::Dropped
            | Name::Lookalike => {}
        }
        self.rewritten.set(index);
        Ok(())
    }

    fn offer(&mut self, value: &'b [u8]) {
        self.upgrades += 1;
        self.upgrade = connection::protocol(value).filter(|_| self.upgrades == 1);
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for expectation in fields::members(value) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                let reason = "an expectation other than 100-continue";
                return Err(Refusal { status: 417, reason });
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    fn spend(&mut self, value: &[u8]) -> Result<(), Broken> {
        if self.max_forwards.is_some() {
            return Err("more than one Max-Forwards");
        }
        self.max_forwards =
            Some(framing::decimal(value).ok_or("Max-Forwards is not a plain number")?);
        Ok(())
    }
}

fn is_trailers(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"trailers")
}

#[cfg(test)]
mod tests;
