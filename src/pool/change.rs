//! The one line that says that a backend's standing changed.
//!
//! Made by the pool, written to the log by whoever the pool told. Never spans two lines: a reason
//! may quote what a backend sent.

use std::fmt;
use std::time::Duration;

use super::{Backend, Standing};
use crate::text::{Escaped, Took};

/// How many names a line of the log has on each side.
const NAMES_MAX: usize = 8;

/// A backend's standing changed. Displayed, it is one line of the log: `backend API01: check
/// failed: status 503 (1.2 ms); up -> down; 1 of 3 left: API02; out: API01 (down), API03
/// (ejected)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The backend's name.
    pub backend: String,
    /// That of its pool, where there are several.
    pub pool: Option<String>,
    /// Where it stood.
    pub from: Standing,
    /// Where it stands.
    pub to: Standing,
    /// What made it so.
    pub reason: String,
    /// Backends that are up now.
    pub usable: usize,
    /// Backends there are.
    pub total: usize,
    /// Who is up and who is not, in words; empty while all are up.
    pub roll: String,
}

impl Change {
    /// Of the backend at `index`, which stood at `from`.
    pub(super) fn new(
        backends: &[Backend],
        index: usize,
        from: Standing,
        mut reason: String,
        now: Duration,
    ) -> Self {
        let backend = &backends[index];
        let to = backend.standing(now);
        if (from, to) == (Standing::Down, Standing::Ejected) {
            let left = Took(backend.record.health.ejected_for(now).unwrap_or_default());
            reason.push_str(&format!(", but out for {left} more after its failures"));
        }
        let is_up = |backend: &&Backend| backend.standing(now) == Standing::Up;
        Self {
            backend: backend.name().to_owned(),
            pool: None,
            from,
            to,
            reason,
            usable: backends.iter().filter(is_up).count(),
            total: backends.len(),
            roll: roll(backends, now),
        }
    }

    /// True if it leaves no backend that is up.
    pub fn leaves_none(&self) -> bool {
        self.usable == 0 && self.to != Standing::Up
    }

    /// True if no other is up than the one that has just come back.
    fn ends_the_outage(&self) -> bool {
        self.usable == 1 && self.to == Standing::Up
    }
}

/// What the pool has to say of one of its backends. Displayed, it is one line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Its standing changed.
    Changed(Change),
    /// The policy sees it in another light: `backend API01: score 12.0 is above 10.0: ...`.
    Judged {
        /// The backend's place in the file.
        index: usize,
        /// The backend's name.
        backend: String,
        /// The policy's words.
        why: String,
        /// It fails, and stays in for want of others.
        is_grave: bool,
    },
}

impl Notice {
    /// The change of standing, if it is one.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Changed(change) => Some(change),
            Self::Judged { .. } => None,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(change) => change.fmt(f),
            Self::Judged { backend, why, .. } => {
                write!(f, "backend {}: {}", Escaped(backend), Escaped(why))
            }
        }
    }
}

/// Who is up and who is not: `: API02; out: API01 (down), API03 (ejected)`; empty while all are up.
fn roll(backends: &[Backend], now: Duration) -> String {
    let standings = backends.iter().map(|backend| (backend, backend.standing(now)));
    let (up, out): (Vec<_>, Vec<_>) =
        standings.partition(|(_, standing)| *standing == Standing::Up);
    if out.is_empty() {
        return String::new();
    }
    let up = named(&up, |(backend, _)| backend.name().to_owned());
    let out = named(&out, |(backend, standing)| {
        let is_both = *standing == Standing::Down && backend.record.health.is_ejected(now);
        format!("{} ({standing}{})", backend.name(), if is_both { ", ejected" } else { "" })
    });
    let colon = if up.is_empty() { "" } else { ": " };
    format!("{colon}{up}; out: {out}")
}

/// The first of these in words, and how many more there are.
fn named<T>(all: &[T], word: impl Fn(&T) -> String) -> String {
    let (shown, more) = all.split_at(all.len().min(NAMES_MAX));
    let mut text = shown.iter().map(word).collect::<Vec<_>>().join(", ");
    if !more.is_empty() {
        text.push_str(&format!(" and {} more", more.len()));
    }
    text
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line feed in either would forge a line wherever this is shown.
        let (backend, reason) = (Escaped(&self.backend), Escaped(&self.reason));
        write!(f, "backend {backend}: {reason}; {} -> {}; ", self.from, self.to)?;
        let is_back = self.to == Standing::Up;
        let word = if is_back { "up" } else { "left" };
        write!(f, "{} of {} {word}", self.usable, self.total)?;
        if let Some(pool) = &self.pool {
            write!(f, " in pool {}", Escaped(pool))?;
        }
        if self.leaves_none() {
            f.write_str(": NO BACKEND IS UP")?;
        } else if self.ends_the_outage() {
            f.write_str(", the first")?;
        }
        write!(f, "{}", Escaped(&self.roll))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::CheckOutcome;

    fn change(usable: usize, reason: &str) -> Change {
        Change {
            backend: "API01".into(),
            pool: None,
            from: Standing::Up,
            to: Standing::Down,
            reason: reason.into(),
            usable,
            total: 3,
            roll: "; out: API01 (down)".into(),
        }
    }

    #[test]
    fn a_change_reads_as_one_line() {
        let seen = "connect timed out after 500ms".into();
        let took = Duration::from_millis(500);
        let outcome = CheckOutcome { passed: false, asks_drain: false, seen, took };
        assert_eq!(
            change(2, &outcome.to_string()).to_string(),
            "backend API01: check failed: connect timed out after 500ms (500.0 ms); \
             up -> down; 2 of 3 left; out: API01 (down)"
        );
        let (seen, took) = ("x".into(), Duration::from_secs(2));
        let outcome = CheckOutcome { passed: true, asks_drain: false, seen, took };
        assert_eq!(outcome.to_string(), "check passed: x (2.0 s)");
    }

    #[test]
    fn a_pool_with_none_left_says_so_loudly() {
        let line = change(0, "x").to_string();
        assert!(line.ends_with("; 0 of 3 left: NO BACKEND IS UP; out: API01 (down)"), "{line}");
        let back = Change { to: Standing::Up, from: Standing::Down, ..change(1, "x") };
        let line = back.to_string();
        assert!(line.contains("down -> up; 1 of 3 up, the first; out"), "{line}");
    }

    #[test]
    fn a_reason_cannot_forge_a_line() {
        let line = change(1, "a\r\n\nb\u{1b}[1m\u{85}é").to_string();
        assert!(line.starts_with("backend API01: a\\r\\n\\nb\\u{1b}[1m\\u{85}é; up"), "{line}");
    }
}
