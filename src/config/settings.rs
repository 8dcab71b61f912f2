//! What was set and where: each key with its value, in the order of reading. Filled by whoever
//! reads a key, asked where a rule looks at several.

use super::message::Place;
use super::table::{Field, Table};
use super::{LISTS, each_key};

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
    /// Of each application and each alert. Apart from the others, so that each has few to look at.
    pub(super) items: Vec<Vec<Setting>>,
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

    pub(super) fn is_of(&self, path: &str) -> bool {
        let key = path.strip_prefix(self.table).and_then(|rest| rest.strip_prefix('.'));
        key == Some(self.key)
    }

    /// Takes TOML and bare text alike.
    pub(super) fn says(&self, value: &str) -> bool {
        let bare = |c: &char| !matches!(c, '[' | ']' | '"');
        let own = self.value.as_deref().unwrap_or_default();
        if value.is_empty() {
            return matches!(own, "" | "[]" | "\"\""); // a file may be called "["
        }
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

    /// Adds one; one of a list is of its last item.
    pub(super) fn push(&mut self, setting: Setting) {
        let home = match self.items.last_mut() {
            Some(item) if LISTS.contains(&setting.table) => item,
            _ => &mut self.tables,
        };
        home.push(setting);
    }

    /// With what one pool has for itself.
    pub(super) fn with(&self, own: &Self) -> Self {
        let mut all = self.clone();
        all.tables.extend_from_slice(&own.tables);
        all.items.extend_from_slice(&own.items);
        all
    }

    /// True if `setting` is as in here.
    pub(super) fn has(&self, setting: &Setting) -> bool {
        let value = setting.value.as_deref().unwrap_or_default();
        last(&self.tables, &setting.path()).is_some_and(|own| own.says(value))
    }
}

/// The setting that counts.
pub(super) fn last<'s>(settings: &'s [Setting], path: &str) -> Option<&'s Setting> {
    settings.iter().rfind(|setting| setting.is_of(path))
}

/// All keys of a table.
pub(super) fn of(name: &'static str, table: &mut dyn Table) -> Vec<Setting> {
    let mut all = Vec::new();
    table.each(&mut |key, field| all.push(Setting::of(name, key, field)));
    all
}
