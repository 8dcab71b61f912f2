//! The grammars of single strings: addresses, names, paths, cookies, status ranges, log targets.
//! Called by the forms of keys; resolves no name and touches no file.

mod address;
pub(super) mod admin;
#[cfg(feature = "alerts")]
pub(super) mod alerts;
pub(super) mod origin;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

pub(super) use address::{host, host_fits, host_or_none, listen};

use address::HOST_BYTES_MAX;

use super::message::{nearest, quote};
use super::{HashBy, LogTarget, RetryReason};
use crate::http;

/// Room for the default name of the longest host: a colon and five digits.
const NAME_BYTES_MAX: usize = HOST_BYTES_MAX + 6;

/// Fewer characters than this can be tried out.
const SECRET_CHARACTERS_MIN: usize = 16;

/// A name fit for a header, a log line and a command line. Spaces stand inside only: a header would
/// lose the others.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_plain = |sign: char| sign.is_ascii_graphic() || sign == ' ';
    let what = match text.chars().find(|sign| !is_plain(*sign)) {
        Some(sign) => format!("has {} in it", quote(sign.encode_utf8(&mut [0; 4]))),
        None if text.trim() != text => "has a space at an end".to_owned(),
        None if !(1..=NAME_BYTES_MAX).contains(&text.len()) => format!("has {} bytes", text.len()),
        None => return Ok(text.to_owned()),
    };
    let (said, most) = (quote(text), NAME_BYTES_MAX);
    Err(format!(
        "{said} {what}; a name has 1 to {most} letters of ASCII, digits, signs, and spaces inside"
    ))
}

/// A path to ask for, with its query if any.
pub(super) fn path(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if text.starts_with('/') && text.bytes().all(plain) {
        return Ok(text.to_string());
    }
    let said = quote(text);
    let (what, rest) = match text.split_once("://") {
        Some((_, rest)) => ("is a URL", rest.find('/').map_or("", |at| &rest[at..])),
        None if !text.starts_with('/') => ("is not a path: it has no slash in front", text),
        None if text.trim().contains(' ') => ("has a space in it", text),
        None => ("has signs that no path can have", text),
    };
    let mut path = String::from("/");
    for byte in rest.trim().trim_start_matches('/').bytes().take_while(|byte| *byte != b'#') {
        match plain(byte) {
            true => path.push(byte.into()),
            false => path.push_str(&format!("%{byte:02X}")),
        }
    }
    Err(format!("{said} {what}; write {}", quote(&path)))
}

/// A path that is asked for: without what no URL may have (RFC 3986 section 2).
pub(super) fn asked(text: &str) -> Result<String, String> {
    let path = path(text)?;
    match path.bytes().find(|byte| b"\"<>`".contains(byte)) {
        None => Ok(path),
        Some(byte) => {
            let (said, sign) = (quote(text), char::from(byte));
            Err(format!("{said} has a {sign} in it, as no path has; write it as %{byte:02X}"))
        }
    }
}

/// A path that requests are held against: without a query, and such as a client may send.
pub(super) fn lookup(text: &str) -> Result<String, String> {
    let path = path(text)?;
    if path.contains(['?', '\\']) {
        return Err(format!("{} is more than a path; remove the ? or \\", quote(text)));
    }
    Ok(path)
}

/// The path of a file to read.
pub(super) fn file(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!("{} is no path; write that of a PEM file", quote(text)));
    }
    Ok(text.to_string())
}

/// The path of a folder.
pub(super) fn folder(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!("{} is no path; write that of a folder", quote(text)));
    }
    Ok(text.to_string())
}

/// A method; they are told apart by case (RFC 9110 section 9.1), and all that are in use are in
/// capitals. CONNECT, TRACE and TRACK are refused whatever the mode.
pub(super) fn method(text: &str) -> Result<String, String> {
    let capitals = text.to_ascii_uppercase();
    let what = if !http::is_token(text.as_bytes()) {
        "is not a method; write for example \"GET\"".to_string()
    } else if http::request::is_never_relayed(text) {
        "is never redirected; remove it".to_string()
    } else if text != capitals {
        format!("is not how methods are written; write \"{capitals}\"")
    } else {
        return Ok(capitals);
    };
    Err(format!("{} {what}", quote(text)))
}

/// The longest text that a body is searched for, in bytes.
const CONTAINED_BYTES_MAX: usize = 1024;

/// A text to look for in a body.
pub(super) fn contained(text: &str) -> Result<String, String> {
    if (1..=CONTAINED_BYTES_MAX).contains(&text.len()) {
        return Ok(text.to_string());
    }
    let (length, most) = (text.len(), CONTAINED_BYTES_MAX);
    Err(format!("{length} bytes to look for; write 1 to {most}, or remove the key"))
}

/// What the Host field says: a host, and a port if need be.
pub(super) fn authority(text: &str) -> Result<String, String> {
    origin::host_and_port(text).ok_or_else(|| {
        let said = quote(text);
        format!("{said} is no host; write for example \"api.example.org\" or \"[::1]:8080\"")
    })
}

