//! Kinds of numbers: counts, and amounts with a unit.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::{Form, bare, found};
use crate::config::message::quote;
use crate::config::units::Measure;

/// A whole number; `quoted` lets it stand in quotes.
pub(in crate::config) struct Count {
    pub(in crate::config) range: RangeInclusive<u64>,
    pub(in crate::config) quoted: bool,
}

/// A number and a unit; `zero` lets a bare 0 mean none.
pub(in crate::config) struct Quantity {
    pub(in crate::config) measure: &'static Measure,
    pub(in crate::config) range: RangeInclusive<u64>,
    pub(in crate::config) zero: bool,
}

/// What a number in a file can become. The range of its form fits the type.
pub(in crate::config) trait Amount {
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

impl<T: Amount> Form<T> for Count {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let number = match value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            DeValue::String(text) if self.quoted && is_digits(text) => text.parse().ok(),
            _ => return Err(format!("found {}; expected a whole number", found(value))),
        };
        let (first, last) = self.range.clone().into_inner();
        let fits = number.filter(|number| self.range.contains(number)).map(T::of);
        fits.ok_or_else(|| format!("{} is out of range; use {first} to {last}", found(value)))
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(value.amount().to_string())
    }

    fn spell<'t>(&self, text: &'t str) -> DeValue<'t> {
        bare(text)
    }
}

impl<T: Amount> Form<T> for Quantity {
    fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let text = match value {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) => number.as_str(),
            _ => {
                return Err(format!("found {}; expected a number and a unit", found(value)));
            }
        };
        let amount = if text == "0" { 0 } else { self.measure.read(text)? };
        if self.range.contains(&amount) || (self.zero && text == "0") {
            return Ok(T::of(amount));
        }
        let [first, last] =
            [self.range.start(), self.range.end()].map(|at| self.measure.write(*at));
        let none = if self.zero { ", or 0 for none" } else { "" };
        Err(format!("{} is out of range; use \"{first}\" to \"{last}\"{none}", quote(text)))
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(match value.amount() {
            0 => "0".to_string(),
            amount => quote(&self.measure.write(amount)),
        })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
