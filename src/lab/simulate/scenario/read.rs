//! A scenario as written: TOML with the place of every key. Called for files and for what is built
//! in. Must never skip what it does not know.

use std::io::ErrorKind;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Change, Patch, SHIPPED, Scenario, Which};
use crate::config::{Errors, Report, found, nearest, quote};
use crate::lab::simulate::draw::Spread;
use values::{flag, number, share, time_ns, whole, words};

mod values;

/// Most instances that can be simulated.
pub const INSTANCES_MAX: u64 = 1000;
/// Most requests of a run.
pub const REQUESTS_MAX: u64 = 100_000_000;

const SPREADS: [&str; 4] = ["constant", "uniform", "exponential", "lognormal"];

/// The text of a file. The error is a sentence that does not repeat the path.
pub fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let name = path.display().to_string();
            let names = SHIPPED.map(|(name, _)| name);
            match nearest(&name, names) {
                Some(near) => format!("no such scenario or file; did you mean {near}?"),
                None => format!("no such scenario or file; there are {}", names.join(", ")),
            }
        }
        ErrorKind::PermissionDenied => "not readable; check its permissions".to_owned(),
        ErrorKind::IsADirectory => "is a directory; name the file in it".to_owned(),
        ErrorKind::InvalidData => "is not UTF-8 text; save the file as UTF-8".to_owned(),
        _ => format!("cannot be read: {error}"),
    })
}

/// Reads a text that messages call `name`; the scenario is called `title`.
pub fn read(text: &str, name: &str, title: &str) -> Result<Scenario, Errors> {
    let mut report = Report::new(name, text);
    let mut scenario = Scenario { name: title.to_owned(), ..Scenario::default() };
    match DeTable::parse(text) {
        Ok(root) => read_root(root.get_ref(), &mut scenario, &mut report),
        Err(error) => {
            let place = report.at(error.span().map_or(0, |span| span.start));
            let what = error.message().replace('\n', "; ");
            report.add(place, "", format!("not valid TOML: {what}"));
        }
    }
    report.finish(scenario)
}

fn read_root(root: &DeTable<'_>, into: &mut Scenario, report: &mut Report<'_>) {
    let mut keys = Keys::new("", root, report);
    keys.take("about", words, |about| into.about = about);
    keys.take("instances", |v| whole(v, 1..=INSTANCES_MAX), |n| into.instances = n as usize);
    keys.take("requests", |v| whole(v, 1..=REQUESTS_MAX), |n| into.requests = n);
    keys.take("load", |v| number(v, 0.001, 100.0), |load| into.load = load);
    keys.take("clients", |v| whole(v, 1..=1_000_000_000), |n| into.clients = n);
    keys.take("paths", |v| whole(v, 1..=1_000_000_000), |n| into.paths = n);
    keys.take("bad_path", share, |share| into.bad_path = share);
    let most = |v: &DeValue<'_>| whole(v, 0..=1_000_000_000);
    keys.take("bad_path_clients", most, |n| into.bad_path_clients = n);
    keys.take("timeout", |v| Ok(Some(values::time(v)?)), |timeout| into.timeout = timeout);
    let count = into.instances;
    keys.tables("instance", |one| into.instance.apply(&read_patch(one, Of::Instance)));
    keys.tables("group", |one| {
        let which = read_which(one, count);
        into.groups.push((which, read_patch(one, Of::Group)));
    });
    keys.tables("change", |one| {
        let (from, until) = read_stretch(one);
        let which = read_which(one, count);
        into.changes.push(Change { from, until, which, patch: read_patch(one, Of::Change) });
    });
    keys.refuse_unknown();
}

/// Whose traits they are: some do not change, and some come only with a change.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Instance,
    Group,
    Change,
}

