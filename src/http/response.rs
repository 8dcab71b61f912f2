//! The head of a response: a backend's bytes in, a head for the client out.
//!
//! The upstream side reads with it, the downstream side writes. What has one meaning is mended, so
//! that an application's slip is no outage; all else is as strict as `request`: a client, or a
//! cache before it, must never find two responses where the backend sent one.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::{Error, Header, Status};

use super::connection::{self, Connection, Endurance};
use super::cookie::SetCookie;
use super::fields::{self, Mask, Name};
use super::framing::Declared;
use super::request::leading_lines;
use super::{Framing, HEADERS_MAX, HeadLimits, Malformed, Parsed, Repairs, Slots, Version};
use super::{render, repairs};
use crate::text::decimal;

/// The words for a head of more bytes than the reader allows.
pub const HEAD_TOO_LONG: &str = "the response head is longer than allowed";
/// And for one of more fields.
pub const TOO_MANY_FIELDS: &str = "more fields in the response than allowed";

/// A response head that obeys every rule. It borrows from the bytes it was read from.
#[derive(Debug)]
pub struct Response<'h, 'b> {
    /// 100 to 999. Those from 600 on mean something to some applications and clients, and are final
    /// to all (RFC 9110 section 15).
    pub status: u16,
    /// The reason phrase, possibly empty. It means nothing (RFC 9112 section 4).
    pub reason: &'b str,
    /// The version of the backend.
    pub version: Version,
    /// How the end of the body is known, given the method and the status.
    pub framing: Framing,
    /// Whether the backend's connection can be used again once the body has ended.
    pub keep_alive: bool,
    /// How many seconds the connection may then be idle, if the backend says so.
    pub keep_alive_s: Option<u32>,
    /// The protocol that a 101 changes to, or that a 426 asks for. The caller refuses a 101 that
    /// nobody asked for, or that names none.
    pub upgrade: Option<&'b str>,
    /// What was mended in this head.
    pub repairs: Repairs,
    /// Content-Length where there is no body: what HEAD and 304 say about the GET (RFC 9110 8.6).
    length_of_get: Option<u64>,
    fields: &'h [Header<'b>],
    connection: Connection<'b>,
    rewritten: Mask,
    dated: bool,
}

/// What Evenly adds to a response.
#[derive(Clone, Copy, Debug)]
pub struct Onward<'a> {
    /// The version of the client.
    pub client: Version,
    /// Whether its connection stays open; ignored where only closing can end the body.
    pub keep_alive: bool,
    /// The Date to add if there is none, as RFC 9110 5.6.7 writes it.
    pub date: &'a str,
    /// The backend's name for X-Served-By, if it is to be shown.
    pub served_by: Option<&'a str>,
    /// What the request is called in logs, for X-Request-Id, if it is to be shown: in place of what
    /// the backend says there, so that the client names one that is found here.
    pub request_id: Option<&'a str>,
    /// A cookie to set, behind those that the backend sets.
    pub set_cookie: Option<SetCookie<'a>>,
}

/// Of bytes that are no head: true if they are an answer of HTTP that breaks a rule, rather than
/// something else altogether, such as a TLS alert or another protocol's greeting.
pub fn is_http(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"HTTP/")
}

/// Reads the head of the answer to a request of that `method` from the start of `bytes`.
///
/// # Errors
/// The first rule that the head breaks: a 502, and the connection is not used again.
pub fn parse<'h, 'b>(
    bytes: &'b [u8],
    limits: &HeadLimits,
    method: &str,
    slots: &'h mut Slots<'b>,
) -> Result<Parsed<Response<'h, 'b>>, Malformed> {
    // An application may end a body with an empty line. On a kept connection that comes late it
    // stands before the next answer; it is nothing here, as it is behind the first.
    let skipped = leading_lines(bytes)?;
    let window = &bytes[skipped..bytes.len().min(limits.head_bytes.saturating_add(skipped))];
    let fields_max = limits.headers.min(HEADERS_MAX);
    let (room, again) = slots.split_at_mut(HEADERS_MAX);
    // Nearly all answers need no mending, and no search for what was mended.
    let strict = read(false, window, &mut room[..fields_max]);
    let is_strict = strict.is_ok();
    match strict.or_else(|_| read(true, window, &mut again[..fields_max])) {
        Ok((Status::Complete(length), raw)) => {
            let head = &window[..length];
            let mut mended =
                if is_strict { repairs::line_ends(head) } else { repairs::marks(head) };
            if skipped > 0 {
                mended |= Repairs::EMPTY_LINES;
            }
            let head = understand(raw, method, mended)?;
            Ok(Parsed::Complete { head, length: skipped + length })
        }
        Ok((Status::Partial, _)) if window.len() >= limits.head_bytes => Err(HEAD_TOO_LONG.into()),
        Ok((Status::Partial, _)) => Ok(Parsed::Partial),
        Err(error) => Err(explain(error)),
    }
}

