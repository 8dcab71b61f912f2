//! Keys that mean nothing where they stand, such as `hash_by` beside another policy than "hash",
//! and places for secrets where none is filled: whoever wrote one believes in something that does
//! not happen.
//!
//! What a key needs stands in its line of the table of keys; one rule goes by it.
//! Where harm is done without it, as by `tls_ca` where `tls` was forgotten, the key is refused;
//! elsewhere that is a warning. Called by `raw` once everything is read, and by `render`.

use super::message::quote;
use super::needs::Need;
use super::overrides::variable;
use super::report::Report;
use super::settings::{Setting, Settings, last};
use super::{LISTS, needs};

/// Where `${file:PATH}` and `${env:NAME}` stand for what is there.
const FILLED: [&str; 5] =
    ["alerts.url", "alerts.headers", "alerts.password", "alerts.template", "heartbeat.url"];

/// Refuses them elsewhere: what all the world may read would be taken for a secret, or be sent in
/// its stead. Of an argument that is a warning, as it may be a shell's to read.
pub(super) fn judge_places(report: &mut Report<'_>) {
    let all = std::iter::once(&report.settings).chain(&report.pools);
    let all = all.flat_map(|own| own.tables.iter().chain(own.items.iter().flatten()));
    let is_filled = |it: &Setting| FILLED.iter().any(|key| it.is_of(key));
    let is_place = |it: &Setting| it.value.as_deref().is_some_and(holds_place);
    let unfilled: Vec<_> = all.filter(|it| is_place(it) && !is_filled(it)).cloned().collect();
    for setting in unfilled {
        let path = setting.path();
        let what = "${file:PATH} and ${env:NAME} are filled in url, headers, password and template \
                    of [[alerts]], and url of [heartbeat], alone;";
        if setting.key == "command" {
            report.warn(setting.place, &path, format!("{what} have the program read it"));
        } else if LISTS.contains(&setting.table) {
            report.add(setting.place, &path, format!("{what} write it out"));
        } else {
            let what = format!("{what} write it out, or set {}", variable(&path));
            report.add(setting.place, &path, what);
        }
    }
}

/// True unless it is a shell's `${file:-other}` or the like.
fn holds_place(value: &str) -> bool {
    let begins = |rest: &str| rest.starts_with(|c: char| c.is_alphabetic() || "/._".contains(c));
    ["${file:", "${env:"].iter().any(|start| value.split(start).skip(1).any(begins))
}

/// Reports each setting that means nothing. What the file says for all pools must mean something
/// to one of them.
pub(super) fn judge(report: &mut Report<'_>) {
    let (file, mut pools) = (std::mem::take(&mut report.settings), report.pools.clone());
    if pools.is_empty() {
        pools.push(Settings::default());
    }
    let (usual, all) = (Settings::usual(), pools.iter().map(|own| file.with(own)));
    let all: Vec<Settings> = all.collect();
    for setting in counting(&file.tables) {
        let is_wanting = |all: &Settings| all.wanting(setting, &[], &usual).is_some();
        if all.iter().all(is_wanting) {
            judge_one(setting, &all[0], &[], &usual, report);
        }
    }
    let judge_items = |items: &[Vec<Setting>], all: &Settings, report: &mut Report<'_>| {
        for item in items {
            item.iter().for_each(|setting| judge_one(setting, all, item, &usual, report));
        }
    };
    judge_items(&file.items, &all[0], report);
    for (own, all) in pools.iter().zip(&all) {
        counting(&own.tables).for_each(|setting| judge_one(setting, all, &[], &usual, report));
        judge_items(&own.items, all, report);
    }
    report.settings = file;
}

/// Those that no later one takes the place of.
fn counting(settings: &[Setting]) -> impl Iterator<Item = &Setting> {
    let counts = |(index, setting): &(usize, &Setting)| {
        !settings[index + 1..].iter().any(|other| other.path() == setting.path())
    };
    settings.iter().enumerate().filter(counts).map(|(_, setting)| setting)
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
        false if report.has_warned(&place, &path) => {}
        false => report.warn(place, &path, what),
    }
}

impl Settings {
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

    fn satisfies(&self, need: &Need, item: &[Setting], usual: &Self) -> bool {
        let fits =
            |from: &[Setting]| last(from, need.key).map(|it| it.says(need.value) == need.has);
        let is_usual = || fits(&usual.tables).unwrap_or(true);
        let list = LISTS.iter().find(|list| need.key.starts_with(**list));
        let is_of = |list: &str, item: &[Setting]| item.iter().any(|it| it.table == list);
        let holds = match (list, item) {
            (None, _) => fits(&self.tables).unwrap_or_else(is_usual),
            (Some(list), own) if is_of(list, own) => fits(own).unwrap_or_else(is_usual),
            (Some(list), _) => {
                let mut items = self.items.iter().filter(|item| is_of(list, item));
                items.any(|item| fits(item).unwrap_or_else(is_usual))
            }
        };
        holds || need.or.is_some_and(|other| self.satisfies(other, item, usual))
    }
}

impl Need {
    /// What to do where it does not hold.
    fn sentence(&self, of: &Setting, usual: &Settings) -> String {
        let said = self.said(of.table, usual);
        let what = match (self.or, self.has || self.is_missing(usual)) {
            (Some(or), _) => {
                let others = std::iter::successors(Some(or), |need| need.or);
                let others = others.map(|or| or.said(of.table, usual)).collect::<Vec<_>>();
                format!("without {said} or {}; set one", others.join(" or "))
            }
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
