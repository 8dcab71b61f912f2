//! What is wrong with a configuration and where: the lines that a person reads, in order of place.
//! Filled by every reader of this room; must never let a problem pass without its place.

use std::fmt;

use super::meaning::{Setting, Settings};
use super::table::Field;
use crate::printable::{Escaped, is_printable};

/// All that is wrong, at least one problem. Displayed as one line each:
/// `applications.toml:12:8: balance.policy: unknown policy "x"; use "round-robin"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    name: String,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    place: Place,
    key: String,
    what: String,
}

/// Where something was written. In this order problems are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The file as a whole.
    File,
    /// Both from 1; the column counts characters, as editors do.
    At { line: usize, column: usize },
    /// An environment variable or a flag, by name.
    Said(String),
}

impl Errors {
    /// One problem of the file (or whatever `name` names) as a whole.
    pub(crate) fn of(name: &str, what: String) -> Self {
        let problem = Problem { place: Place::File, key: String::new(), what };
        Self { name: name.to_string(), problems: vec![problem] }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            // Names of keys are quoted as they stand in the file.
            Escaped(&problem.line(&self.name)).fmt(f)?;
        }
        Ok(())
    }
}

impl Problem {
    fn line(&self, name: &str) -> String {
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

/// Collects problems while a configuration is read, and remembers where each key was written.
pub(crate) struct Report<'t> {
    name: &'t str,
    text: &'t str,
    /// Where its lines start: each setting has a place, and files may be long.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// In the order of reading: the last one of a key counts. A map is 4 KiB of code more.
    pub(super) settings: Settings,
}

impl<'t> Report<'t> {
    pub(crate) fn new(name: &'t str, text: &'t str) -> Self {
        let (problems, warnings) = (Vec::new(), Vec::new());
        let lines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = std::iter::once(0).chain(lines).collect();
        Self { name, text, lines, problems, warnings, settings: Settings::default() }
    }

    /// The place of a byte of the text.
    pub(crate) fn at(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = self.lines.partition_point(|start| *start <= before.len());
        let start = self.lines[line - 1];
        Place::At { line, column: before[start..].chars().count() + 1 }
    }

    pub(crate) fn add(&mut self, place: Place, key: &str, what: impl Into<String>) {
        insert(&mut self.problems, Problem { place, key: key.to_string(), what: what.into() });
    }

    /// What an operator should know and nothing stands still for.
    pub(super) fn warn(&mut self, place: Place, key: &str, what: impl Into<String>) {
        insert(&mut self.warnings, Problem { place, key: key.to_string(), what: what.into() });
    }

    /// Takes the outcome of reading this key at `place` into the field.
    pub(super) fn take(
        &mut self,
        place: Place,
        (table, key): (&'static str, &'static str),
        field: &dyn Field,
        read: Result<(), String>,
    ) {
        let setting = Setting { place, ..Setting::of(table, key, field) };
        match read {
            Ok(()) => self.settings.push(setting),
            Err(what) => self.add(setting.place.clone(), &setting.path(), what),
        }
    }

    /// Where `key` got its value; the whole file where it kept its default.
    pub(crate) fn place(&self, key: &str) -> Place {
        let read = self.settings.tables.iter().rfind(|setting| setting.path() == key);
        read.map_or(Place::File, |setting| setting.place.clone())
    }

    /// True where there is nothing but comments.
    pub(super) fn is_empty(&self) -> bool {
        let says_nothing = |line: &str| line.is_empty() || line.starts_with('#');
        self.text.lines().all(|line| says_nothing(line.trim()))
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The warnings so far, a line each.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.iter().map(|warning| warning.line(self.name)).collect()
    }

    pub(crate) fn finish<T>(self, read: T) -> Result<T, Errors> {
        if self.is_clean() {
            return Ok(read);
        }
        Err(Errors { name: self.name.to_string(), problems: self.problems })
    }
}

/// In order of place.
fn insert(problems: &mut Vec<Problem>, problem: Problem) {
    let behind = problems.partition_point(|other| other.place <= problem.place);
    problems.insert(behind, problem);
}

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
    fn columns_count_characters() {
        let report = Report::new("f", "a = 1\nä = \"ö\" # x");
        assert_eq!(report.at(0), Place::At { line: 1, column: 1 });
        assert_eq!(report.at(6), Place::At { line: 2, column: 1 });
        assert_eq!(report.at(11), Place::At { line: 2, column: 5 });
    }

    #[test]
    fn problems_are_listed_in_order_of_place() {
        let mut report = Report::new("f.toml", "a = 1\nb = 2\n");
        report.add(Place::Said("EVENLY_X".to_string()), "x.y", "third");
        report.add(report.at(6), "b", "second");
        report.add(report.at(0), "a", "first");
        let errors = report.finish(()).unwrap_err();
        assert_eq!(
            errors.to_string(),
            "f.toml:1:1: a: first\nf.toml:2:1: b: second\nEVENLY_X: third"
        );
    }

    #[test]
    fn quoted_text_is_a_toml_string() {
        assert_eq!(quote("a\"b\\c\n\u{7f}é\u{202e}"), r#""a\"b\\c\u000A\u007Fé\u202E""#);
    }
}
