//! What differs between two configurations, in words, and what of it has to wait for a restart.
//! Called by whoever reads the file again; knows nothing of what runs.

#[cfg(feature = "alerts")]
use super::ALERTS;
#[cfg(feature = "alerts")]
use super::alerts::{self, Alert};
use super::applications::Application;
use super::listeners::{self, Listener};
use super::render::{HIDDEN, holds_secret};
use super::settings::Setting;
use super::table::Table;
use super::{APPLICATIONS, Config, LISTENERS, OWN};
use crate::pool::Spec;

/// What holds from the start of the process to its end, by table and key, and why. A table without
/// a key stands for all of its keys.
const FIXED: &[(&str, &str, &str)] = &[
    ("server", "workers", "its threads are started once"),
    ("server", "user", "what was given up at the start is gone"),
    ("server", "group", "what was given up at the start is gone"),
    ("log", "access", "the log is opened once"),
    ("log", "to", "the log is opened once"),
    ("admin", "", "the endpoint is opened once"),
];

/// What stands for no value.
const UNSET: &str = "(not set)";

/// What another configuration changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What is otherwise, a sentence each: applications, then keys.
    pub lines: Vec<String>,
    /// What cannot change while the process runs, likewise.
    pub refused: Vec<String>,
}

impl Config {
    /// What `next` changes. `heirs` says which application of this one each of `next` is, by place.
    /// (Both are `&mut` as the visit of keys wants it; nothing of them is changed.)
    pub fn changes(&mut self, next: &mut Self, heirs: &[Option<usize>]) -> Changes {
        let mut changes = Changes::default();
        // Where either has several, that of the other has a name too.
        let are_several = self.pools.len().max(next.pools.len()) > 1;
        let within = |config: &Self, at| match are_several {
            true => config.of_pool(at),
            false => String::new(),
        };
        for (at, (spec, heir)) in next.applications.iter().zip(heirs).enumerate() {
            let within = within(next, at);
            match heir.and_then(|at| self.applications.get(at)) {
                Some(old) => changes.of_application(old, spec, &within),
                None => changes.add(&spec.name, &within, format!("new, at {}", spec.place())),
            }
        }
        for (at, spec) in self.applications.iter().enumerate() {
            if !heirs.contains(&Some(at)) {
                let what = "gone; what it has in flight is finished".to_owned();
                changes.add(&spec.name, &within(self, at), what);
            }
        }
        changes.of_order(next, heirs, &within);
        for ((name, old), (_, new)) in self.tables().into_iter().zip(next.tables()) {
            changes.of_table(name, old, new);
        }
        changes.of_pools(self, next);
        if !(self.listeners.is_empty() && next.listeners.is_empty()) {
            // What `[server] listen` says is one of these, or counts no more.
            changes.lines.retain(|line| !line.starts_with("server.listen: "));
            changes.of_listeners(&self.listening(), &next.listening());
        }
        #[cfg(feature = "alerts")]
        changes.of_alerts(&self.alerts, &next.alerts);
        changes
    }
}

impl Changes {
    /// `within`: which pool it is of, where there are several.
    fn add(&mut self, name: &str, within: &str, what: String) {
        self.lines.push(format!("application {name}{within}: {what}"));
    }

    fn of_application(&mut self, old: &Spec, new: &Spec, within: &str) {
        let mut places = [old, new].map(Spec::place);
        if places[0] == places[1] {
            // By another name, which checks and TLS go by, or by none.
            places = [old, new].map(Spec::authority);
        }
        let [from, to] = places;
        if old.name != new.name {
            self.add(&old.name, within, format!("called {} now", new.name));
        }
        if from != to {
            self.add(&new.name, within, format!("moves from {from} to {to}"));
        }
        let [old, keys] = [old, new].map(|spec| values(APPLICATIONS, &mut Application::from(spec)));
        for (key, words) in differing(&old, &keys) {
            if !["name", "ip", "port"].contains(&key) {
                self.add(&new.name, within, format!("{key}: {words}"));
            }
        }
    }

    /// Applications are in the order of their pool; that of the pools is another matter.
    fn of_order(
        &mut self,
        next: &Config,
        heirs: &[Option<usize>],
        within: &dyn Fn(&Config, usize) -> String,
    ) {
        let (known, mut first) = (self.lines.len(), 0);
        for part in next.parts() {
            let own = &heirs[first..][..part.applications.len()];
            if !own.iter().flatten().is_sorted() {
                let within = within(next, first);
                self.lines.push(format!("applications{within}: in another order"));
            }
            first += own.len();
        }
        if self.lines.len() == known && !heirs.iter().flatten().is_sorted() {
            self.lines.push("pools: in another order".to_owned());
        }
    }

    /// What is otherwise of one pool, beside its applications and what is so of all.
    fn of_pools(&mut self, old: &mut Config, new: &mut Config) {
        let routes = |config: &Config| {
            (0..config.routes.len()).map(|index| config.route(index)).collect::<Vec<_>>()
        };
        let routes = [routes(old), routes(new)];
        let named = |config: &Config| {
            let name = |part: &Config| part.pool_name().to_owned();
            config.parts().iter().map(name).collect::<Vec<_>>()
        };
        let [before, after] = [named(old), named(new)];
        let gone = before.iter().filter(|name| !after.contains(name));
        self.lines.extend(gone.map(|name| format!("pool {name}: gone")));
        for (name, pool) in after.iter().zip(new.parts_mut()) {
            match old.parts_mut().iter_mut().find(|old| old.pool_name() == name) {
                Some(old) => self.of_pool(name, old, pool),
                None => self.lines.push(format!("pool {name}: new")),
            }
        }
        self.of_routes(&routes);
    }

