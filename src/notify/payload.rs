//! A message as bytes: JSON of all of it, or a template whose places are filled, each value written
//! so that it stays inside its place.

use super::Message;
use crate::config::ContentType;
use crate::text::{json, json_text, percent};

/// Of the form of this JSON: what a field means never changes within it, and fields may come.
const VERSION: &str = "1";

/// All that is known, as one object. Every value is a string.
pub(super) fn object(message: &Message) -> Vec<u8> {
    let mut out = b"{".to_vec();
    let fields = [
        ("version", VERSION),
        ("kind", &*message.kind),
        ("key", &message.key),
        ("subject", &message.subject),
        ("text", &message.text),
    ];
    let facts = message.facts.iter().map(|(name, value)| (&**name, value.as_str()));
    for (index, (name, value)) in fields.into_iter().chain(facts).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json(&mut out, name.as_bytes());
        out.push(b':');
        json(&mut out, value.as_bytes());
    }
    out.push(b'}');
    out
}

/// The template with what happened in its places.
pub(super) fn filled(template: &str, content_type: ContentType, message: &Message) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(template.len()), template);
    while let Some((before, after)) = rest.split_once("{{") {
        out.extend_from_slice(before.as_bytes());
        // Whoever read the file has seen to it that each is closed.
        let (place, behind) = after.split_once("}}").unwrap_or((after, ""));
        let value = value(message, place.trim());
        match content_type {
            ContentType::Json => json_text(&mut out, value.as_bytes()),
            ContentType::Form => percent(&mut out, value.as_bytes()),
            ContentType::Text => out.extend_from_slice(value.as_bytes()),
        }
        rest = behind;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn value<'m>(message: &'m Message, place: &str) -> &'m str {
    match place {
        "subject" => &message.subject,
        "text" => &message.text,
        "key" => &message.key,
        "kind" => &message.kind,
        name => message.fact(name).unwrap_or_default(),
    }
}

impl ContentType {
    /// As the field of a request has it.
    pub(super) fn value(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(subject: &str, text: &str, reason: &str) -> Message {
        let facts = vec![("reason".into(), reason.to_owned())];
        let [subject, text] = [subject, text].map(str::to_owned);
        Message { subject, text, key: "k-1".to_owned(), kind: "down".into(), facts }
    }

    proptest! {
        #[test]
        fn nothing_gets_out_of_its_place(
            subject in "\\PC*",
            text in any::<String>(),
            reason in any::<String>(),
        ) {
            let message = message(&subject, &text, &reason);
            let whole: serde_json::Value = serde_json::from_slice(&object(&message)).unwrap();
            prop_assert_eq!(&whole["text"], &text);
            prop_assert_eq!(&whole["reason"], &reason);
            prop_assert_eq!(whole.as_object().unwrap().len(), 6);
            let template = r#"{"a": "{{text}}", "b": ["x {{ reason }} y"]}"#;
            let made = filled(template, ContentType::Json, &message);
            let made: serde_json::Value = serde_json::from_slice(&made).unwrap();
            prop_assert_eq!(&made["a"], &text);
            prop_assert_eq!(&made["b"][0], &format!("x {reason} y"));
            let made = filled("a={{text}}&b={{reason}}", ContentType::Form, &message);
            let made = String::from_utf8(made).unwrap();
            prop_assert_eq!(made.matches(['&', '=']).count(), 3);
            prop_assert!(made.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn a_value_that_looks_like_a_place_is_not_filled() {
        let message = message("{{text}}", "t", "");
        assert_eq!(filled("{{subject}}|{{ kind }}", ContentType::Text, &message), b"{{text}}|down");
    }
}
