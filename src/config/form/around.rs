//! Forms around other forms: lists of them, hidden, "off" instead, not set.

use std::ops::RangeInclusive;

use toml::de::{DeArray, DeValue};

use super::{Form, Text, bare, found};
use crate::config::message::quote;
use crate::pool::Statuses;

/// A list of such strings; bare text separates them by commas. A whole number may go unquoted.
pub(in crate::config) struct List<T> {
    pub(in crate::config) item: Text<T>,
    pub(in crate::config) empty: bool,
}

/// A text, or a list of them, that nobody else is to see. An error does not repeat it either.
pub(in crate::config) struct Hidden<K>(pub(in crate::config) K);

/// Something, or the word "off".
pub(in crate::config) struct OrOff<K>(pub(in crate::config) K);

/// Something that is not set until someone writes it: what it then stands for is decided elsewhere.
pub(in crate::config) struct Unset<K>(pub(in crate::config) K);

impl<T> Form<Vec<T>> for List<T> {
    fn read(&self, value: &DeValue<'_>) -> Result<Vec<T>, String> {
        let items = items(value, self.empty, self.item.example)?;
        let read = |item: &DeValue<'_>| match item {
            DeValue::Integer(number) => (self.item.read)(number.as_str()),
            item => self.item.read(item),
        };
        items.iter().map(|item| read(item.get_ref())).collect()
    }

    fn write(&self, value: &Vec<T>) -> Option<String> {
        let items: Vec<String> = value.iter().filter_map(|item| self.item.write(item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        let list = bare(text);
        if list.is_array() {
            return list;
        }
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let spanned = |item: &'t str| toml::Spanned::new(0..0, DeValue::String(item.into()));
        let mut list = DeArray::new();
        items.for_each(|item| list.push(spanned(item)));
        DeValue::Array(list)
    }
}

impl Form<Statuses> for List<RangeInclusive<u16>> {
    fn read(&self, value: &DeValue<'_>) -> Result<Statuses, String> {
        Form::<Vec<_>>::read(self, value).map(Statuses::new)
    }

    fn write(&self, value: &Statuses) -> Option<String> {
        Form::write(self, &value.ranges().to_vec())
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        Form::<Vec<_>>::spell(self, text)
    }
}

fn items<'v, 'i>(
    value: &'v DeValue<'i>,
    may_be_empty: bool,
    example: &str,
) -> Result<&'v DeArray<'i>, String> {
    match value.as_array() {
        None => Err(format!("found {}; expected a list such as [\"{example}\"]", found(value))),
        Some(items) if items.is_empty() && !may_be_empty => {
            Err(format!("the list is empty; write for example [\"{example}\"]"))
        }
        Some(items) => Ok(items),
    }
}

impl Form<String> for Hidden<Text<String>> {
    const IS_SECRET: bool = true;

    fn read(&self, value: &DeValue<'_>) -> Result<String, String> {
        match value {
            DeValue::String(_) => self.0.read(value),
            _ => Err(format!("found no string; expected one of {}", self.0.example)),
        }
    }

    fn write(&self, value: &String) -> Option<String> {
        self.0.write(value)
    }
}

impl Form<Vec<String>> for Hidden<List<String>> {
    const IS_SECRET: bool = true;

    fn read(&self, value: &DeValue<'_>) -> Result<Vec<String>, String> {
        match value {
            DeValue::Array(_) => self.0.read(value),
            _ => Err(format!("found no list; write for example [\"{}\"]", self.0.item.example)),
        }
    }

    fn write(&self, value: &Vec<String>) -> Option<String> {
        self.0.write(value)
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        self.0.spell(text)
    }
}

impl<T, K: Form<T>> Form<Option<T>> for OrOff<K> {
    fn read(&self, value: &DeValue<'_>) -> Result<Option<T>, String> {
        match value.as_str() {
            Some("off") => Ok(None),
            _ => self.0.read(value).map(Some).map_err(|what| what + ", or \"off\""),
        }
    }

    fn write(&self, value: &Option<T>) -> Option<String> {
        value.as_ref().map_or(Some(quote("off")), |value| self.0.write(value))
    }
}

impl<T, K: Form<T>> Form<Option<T>> for Unset<K> {
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
