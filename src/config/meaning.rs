//! Keys that mean nothing where they stand, such as `hash_by` beside another policy than "hash":
//! whoever wrote one believes in something that does not happen.
//!
//! What a key needs stands in its line of the table of keys; this is the one rule that goes by it.
//! Where harm is done without it, as by `tls_ca` where `tls` was forgotten, the key is refused;
//! elsewhere that is a warning. Called by `raw` once everything is read, and by `render`.

use super::message::{Place, Report, quote};
use super::table::{Field, Table};
use super::{Config, applications, each_key};
use applications::Application;

/// What another key must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// As `table.key`. One of `applications` is that of the same application, or to a key of a
    /// table, that of any.
    key: &'static str,
    /// As bare text; "" is not set.
    value: &'static str,
    /// Whether it must have this value, or must not.
    has: bool,
    /// What will do as well.
    or: Option<&'static Need>,
    /// Without it the key does harm.
    grave: bool,
}

/// What the keys of a table need: all of them, and each.
pub(super) struct Needs {
    pub(super) table: &'static [Need],
    pub(super) keys: &'static [(&'static str, &'static [Need])],
}

/// A key with its value, as TOML, and where it got it.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// None when it is not set.
    pub(super) value: Option<String>,
    pub(super) place: Place,
}

/// What was set, in order: the last one of a key counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) tables: Vec<Setting>,
    /// Of each application. Apart from the others, so that each has few to look at.
    pub(super) items: Vec<Vec<Setting>>,
}

/// `key` must have this value.
pub(super) const fn is(key: &'static str, value: &'static str) -> Need {
    Need { key, value, has: true, or: None, grave: false }
}

/// `key` must have another value.
pub(super) const fn is_not(key: &'static str, value: &'static str) -> Need {
    Need { has: false, ..is(key, value) }
}

/// `key` must be set.
pub(super) const fn is_set(key: &'static str) -> Need {
    is_not(key, "")
}

impl Need {
    /// The other one will do as well.
    pub(super) const fn or(self, other: &'static Self) -> Self {
        Self { or: Some(other), ..self }
    }

    /// Without it the key is refused.
    pub(super) const fn or_refused(self) -> Self {
        Self { grave: true, ..self }
    }

    /// What to do where it does not hold.
    fn sentence(&self, of: &Setting, usual: &Settings) -> String {
        let said = self.said(of.table, usual);
        let what = match (self.or, self.has || self.is_missing(usual)) {
            (Some(or), _) => format!("without {said} or {}; set one", or.said(of.table, usual)),
            (None, true) => format!("without {said}; set it"),
            (None, false) => format!("with {said}; change that"),
        };
        format!("means nothing {what}, or remove this key")
    }

    /// The key as from within a table, and which value it is about.
    fn said(&self, table: &str, usual: &Settings) -> String {
        let own = self.key.strip_prefix(table).and_then(|key| key.strip_prefix('.'));
        let key = own.unwrap_or(self.key);
        match self.value {
            _ if !self.has && self.is_missing(usual) => key.to_string(),
            value @ ("0" | "true" | "false") => format!("{key} = {value}"),
            word => format!("{key} = {}", quote(word)),
        }
    }

    /// True if the value that it must not have is what it has where nobody sets it.
    fn is_missing(&self, usual: &Settings) -> bool {
        last(&usual.tables, self.key).is_some_and(|it| !self.has && it.says(self.value))
    }
}

/// Reports each setting that means nothing.
pub(super) fn judge(report: &mut Report<'_>) {
    let settings = std::mem::take(&mut report.settings);
    let usual = Settings::usual();
    for (index, setting) in settings.tables.iter().enumerate() {
        let later = &settings.tables[index + 1..];
        if !later.iter().any(|other| other.path() == setting.path()) {
            judge_one(setting, &settings, &[], &usual, report);
        }
    }
    for item in &settings.items {
        item.iter().for_each(|setting| judge_one(setting, &settings, item, &usual, report));
    }
    report.settings = settings;
}

