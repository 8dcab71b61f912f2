//! Values of a scenario's keys. Each error says what was found and what would do, never which key.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use crate::config::{TIME, found};

/// The longest time, in milliseconds.
const DAY_MS: u64 = 86_400_000;

pub(super) fn words(value: &DeValue<'_>) -> Result<String, String> {
    let sentence = || format!("found {}; expected words in quotes", found(value));
    value.as_str().map(str::to_owned).ok_or_else(sentence)
}

pub(super) fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("found {}; expected true or false", found(value)))
}

pub(super) fn whole(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Result<u64, String> {
    let DeValue::Integer(number) = value else {
        return Err(format!("found {}; expected a whole number", found(value)));
    };
    let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (first, last) = (range.start(), range.end());
        format!("{} is out of range; use {first} to {last}", found(value))
    })
}

/// A number with a fraction or without.
pub(super) fn number(value: &DeValue<'_>, least: f64, most: f64) -> Result<f64, String> {
    let number: Option<f64> = match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(number) => number.as_str().parse().ok(),
        _ => return Err(format!("found {}; expected a number", found(value))),
    };
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{} is out of range; use {least} to {most}", found(value)))
}

pub(super) fn share(value: &DeValue<'_>) -> Result<f64, String> {
    number(value, 0.0, 1.0)
}

pub(super) fn time(value: &DeValue<'_>) -> Result<Duration, String> {
    let Some(text) = value.as_str() else {
        return Err(format!("found {}; expected a time such as \"10ms\"", found(value)));
    };
    let ms = TIME.read(text)?;
    let fits = (1..=DAY_MS).contains(&ms);
    fits.then(|| Duration::from_millis(ms))
        .ok_or_else(|| format!("{} is out of range; use \"1ms\" to \"24h\"", found(value)))
}

pub(super) fn time_ns(value: &DeValue<'_>) -> Result<u64, String> {
    time(value).map(|time| time.as_nanos() as u64)
}