/// The longest field of a request that is written here, in bytes.
const HEADER_BYTES_MAX: usize = 4096;

/// A field of a request, as `Name: value`. No error repeats the value, which may be a password, nor
/// what stands for a name and is none.
pub(super) fn header(text: &str) -> Result<String, String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("there is no colon in it; write for example \"Accept: text/plain\"".to_string());
    };
    let (said, value) = (quote(name), value.trim_matches([' ', '\t']));
    if !http::is_token(name.as_bytes()) {
        let what = "what is in front of the colon is no name of a field; write for example";
        return Err(format!("{what} \"Accept\""));
    }
    if name.eq_ignore_ascii_case("host") {
        return Err("Host has a key of its own; write it as host".to_string());
    }
    if http::is_framing(name.as_bytes()) {
        return Err(format!("{said} is about the connection, which Evenly decides; remove it"));
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t') {
        return Err(format!("{said} has a control character or one outside ASCII; remove it"));
    }
    if text.len() > HEADER_BYTES_MAX {
        return Err(format!("{said} is longer than {HEADER_BYTES_MAX} bytes; shorten it"));
    }
    Ok(format!("{name}: {value}"))
}

/// A field's name, or with a `*` at the end the beginning of one.
pub(super) fn field(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix('*').unwrap_or(text);
    if http::is_token(bare.as_bytes()) && !bare.contains('*') {
        return Ok(text.to_string());
    }
    let said = quote(text);
    Err(format!("{said} is not a field's name; write for example \"X-Real-IP\" or \"X-User-*\""))
}

/// "client", or a word and the name that it is for.
pub(super) fn hash_by(text: &str) -> Result<HashBy, String> {
    let named = |name: &str| http::is_token(name.as_bytes()).then(|| name.to_string());
    let by = match text.split_once(' ') {
        None if text == "client" => Some(HashBy::Client),
        Some(("header", name)) => named(name).map(HashBy::Header),
        Some(("cookie", name)) => named(name).map(HashBy::Cookie),
        _ => None,
    };
    let sentence = "is nothing to hash by; use \"client\", \"header X-User\" or \"cookie SESSION\"";
    by.ok_or_else(|| format!("{} {sentence}", quote(text)))
}

impl fmt::Display for HashBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

/// A cookie's name (RFC 6265 section 4.1.1).
pub(super) fn cookie(text: &str) -> Result<String, String> {
    if http::is_token(text.as_bytes()) {
        return Ok(text.to_string());
    }
    let said = quote(text);
    Err(format!("{said} will not do as a cookie's name; write for example \"BACKEND\""))
}

/// The error does not repeat it: what is written wrong may be a part of a real one.
pub(super) fn secret(text: &str) -> Result<String, String> {
    let (count, least) = (text.chars().count(), SECRET_CHARACTERS_MIN);
    if count == 0 || count >= least {
        return Ok(text.to_string());
    }
    Err(format!("{count} characters can be guessed; use at least {least}, or \"\" to draw one"))
}

/// "503" or "500-599".
pub(super) fn statuses(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| {
        let code = text.parse().ok().filter(|_| text.len() == 3);
        code.filter(|code| (100..=599).contains(code))
    };
    match (status(first), status(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(format!(
            "{} is not a status or a range of them in 100 to 599; write for example \"200-299\"",
            quote(text)
        )),
    }
}

/// The opposite of [`statuses`].
pub(super) fn write_statuses(range: &RangeInclusive<u16>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

/// A word, or statuses.
pub(super) fn retry_on(text: &str) -> Result<RetryReason, String> {
    match text {
        "connect" => Ok(RetryReason::Connect),
        "reset" => Ok(RetryReason::Reset),
        "timeout" => Ok(RetryReason::Timeout),
        other => statuses(other).map(RetryReason::Statuses).map_err(|_| {
            let said = quote(other);
            match nearest(other, ["connect", "reset", "timeout"]) {
                Some(name) => {
                    format!("unknown reason to try again {said}; did you mean \"{name}\"?")
                }
                None => format!(
                    "{said} is no reason to try again; use \"connect\", \"reset\", \"timeout\" or \
                     statuses such as \"502-504\""
                ),
            }
        }),
    }
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Reset => f.write_str("reset"),
            Self::Timeout => f.write_str("timeout"),
            Self::Statuses(range) => f.write_str(&write_statuses(range)),
        }
    }
}

/// A file must show a slash or a dot, so that a slip in "stdout" makes no file of that name.
pub(super) fn log_target(text: &str) -> Result<LogTarget, String> {
    match text {
        "stdout" => Ok(LogTarget::Stdout),
        "stderr" => Ok(LogTarget::Stderr),
        path if path.contains(['/', '.']) && !path.contains('\0') => {
            Ok(LogTarget::File(PathBuf::from(path)))
        }
        other => Err(match nearest(other, ["stdout", "stderr"]) {
            Some(name) => format!("unknown target {}; did you mean \"{name}\"?", quote(other)),
            None => format!(
                "unknown target {}; use \"stdout\", \"stderr\" or a path such as \"./access.log\"",
                quote(other)
            ),
        }),
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
