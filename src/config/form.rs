//! The forms of values: how each is read from TOML or from bare text, and how it is written back.
//! Used by the keys' tables; an error says what was found and what would do, never which key.

mod around;
mod number;

use std::fmt::Display;

use toml::de::DeValue;

use super::message::{nearest, quote};
use super::words;

pub(super) use around::{Hidden, List, OrOff, Unset};
pub(super) use number::{Count, Quantity};

/// How a value of type `T` is spelled.
pub(super) trait Form<T> {
    /// Nobody else is to see the value.
    const IS_SECRET: bool = false;

    fn read(&self, value: &DeValue<'_>) -> Result<T, String>;

    /// As a TOML value; none when it is not set.
    fn write(&self, value: &T) -> Option<String>;

    /// The TOML value that a bare text means, as in `EVENLY_SERVER_WORKERS=2`.
    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        DeValue::String(text.into())
    }

    /// The default, from its bare text.
    fn default(&self, text: &str) -> T {
        self.read(&self.spell(text)).expect("each default is valid: a test reads them all")
    }
}

/// `true` or `false`.
pub(super) struct Flag;

/// One of a few words.
pub(super) struct Choice<T: 'static> {
    pub(super) noun: &'static str,
    pub(super) built: &'static [(&'static str, T)],
}

/// A string with a grammar of its own.
pub(super) struct Text<T> {
    pub(super) example: &'static str,
    pub(super) read: fn(&str) -> Result<T, String>,
    pub(super) write: fn(&T) -> String,
}

impl Form<bool> for Flag {
    fn read(&self, value: &DeValue<'_>) -> Result<bool, String> {
        let sentence = || format!("found {}; expected true or false", found(value));
        value.as_bool().ok_or_else(sentence)
    }

    fn write(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        bare(text)
    }
}

impl<T: Clone + PartialEq> Form<T> for Choice<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let chosen = value.as_str().and_then(|text| self.built.iter().find(|it| it.0 == text));
        chosen.map(|(_, choice)| choice.clone()).ok_or_else(|| {
            let names: Vec<&str> = self.built.iter().map(|(name, _)| *name).collect();
            no_choice(value, self.noun, &names)
        })
    }

    fn write(&self, value: &T) -> Option<String> {
        self.built.iter().find(|(_, choice)| choice == value).map(|(name, _)| quote(name))
    }
}

/// What to choose instead of this.
fn no_choice(value: &DeValue<'_>, noun: &str, built: &[&str]) -> String {
    let names = built.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    let Some(text) = value.as_str() else {
        return format!("found {}; use {names}", found(value));
    };
    let said = quote(text);
    if let Some(ours) = words::ours(noun, text) {
        return format!("unknown {noun} {said}; here that is {ours}");
    }
    match nearest(text, built.iter().copied()) {
        Some(name) => format!("unknown {noun} {said}; did you mean \"{name}\"?"),
        None => format!("unknown {noun} {said}; use {names}"),
    }
}

impl<T> Form<T> for Text<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let Some(text) = value.as_str() else {
            let (found, example) = (found(value), self.example);
            return Err(format!("found {found}; expected a string such as \"{example}\""));
        };
        (self.read)(text)
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(quote(&(self.write)(value)))
    }
}

/// A string whose type speaks TOML by itself.
pub(super) fn text<T: Display>(
    example: &'static str,
    read: fn(&str) -> Result<T, String>,
) -> Text<T> {
    Text { example, read, write: T::to_string }
}

/// What stands in the file, as far as it is worth repeating.
pub(crate) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quote(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date or time".to_string(),
        DeValue::Array(_) => "a list".to_string(),
        DeValue::Table(_) => "a table".to_string(),
    }
}

/// The number, flag or list that bare text is in TOML; a string where it is none.
fn bare(text: &str) -> DeValue<'_> {
    DeValue::parse(text).map_or_else(|_| DeValue::String(text.into()), toml::Spanned::into_inner)
}