fn read_patch(keys: &mut Keys<'_, '_, '_>, of: Of) -> Patch {
    let mut patch = Patch::default();
    keys.take("latency", time_ns, |ns| patch.latency_ns = Some(ns));
    if of != Of::Instance {
        keys.take("slower", |v| number(v, 0.01, 1000.0), |times| patch.slower = Some(times));
    }
    patch.spread = read_spread(keys);
    keys.take("errors", share, |share| patch.errors = Some(share));
    keys.take("status", |v| whole(v, 500..=599), |status| patch.status = Some(status as u16));
    keys.take("error_latency", time_ns, |ns| patch.error_latency_ns = Some(ns));
    keys.take("resets", share, |share| patch.resets = Some(share));
    keys.take("bad_answers", share, |share| patch.bad_answers = Some(share));
    if of == Of::Change {
        keys.take("down", flag, |down| patch.down = Some(down));
        keys.take("crash", flag, |crash| patch.crash = Some(crash));
        return patch;
    }
    keys.take("workers", |v| whole(v, 1..=100_000), |n| patch.workers = Some(n as u32));
    keys.take("backlog", |v| whole(v, 0..=1_000_000), |n| patch.backlog = Some(n as u32));
    keys.take("weight", |v| whole(v, 1..=1000), |n| patch.weight = Some(n as u32));
    let most = |v: &DeValue<'_>| whole(v, 0..=1_000_000);
    keys.take("max_connections", most, |n| patch.max_connections = Some(n as u32));
    patch
}

fn read_spread(keys: &mut Keys<'_, '_, '_>) -> Option<Spread> {
    let (mut name, mut variation) = (None, None);
    keys.take("spread", |v| one_of(v, "spread", &SPREADS), |spread| name = Some(spread));
    keys.take("variation", |v| number(v, 0.0, 10.0), |number| variation = Some(number));
    match (name, variation) {
        (Some("constant"), None) => Some(Spread::Constant),
        (Some("uniform"), None) => Some(Spread::Uniform),
        (Some("exponential"), None) => Some(Spread::Exponential),
        (Some("lognormal") | None, Some(variation)) => Some(Spread::lognormal(variation)),
        (Some("lognormal"), None) => Some(Spread::lognormal(1.0)),
        (Some(other), Some(_)) => {
            keys.complain("variation", format!("only \"lognormal\" has one, not \"{other}\""));
            None
        }
        (_, None) => None,
    }
}

fn read_stretch(keys: &mut Keys<'_, '_, '_>) -> (f64, f64) {
    let (mut from, mut until) = (0.0, 1.0);
    keys.take("from", share, |share| from = share);
    keys.take("until", share, |share| until = share);
    if from >= until {
        let what = format!("it begins at {from} and so must end later than {until}, at most at 1");
        let key = if keys.table.contains_key("until") { "until" } else { "from" };
        keys.complain(key, what);
    }
    (from, until)
}

fn read_which(keys: &mut Keys<'_, '_, '_>, instances: usize) -> Which {
    let mut which = None;
    keys.take("which", |value| self::which(value, instances), |read| which = Some(read));
    if !keys.table.contains_key("which") {
        keys.complain("which", "missing; write for example which = \"first\"".to_owned());
    }
    which.unwrap_or(Which::First)
}

const WHICH: [(&str, Which); 4] = [
    ("first", Which::First),
    ("last", Which::Last),
    ("all", Which::All),
    ("each in turn", Which::EachInTurn),
];

fn which(value: &DeValue<'_>, instances: usize) -> Result<Which, String> {
    match value {
        DeValue::String(_) => {
            let word = one_of(value, "choice", &WHICH.each_ref().map(|(word, _)| *word))?;
            let named = WHICH.into_iter().find(|(name, _)| *name == word);
            Ok(named.expect("one of them was read").1)
        }
        DeValue::Float(_) => number(value, 0.0, 1.0).map(Which::Share),
        DeValue::Array(items) if !items.is_empty() => {
            let one = |item: &toml::Spanned<DeValue<'_>>| {
                whole(item.get_ref(), 1..=instances as u64).map(|number| number as usize)
            };
            items.iter().map(one).collect::<Result<_, _>>().map(Which::Listed)
        }
        other => Err(format!(
            "found {}; use a word such as \"first\" or \"all\", numbers such as [1, 2], or a share \
             such as 0.4",
            found(other)
        )),
    }
}