    fn of_pool(&mut self, pool: &str, old: &mut Config, new: &mut Config) {
        let of_all = std::mem::take(self);
        let own = |(name, _): &(&'static str, &mut dyn Table)| OWN.contains(name);
        let tables = new.tables().into_iter().filter(own);
        for ((name, old), (_, new)) in old.tables().into_iter().filter(own).zip(tables) {
            self.of_table(name, old, new);
        }
        let own = std::mem::replace(self, of_all);
        // What the file changes for all pools is said once.
        let lines = own.lines.into_iter().filter(|line| !self.lines.contains(line));
        let lines: Vec<_> = lines.map(|line| format!("pool {pool}: {line}")).collect();
        self.lines.extend(lines);
    }

    fn of_routes(&mut self, [old, new]: &[Vec<String>; 2]) {
        let gone = old.iter().filter(|route| !new.contains(route));
        self.lines.extend(gone.map(|route| format!("route {route}: gone")));
        let added = new.iter().filter(|route| !old.contains(route));
        self.lines.extend(added.map(|route| format!("route {route}: new")));
    }

    /// One that stays where it is goes on under another name.
    fn of_listeners(&mut self, old: &[Listener], new: &[Listener]) {
        let is_in = |all: &[Listener], name: &str| all.iter().any(|one| one.name == name);
        let heir = |one: &Listener| {
            let heir = new.iter().find(|other| other.listen == one.listen)?;
            let is_renamed = !is_in(new, &one.name) && !is_in(old, &heir.name);
            is_renamed.then(|| heir.name.clone())
        };
        let written = |one: &Listener| {
            let what = format!("new, at {}", one.listen);
            let name = heir(one).unwrap_or_else(|| one.name.clone());
            (name, values(LISTENERS, &mut listeners::Written::from(one)), what)
        };
        let [old, new] = [old, new].map(|all| all.iter().map(written).collect());
        self.of_named("listener", old, new);
    }

    #[cfg(feature = "alerts")]
    fn of_alerts(&mut self, old: &[Alert], new: &[Alert]) {
        let written = |one: &Alert| {
            let what = format!("new, by {}", one.kind.word());
            (one.name.clone(), values(ALERTS, &mut alerts::Written::from(one)), what)
        };
        let [old, new] = [old, new].map(|all| all.iter().map(written).collect());
        self.of_named("alert", old, new);
    }

    /// Items of a list that are known by their names; each with the words for one that is new.
    fn of_named(&mut self, noun: &str, old: Vec<Named>, new: Vec<Named>) {
        for (name, values, is_new) in &new {
            match old.iter().find(|(other, ..)| other == name) {
                Some((_, before, _)) => {
                    let changed = differing(before, values);
                    let lines =
                        changed.map(|(key, words)| format!("{noun} {name}: {key}: {words}"));
                    self.lines.extend(lines);
                }
                None => self.lines.push(format!("{noun} {name}: {is_new}")),
            }
        }
        let is_left = |name: &str| new.iter().any(|(other, ..)| other == name);
        for (name, ..) in old.iter().filter(|(name, ..)| !is_left(name)) {
            self.lines.push(format!("{noun} {name}: gone"));
        }
    }

    fn of_table(&mut self, name: &'static str, old: &mut dyn Table, new: &mut dyn Table) {
        let (old, new) = (values(name, old), values(name, new));
        for (key, words) in differing(&old, &new) {
            let is_it = |(table, fixed, _): &&(&str, &str, &str)| {
                *table == name && (fixed.is_empty() || *fixed == key)
            };
            let line = format!("{name}.{key}: {words}");
            match FIXED.iter().find(is_it) {
                Some((_, _, why)) => self.refused.push(format!("{line}: {why}; restart instead")),
                None => self.lines.push(line),
            }
        }
    }
}

/// An item's name, its keys, and what is said of it where it is new.
type Named = (String, Vec<Value>, String);

/// A key with its value, and how that is shown.
struct Value {
    key: &'static str,
    is: Option<String>,
    is_secret: bool,
}

fn values(name: &'static str, table: &mut dyn Table) -> Vec<Value> {
    let mut all = Vec::new();
    table.each(&mut |key, field| {
        let is = Setting::of(name, key, field).value;
        all.push(Value { key, is, is_secret: holds_secret(field) });
    });
    all
}

/// Each key whose value is another, with both.
fn differing<'v>(
    old: &'v [Value],
    new: &'v [Value],
) -> impl Iterator<Item = (&'static str, String)> + 'v {
    let shown = |value: &'v Value| match &value.is {
        Some(_) if value.is_secret => HIDDEN,
        Some(text) => text,
        None => UNSET,
    };
    let both = old.iter().zip(new).filter(|(old, new)| old.is != new.is);
    both.map(move |(old, new)| (new.key, format!("{} -> {}", shown(old), shown(new))))
}
