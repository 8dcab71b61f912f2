//! The grammars of `[[alerts]]` and `[heartbeat]`.

use crate::config::alerts::choices::{Occasion, Way};
use crate::config::message::{nearest, quote};

/// What a template may have a place for, as `{{subject}}`.
pub(in crate::config) const PLACES: [&str; 11] = [
    "subject", "text", "key", "kind", "severity", "priority", "action", "backend", "reason",
    "host", "time",
];

/// The longest text of a file that becomes a message, in bytes.
const TEMPLATE_BYTES_MAX: usize = 16 * 1024;
/// The longest of one argument, address or URL, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// The longest address that mail servers take (RFC 5321 section 4.5.3.1.3).
const MAILBOX_BYTES_MAX: usize = 254;

/// "email", "webhook" or "command".
pub(in crate::config) fn way(text: &str) -> Result<Way, String> {
    if text == Way::Email.word() && !cfg!(feature = "email") {
        return Err("this build of evenly sends no email; use one with the feature email, or \
            kind = \"webhook\" or \"command\""
            .to_owned());
    }
    let known = || Way::ALL.map(Way::word);
    Way::ALL.into_iter().find(|way| way.word() == text).ok_or_else(|| {
        let said = quote(text);
        match nearest(text, known()) {
            Some(meant) => format!("unknown kind {said}; did you mean \"{meant}\"?"),
            None => format!("unknown kind {said}; use \"email\", \"webhook\", \"command\""),
        }
    })
}

/// What may be told.
pub(in crate::config) fn occasion(text: &str) -> Result<Occasion, String> {
    let known = || Occasion::ALL.map(Occasion::word);
    Occasion::ALL.into_iter().find(|it| it.word() == text).ok_or_else(|| {
        let said = quote(text);
        match nearest(text, known()) {
            Some(meant) => format!("{said} is nothing to be told of; did you mean \"{meant}\"?"),
            None => format!("{said} is nothing to be told of; use {}", known().join(", ")),
        }
    })
}

/// An address such as `ops@example.org`: no name beside it, no comment, nothing that could end it
/// anywhere else.
pub(in crate::config) fn mailbox(text: &str) -> Result<String, String> {
    let fits = |part: &str| {
        let odd = |byte: u8| b"()<>[]:;@\\,\"".contains(&byte) || !byte.is_ascii_graphic();
        !part.is_empty() && !part.bytes().any(odd)
    };
    match text.rsplit_once('@') {
        Some((local, domain)) if fits(local) && fits(domain) && text.len() <= MAILBOX_BYTES_MAX => {
            Ok(text.to_owned())
        }
        _ => Err(format!("{} is no address; write for example \"ops@example.org\"", quote(text))),
    }
}

/// Who logs in.
pub(in crate::config) fn login(text: &str) -> Result<String, String> {
    match !text.is_empty() && !text.contains(char::is_control) && text.len() <= TEXT_BYTES_MAX {
        true => Ok(text.to_owned()),
        false => Err(format!("{} is nobody's name; write that of the account", quote(text))),
    }
}

/// The error does not repeat it.
pub(in crate::config) fn password(text: &str) -> Result<String, String> {
    places(text)?;
    match text.contains(char::is_control) || text.len() > TEXT_BYTES_MAX {
        true => Err("has a control character in it or is too long; write another".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// An `http://` or `https://` URL, which may hold a secret: the error does not repeat it. What it
/// leads to is read in full once its places are filled.
pub(in crate::config) fn url(text: &str) -> Result<String, String> {
    places(text)?;
    let begins = ["http://", "https://", "${"].iter().any(|start| text.starts_with(start));
    if text.is_empty() || begins && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("is no http URL; write for example \"https://example.org/hook\"".to_owned())
}

/// A field of a webhook's request, which may hold a secret.
pub(in crate::config) fn header(text: &str) -> Result<String, String> {
    places(text)?;
    match text.split_once(':') {
        Some((name, _)) if name.eq_ignore_ascii_case("host") => {
            Err("Host is what url names; remove it".to_owned())
        }
        _ => super::header(text),
    }
}

/// A body with places for what happened.
pub(in crate::config) fn template(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > TEMPLATE_BYTES_MAX {
        let length = text.len();
        return Err(format!("{length} bytes are no template; write 1 to {TEMPLATE_BYTES_MAX}"));
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((place, behind)) = after.split_once("}}") else {
            return Err("{{ has no }} behind it; write for example {{text}}".to_owned());
        };
        let place = place.trim();
        if !PLACES.contains(&place) {
            let (said, all) = (quote(place), PLACES.join(", "));
            return Err(match nearest(place, PLACES) {
                Some(meant) => format!("unknown place {said}; did you mean {{{{{meant}}}}}?"),
                None => format!("unknown place {said}; the places are {all}"),
            });
        }
        rest = behind;
    }
    Ok(text.to_owned())
}

/// A word of a command line.
pub(in crate::config) fn argument(text: &str) -> Result<String, String> {
    match text.contains('\0') || text.len() > TEXT_BYTES_MAX {
        true => Err(format!("{} is no argument; shorten it", quote(text))),
        false => Ok(text.to_owned()),
    }
}

/// Holds what stands between `${` and `}` against what may stand there. What does not begin so
/// stands for itself.
fn places(text: &str) -> Result<(), String> {
    for start in ["${file:", "${env:"] {
        for (at, _) in text.match_indices(start) {
            match text[at + start.len()..].split_once('}') {
                Some((name, _)) if !name.is_empty() => {}
                _ => return Err(format!("{start} names nothing; write {start}NAME}}")),
            }
        }
    }
    Ok(())
}
