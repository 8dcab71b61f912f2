//! The file as written: TOML with the place of every key and value. Fills a [`Config`] key by key;
//! called by `Config::read`. Must never skip what it does not know.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::applications::NAME;
use super::message::{Errors, Report, nearest};
use super::overrides::Overrides;
use super::table::Table;
use super::{Config, applications, each_key, syntax, valid, words};

/// Tables and keys of the contract that are still to come.
const PLANNED: [&str; 2] = ["alerts", "admin.token"];

/// Longest file. A thousand applications are 60 KiB.
const FILE_BYTES_MAX: usize = 4 << 20;

/// More tables than this tell nobody which one was meant.
const HOMES_MAX: usize = 3;

/// The text of a file. The error is a sentence that does not repeat the path.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "no such file; name it with -c FILE or EVENLY_CONFIG, or write one".to_string()
        }
        ErrorKind::PermissionDenied => "not readable; check its permissions".to_string(),
        ErrorKind::IsADirectory => "is a directory; name the file in it".to_string(),
        _ => format!("cannot be read: {error}"),
    })?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err("is longer than 4 MiB, so it is no configuration; name another".to_string());
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err("is UTF-16 text; save the file as UTF-8".to_string());
    }
    if bytes.contains(&0) {
        return Err("holds zero bytes, so it is no UTF-8 text; name another, or save it as UTF-8"
            .to_string());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text; save the file as UTF-8")
    })?;
    // Some editors put a mark there that is no part of the text.
    Ok(text.strip_prefix('\u{FEFF}').map(str::to_string).unwrap_or(text))
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
            let span = error.span().unwrap_or_default();
            let (at, what) = syntax::explain(text, span, error.message());
            report.add(report.at(at), "", what);
            return report.finish((config, Vec::new()));
        }
    }
    overrides.apply(&mut config, &mut report);
    valid::check(&config, &mut report);
    let warnings = report.warnings();
    report.finish((config, warnings))
}

fn read_root(root: &DeTable<'_>, config: &mut Config, report: &mut Report<'_>) {
    let mut known = vec![NAME];
    for (name, table) in config.tables() {
        known.push(name);
        let Some((key, value)) = root.get_key_value(name) else {
            continue;
        };
        match value.get_ref() {
            DeValue::Table(written) => read_table(name, written, table, report),
            _ => {
                // Not what was found: a secret may be in the table.
                let what = format!("found no table; write [{name}] and below it its keys");
                report.add(report.at(key.span().start), name, what);
            }
        }
    }
    let called_otherwise = |key: &str| words::ours("", key).is_some_and(|ours| ours.contains(NAME));
    if root.contains_key(NAME) || !root.keys().any(|key| called_otherwise(key.get_ref())) {
        config.applications = applications::read(root.get_key_value(NAME), report);
    }
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
    let at = path.strip_suffix(word).and_then(|at| at.strip_suffix('.')).unwrap_or_default();
    let noun = if at.is_empty() { "table" } else { "key" };
    if PLANNED.contains(&path) {
        return format!("this {noun} is not in this version; remove it");
    }
    if let Some(ours) = words::ours(at, word) {
        return format!("unknown {noun}; did you mean {ours}?");
    }
    if let Some(name) = nearest(word, known.iter().copied()) {
        return format!("unknown {noun}; did you mean \"{name}\"?");
    }
    let homes = homes(word);
    match &homes[..] {
        [home] => format!("unknown {noun}; did you mean {word} in {home}?"),
        [first @ .., last] if homes.len() <= HOMES_MAX => {
            format!("unknown {noun}; {word} is a key of {} and {last}", first.join(", "))
        }
        _ if is_table(word) => format!("unknown {noun}; did you mean the table [{word}]?"),
        _ => format!("unknown {noun}; the {noun}s here are {}", known.join(", ")),
    }
}

/// Where this very word is a key. Whoever writes the name of a table means that.
fn homes(word: &str) -> Vec<String> {
    let mut homes = Vec::new();
    each_key(&mut |table, key, _| match table {
        _ if key != word => {}
        NAME => homes.push(format!("[[{NAME}]]")),
        _ => homes.push(format!("[{table}]")),
    });
    if is_table(word) { Vec::new() } else { homes }
}

/// True for the name of a table, that of the applications too.
pub(super) fn is_table(word: &str) -> bool {
    let mut found = false;
    each_key(&mut |table, _, _| found |= table == word);
    found
}
