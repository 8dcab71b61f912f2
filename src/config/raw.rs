//! The file as written: TOML with the place of every key and value. Fills a [`Config`] key by key;
//! called by `Config::read`. Must never skip what it does not know.

use std::io::ErrorKind;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::files::read_whole;
use super::message::Errors;
use super::overrides::Overrides;
use super::report::Report;
use super::written::{read_table, refuse_unknown};
use super::{APPLICATIONS, Config, LISTENERS, applications, listeners, syntax, valid, words};

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
    let mut known = vec![APPLICATIONS, LISTENERS];
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
    let called_otherwise =
        |key: &str| words::ours("", key).is_some_and(|ours| ours.contains(APPLICATIONS));
    if root.contains_key(APPLICATIONS) || !root.keys().any(|key| called_otherwise(key.get_ref())) {
        config.applications = applications::read(root.get_key_value(APPLICATIONS), report);
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
