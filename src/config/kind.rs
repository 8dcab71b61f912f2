//! The kinds of values: how each is read from TOML or from bare text, and how it is written back.
//! Used by the keys' tables; an error says what was found and what would do, never which key.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::message::{nearest, quote};
use super::units::Measure;

/// How a value of type `T` is spelled.
pub(super) trait Kind<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String>;

    /// As a TOML value; none when it is not set.
    fn write(&self, value: &T) -> Option<String>;

    /// The TOML value that a bare text means, as in `EVENLY_SERVER_WORKERS=2`.
    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        DeValue::String(text.into())
    }

    /// The default, from its bare text.
    fn default(&self, text: &str) -> T {
        self.read(&self.spell(text))
            .expect("each default is valid: a test reads them all")
    }
}

/// A whole number; `quoted` lets it stand in quotes.
pub(super) struct Count {
    pub(super) range: RangeInclusive<u64>,
    pub(super) quoted: bool,
}

/// A number and a unit; `zero` lets a bare 0 mean none.
pub(super) struct Quantity {
    pub(super) measure: &'static Measure,
    pub(super) range: RangeInclusive<u64>,
    pub(super) zero: bool,
}

/// `true` or `false`.
pub(super) struct Flag;

/// One of a few words. The planned ones are known, and refused until they are built.
pub(super) struct Choice<T: 'static> {
    pub(super) noun: &'static str,
    pub(super) built: &'static [(&'static str, T)],
    pub(super) planned: &'static [&'static str],
}

/// A string with a grammar of its own.
pub(super) struct Text<T> {
    pub(super) example: &'static str,
    pub(super) read: fn(&str) -> Result<T, String>,
    pub(super) write: fn(&T) -> String,
}

/// A list of such strings; bare text separates them by commas. A whole number may go unquoted.
pub(super) struct List<T> {
    pub(super) item: Text<T>,
    pub(super) empty: bool,
}

/// Something, or the word "off".
pub(super) struct OrOff<K>(pub(super) K);

/// Something that is not set until someone writes it: what it then stands for is decided elsewhere.
pub(super) struct Unset<K>(pub(super) K);

/// A value that this version knows only one setting of, and the sentence for any other.
pub(super) struct Only<K, T> {
    pub(super) kind: K,
    pub(super) value: T,
    pub(super) why: &'static str,
}

/// What a number in a file can become. The range of its kind fits the type.
pub(super) trait Amount {
    fn of(amount: u64) -> Self;
    fn amount(&self) -> u64;
}

macro_rules! amounts {
    ($($Int:ty)*) => { $(impl Amount for $Int {
        fn of(amount: u64) -> Self {
            amount as $Int
        }
        fn amount(&self) -> u64 {
            *self as u64
        }
    })* };
}
amounts!(u16 u32 u64 usize);

/// In milliseconds.
impl Amount for Duration {
    fn of(amount: u64) -> Self {
        Self::from_millis(amount)
    }
    fn amount(&self) -> u64 {
        self.as_millis() as u64
    }
}

impl<T: Amount> Kind<T> for Count {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let number = match value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            DeValue::String(text) if self.quoted && is_digits(text) => text.parse().ok(),
            _ => return Err(format!("found {}; expected a whole number", found(value))),
        };
        let (first, last) = self.range.clone().into_inner();
        let fits = number
            .filter(|number| self.range.contains(number))
            .map(T::of);
        fits.ok_or_else(|| format!("{} is out of range; use {first} to {last}", found(value)))
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(value.amount().to_string())
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        bare(text)
    }
}

impl<T: Amount> Kind<T> for Quantity {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let text = match value {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) => number.as_str(),
            _ => {
                return Err(format!(
                    "found {}; expected a number and a unit",
                    found(value)
                ));
            }
        };
        if self.zero && text == "0" {
            return Ok(T::of(0));
        }
        let amount = self.measure.read(text)?;
        if self.range.contains(&amount) {
            return Ok(T::of(amount));
        }
        let [first, last] =
            [self.range.start(), self.range.end()].map(|at| self.measure.write(*at));
        let none = if self.zero { ", or 0 for none" } else { "" };
        Err(format!(
            "{} is out of range; use \"{first}\" to \"{last}\"{none}",
            quote(text)
        ))
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(match value.amount() {
            0 => "0".to_string(),
            amount => quote(&self.measure.write(amount)),
        })
    }
}