fn one_of(
    value: &DeValue<'_>,
    noun: &str,
    choices: &[&'static str],
) -> Result<&'static str, String> {
    let names = || choices.iter().map(|choice| quote(choice)).collect::<Vec<_>>().join(", ");
    let text = value.as_str().ok_or_else(|| format!("found {}; use {}", found(value), names()))?;
    if let Some(choice) = choices.iter().find(|choice| **choice == text) {
        return Ok(choice);
    }
    Err(match nearest(text, choices.iter().copied()) {
        Some(name) => format!("unknown {noun} {}; did you mean \"{name}\"?", quote(text)),
        None => format!("unknown {noun} {}; use {}", quote(text), names()),
    })
}

/// A table that is being read, and which of its keys were asked for.
struct Keys<'k, 'd, 't> {
    name: &'static str,
    table: &'k DeTable<'d>,
    report: &'k mut Report<'t>,
    known: Vec<&'static str>,
}

impl<'k, 'd, 't> Keys<'k, 'd, 't> {
    fn new(name: &'static str, table: &'k DeTable<'d>, report: &'k mut Report<'t>) -> Self {
        Self { name, table, report, known: Vec::new() }
    }

    /// Reads a key if it is there; a problem is reported in its place.
    fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
        then: impl FnOnce(T),
    ) {
        self.known.push(key);
        let Some(value) = self.table.get(key) else { return };
        match read(value.get_ref()) {
            Ok(read) => then(read),
            Err(what) => {
                let place = self.report.at(value.span().start);
                self.report.add(place, &self.path(key), what);
            }
        }
    }

    /// Reads a table, or each of several of one name.
    fn tables(&mut self, name: &'static str, mut read: impl FnMut(&mut Keys<'_, 'd, 't>)) {
        self.known.push(name);
        let Some((key, value)) = self.table.get_key_value(name) else { return };
        let single = std::slice::from_ref(value);
        let items = match value.get_ref() {
            DeValue::Array(items) if name != "instance" => items,
            DeValue::Table(_) if name == "instance" => single,
            other => {
                let brackets = if name == "instance" { "[instance]" } else { "[[...]]" };
                let brackets = brackets.replace("...", name);
                let what = format!("found {}; write {brackets} above its keys", found(other));
                return self.report.add(self.report.at(key.span().start), name, what);
            }
        };
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                let what = format!("found {}; expected a table", found(item.get_ref()));
                self.report.add(self.report.at(item.span().start), name, what);
                continue;
            };
            let mut keys = Keys::new(name, table, self.report);
            read(&mut keys);
            keys.refuse_unknown();
        }
    }

    fn refuse_unknown(&mut self) {
        for key in self.table.keys() {
            let word = key.get_ref().as_ref();
            if !self.known.contains(&word) {
                let what = match nearest(word, self.known.iter().copied()) {
                    Some(name) => format!("unknown key; did you mean \"{name}\"?"),
                    None => format!("unknown key; the keys here are {}", self.known.join(", ")),
                };
                self.report.add(self.report.at(key.span().start), &self.path(word), what);
            }
        }
    }

    /// Reports a problem with a key; where it is missing, with the table.
    fn complain(&mut self, key: &str, what: String) {
        let key_start = self.table.get(key).map(|value| value.span().start);
        let first = || self.table.iter().map(|(key, _)| key.span().start).min();
        let place = self.report.at(key_start.or_else(first).unwrap_or(0));
        self.report.add(place, &self.path(key), what);
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}
