//! Collects what is wrong while a configuration is read, and remembers where each key was written.
//! Filled by every reader of this room; must never let a problem pass without its place.

use std::ops::Range;

use super::message::{Errors, Place, Problem};
use super::settings::{Setting, Settings};
use super::table::Field;

/// The problems and settings so far.
pub(crate) struct Report<'t> {
    name: &'t str,
    text: &'t str,
    /// Where its lines start: each setting has a place, and files may be long.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// In the order of reading: the last one of a key counts. A map is 4 KiB of code more.
    pub(super) settings: Settings,
    /// Those of each pool, where the file has several.
    pub(super) pools: Vec<Settings>,
    /// The items of lists, each a setting of its own.
    pub(super) listed: Vec<Setting>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(name: &'t str, text: &'t str) -> Self {
        let (problems, warnings) = (Vec::new(), Vec::new());
        let lines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = std::iter::once(0).chain(lines).collect();
        Self {
            name,
            text,
            lines,
            problems,
            warnings,
            settings: Settings::default(),
            pools: Vec::new(),
            listed: Vec::new(),
        }
    }

    /// What messages call the file: its path, where it has one.
    pub(super) fn name(&self) -> &'t str {
        self.name
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

    /// True where that is told of this key already: why it means nothing is said once.
    pub(super) fn has_warned(&self, place: &Place, key: &str) -> bool {
        self.warnings[at(&self.warnings, place)].iter().any(|told| told.key == key)
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

    /// The same of the item at this place of its list, of those that the file has for all pools.
    pub(super) fn place_at(&self, index: usize, key: &str) -> Place {
        let is_of_list = |it: &Setting| key.starts_with(it.table);
        let mut items = self.settings.items.iter().filter(|item| item.iter().any(is_of_list));
        let own = items.nth(index).and_then(|item| item.iter().find(|it| it.is_of(key)));
        own.map_or(Place::File, |setting| setting.place.clone())
    }

    /// The same of a list: where the first item that says this has it.
    pub(super) fn place_where(&self, key: &str, value: &str) -> Place {
        let mut items = self.settings.items.iter().flatten();
        let read = items.find(|setting| setting.path() == key && setting.says(value));
        read.map_or(Place::File, |setting| setting.place.clone())
    }

    /// True where there is nothing but comments.
    pub(super) fn is_empty(&self) -> bool {
        let says_nothing = |line: &str| line.is_empty() || line.starts_with('#');
        self.text.lines().all(|line| says_nothing(line.trim()))
    }

    /// Asks `rules` as if what the pool at `index` says stood in the file; where there is but one
    /// it does.
    pub(super) fn within(&mut self, index: usize, rules: impl FnOnce(&mut Self)) {
        let Some(own) = self.pools.get(index) else { return rules(self) };
        let all = self.settings.with(own);
        let file = std::mem::replace(&mut self.settings, all);
        rules(self);
        self.settings = file;
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many problems there are so far.
    pub(super) fn problems(&self) -> usize {
        self.problems.len()
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

/// In order of place. What is wrong for several pools is said once.
fn insert(problems: &mut Vec<Problem>, problem: Problem) {
    let there = at(problems, &problem.place);
    if !problems[there.clone()].contains(&problem) {
        problems.insert(there.end, problem);
    }
}

/// Where those of this place are: there may be thousands in all.
fn at(problems: &[Problem], place: &Place) -> Range<usize> {
    let end = problems.partition_point(|other| other.place <= *place);
    problems[..end].partition_point(|other| other.place < *place)..end
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_problem_is_told_once_however_many_are_between() {
        let mut report = Report::new("f", "a\nb\n");
        for (at, what) in [(2, "one"), (0, "one"), (2, "two"), (2, "one"), (0, "one")] {
            report.warn(report.at(at), "k", what);
        }
        assert_eq!(report.warnings(), ["f:1:1: k: one", "f:2:1: k: one", "f:2:1: k: two"]);
        assert!(report.has_warned(&report.at(2), "k") && !report.has_warned(&report.at(2), "x"));
        assert!(!report.has_warned(&Place::File, "k"));
    }
}
