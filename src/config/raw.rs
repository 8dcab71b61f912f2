//! The file as written: TOML with the place of every key and value. Fills a [`Config`] key by key;
//! called by `Config::read`. Must never skip what it does not know.

use std::io::ErrorKind;
use std::path::Path;

use toml::de::DeTable;

use super::files::read_whole;
use super::message::{Errors, Place};
use super::overrides::Overrides;
use super::places::Places;
use super::report::Report;
use super::twins::Known;
use super::written::{read_table, refuse_unknown, the_table};
use super::{
    APPLICATIONS, Config, LISTENERS, POOLS, ROUTES, applications, listeners, pools, routes, syntax,
    valid, words,
};

/// Longest file. A thousand applications are 60 KiB.
const FILE_BYTES_MAX: usize = 4 << 20;

/// The text of a file. The error is a sentence that does not repeat the path.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let read = read_whole(path, FILE_BYTES_MAX);
    let bytes = read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "no such file; name it with -c FILE or EVENLY_CONFIG, or write one".to_string()
        }
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid().as_raw();
            format!("not readable by user {user}; check its permissions")
        }
        // Docker makes one where the file is not that it is to mount.
        ErrorKind::IsADirectory => {
            "is a directory; name the file in it (or, in a container, mount one that is there)"
                .to_string()
        }
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
        Ok(root) => {
            read_root(root.get_ref(), &mut config, &mut report);
            overrides.apply(&mut config, &mut report);
            read_pools(root.get_ref(), &mut config, overrides, &mut report);
        }
        Err(error) => {
            // One is enough: what follows a slip in the syntax is guesswork.
            let span = error.span().unwrap_or_default();
            let (at, what) = syntax::explain(text, span, error.message());
            report.add(report.at(at), "", what);
            return report.finish((config, Vec::new()));
        }
    }
    valid::check(&config, &mut report);
    let warnings = report.warnings();
    config.places = Places::of(name, &report);
    let places = &config.places;
    config.pools.iter_mut().for_each(|pool| pool.places.clone_from(places));
    report.finish((config, warnings))
}

/// What the text says in its tables, whatever is wrong with it.
#[cfg(feature = "admin")]
pub(super) fn glimpse(text: &str, overrides: &Overrides) -> Config {
    let (mut config, mut report) = (Config::default(), Report::new("", text));
    let (root, _) = DeTable::parse_recoverable(text);
    read_root(root.get_ref(), &mut config, &mut report);
    overrides.apply(&mut config, &mut report);
    config
}

fn read_root(root: &DeTable<'_>, config: &mut Config, report: &mut Report<'_>) {
    let mut known = vec![APPLICATIONS, LISTENERS, POOLS, ROUTES];
    for (name, table) in config.tables() {
        known.push(name);
        if let Some(written) = the_table(("", name), root, report) {
            read_table(name, written, table, report);
        }
    }
    if let Some(written) = root.get_key_value(LISTENERS) {
        config.listeners = listeners::read(written, report);
    }
    #[cfg(feature = "alerts")]
    {
        known.push(super::ALERTS);
        if let Some(written) = root.get_key_value(super::ALERTS) {
            config.alerts = super::alerts::read(written, report);
        }
    }
    refuse_unknown("", root, &known, report);
}

/// The pools, each on what the file says for all, and their routes; or the one pool that a file
/// without any has.
fn read_pools(
    root: &DeTable<'_>,
    config: &mut Config,
    overrides: &Overrides,
    report: &mut Report<'_>,
) {
    let called_otherwise =
        |key: &str| words::ours("", key).is_some_and(|ours| ours.contains(APPLICATIONS));
    let has = |key: &str| root.contains_key(key);
    match root.get_key_value(POOLS) {
        Some((key, _)) if has(APPLICATIONS) => {
            let what = "a file has [[applications]] or [[pools]]; make those applications \
                        [[pools.applications]] of one pool";
            report.add(report.at(key.span().start), POOLS, what);
        }
        Some(written) => pools::read(written, config, overrides, report),
        None if has(APPLICATIONS) || !root.keys().any(|key| called_otherwise(key.get_ref())) => {
            let known = &mut Known::default();
            config.applications =
                applications::read((APPLICATIONS, Place::File), root, known, report);
        }
        None => {}
    }
    // Where the pools could not be read, there is nothing that routes could be held against.
    if let Some(written) = root.get_key_value(ROUTES)
        && config.pools.is_empty() != has(POOLS)
    {
        config.routes = routes::read(written, config, report);
    }
    pools::ask_as_they_are_led_to(config);
}