impl Kind<bool> for Flag {
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

impl<T: Clone + PartialEq> Kind<T> for Choice<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let names: Vec<String> = self.built.iter().map(|(name, _)| quote(name)).collect();
        let names = names.join(", ");
        let Some(text) = value.as_str() else {
            return Err(format!("found {}; use {names}", found(value)));
        };
        if let Some((_, choice)) = self.built.iter().find(|(name, _)| *name == text) {
            return Ok(choice.clone());
        }
        let (noun, said) = (self.noun, quote(text));
        if self.planned.contains(&text) {
            return Err(format!("{noun} {said} is not in this version; use {names}"));
        }
        Err(
            match nearest(text, self.built.iter().map(|(name, _)| *name)) {
                Some(name) => format!("unknown {noun} {said}; did you mean \"{name}\"?"),
                None => format!("unknown {noun} {said}; use {names}"),
            },
        )
    }

    fn write(&self, value: &T) -> Option<String> {
        self.built
            .iter()
            .find(|(_, choice)| choice == value)
            .map(|(name, _)| quote(name))
    }
}

impl<T> Kind<T> for Text<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let Some(text) = value.as_str() else {
            let (found, example) = (found(value), self.example);
            return Err(format!(
                "found {found}; expected a string such as \"{example}\""
            ));
        };
        (self.read)(text)
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(quote(&(self.write)(value)))
    }
}

impl<T> Kind<Vec<T>> for List<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<Vec<T>, String> {
        let example = self.item.example;
        let Some(items) = value.as_array() else {
            return Err(format!(
                "found {}; expected a list such as [\"{example}\"]",
                found(value)
            ));
        };
        if items.is_empty() && !self.empty {
            return Err(format!(
                "the list is empty; write for example [\"{example}\"]"
            ));
        }
        let read = |item: &DeValue<'_>| match item {
            DeValue::Integer(number) => (self.item.read)(number.as_str()),
            item => self.item.read(item),
        };
        items.iter().map(|item| read(item.get_ref())).collect()
    }

    fn write(&self, value: &Vec<T>) -> Option<String> {
        let items: Vec<String> = value
            .iter()
            .filter_map(|item| self.item.write(item))
            .collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        let list = bare(text);
        if list.is_array() {
            return list;
        }
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let spanned = |item: &'t str| toml::Spanned::new(0..0, DeValue::String(item.into()));
        let mut list = toml::de::DeArray::new();
        items.for_each(|item| list.push(spanned(item)));
        DeValue::Array(list)
    }
}

impl<T, K: Kind<T>> Kind<Option<T>> for OrOff<K> {
    fn read(&self, value: &DeValue<'_>) -> Result<Option<T>, String> {
        match value.as_str() {
            Some("off") => Ok(None),
            _ => self
                .0
                .read(value)
                .map(Some)
                .map_err(|what| what + ", or \"off\""),
        }
    }

    fn write(&self, value: &Option<T>) -> Option<String> {
        value
            .as_ref()
            .map_or(Some(quote("off")), |value| self.0.write(value))
    }
}

impl<T, K: Kind<T>> Kind<Option<T>> for Unset<K> {
    fn read(&self, value: &DeValue<'_>) -> Result<Option<T>, String> {
        self.0.read(value).map(Some)
    }

    fn write(&self, value: &Option<T>) -> Option<String> {
        self.0.write(value.as_ref()?)
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        self.0.spell(text)
    }

    fn default(&self, _text: &str) -> Option<T> {
        None
    }
}

impl<T: PartialEq, K: Kind<T>> Kind<T> for Only<K, T> {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        match self.kind.read(value) {
            Ok(read) if read != self.value => Err(self.why.to_string()),
            other => other,
        }
    }

    fn write(&self, value: &T) -> Option<String> {
        self.kind.write(value)
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        self.kind.spell(text)
    }
}

/// A string whose type speaks TOML by itself.
pub(super) fn text<T: Display>(
    example: &'static str,
    read: fn(&str) -> Result<T, String>,
) -> Text<T> {
    Text {
        example,
        read,
        write: T::to_string,
    }
}

/// What stands in the file, as far as it is worth repeating.
pub(super) fn found(value: &DeValue<'_>) -> String {
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

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number, flag or list that bare text is in TOML; a string where it is none.
fn bare(text: &str) -> DeValue<'_> {
    DeValue::parse(text).map_or_else(|_| DeValue::String(text.into()), toml::Spanned::into_inner)
}