type Read<'h, 'b> = (Status<usize>, httparse::Response<'h, 'b>);

fn read<'h, 'b>(
    lenient: bool,
    window: &'b [u8],
    room: &'h mut [MaybeUninit<Header<'b>>],
) -> Result<Read<'h, 'b>, Error> {
    let mut raw = httparse::Response::new(&mut []);
    let parser = repairs::parser(lenient);
    let status = parser.parse_response_with_uninit_headers(&mut raw, window, room)?;
    Ok((status, raw))
}

fn explain(error: Error) -> Malformed {
    Malformed(match error {
        Error::TooManyHeaders => TOO_MANY_FIELDS,
        Error::Version => "the response does not start with HTTP/1.0 or HTTP/1.1",
        Error::Status | Error::Token => "a bad status line",
        Error::HeaderName => "a bad character in or around a field name",
        Error::HeaderValue => "a control character in a field value",
        Error::NewLine => "a line does not end with CR LF",
    })
}

fn understand<'h, 'b>(
    raw: httparse::Response<'h, 'b>,
    method: &str,
    repairs: Repairs,
) -> Result<Response<'h, 'b>, Malformed> {
    let (Some(status), Some(minor)) = (raw.code, raw.version) else {
        return Err("the status line is incomplete".into());
    };
    if status < 100 {
        return Err("the status is below 100".into());
    }
    let version = Version::of(minor);
    let mut seen = Seen { repairs, ..Seen::default() };
    for (index, field) in raw.headers.iter().enumerate() {
        seen.take(index, field)?;
    }
    seen.declared.check(version)?;
    let framing = frame(status, method, seen.declared);
    let contradicts = contradicts(status, seen.declared);
    if contradicts && status < 200 {
        return Err("an interim response that announces a body".into());
    }
    let about_get = framing == Framing::None && !is_always_bodiless(status);
    Ok(Response {
        status,
        reason: raw.reason.unwrap_or_default(),
        version,
        framing,
        keep_alive: seen.connection.persists(version)
            && framing != Framing::UntilClose
            && !seen.endurance.is_over
            && !contradicts,
        keep_alive_s: seen.endurance.timeout_s,
        upgrade: seen.upgrade.filter(|protocol| {
            let fits = status == 101 || (status == 426 && !connection::is_http(protocol));
            fits && seen.connection.upgrade
        }),
        repairs: seen.repairs,
        length_of_get: seen.declared.length.filter(|_| about_get),
        fields: raw.headers,
        connection: seen.connection,
        rewritten: seen.rewritten,
        dated: seen.dated,
    })
}

/// RFC 9112 section 6.3, first the rules that look at no field.
fn frame(status: u16, method: &str, declared: Declared) -> Framing {
    if method == "HEAD" || status == 304 || is_always_bodiless(status) {
        return Framing::None;
    }
    match declared {
        Declared { chunked: true, .. } => Framing::Chunked,
        Declared { length: Some(length), .. } => Framing::Length(length),
        _ => Framing::UntilClose,
    }
}

fn is_always_bodiless(status: u16) -> bool {
    status < 200 || status == 204
}

/// A backend that announces a body where there can be none might send it, too, and those bytes
/// would be read as the next response: after a 1xx that is refused, after a 204 the connection is
/// not used again.
fn contradicts(status: u16, declared: Declared) -> bool {
    is_always_bodiless(status) && (declared.chunked || declared.length.is_some_and(|n| n > 0))
}

/// What the field lines say, gathered in one pass.
#[derive(Default)]
struct Seen<'b> {
    declared: Declared,
    connection: Connection<'b>,
    endurance: Endurance,
    upgrade: Option<&'b str>,
    dated: bool,
    repairs: Repairs,
    rewritten: Mask,
}

