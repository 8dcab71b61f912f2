//! What beats the file: `EVENLY_<TABLE>_<KEY>` variables, and flags, which beat those too.
//! Filled by `cmd::args`, applied by `raw`. EVENLY_CONFIG names the file and is not for here.

use std::ffi::OsString;

use super::Config;
use super::message::{Errors, Place, Report, nearest};

/// The variable that names the file.
pub const CONFIG_VARIABLE: &str = "EVENLY_CONFIG";

const PREFIX: &str = "EVENLY_";

/// Values for keys, given as bare text: `0.0.0.0:80`, `5s`, `true`, `502-504, 429`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// In order of force: the last one wins.
    said: Vec<Said>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    /// What messages name: the variable or the flag.
    source: String,
    /// The variable, or `table.key`.
    name: String,
    value: String,
}

impl Overrides {
    /// Takes all that start with `EVENLY_` but EVENLY_CONFIG; the error names one that is not
    /// UTF-8. Whether a key of that name exists shows when the configuration is read.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Errors> {
        let mut said = Vec::new();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(PREFIX) || name == CONFIG_VARIABLE {
                continue;
            }
            let not_text = |_| Errors::of(&name, "is not UTF-8 text".to_string());
            let value = value.into_string().map_err(not_text)?;
            // By name, as the environment has no order of its own.
            let place = said.partition_point(|other: &Said| other.name <= name);
            said.insert(place, Said { source: name.clone(), name, value });
        }
        Ok(Self { said })
    }

    /// Adds a flag that sets `key`, as `table.key`. It beats whatever was there before.
    pub fn set(&mut self, flag: &str, key: &str, value: &str) {
        let [source, name, value] = [flag, key, value].map(str::to_string);
        self.said.push(Said { source, name, value });
    }

    /// True when `key`, as `table.key`, is set here.
    pub fn has(&self, key: &str) -> bool {
        self.said.iter().any(|said| said.name == said.spelling(key))
    }

    pub(super) fn apply(&self, config: &mut Config, report: &mut Report<'_>) {
        for said in &self.said {
            let mut names = Vec::new();
            let mut read = None;
            for (table, keys) in config.tables() {
                keys.each(&mut |key, field| {
                    let path = format!("{table}.{key}");
                    let name = said.spelling(&path);
                    if name == said.name {
                        read = Some((path, field.read_text(&said.value)));
                    }
                    names.push(name);
                });
            }
            let place = Place::Said(said.source.clone());
            match read {
                Some((path, read)) => report.take(place, &path, read),
                None => report.add(place, "", said.unknown(names)),
            }
        }
    }
}

impl Said {
    fn is_variable(&self) -> bool {
        self.name.starts_with(PREFIX)
    }

    /// A key's name in the language of the one who said this.
    fn spelling(&self, path: &str) -> String {
        if self.is_variable() { variable(path) } else { path.to_string() }
    }

    fn unknown(&self, mut names: Vec<String>) -> String {
        let noun = if self.is_variable() { "variable" } else { "key" };
        if self.is_variable() {
            names.push(CONFIG_VARIABLE.to_string());
        }
        // The prefix is right in every case, and would let any short key pass for a slip.
        let prefix = if self.is_variable() { PREFIX.len() } else { 0 };
        let names = names.iter().map(|name| &name[prefix..]);
        match nearest(&self.name[prefix..], names) {
            Some(name) => {
                let prefix = &self.name[..prefix];
                format!("unknown {noun}; did you mean {prefix}{name}?")
            }
            None => format!("unknown {noun}; `evenly check` lists the keys"),
        }
    }
}

/// `server.listen` as a variable.
fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}