fn judge_one(
    setting: &Setting,
    all: &Settings,
    item: &[Setting],
    usual: &Settings,
    report: &mut Report<'_>,
) {
    let Some(need) = all.wanting(setting, item, usual) else {
        return;
    };
    let (place, path, what) =
        (setting.place.clone(), setting.path(), need.sentence(setting, usual));
    // A default does no harm, and generated files say them all.
    match need.grave && !usual.has(setting) {
        true => report.add(place, &path, what),
        false => report.warn(place, &path, what),
    }
}

impl Setting {
    /// A key as it is, wherever it got its value.
    pub(super) fn of(table: &'static str, key: &'static str, field: &dyn Field) -> Self {
        Self { table, key, value: field.write(), place: Place::File }
    }

    /// As `table.key`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.table, self.key)
    }

    fn is_of(&self, path: &str) -> bool {
        let key = path.strip_prefix(self.table).and_then(|rest| rest.strip_prefix('.'));
        key == Some(self.key)
    }

    /// Takes TOML and bare text alike.
    fn says(&self, value: &str) -> bool {
        let bare = |c: &char| !matches!(c, '[' | ']' | '"');
        let own = self.value.as_deref().unwrap_or_default();
        own.chars().filter(bare).eq(value.chars().filter(bare))
    }
}

impl Settings {
    /// The defaults, of all tables and of an application.
    pub(super) fn usual() -> Self {
        let mut usual = Self::default();
        each_key(&mut |table, key, field| usual.tables.push(Setting::of(table, key, field)));
        usual
    }

    /// Adds one; one of an application's is of the last application.
    pub(super) fn push(&mut self, setting: Setting) {
        let home = match self.items.last_mut() {
            Some(item) if setting.table == applications::NAME => item,
            _ => &mut self.tables,
        };
        home.push(setting);
    }

    /// What the setting needs and does not have. `item` are those of its own application, if it is
    /// one's; what is not set is as usual.
    pub(super) fn wanting(
        &self,
        setting: &Setting,
        item: &[Setting],
        usual: &Self,
    ) -> Option<Need> {
        let needs = needs(setting.table);
        let own = needs.keys.iter().filter(|(key, _)| *key == setting.key);
        let mut all = needs.table.iter().chain(own.flat_map(|(_, own)| *own));
        all.find(|need| !self.satisfies(need, item, usual)).copied()
    }

    /// True if `setting` is as in here.
    pub(super) fn has(&self, setting: &Setting) -> bool {
        let value = setting.value.as_deref().unwrap_or_default();
        last(&self.tables, &setting.path()).is_some_and(|own| own.says(value))
    }

    fn satisfies(&self, need: &Need, item: &[Setting], usual: &Self) -> bool {
        let fits =
            |from: &[Setting]| last(from, need.key).map(|it| it.says(need.value) == need.has);
        let is_usual = || fits(&usual.tables).unwrap_or(true);
        let holds = match (need.key.starts_with(applications::NAME), item) {
            (false, _) => fits(&self.tables).unwrap_or_else(is_usual),
            (true, []) => self.items.iter().any(|item| fits(item).unwrap_or_else(is_usual)),
            (true, own) => fits(own).unwrap_or_else(is_usual),
        };
        holds || need.or.is_some_and(|other| self.satisfies(other, item, usual))
    }
}

fn last<'s>(settings: &'s [Setting], path: &str) -> Option<&'s Setting> {
    settings.iter().rfind(|setting| setting.is_of(path))
}

/// All keys of a table.
pub(super) fn of(name: &'static str, table: &mut dyn Table) -> Vec<Setting> {
    let mut all = Vec::new();
    table.each(&mut |key, field| all.push(Setting::of(name, key, field)));
    all
}

fn needs(name: &str) -> Needs {
    if name == applications::NAME {
        return Application::default().needs();
    }
    let mut config = Config::default();
    let table = config.tables().into_iter().find(|(table, _)| *table == name);
    table.expect("each setting is of a table").1.needs()
}
