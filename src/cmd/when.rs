//! Moments as people and programs write them: `1h` ago, `14:02`, `2026-11-27T14:02:07.580Z`.
//! Without an offset a time is UTC, as those of the log and of every answer are.

use std::time::Duration;

use crate::config;

const DAY_MS: u64 = 86_400_000;

/// From when on something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// The last time that a clock showed this, after midnight.
    TimeOfDay(Duration),
    /// In ms since 1970.
    At(u64),
}

impl Since {
    /// Reads what was typed; the error is a sentence without the option's name.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(seconds) = text.strip_prefix('@') {
            let ms = seconds.parse::<u64>().ok().and_then(|it| it.checked_mul(1000));
            let write = "write for example @1795831327, as date +%s has it";
            return ms.map(Self::At).ok_or_else(|| format!("{text:?} is no such number; {write}"));
        }
        if let Some(at) = instant_ms(text) {
            return Ok(Self::At(at));
        }
        if text.contains(':') && !text.contains('-') {
            let clock = text.trim_end_matches(['Z', 'z']).trim_end_matches("UTC").trim_end();
            let ms = time_of_day_ms(clock).ok_or_else(|| {
                format!("{text:?} is no time of day in UTC; write for example 14:02 or 14:02:07")
            })?;
            return Ok(Self::TimeOfDay(Duration::from_millis(ms)));
        }
        let is_date = text.len() >= 8 && text.contains('-') && !text.starts_with('-');
        match config::duration(text) {
            Ok(time) if time.is_zero() => Err("0 is now; write for example 1h".to_owned()),
            Ok(time) => Ok(Self::Ago(time)),
            Err(_) if is_date => Err(format!(
                "{text:?} is no time as the log has it; write for example 2026-11-27T14:02:07Z"
            )),
            Err(what) => Err(format!("{what}, or a time of day in UTC, such as 14:02")),
        }
    }

    /// When that was, in ms since 1970. A time of day that is still to come was yesterday's.
    pub(super) fn start_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Ago(time) => {
                now_ms.saturating_sub(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
            }
            Self::TimeOfDay(time) => {
                let at = now_ms / DAY_MS * DAY_MS + time.as_millis() as u64;
                if at > now_ms { at.saturating_sub(DAY_MS) } else { at }
            }
            Self::At(ms) => ms,
        }
    }
}

/// A time with its date (RFC 3339; the `T` may be a space), in ms since 1970. One without an offset
/// is UTC.
pub(super) fn instant_ms(text: &str) -> Option<u64> {
    let (date, clock) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let (clock, offset_min) = split_offset(clock)?;
    let ms = days(date)? * DAY_MS + time_of_day_ms(clock)?;
    ms.checked_add_signed(-offset_min * 60_000)
}

/// What stands before the offset, and that in minutes.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.find(['+', '-']) else { return Some((clock, 0)) };
    let minutes = time_of_day_ms(&clock[at + 1..])? / 60_000;
    let sign = if clock[at..].starts_with('-') { -1 } else { 1 };
    Some((&clock[..at], sign * minutes as i64))
}

/// `14:02`, `14:02:07` or `14:02:07.580`.
fn time_of_day_ms(clock: &str) -> Option<u64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 2, 23)?;
    let minutes = number(parts.next()?, 2, 59)?;
    let seconds = parts.next().map_or(Some(0), |it| number(it, 2, 60))?;
    if parts.next().is_some()
        || fraction.is_empty()
        || !fraction.bytes().all(|it| it.is_ascii_digit())
    {
        return None;
    }
    let ms: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms.parse::<u64>().ok()?)
}

/// Days from 1970 to this date of four, two and two digits; none if it was before.
fn days(date: &str) -> Option<u64> {
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4, 9999)?;
    let month = number(parts.next()?, 2, 12)?;
    let day = number(parts.next()?, 2, 31)?;
    if parts.next().is_some() || month == 0 || day == 0 {
        return None;
    }
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let lengths = |year: u64| {
        let february = if is_leap(year) { 29 } else { 28 };
        [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    };
    let months = lengths(year);
    if day > months[month as usize - 1] {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    let years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    Some(years + months[..month as usize - 1].iter().sum::<u64>() + day - 1)
}

/// So many digits, and no more than that.
fn number(text: &str, digits: usize, most: u64) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_number { text.parse().ok()? } else { return None };
    (number <= most).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{day, time_of_day};
    use std::time::UNIX_EPOCH;

    /// 02:02:07 on 28 November 2026.
    const NOW: u64 = 1_795_831_327_000;

    fn from(text: &str) -> String {
        let at = UNIX_EPOCH + Duration::from_millis(Since::read(text).unwrap().start_ms(NOW));
        format!("{} {}", day(at), time_of_day(at))
    }

    #[test]
    fn a_moment_is_so_long_ago_a_time_of_day_or_as_the_log_has_it() {
        let cases = "
            1h -> 2026-11-28 01:02:07
            30s -> 2026-11-28 02:01:37
            99999999h -> 1970-01-01 00:00:00
            02:02 -> 2026-11-28 02:02:00
            02:02:07 -> 2026-11-28 02:02:07
            02:02:07Z -> 2026-11-28 02:02:07
            02:02 UTC -> 2026-11-28 02:02:00
            02:02:08 -> 2026-11-27 02:02:08
            23:59 -> 2026-11-27 23:59:00
            2026-11-27T04:10:37.057Z -> 2026-11-27 04:10:37
            2026-11-27 04:10 -> 2026-11-27 04:10:00
            2026-11-27T04:10:37+01:00 -> 2026-11-27 03:10:37
            2026-11-27T23:10:37-05:30 -> 2026-11-28 04:40:37
            2026-11-27T04:10:37.057138595Z -> 2026-11-27 04:10:37
            1900-01-01T00:00:00Z -> 1970-01-01 00:00:00
            @1795831300 -> 2026-11-28 02:01:40
            2024-02-29T00:00:00Z -> 2024-02-29 00:00:00
        ";
        for (text, expected) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
            assert_eq!(from(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_what_to_write() {
        let cases = [
            ("", "\"\" is not a whole number and a unit"),
            ("-1h", "\"-1h\" is negative"),
            ("5", "5 has no unit; write for example \"5s\""),
            ("1hour", "\"1hour\" has an unknown unit; did you mean \"1h\"?"),
            ("0s", "0 is now; write for example 1h"),
            ("25:00", "\"25:00\" is no time of day in UTC; write for example 14:02"),
            ("14:60", "\"14:60\" is no time of day"),
            ("2:02", "\"2:02\" is no time of day"),
            ("14:02:07.", "\"14:02:07.\" is no time of day"),
            ("2026-11-27", "\"2026-11-27\" is no time as the log has it; write for example"),
            ("2026-02-29T00:00:00Z", "\"2026-02-29T00:00:00Z\" is no time as the log has it"),
            ("@noon", "\"@noon\" is no such number; write for example @1795831327"),
            ("yesterday", "\"yesterday\" is not a whole number and a unit"),
        ];
        for (text, expected) in cases {
            let said = Since::read(text).unwrap_err();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }

    #[test]
    fn nothing_that_is_typed_makes_it_panic() {
        for text in [
            "é026-11-27T04:10:37Z",
            "2026-11-27T",
            "9999-12-31T23:59:60.9+00:00",
            ":",
            "::::",
            "1970-01-01T00:00:00+23:00",
        ] {
            let _ = Since::read(text);
        }
        assert_eq!(instant_ms("1970-01-01T00:00:00+23:00"), None);
    }
}
