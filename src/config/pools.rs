//! `[[pools]]`: several sets of applications, each with what of the file's tables is otherwise for
//! it. A file without any has the one of `[[applications]]`. Called by `raw`, `render`, `changes`.
//!
//! Each pool is a whole configuration: that of the file, with the pool's own applications and keys
//! in their place. So whoever serves a pool need not know that there are others.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::applications;
use super::form::{Form, Unset, found, text};
use super::listeners::leading;
use super::message::{Errors, Place, quote};
use super::needs::{Need, Needs};
use super::overrides::Overrides;
use super::report::Report;
use super::settings::Setting;
use super::table::{Field, Slot, Table, table};
use super::twins::Known;
use super::written::{items, read_table, refuse_unknown, the_table};
use super::{APPLICATIONS, Asking, Config, OWN, POOLS, grammar, passing, routes};
use crate::pool::{NO_POOL, ONLY};

/// The most of them.
pub const POOLS_MAX: usize = 1000;

/// Keys of a pool's own tables that are decided before it is known which pool a request goes to.
pub(super) const COMMON: [(&str, &str); 10] = [
    ("timeouts", "request_head"),
    ("timeouts", "handshake"),
    ("timeouts", "keep_alive"),
    ("timeouts", "linger"),
    ("timeouts", "linger_total"),
    ("timeouts", "lame_duck"),
    ("limits", "head_bytes"),
    ("limits", "headers"),
    ("limits", "target_bytes"),
    ("limits", "requests_per_connection"),
];

table! {
    /// A pool as written, but for its tables.
    pub(super) struct Written {
        /// What routes, logs and commands call it; needed.
        name: Option<String> = "api", Unset(text("api", grammar::name));
    }
}

impl Config {
    /// Each pool as a whole configuration, in the order of the file; a file without `[[pools]]` is
    /// the one of its applications.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        if self.pools.is_empty() { std::slice::from_ref(self) } else { &self.pools }
    }

    pub(super) fn parts_mut(&mut self) -> &mut [Self] {
        if self.pools.is_empty() { std::slice::from_mut(self) } else { &mut self.pools }
    }

    /// How long a stop leaves what is in flight: as long as the pool that leaves it most.
    #[must_use]
    pub fn drain(&self) -> Duration {
        self.parts().iter().map(|part| part.timeouts.drain).max().unwrap_or_default()
    }

    /// The configuration of one pool alone: the one of this name, or the only one.
    ///
    /// # Errors
    /// If there is no pool of this name, or there are several and none is named.
    pub fn only(self, pool: Option<&str>) -> Result<Self, Errors> {
        let names = self.parts().iter().map(Self::pool_name);
        let Some(at) = names.clone().position(|name| pool.is_none_or(|pool| pool == name)) else {
            let what = routes::unknown(pool.unwrap_or_default(), &self, "leave --pool out");
            return Err(Errors::of("--pool", what));
        };
        match self.pools.len() {
            0 => Ok(self),
            2.. if pool.is_none() => {
                let names = names.take(8).collect::<Vec<_>>().join(", ");
                Err(Errors::of("--pool", format!("the file has several pools: {names}; name one")))
            }
            _ => Ok(self.pools.into_iter().nth(at).unwrap_or_default()),
        }
    }

    /// Where there are several pools, that of the application at this place among all, in words.
    #[must_use]
    pub fn in_pool(&self, place: usize) -> String {
        if self.pools.len() > 1 { self.of_pool(place) } else { String::new() }
    }

    /// The same, be it the only pool.
    pub(super) fn of_pool(&self, mut place: usize) -> String {
        for part in self.parts() {
            match place.checked_sub(part.applications.len()) {
                Some(rest) => place = rest,
                None => return format!(" in pool {}", part.pool_name()),
            }
        }
        String::new()
    }

    /// The pool's name, if this is the configuration of one.
    #[must_use]
    pub fn pool_name(&self) -> &str {
        self.pool.as_deref().unwrap_or(ONLY)
    }
}

/// Reads all pools onto what the file and `overrides` say for all of them, and puts their
/// applications, one pool behind the other, into the list of the file.
pub(super) fn read(
    written: (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>),
    config: &mut Config,
    overrides: &Overrides,
    report: &mut Report<'_>,
) {
    let common = Config {
        #[cfg(feature = "alerts")]
        alerts: Vec::new(),
        ..config.clone()
    };
    let place = report.at(written.0.span().start);
    let items = items((POOLS, "pool", POOLS_MAX), written, report);
    if items.is_empty() && report.is_clean() {
        report.add(place, POOLS, "there are none; write [[pools]], and below it its name");
    }
    let file = std::mem::take(&mut report.settings);
    let mut known = Known::default();
    for item in items {
        let place = report.at(item.span().start);
        let DeValue::Table(table) = item.get_ref() else {
            let what = format!("found {}; expected a table with name", found(item.get_ref()));
            report.add(place, POOLS, what);
            continue;
        };
        let into = common.clone();
        let pool = read_one((table, &place), into, &mut known, overrides, report);
        match &pool.pool {
            None if !table.contains_key("name") => {
                let what = "missing; write for example name = \"api\"";
                report.add(place, &format!("{POOLS}.name"), what);
            }
            Some(name) if name == NO_POOL => {
                let what = "stands for requests that no pool is for; choose another";
                report.add(place, &format!("{POOLS}.name"), format!("{} {what}", quote(name)));
            }
            name if config.pools.iter().any(|other| other.pool == *name) => {
                let name = quote(pool.pool_name());
                let what = format!("{name} is the name of another; give each its own");
                report.add(place, &format!("{POOLS}.name"), what);
            }
            _ => {}
        }
        config.pools.push(pool);
        let own = std::mem::take(&mut report.settings);
        report.pools.push(own);
    }
    report.settings = file;
    config.applications =
        config.pools.iter().flat_map(|pool| pool.applications.iter().cloned()).collect();
}

