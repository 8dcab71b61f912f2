//! What beats the file: `EVENLY_<TABLE>_<KEY>` variables, and flags, which beat those too.
//! Filled by `cmd::args`, applied by `raw`. EVENLY_CONFIG names the file and is not for here.

use std::ffi::OsString;

use super::Config;
use super::message::{Errors, Place, nearest};
use super::report::Report;

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
    /// Takes all that start with `EVENLY_` but EVENLY_CONFIG and what others are known to set; the
    /// error names one that is not UTF-8. Whether a key of that name exists shows when the
    /// configuration is read.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Errors> {
        let mut said = Vec::new();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(PREFIX) || name == CONFIG_VARIABLE {
                continue;
            }
            if is_of_others(&name[PREFIX.len()..], &value.to_string_lossy()) {
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
            let place = Place::Said(said.source.clone());
            let mut is_known = false;
            for (table, keys) in config.tables() {
                keys.each(&mut |key, field| {
                    let name = said.spelling(&format!("{table}.{key}"));
                    if name == said.name {
                        is_known = true;
                        let read = field.read_text(&said.value);
                        report.take(place.clone(), (table, key), field, read);
                    }
                    names.push(name);
                });
            }
            if !is_known {
                report.add(place, "", said.unknown(names));
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
            None => format!("unknown {noun}; `evenly check --all` lists the keys"),
        }
    }
}

/// `server.listen` as a variable.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// True for what comes with the name "evenly" alone, which nobody wrote: the variables that
/// Kubernetes sets in each pod for a service of this name, or one that begins so (documentation of
/// Services, "Environment variables"); those of Docker's links, from which they are taken; and what
/// images say of the program inside. `name` is what follows the prefix.
fn is_of_others(name: &str, value: &str) -> bool {
    let ends =
        |word: &str| name == word || name.strip_suffix(word).is_some_and(|n| n.ends_with('_'));
    let begins = |word: &str| name.starts_with(word) || name.contains(&format!("_{word}"));
    ends("SERVICE_HOST")
        || ends("SERVICE_PORT")
        || begins("SERVICE_PORT_")
        || begins("ENV_")
        || has_port_of_a_link(name)
        // A key of ours may be called so: then the value tells.
        || ends("PORT") && ["tcp://", "udp://", "sctp://"].iter().any(|it| value.starts_with(it))
        || ends("NAME") && value.starts_with('/') && value.matches('/').count() == 2
        || OF_IMAGES.contains(&name)
}

/// `PORT_80_TCP`, and the same with `_PROTO`, `_PORT` or `_ADDR` behind it.
fn has_port_of_a_link(name: &str) -> bool {
    let mut words = name.split('_').skip_while(|word| *word != "PORT").skip(1);
    let is_number = words.next().is_some_and(|word| word.parse::<u16>().is_ok());
    is_number && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
}

/// As `NGINX_VERSION` and `HAPROXY_SHA256` are set by the images of those.
const OF_IMAGES: [&str; 8] =
    ["VERSION", "RELEASE", "REVISION", "SHA256", "URL", "IMAGE", "TAG", "HOME"];