impl<'b> Seen<'b> {
    fn take(&mut self, index: usize, field: &Header<'b>) -> Result<(), Malformed> {
        match fields::classify(field.name.as_bytes()) {
            Name::ContentLength => {
                self.repairs |= self.declared.content_lengths(field.value)?;
            }
            Name::TransferEncoding => {
                self.repairs |= self.declared.transfer_encodings(field.value)?;
            }
            Name::FramingLookalike => return Err("a framing field in disguise".into()),
            Name::KeepAlive => self.endurance.read(field.value),
            Name::Connection => self.repairs |= self.connection.read_leniently(field.value)?,
            Name::Upgrade => self.upgrade = connection::protocol(field.value),
            Name::Dropped | Name::Te | Name::Http2Settings => {}
            Name::Date => {
                self.dated = true;
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.rewritten.set(index);
        Ok(())
    }
}

impl<'b> Response<'_, 'b> {
    /// Whether another response follows to the same request: 1xx, but not 101.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// The value of the first field of that name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'b, [u8]>> {
        let mut named = self.fields().filter(|(is, _)| is.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }

    /// Each field line, in order: its name as it came, and its value, unfolded.
    pub fn fields(&self) -> impl Iterator<Item = (&'b str, Cow<'b, [u8]>)> {
        let unfolded = |value: &'b [u8]| match self.repairs.has(Repairs::FOLDS) {
            true => render::folds(value).collect::<Vec<_>>().join(&b' ').into(),
            false => value.into(),
        };
        self.fields.iter().map(move |field| (field.name, unfolded(field.value)))
    }

    /// How the body ends on the client's side: HTTP/1.0 knows no chunks, and HTTP/1.1 need not
    /// lose its connection to an end that it could not tell from a broken one.
    #[must_use]
    pub fn onward_framing(&self, client: Version) -> Framing {
        match (self.framing, client) {
            (Framing::Chunked, Version::Http10) => Framing::UntilClose,
            (Framing::UntilClose, Version::Http11) => Framing::Chunked,
            (framing, _) => framing,
        }
    }

    /// Appends the head as the client gets it, always as HTTP/1.1. Interim responses carry no
    /// Date and no Connection; the caller keeps them from HTTP/1.0 clients (RFC 9110 15.2).
    pub fn write_forward(&self, out: &mut Vec<u8>, how: &Onward) {
        out.extend_from_slice(b"HTTP/1.1 ");
        decimal(out, self.status.into());
        out.push(b' ');
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        if how.set_cookie.is_some() {
            // It is this client's: no shared cache may hand it to others (RFC 9111 5.2.2.7),
            // whatever else the backend allows. Where directives differ, the strictest counts; it
            // stands first for those that read one line alone.
            render::field(out, "Cache-Control", b"private");
        }
        self.write_fields(out, how);
        if let Some(cookie) = &how.set_cookie {
            cookie.write(out);
        }
        if let Some(id) = how.request_id {
            render::field(out, "X-Request-Id", id.as_bytes());
        }
        if let Some(protocol) = self.upgrade {
            out.extend_from_slice(b"Connection: upgrade\r\n");
            render::field(out, "Upgrade", protocol.as_bytes());
        }
        if self.status >= 200 {
            self.write_final(out, how);
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_fields(&self, out: &mut Vec<u8>, how: &Onward) {
        for (index, field) in self.fields.iter().enumerate() {
            let ours = how.served_by.is_some() && field.name.eq_ignore_ascii_case("x-served-by");
            let name = field.name.as_bytes();
            let ours = ours || (how.request_id.is_some() && is_request_id(name));
            let ours = ours || (how.set_cookie.is_some() && speaks_to_caches(name));
            if ours || self.rewritten.has(index) || self.connection.nominates(name) {
                continue;
            }
            match self.repairs.has(Repairs::FOLDS) {
                true => render::unfolded(out, field.name, field.value),
                false => render::field(out, field.name, field.value),
            }
        }
    }

    fn write_final(&self, out: &mut Vec<u8>, how: &Onward) {
        let framing = self.onward_framing(how.client);
        match framing {
            Framing::Length(length) => render::number_field(out, "Content-Length", length),
            Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::None | Framing::UntilClose => {}
        }
        if let Some(length) = self.length_of_get {
            render::number_field(out, "Content-Length", length);
        }
        write_persistence(out, how.client, how.keep_alive && framing != Framing::UntilClose);
        if !self.dated {
            render::field(out, "Date", how.date.as_bytes());
        }
        if let Some(backend) = how.served_by {
            render::field(out, "X-Served-By", backend.as_bytes());
        }
    }
}

fn is_request_id(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"x-request-id")
}

/// What shared caches obey before Cache-Control (RFC 9213; Surrogate-Control is older).
fn speaks_to_caches(name: &[u8]) -> bool {
    [&b"cdn-cache-control"[..], b"surrogate-control"].iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// Appends the Connection field, unless it would say what the version says (RFC 9112 9.3).
pub(super) fn write_persistence(out: &mut Vec<u8>, client: Version, keep_alive: bool) {
    match (keep_alive, client) {
        (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (true, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (true, Version::Http11) => {}
    }
}

#[cfg(test)]
mod tests;
