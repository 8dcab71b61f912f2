//! One table as written: each key that is known is read, and each other is told what was meant.
//! Called for every table of the file; must never skip what it does not know.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::form::found;
use super::message::nearest;
use super::report::Report;
use super::table::Table;
use super::{LISTS, OWN, POOLS, each_key, is_table, words};

/// Tables of what is not in this build.
const ABSENT: [&str; 2] = ["alerts", "heartbeat"];

/// More tables than this tell nobody which one was meant.
const HOMES_MAX: usize = 3;

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
            report.list(name, key, value.get_ref());
        }
    });
    refuse_unknown(name, written, &known, report);
}

/// The table of this name, if there is one; its heading begins with `of`.
pub(super) fn the_table<'w, 'i>(
    (of, name): (&str, &str),
    all: &'w DeTable<'i>,
    report: &mut Report<'_>,
) -> Option<&'w DeTable<'i>> {
    let (key, value) = all.get_key_value(name)?;
    let DeValue::Table(written) = value.get_ref() else {
        // Not what was found: a secret may be in the table.
        let what = format!("found no table; write [{of}{name}] and below it its keys");
        report.add(report.at(key.span().start), name, what);
        return None;
    };
    Some(written)
}

/// The items of a list of tables, of which there may be `most`; each is what `noun` says.
pub(super) fn items<'w, 'i>(
    (name, noun, most): (&str, &str, usize),
    (key, value): (&Spanned<DeString<'i>>, &'w Spanned<DeValue<'i>>),
    report: &mut Report<'_>,
) -> &'w [Spanned<DeValue<'i>>] {
    let place = report.at(key.span().start);
    let what = match value.get_ref() {
        DeValue::Array(items) if items.len() <= most => return items,
        DeValue::Array(items) => format!("{} are too many; up to {most} will do", items.len()),
        other => {
            let found = found(other);
            format!("found {found}; write [[{name}]], in double brackets, above each {noun}")
        }
    };
    report.add(place, name, what);
    &[]
}

/// Reports each key that is not known. The top of the file is a table without a name.
pub(super) fn refuse_unknown(
    name: &str,
    written: &DeTable<'_>,
    known: &[&str],
    report: &mut Report<'_>,
) {
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
    if ABSENT.contains(&path) && !cfg!(feature = "alerts") {
        return "this build of evenly tells nobody; use one with the feature alerts".to_owned();
    }
    if let Some(ours) = words::ours(at, word) {
        if ours.starts_with("there is") {
            return format!("unknown {noun}; {ours}");
        }
        return format!("unknown {noun}; did you mean {ours}?");
    }
    if let Some(name) = nearest(word, known.iter().copied()) {
        return format!("unknown {noun}; did you mean \"{name}\"?");
    }
    // What a pool has for itself stands in a table of its own.
    let homes = match at {
        POOLS => homes(word).into_iter().filter_map(|home| own(&home)).collect(),
        _ => homes(word),
    };
    match &homes[..] {
        [home] => format!("unknown {noun}; did you mean {word} in {home}?"),
        [first @ .., last] if homes.len() <= HOMES_MAX => {
            format!("unknown {noun}; {word} is a key of {} and {last}", first.join(", "))
        }
        _ if is_table(word) => format!("unknown {noun}; did you mean the table [{word}]?"),
        _ => format!("unknown {noun}; the {noun}s here are {}", known.join(", ")),
    }
}

/// Such a table, from that of the file.
fn own(home: &str) -> Option<String> {
    let name = home.strip_prefix('[')?.strip_suffix(']')?;
    OWN.contains(&name).then(|| format!("[{POOLS}.{name}]"))
}

/// Where this very word is a key. Whoever writes the name of a table means that.
fn homes(word: &str) -> Vec<String> {
    let mut homes = Vec::new();
    each_key(&mut |table, key, _| match table {
        _ if key != word => {}
        // They come last, and what they are about is seldom what was meant.
        "alerts" if !homes.is_empty() => {}
        list if LISTS.contains(&list) => homes.push(format!("[[{list}]]")),
        _ => homes.push(format!("[{table}]")),
    });
    if is_table(word) { Vec::new() } else { homes }
}
