//! What is wrong with a configuration and where: the lines that a person reads, in order of place,
//! and how they quote and suggest words.

use std::fmt;

use crate::text::{Escaped, is_printable};

/// All that is wrong, at least one problem. Displayed as one line each:
/// `applications.toml:12:8: balance.policy: unknown policy "x"; use "round-robin"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    pub(super) name: String,
    pub(super) problems: Vec<Problem>,
}

/// One thing that is wrong, or odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) place: Place,
    pub(super) key: String,
    pub(super) what: String,
}

/// Where something was written. In this order problems are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The file as a whole.
    File,
    /// Both from 1; the column counts characters, as editors do.
    At { line: usize, column: usize },
    /// An environment variable, a flag, or a file that the configuration names.
    Said(String),
}

impl Errors {
    /// One problem of the file (or whatever `name` names) as a whole.
    pub(crate) fn of(name: &str, what: String) -> Self {
        let place = Place::Said(name.to_string());
        let problem = Problem { place, key: String::new(), what };
        Self { name: name.to_string(), problems: vec![problem] }
    }

    /// Both, or all that is wrong with either.
    pub(crate) fn both<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(one), Err(other)) => Err(one.and(other)),
            (Err(faults), _) | (_, Err(faults)) => Err(faults),
        }
    }

    /// All, or all that is wrong with any.
    #[cfg(feature = "tls")]
    pub(crate) fn all<T>(each: impl Iterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let mut faults = Vec::new();
        let all = each.filter_map(|one| one.map_err(|fault| faults.push(fault)).ok()).collect();
        faults.into_iter().reduce(Self::and).map_or(Ok(all), Err)
    }

    /// These and those of `other`. Where all of these have names of their own, the name that those
    /// with a line are of is that of `other`.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        if self.problems.iter().all(|problem| matches!(problem.place, Place::Said(_))) {
            self.name = other.name;
        }
        let is_new = |problem: &Problem| !self.problems.contains(problem);
        let new: Vec<Problem> = other.problems.into_iter().filter(is_new).collect();
        self.problems.extend(new);
        self
    }

    /// Each by itself, to be counted.
    pub(crate) fn apart(self) -> impl Iterator<Item = Self> {
        let name = self.name;
        let one = move |problem| Self { name: name.clone(), problems: vec![problem] };
        self.problems.into_iter().map(one)
    }
}

/// So many problems are told at once: whoever has more has the same one many times.
const TOLD_MAX: usize = 100;

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(TOLD_MAX).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            // Names of keys are quoted as they stand in the file.
            Escaped(&problem.line(&self.name)).fmt(f)?;
        }
        match self.problems.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "\n{}: and {more} more", Escaped(&self.name)),
        }
    }
}

impl Problem {
    /// As one line that begins with the place; `name` is the file's.
    pub(super) fn line(&self, name: &str) -> String {
        let Self { place, key, what } = self;
        let at = match place {
            Place::File => name.to_string(),
            Place::At { line, column } => format!("{name}:{line}:{column}"),
            // It names the key already.
            Place::Said(name) => return format!("{name}: {what}"),
        };
        if key.is_empty() { format!("{at}: {what}") } else { format!("{at}: {key}: {what}") }
    }
}

impl std::error::Error for Errors {}

/// The text as a TOML string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if !is_printable(c) => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// The candidate that `word` most likely stands for, if one is near enough to be a slip.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let slips_max = (word.chars().count() / 3).max(1);
    let distance =
        |candidate: &&str| edits(&word.to_ascii_lowercase(), &candidate.to_ascii_lowercase());
    let nearest = candidates.into_iter().min_by_key(distance)?;
    (distance(&nearest) <= slips_max).then_some(nearest)
}

/// Levenshtein's distance, in which two neighbours that changed places are one slip, not two.
fn edits(from: &str, to: &str) -> usize {
    let [a, b] = [from, to].map(|word| word.chars().collect::<Vec<_>>());
    // least[i][j]: edits between the first i characters of one and the first j of the other.
    let mut least = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                least[i][j] = i + j;
                continue;
            }
            let replaced = least[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            least[i][j] = replaced.min(least[i - 1][j] + 1).min(least[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least[i][j] = least[i][j].min(least[i - 2][j - 2] + 1);
            }
        }
    }
    least[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let cases = [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("prot", "port", 1)];
        for (from, to, expected) in cases {
            assert_eq!(edits(from, to), expected, "{from} to {to}");
            assert_eq!(edits(to, from), expected, "{to} to {from}");
        }
    }

    #[test]
    fn only_a_slip_is_suggested() {
        assert_eq!(nearest("lisen", ["workers", "listen"]), Some("listen"));
        assert_eq!(nearest("PORT", ["ip", "port"]), Some("port"));
        assert_eq!(nearest("host", ["ip", "port"]), None);
        assert_eq!(nearest("ip", []), None);
    }

    #[test]
    fn quoted_text_is_a_toml_string() {
        assert_eq!(quote("a\"b\\c\n\u{7f}é\u{202e}"), r#""a\"b\\c\u000A\u007Fé\u202E""#);
    }
}
