//! Whether a template makes JSON whatever fills its places: an alert that cannot be delivered is
//! found when the file is read, and not in the night.

use serde::de::IgnoredAny;

use crate::text::json_text;

/// What no place outside of quotes can take, as a backend may say it.
const HOSTILE: &str = "\"}\n7 \u{e9}";
/// The one place whose value is a number, always.
const NUMBER: &str = "priority";

/// Why this template, each place of which is closed, makes no JSON: a sentence with what to do.
pub(super) fn fault(template: &str) -> Option<String> {
    let bare: Vec<&str> = places(template).map(|place| place.trim()).collect();
    let hostile = |place: &str| if place.trim() == NUMBER { "5" } else { HOSTILE };
    if is_json(&filled(template, |_, place| hostile(place))).is_ok() {
        return None;
    }
    // As wide as what it stands for, so that the column of an error is that of the template.
    let digit = |place: &str| format!("0{:1$}", "", place.len() + 3);
    if let Err(error) = is_json(&filled(template, |_, place| digit(place))) {
        return Some(format!(
            "makes no JSON: {error} of the template; mend it, or write content_type = \"text\" or \
             \"form\""
        ));
    }
    let spoils = |at: &usize| {
        let one = filled(template, |index, place| match index == *at {
            true => hostile(place).to_owned(),
            false => digit(place),
        });
        is_json(&one).is_err()
    };
    let place = bare[(0..bare.len()).find(spoils).unwrap_or_default()];
    Some(format!("{{{{{place}}}}} stands outside of quotes; write \"{{{{{place}}}}}\""))
}

fn is_json(text: &[u8]) -> Result<IgnoredAny, serde_json::Error> {
    serde_json::from_slice(text)
}

/// What stands between the braces of each place.
fn places(template: &str) -> impl Iterator<Item = &str> {
    template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(place, _)| place)
}

/// The template with a value in each place, which is given its number and its name.
fn filled<V: AsRef<str>>(template: &str, value: impl Fn(usize, &str) -> V) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(template.len()), template);
    for (index, place) in places(template).enumerate() {
        let (before, after) = rest.split_once("{{").unwrap_or((rest, ""));
        out.extend_from_slice(before.as_bytes());
        json_text(&mut out, value(index, place).as_ref().as_bytes());
        rest = after.split_once("}}").map_or("", |(_, behind)| behind);
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_in_quotes_is_json_and_so_is_the_priority_outside() {
        for template in [
            r#"{"text": "{{subject}}\n{{ text }}"}"#,
            r#"{"priority": {{priority}}, "m": ["x {{backend}} y"]}"#,
            r#"{"{{key}}": 1}"#,
            r#""{{text}}""#,
            "7",
        ] {
            assert_eq!(fault(template), None, "{template}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_the_place_or_the_column() {
        for (template, expected) in [
            (r#"{"a": {{text}}}"#, "{{text}} stands outside of quotes; write \"{{text}}\""),
            (r#"{"a": "{{key}}", "b": {{ kind }} }"#, "{{kind}} stands outside of quotes"),
            (r#"{"a": {{backend}}{{reason}}}"#, "makes no JSON: expected `,` or `}` at line 1 col"),
            (
                r#"{"a": "{{text}}" "b": 1}"#,
                "makes no JSON: expected `,` or `}` at line 1 column 18",
            ),
            (r#"{"a": "\{{text}}"}"#, "makes no JSON: invalid escape at line 1 column 9"),
            ("{{subject}}: {{text}}", "makes no JSON: trailing characters at line 1 column 12"),
            ("hello", "makes no JSON: expected value at line 1 column 1"),
            (
                "{\n\"a\": \"{{text}}\",\n}",
                "makes no JSON: key must be a string at line 3 column 1 of",
            ),
        ] {
            let said = fault(template).unwrap_or_default();
            assert!(said.starts_with(expected), "{template}: {said}");
        }
    }
}