fn read_one(
    (table, place): (&DeTable<'_>, &Place),
    mut pool: Config,
    known: &mut Known,
    overrides: &Overrides,
    report: &mut Report<'_>,
) -> Config {
    let mut written = Written::default();
    let mut keys = vec!["name", APPLICATIONS];
    for (name, into) in pool.tables().into_iter().filter(|(name, _)| OWN.contains(name)) {
        keys.push(name);
        if let Some(own) = the_table(("pools.", name), table, report) {
            refuse_common(name, own, report);
            read_table(name, own, into, report);
        }
    }
    if let Some(name) = table.get("name") {
        let place = report.at(name.span().start);
        written.each(&mut |key, field| {
            let read = field.read(name.get_ref());
            report.take(place.clone(), (POOLS, key), field, read);
        });
    }
    // What beats the file beats it here too.
    overrides.apply(&mut pool, report);
    pool.applications =
        applications::read(("pools.applications", place.clone()), table, known, report);
    refuse_unknown(POOLS, table, &keys, report);
    pool.pool = written.name;
    pool
}

fn refuse_common(name: &str, written: &DeTable<'_>, report: &mut Report<'_>) {
    for key in written.keys() {
        let word = key.get_ref().as_ref();
        if COMMON.contains(&(name, word)) {
            let what = "counts before it is known which pool a request goes to; set it at the top \
                        of the file";
            report.add(report.at(key.span().start), &format!("{name}.{word}"), what);
        }
    }
}

/// A pool to which only listeners of mode "tcp" lead is asked for no more than a connection, unless
/// the file says otherwise.
pub(super) fn ask_as_they_are_led_to(config: &mut Config) {
    for index in 0..config.pools.len() {
        let is_tcp = config.passes_all_to(index);
        let health = &mut config.pools[index].health;
        if is_tcp && health.path.is_none() {
            health.protocol.get_or_insert(Asking::Tcp);
        }
    }
}

/// Reports what is wrong between the pools, and what leads to them. Called by `valid`.
pub(super) fn judge(config: &Config, report: &mut Report<'_>) {
    each_pool_is_led_to(config, report);
    each_pool_has_its_own_cookie(config, report);
}

/// A pool to which nothing leads is forgotten, or what leads to it is.
fn each_pool_is_led_to(config: &Config, report: &mut Report<'_>) {
    let all = config.listening();
    let names = || config.parts().iter().map(Config::pool_name);
    for pool in all.iter().filter_map(|one| one.pool.as_deref()) {
        if !names().any(|name| name == pool) {
            let place = report.place_where("listeners.pool", pool);
            report.add(place, "listeners.pool", routes::unknown(pool, config, "remove this key"));
        }
    }
    let is_led_by_listener =
        |pool: &str| leading(&all).any(|one| one.pool.as_deref() == Some(pool));
    let asks_no_routes = passing::asks_no_routes(config);
    let passing = passing::first_by_routes(config);
    if let [_, .., last] = &config.pools[..]
        && config.routes.is_empty()
        && !asks_no_routes
    {
        let last = quote(last.pool_name());
        let what = match passing {
            Some(one) => format!(
                "which of several pools gets what {} passes on is for itself to say; write for \
                 example pool = {last} in it, or sni = \"required\" and [[routes]] by host",
                quote(&one.name)
            ),
            None => format!(
                "which of several pools a request goes to is for [[routes]] to say; write for \
                 example [[routes]] and below it path = \"/api\" and pool = {last}"
            ),
        };
        report.add(Place::File, "routes", what);
        return;
    }
    for (index, pool) in config.pools.iter().enumerate().skip(usize::from(config.pools.len() == 1))
    {
        let name = pool.pool_name();
        if !config.routes.iter().any(|route| route.pool == index) && !is_led_by_listener(name) {
            let is_in_file = |it: &&Setting| matches!(it.place, Place::At { .. });
            let own = report.pools[index].tables.iter().rev().find(is_in_file);
            let place = own.map(|it| it.place.clone());
            let name = quote(name);
            let what = match asks_no_routes || passing.is_some_and(|one| !one.sni) {
                true => format!("no listener leads to {name}; write pool = {name} in one"),
                false => format!("no route leads to {name}; write one"),
            };
            report.warn(place.unwrap_or(Place::File), "pools", what);
        }
    }
}

/// Each would take the other's for one that is no longer good, and give the client a new one.
fn each_pool_has_its_own_cookie(config: &Config, report: &mut Report<'_>) {
    let mut known: Vec<(&str, &Config)> = Vec::new();
    for (index, pool) in config.pools.iter().enumerate() {
        let Some(cookie) = pool.sticky.cookie.as_deref() else { continue };
        if config.passes_all_to(index) {
            continue; // where connections are passed on there are none
        }
        if let Some((_, twin)) = known.iter().find(|(other, _)| *other == cookie) {
            let [one, other] = [twin, pool].map(|pool| quote(pool.pool_name()));
            let what = format!(
                "the pools {one} and {other} have the same one: a client of both at one host loses \
                 its application in one each time that it speaks to the other; write another below \
                 [pools.sticky]"
            );
            report.within(index, |report| {
                report.warn(report.place("sticky.cookie"), "sticky.cookie", what);
            });
            return;
        }
        known.push((cookie, pool));
    }
}
