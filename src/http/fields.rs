//! What a field's name means to a relay: which fields are hop-by-hop, framing, or ours to write.
//!
//! `request`, `response` and `body` ask it about every field line. It must never take two
//! spellings of one name for two fields: a backend behind CGI does not.

use super::claims;
use super::likeness::{Likeness, likeness};

/// What a field is to us. All that is not [`Name::Other`] is read, rewritten or kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Relayed as it came.
    Other,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
    Upgrade,
    Http2Settings,
    Te,
    Expect,
    MaxForwards,
    Date,
    ServedBy,
    RequestId,
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    /// Goes no further.
    Dropped,
    /// A known name in disguise, such as `X_Forwarded_For`.
    Lookalike,
    /// The same for a name that decides where the message ends.
    FramingLookalike,
}

/// The names that are not simply relayed, shortest first: `classify` finds them by length.
const KNOWN: [(&str, Name); 22] = [
    // The transfer codings that this hop can read, which are ours to say, and whether trailers are
    // wanted, which goes on (RFC 9110 10.1.4).
    ("te", Name::Te),
    ("date", Name::Date),
    ("host", Name::Host),
    // Not a field of HTTP: CGI hands it to programs as HTTP_PROXY (httpoxy, CVE-2016-5385).
    ("proxy", Name::Dropped),
    ("expect", Name::Expect),
    // Names protocols for this connection; rebuilt when both sides mean it (RFC 9110 7.8).
    ("upgrade", Name::Upgrade),
    ("forwarded", Name::Forwarded),
    // Options of this connection, and the names of more fields that end here (RFC 9110 7.6.1).
    ("connection", Name::Connection),
    // Parameters of this connection's persistence (RFC 9112 C.2.2): read, never passed on.
    ("keep-alive", Name::KeepAlive),
    ("x-served-by", Name::ServedBy),
    ("max-forwards", Name::MaxForwards),
    ("x-request-id", Name::RequestId),
    ("content-length", Name::ContentLength),
    // Makes of `Upgrade: h2c` the offer to take this very request as HTTP/2 (RFC 7540 3.2).
    ("http2-settings", Name::Http2Settings),
    ("x-forwarded-for", Name::ForwardedFor),
    // What some clients send in place of Connection; meant for one hop all the same.
    ("proxy-connection", Name::Dropped),
    ("x-forwarded-host", Name::ForwardedHost),
    // How this hop's bytes are wrapped: unwrapped, and wrapped again (RFC 9112 6.1).
    ("transfer-encoding", Name::TransferEncoding),
    ("x-forwarded-proto", Name::ForwardedProto),
    // Challenge and credentials between a client and its own next proxy (RFC 9110 11.7).
    ("proxy-authenticate", Name::Dropped),
    ("proxy-authorization", Name::Dropped),
    // The outcome of such an exchange (RFC 9110 11.7.3).
    ("proxy-authentication-info", Name::Dropped),
];

const LENGTH_MAX: usize = 25;

/// `KNOWN[STARTS[n]..STARTS[n + 1]]` are the names of n bytes.
const STARTS: [usize; LENGTH_MAX + 2] = {
    let mut starts = [KNOWN.len(); LENGTH_MAX + 2];
    let mut index = KNOWN.len();
    let mut length = LENGTH_MAX + 1;
    while length > 0 {
        length -= 1;
        while index > 0 && KNOWN[index - 1].0.len() >= length {
            index -= 1;
        }
        starts[length] = index;
    }
    starts
};

/// What a field of this name is to us. Most names are settled by their length and first letter.
pub(super) fn classify(name: &[u8]) -> Name {
    let Some(first) = name.first().map(|first| first | 0x20) else {
        return Name::Other;
    };
    let Some(&end) = STARTS.get(name.len() + 1) else {
        return Name::Other;
    };
    for (known, is) in &KNOWN[STARTS[name.len()]..end] {
        if known.as_bytes()[0] != first {
            continue;
        }
        match likeness(name, known.as_bytes()) {
            Likeness::Same => return *is,
            Likeness::Disguised => return disguised(*is),
            Likeness::Different => {}
        }
    }
    Name::Other
}

fn disguised(known: Name) -> Name {
    match known {
        Name::ContentLength | Name::TransferEncoding => Name::FramingLookalike,
        _ => Name::Lookalike,
    }
}

/// Whether a field of this name, or one that looks like it, says where a request goes, where it
/// ends, or what becomes of its connection: for whoever frames the request to write.
#[must_use]
pub fn is_framing(name: &[u8]) -> bool {
    use Name::{Connection, ContentLength, Dropped, Expect, FramingLookalike, Host, Http2Settings};
    use Name::{KeepAlive, Te, TransferEncoding, Upgrade};
    let framing = [Host, ContentLength, TransferEncoding, Connection, KeepAlive, Upgrade];
    let others = [Http2Settings, Te, Expect, Dropped, FramingLookalike];
    let is = classify(name);
    framing.contains(&is) || others.contains(&is) || name.eq_ignore_ascii_case(b"trailer")
}

/// Fields that steer the whole message before its content is read. Connection must not name them
/// (RFC 9110 7.6.1), no trailer may carry them (6.5.1).
const STEERING: [&str; 24] = [
    "age",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-range",
    "content-type",
    "cookie",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "origin",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "trailer",
    "vary",
    "via",
    "www-authenticate",
];

/// Whether a field of this name steers the whole message.
pub(super) fn is_steering(name: &[u8]) -> bool {
    STEERING.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// What becomes of a trailer field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trailer {
    Relayed,
    Dropped,
    /// Nobody honest sends it there: it is meant for a backend that merges trailers into the head.
    Refused,
}

/// Judges a trailer field by its name.
pub(super) fn trailer(name: &[u8]) -> Trailer {
    match classify(name) {
        Name::Host | Name::ContentLength | Name::TransferEncoding | Name::FramingLookalike => {
            Trailer::Refused
        }
        Name::Other if name.eq_ignore_ascii_case(b"authorization") => Trailer::Refused,
        Name::Other if !is_steering(name) && !claims::is_usual(name) => Trailer::Relayed,
        _ => Trailer::Dropped,
    }
}

/// The members of a list; empty ones say nothing (RFC 9110 5.6.1).
pub(super) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty())
}

/// RFC 9110 5.6.2: letters, digits and a few marks, at least one.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// One character of a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(byte, b'^'..=b'`' | b'|' | b'~')
}

/// The numbers of field lines, as bits: which of them are not relayed as they came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mask([u64; super::HEADERS_MAX / 64]);

impl Mask {
    /// Marks a line.
    pub(super) fn set(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    /// Whether the line is marked.
    pub(super) fn has(&self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }
}

#[cfg(test)]
mod tests;
