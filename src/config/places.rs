//! Where values stand that are tried when a balancer starts, not when its file is read: paths that
//! are opened, addresses that are listened at. Filled by `raw`; asked by whoever tried one in vain,
//! so that its fault is told as every other is, with file, line, column and key.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use toml::de::DeValue;

use super::Config;
use super::message::{Errors, Place, Problem, quote};
use super::report::Report;
use super::settings::Setting;

/// The keys of such values.
const TRIED: &[&str] = &[
    "server.listen",
    "listeners.listen",
    "listeners.acme_webroot",
    "tls.certificates",
    "tls.keys",
    "applications.tls",
    "applications.tls_ca",
    "applications.tls_certificate",
    "applications.tls_key",
    "alerts.url",
    "alerts.headers",
    "alerts.template",
    "alerts.ca",
    "alerts.server",
    "alerts.password",
    "alerts.command",
    "heartbeat.url",
    "heartbeat.ca",
    "log.to",
    "admin.listen",
    "admin.socket",
    "applications.ip",
    "applications.tls_name",
];

/// The places of one file's values. It is no part of what a file means: two configurations may be
/// equal that were written otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// What messages call the file; empty where there is none.
    name: String,
    /// Each value of a key once, in a list of tables too: where it stands first.
    settings: Vec<Setting>,
    /// The place of each in `settings`, by its line.
    lines: BTreeMap<String, usize>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Config {
    /// What is wrong with `value`, told at the place where the first of `keys` that says so has it.
    pub(crate) fn wrong(&self, keys: &[&str], value: &str, what: impl Into<String>) -> Errors {
        let found = keys.iter().find_map(|key| self.places.0.said(key, value));
        let place = found.map_or(Place::File, |setting| setting.place.clone());
        let key = found.map_or_else(|| keys[0].to_owned(), Setting::path);
        self.places.0.errors(Problem { place, key, what: what.into() })
    }

    /// True if that is told with a place.
    #[cfg(any(feature = "tls", feature = "alerts"))]
    pub(crate) fn is_placed(&self, keys: &[&str], value: &str) -> bool {
        keys.iter().any(|key| self.places.0.said(key, value).is_some())
    }

    /// The same of a file that one of `keys` names, and that the fault is about.
    #[cfg(feature = "tls")]
    pub(crate) fn wrong_file(&self, keys: &[&str], fault: Errors) -> Errors {
        match self.is_placed(keys, &fault.name) {
            true => self.wrong(keys, &fault.name, fault.to_string()),
            false => fault,
        }
    }
}

impl Kept {
    /// Where this key, or an item of its list, says this.
    fn said(&self, key: &str, value: &str) -> Option<&Setting> {
        let quoted = quote(value);
        let known = [value, &quoted].iter().find_map(|said| self.lines.get(&line(key, said)));
        if let Some(at) = known {
            return self.settings.get(*at);
        }
        // What is not written as it is meant has the place of its list.
        let has = |own: &str| own.starts_with('[') && own.contains(&quoted);
        let mut own = self.settings.iter().filter(|setting| setting.is_of(key));
        own.find(|setting| setting.value.as_deref().is_some_and(has))
    }

    fn errors(&self, problem: Problem) -> Errors {
        // What came from no file, as that of a demo, has keys all the same.
        if self.name.is_empty() && problem.place == Place::File {
            return Errors::of(&problem.key, problem.what);
        }
        Errors { name: self.name.clone(), problems: vec![problem] }
    }
}

impl Places {
    pub(super) fn of(name: &str, report: &Report<'_>) -> Self {
        let all = std::iter::once(&report.settings).chain(&report.pools);
        let all = all.flat_map(|own| own.tables.iter().chain(own.items.iter().flatten()));
        // An item has a place of its own, and so comes before its list.
        let all = report.listed.iter().chain(all.filter(|setting| is_tried(setting)));
        let (mut settings, mut lines) = (Vec::new(), BTreeMap::new());
        for setting in all {
            // Many applications have one file.
            let value = setting.value.as_deref().unwrap_or_default();
            lines.entry(line(&setting.path(), value)).or_insert_with(|| {
                settings.push(setting.clone());
                settings.len() - 1
            });
        }
        Self(Arc::new(Kept { name: name.to_owned(), settings, lines }))
    }
}

fn line(key: &str, value: &str) -> String {
    format!("{key} = {value}")
}

impl Report<'_> {
    /// Keeps the place of each item, where what is read is a list of such values.
    pub(super) fn list(&mut self, table: &'static str, key: &'static str, value: &DeValue<'_>) {
        // Of a command the program alone is tried; its arguments may be anything.
        let most = if key == "command" { 1 } else { usize::MAX };
        for item in value.as_array().into_iter().flatten().take(most) {
            let (place, value) = (self.at(item.span().start), item.get_ref().as_str().map(quote));
            let setting = Setting { table, key, value, place };
            if is_tried(&setting) {
                self.listed.push(setting);
            }
        }
    }
}

fn is_tried(setting: &Setting) -> bool {
    let said = setting.value.as_deref().unwrap_or_default();
    // Of applications there are many, and an address is not looked up.
    let is_looked_up = || setting.key != "ip" || said.trim_matches('"').parse::<IpAddr>().is_err();
    TRIED.iter().any(|key| setting.is_of(key)) && is_looked_up()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn what_fails_later_is_told_where_it_was_written_first() {
        let pool = |name: &str, ca: &str| {
            format!(
                "[[pools]]\nname = \"{name}\"\n[[pools.applications]]\nip = \"{name}\"\nport = 1\n\
                 tls = true\ntls_ca = \"{ca}\"\n"
            )
        };
        let text = pool("a", "a.pem") + &pool("b", "b \\\"quoted\\\".pem") + &pool("c", "a.pem");
        let text = format!("{text}[[routes]]\npool = \"a\"\n");
        let mut flags = Overrides::default();
        flags.set("--listen", "server.listen", "127.0.0.1:80");
        let config = Config::read(&text, "f.toml", &flags).unwrap();
        let wrong = |key, value| config.wrong(&[key], value, "no").to_string();
        assert_eq!(wrong("applications.tls_ca", "a.pem"), "f.toml:7:10: applications.tls_ca: no");
        let quoted = wrong("applications.tls_ca", "b \"quoted\".pem");
        assert_eq!(quoted, "f.toml:14:10: applications.tls_ca: no");
        assert_eq!(wrong("server.listen", "127.0.0.1:80"), "--listen: no");
        assert_eq!(wrong("server.listen", "0.0.0.0:8080"), "f.toml: server.listen: no");
        let of_pool = config.parts()[2].wrong(&["applications.tls_ca"], "a.pem", "no");
        assert_eq!(of_pool.to_string(), "f.toml:7:10: applications.tls_ca: no");
        let of_none = Config::default().wrong(&["server.listen"], "0.0.0.0:8080", "no");
        assert_eq!(of_none.to_string(), "server.listen: no", "a demo has no file");
    }
}
