//! What a message and an event say, read back.

use serde_json::Value;
use std::time::Duration;

/// An event as `/events` has it.
#[derive(Debug)]
pub struct Event {
    pub time: String,
    pub text: String,
    backend: Option<String>,
    /// From where to where a backend went.
    pub change: Option<(String, String)>,
    /// How many are up after it.
    pub left: Option<u64>,
}

impl Event {
    pub fn of(value: &Value) -> Self {
        let text = value["text"].as_str().unwrap().to_owned();
        // `...; up -> down; 2 of 3 left: B, C; out: A (down)`
        let change = text.split("; ").find_map(|part| part.split_once(" -> "));
        let change = change.map(|(from, to)| (from.to_owned(), to.to_owned()));
        let left =
            text.split("; ").find(|part| part.contains(" of 3 left") || part.contains(" of 3 up"));
        let left = left.map(|part| part.split(' ').next().unwrap().parse().unwrap());
        let backend = value["backend"].as_str().map(str::to_owned);
        Self { time: value["time"].as_str().unwrap().to_owned(), text, backend, change, left }
    }

    pub fn is_of(&self, name: &str) -> bool {
        self.backend.as_deref() == Some(name)
    }

    pub fn leaves(&self, standing: &str) -> bool {
        self.change.as_ref().is_some_and(|(from, _)| from == standing)
    }

    pub fn comes(&self, standing: &str) -> bool {
        self.change.as_ref().is_some_and(|(_, to)| to == standing)
    }

    /// `02:10:38` of `2026-11-27T02:10:38.580Z`.
    pub fn time_of_day(&self) -> &str {
        &self.time[11..19]
    }
}

/// When, whose and whether up: of each line of a message that tells of a backend.
pub fn items(text: &str) -> Vec<(String, String, bool)> {
    let item = |line: &str| {
        let (time, rest) = line.split_once("  ")?;
        let (who, _) = rest.split_once(": ")?;
        let (name, state) = who.split_once(' ')?;
        time.ends_with('Z').then(|| (time.to_owned(), name.to_owned(), state == "up"))
    };
    text.lines().filter_map(item).collect()
}

/// The rest of the line that begins so.
pub fn line<'t>(text: &'t str, start: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(start));
    found.unwrap_or_else(|| panic!("no {start:?} in {text}"))
}

/// A time of this century in RFC 3339 with milliseconds, in UTC, since 1970.
pub fn ms(time: &str) -> u64 {
    let number = |from: usize, to: usize| time[from..to].parse::<u64>().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days before each month, from March on, so that a leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let seconds = number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    // 1970-01-01 is day 719,469 by this count.
    ((days - 719_469) * 86_400 + seconds) * 1000 + number(20, 23)
}

pub fn seconds_apart([one, other]: [u64; 2]) -> f64 {
    Duration::from_millis(one.abs_diff(other)).as_secs_f64()
}
