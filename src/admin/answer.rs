//! The answers of the endpoint: JSON, a sentence for each refusal, the page, and the fields that
//! keep a browser from storing, guessing at or embedding any of it. None lets another site read it:
//! no field of CORS must ever be added.

use serde_json::{Value, json};

use super::metrics::CONTENT_TYPE;
use crate::http::reply::TEXT;
use crate::plain::handler::Handled;
use crate::text::json_printable;

const JSON: &str = "application/json";

/// What each answer has.
const FIELDS: [(&str, &str); 4] = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
];
/// RFC 9110 section 11.6.1.
const UNAUTHORIZED: [(&str, &str); 5] = {
    let [one, two, three, four] = FIELDS;
    [one, two, three, four, ("WWW-Authenticate", "Bearer")]
};

/// The page runs its own script and style, loads nothing from elsewhere, and makes no text into
/// HTML. Its icon, which is drawn anew as things change, is the one image.
const PAGE: [(&str, &str); 5] = {
    let [one, _, three, four] = FIELDS;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'";
    let referrer = ("Referrer-Policy", "no-referrer");
    [one, ("Content-Security-Policy", policy), three, four, referrer]
};

/// JSON in one line, of which no terminal obeys anything.
pub(super) fn json(status: u16, value: &Value) -> Handled<'static> {
    rendered(status, &value.to_string())
}

/// The same, rendered already.
pub(super) fn rendered(status: u16, json: &str) -> Handled<'static> {
    answer(status, JSON, json_printable(json) + "\n")
}

/// What a person reads.
pub(super) fn text(status: u16, text: String) -> Handled<'static> {
    answer(status, TEXT, text)
}

/// What Prometheus reads.
pub(super) fn exposed(text: String) -> Handled<'static> {
    answer(200, CONTENT_TYPE, text)
}

/// A part of the page.
pub(super) fn page(content_type: &'static str, body: &'static str) -> Handled<'static> {
    Handled { fields: &PAGE, ..Handled::new(200, content_type, body) }
}

/// A sentence that says what is wrong, with a remedy.
pub(super) fn error(status: u16, what: &str) -> Handled<'static> {
    let fields: &'static [_] = if status == 401 { &UNAUTHORIZED } else { &FIELDS };
    Handled { fields, ..json(status, &json!({ "error": what })) }
}

fn answer(status: u16, content_type: &'static str, body: String) -> Handled<'static> {
    Handled { fields: &FIELDS, ..Handled::new(status, content_type, body) }
}
