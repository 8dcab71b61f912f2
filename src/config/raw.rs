//! The file as written: TOML with the place of every key and value. Fills a [`Config`] key by key;
//! called by `Config::read`. Must never skip what it does not know.

use std::io::ErrorKind;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::kind::found;
use super::message::{Errors, Report, nearest};
use super::overrides::Overrides;
use super::table::Table;
use super::{Config, applications, valid};

/// Tables and keys of the contract that are still to come.
const PLANNED: [&str; 2] = ["alerts", "admin.token"];

/// Keys whose words mean something else in every other table: no hint to one who writes them there.
const AT_HOME: [&str; 4] = ["host", "port", "method", "headers"];

/// The text of a file. The error is a sentence that does not repeat the path.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "no such file; name it with -c FILE or EVENLY_CONFIG, or write one".to_string()
        }
        ErrorKind::PermissionDenied => "not readable; check its permissions".to_string(),
        ErrorKind::IsADirectory => "is a directory; name the file in it".to_string(),
        _ => format!("cannot be read: {error}"),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text; save the file as UTF-8")
    })
}

/// Reads the text onto `config`, then what overrides it, then holds all against the rules between
/// keys. Returns the warnings, too.
pub(super) fn read(
    mut config: Config,
    text: &str,
    name: &str,
    overrides: &Overrides,
) -> Result<(Config, Vec<String>), Errors> {
    let mut report = Report::new(name, text);
    match DeTable::parse(text) {
        Ok(root) => read_root(root.get_ref(), &mut config, &mut report),
        Err(error) => {
            // One is enough: what follows a slip in the syntax is guesswork.
            let place = report.at(error.span().map_or(0, |span| span.start));
            let what = error.message().replace('\n', "; ");
            report.add(place, "", format!("not valid TOML: {what}"));
            return report.finish((config, Vec::new()));
        }
    }
    overrides.apply(&mut config, &mut report);
    valid::check(&config, &mut report);
    let warnings = report.warnings();
    report.finish((config, warnings))
}

fn read_root(root: &DeTable<'_>, config: &mut Config, report: &mut Report<'_>) {
    let mut known = vec!["applications"];
    for (name, table) in config.tables() {
        known.push(name);
        let Some((key, value)) = root.get_key_value(name) else {
            continue;
        };
        match value.get_ref() {
            DeValue::Table(written) => read_table(name, written, table, report),
            other => {
                let what = format!("found {}; expected a table [{name}]", found(other));
                report.add(report.at(key.span().start), name, what);
            }
        }
    }
    config.applications = applications::read(root.get_key_value("applications"), report);
    refuse_unknown("", root, &known, report);
}

/// Reads each known key of a table and reports every other.
pub(super) fn read_table(
    name: &'static str,
    written: &DeTable<'_>,
    into: &mut dyn Table,
    report: &mut Report<'_>,
) {
    let mut known = Vec::new();
    into.each(&mut |key, field| {
        known.push(key);
        if let Some(value) = written.get(key) {
            let place = report.at(value.span().start);
            let read = field.read(value.get_ref());
            report.take(place, (name, key), field, read);
        }
    });
    refuse_unknown(name, written, &known, report);
}

/// Reports each key that is not known. The top of the file is a table without a name.
fn refuse_unknown(name: &str, written: &DeTable<'_>, known: &[&str], report: &mut Report<'_>) {
    for key in written.keys() {
        let word = key.get_ref().as_ref();
        if !known.contains(&word) {
            let path = if name.is_empty() { word.to_string() } else { format!("{name}.{word}") };
            report.add(report.at(key.span().start), &path, unknown(&path, word, known));
        }
    }
}

/// What to do about the unknown word at the end of a path.
fn unknown(path: &str, word: &str, known: &[&str]) -> String {
    let noun = if path == word { "table" } else { "key" };
    if PLANNED.contains(&path) {
        return format!("this {noun} is not in this version; remove it");
    }
    if let Some(home) = home(word) {
        return format!("unknown {noun}; did you mean {word} in [{home}]?");
    }
    match nearest(word, known.iter().copied()) {
        Some(name) => format!("unknown {noun}; did you mean \"{name}\"?"),
        None => format!("unknown {noun}; the {noun}s here are {}", known.join(", ")),
    }
}

/// The table that has this very key.
fn home(word: &str) -> Option<&'static str> {
    if AT_HOME.contains(&word) {
        return None;
    }
    let mut home = None;
    for (name, table) in Config::default().tables() {
        table.each(&mut |key, _| {
            if key == word {
                home = home.or(Some(name));
            }
        });
    }
    home
}
