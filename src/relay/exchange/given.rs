//! An answer of our own to a request that is not relayed, with all that goes into it.

use super::Progress;
use crate::http::Refusal;
use crate::http::request::ALLOW;
use crate::log::Cause;
use crate::relay::answer::{Answer, JSON};
use crate::text::json;
use std::borrow::Cow;

/// An answer that no backend gave.
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) body: String,
    /// What the body is, if no text.
    pub(super) content_type: Option<&'static str>,
    pub(super) location: Option<String>,
    pub(super) allow: Option<String>,
    pub(super) retry_after_s: Option<u64>,
    /// Of the sticky cookie, where the client lacks it.
    pub(super) token: Option<u64>,
    pub(super) cause: Cause,
    /// Why the request did not end well, if it did not.
    pub(super) reason: Cow<'static, str>,
}

impl Given {
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.to_owned(),
            content_type: None,
            location: None,
            allow: None,
            retry_after_s: None,
            token: None,
            cause: Cause::Done,
            reason: Cow::Borrowed(""),
        }
    }

    /// What will not be relayed, and why.
    pub(super) fn refusing(&Refusal { status, reason }: &Refusal) -> Self {
        Self { cause: Cause::Refused, reason: reason.into(), ..Self::new(status, reason) }
    }

    /// To an OPTIONS that may travel no further (RFC 9110 7.6.2).
    pub(super) fn to_the_last_hop() -> Self {
        Self { allow: Some(ALLOW.to_owned()), ..Self::new(200, "") }
    }

    /// What a look-up is told where there is nobody to name.
    pub(super) fn unavailable(why: &'static str, retry_after_s: u64) -> Self {
        Self {
            content_type: Some(JSON),
            retry_after_s: Some(retry_after_s),
            cause: Cause::NoBackend,
            reason: why.into(),
            ..Self::new(503, &object(&[("error", why)]))
        }
    }

    pub(super) fn answer(&self) -> Answer<'_> {
        let usual = Answer::new(self.status, &self.body);
        Answer {
            retry_after_s: self.retry_after_s,
            allow: self.allow.as_deref(),
            location: self.location.as_deref(),
            content_type: self.content_type.unwrap_or(usual.content_type),
            // The next to ask is told something else.
            no_store: true,
            token: self.token,
            ..usual
        }
    }
}

impl From<Given> for Progress {
    fn from(given: Given) -> Self {
        Self::Given(Box::new(given))
    }
}

/// A JSON object of strings.
pub(super) fn object(members: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    for (name, value) in members {
        out.push(if out.is_empty() { b'{' } else { b',' });
        json(&mut out, name.as_bytes());
        out.push(b':');
        json(&mut out, value.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).expect("JSON is written in ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_signs_is_json_all_the_same() {
        let text = object(&[("name", r#"a"\b"#), ("url", "http://[::1]:80")]);
        assert_eq!(text, r#"{"name":"a\"\\b","url":"http://[::1]:80"}"#);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["name"], r#"a"\b"#);
    }
}
