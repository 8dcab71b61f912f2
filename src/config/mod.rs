//! The configuration: `applications.toml` as written, then variables and flags, become [`Config`],
//! the configuration as meant. Called by `cmd`; knows nothing of sockets, and resolves no name.
//!
//! Each key has one line in `keys`: its name, type, default, form and `needs`. The rest of the room
//! follows from those lines: `raw` and `written` read them, `overrides` sets them, `settings`
//! remembers what was set, `render` writes them, `meaning` knows those that mean nothing where they
//! stand; `valid` holds the other rules between them, `report` collects what is wrong and `message`
//! says it; `places` remembers where that stands which is tried at the start; `twins` finds who has
//! what is another's, `paths` who writes to where something else is; `syntax` and `words` guess
//! what was meant. `changes` says what another file changes.

mod account;
#[cfg(feature = "alerts")]
mod alerts;
mod applications;
mod changes;
mod choices;
mod exposed;
mod files;
mod form;
mod grammar;
mod keys;
mod listeners;
mod meaning;
mod message;
mod needs;
mod network;
mod overrides;
mod passing;
mod paths;
mod places;
mod pools;
mod raw;
mod render;
mod report;
mod routes;
mod rules;
mod settings;
mod source;
mod spread;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod twins;
mod units;
mod valid;
mod words;
mod written;

use std::path::Path;

use crate::pool::policy::ScoredRules;
use crate::pool::{Route, Spec};
use applications::Application;
use needs::Needs;
use places::Places;
use table::{Field, Table};

pub use account::Account;
#[cfg(feature = "alerts")]
pub use alerts::{Alert, AlertKind, ContentType, Heartbeat, Hook, Mail, Occasion, Security};
#[cfg(feature = "client")]
pub(crate) use applications::spell;
pub use changes::Changes;
#[cfg(feature = "admin")]
pub use choices::AdminSocket;
pub use choices::{
    AccessLog, Asking, HashBy, LogTarget, RetryReason, Serving, TlsVersion, UnknownNames,
};
#[cfg(feature = "tls")]
pub(crate) use exposed::exposed;
#[cfg(feature = "tls")]
pub(crate) use files::read_again;
#[cfg(feature = "lab")]
pub(crate) use form::found;
pub use keys::{
    Admin, Balance, Health, Limits, Log, Lookup, Passive, Queue, Redirect, Retry, Server, Sticky,
    Timeouts, Tls,
};
pub use listeners::{CHALLENGES, Listener, Mode};
pub use message::Errors;
pub(crate) use message::{nearest, quote};
pub use network::Network;
pub use overrides::{CONFIG_VARIABLE, Overrides};
pub use pools::POOLS_MAX;
pub use render::Extent;
#[cfg(feature = "lab")]
pub(crate) use report::Report;
pub use routes::ROUTES_MAX;
pub use source::Source;
pub use spread::{Answer, Answers, Moves, leads_alike};
#[cfg(feature = "lab")]
pub(crate) use units::TIME;

/// The list of tables that names the backends, in the file and in messages.
const APPLICATIONS: &str = "applications";
/// The list of tables that names where clients come in.
const LISTENERS: &str = "listeners";
/// The list of tables that names sets of backends, where there are several.
const POOLS: &str = "pools";
/// The list of tables that says which of them a request is for.
const ROUTES: &str = "routes";
/// The list of tables that names who is told.
#[cfg(feature = "alerts")]
const ALERTS: &str = "alerts";

/// The tables that a pool may have for itself.
const OWN: [&str; 9] =
    ["balance", "scored", "sticky", "health", "passive", "retry", "queue", "timeouts", "limits"];

/// How many tables there are but those of lists.
const TABLES: usize = if cfg!(feature = "alerts") { 16 } else { 15 };

/// The configuration as meant: complete, in range and free of contradictions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The backends, at least one, each with a name of its own and, in its pool, an address. Where
    /// there are several pools, those of all, one pool behind the other.
    pub applications: Vec<Spec>,
    /// The name of the pool that this is the configuration of, where the file has several.
    pub pool: Option<String>,
    /// The pools, each as a whole configuration; none where the file has but one. See
    /// [`parts`](Self::parts).
    pub pools: Vec<Self>,
    /// Which of them a request goes to.
    pub routes: Vec<Route>,
    /// Where clients come in, each with a name of its own; none is at `[server] listen` alone.
    pub listeners: Vec<Listener>,
    /// `[server]`
    pub server: Server,
    /// `[balance]`
    pub balance: Balance,
    /// `[scored]`
    pub scored: ScoredRules,
    /// `[sticky]`
    pub sticky: Sticky,
    /// `[redirect]`
    pub redirect: Redirect,
    /// `[lookup]`
    pub lookup: Lookup,
    /// `[health]`
    pub health: Health,
    /// `[passive]`
    pub passive: Passive,
    /// `[retry]`
    pub retry: Retry,
    /// `[queue]`
    pub queue: Queue,
    /// `[timeouts]`
    pub timeouts: Timeouts,
    /// `[limits]`
    pub limits: Limits,
    /// `[tls]`
    pub tls: Tls,
    /// `[log]`
    pub log: Log,
    /// `[admin]`
    pub admin: Admin,
    /// Who is told what happens, each with a name of its own.
    #[cfg(feature = "alerts")]
    pub alerts: Vec<Alert>,
    /// `[heartbeat]`
    #[cfg(feature = "alerts")]
    pub heartbeat: Heartbeat,
    /// Where what is tried at the start was written.
    pub(crate) places: Places,
}

/// Reads a duration as the file has it, such as "500ms" or "10s". The error is a sentence that says
/// what was seen and what to write.
#[cfg(any(feature = "admin", feature = "client", feature = "lab"))]
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    units::TIME.read(text).map(std::time::Duration::from_millis)
}

impl Config {
    /// Reads a file, then what overrides it. The errors say what to do about each problem.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, Errors> {
        Self::default().load_onto(path, overrides)
    }

    /// Reads a file onto these values: a key that it leaves out stays as it is here.
    pub fn load_onto(self, path: &Path, overrides: &Overrides) -> Result<Self, Errors> {
        self.load_telling(path, overrides).map(|(config, _)| config)
    }

    /// The same, with what is no mistake but should be known, a line each.
    pub fn load_telling(
        self,
        path: &Path,
        overrides: &Overrides,
    ) -> Result<(Self, Vec<String>), Errors> {
        let name = path.display().to_string();
        let text = raw::text(path).map_err(|what| Errors::of(&name, what))?;
        self.read_telling(&text, &name, overrides)
    }

    /// What can be read of a file, though it may be no configuration, or not there: whoever asks
    /// the balancer that was started with it need not wait until it is one again.
    #[cfg(feature = "admin")]
    #[must_use]
    pub fn glimpse(path: &Path, overrides: &Overrides) -> Self {
        raw::glimpse(&raw::text(path).unwrap_or_default(), overrides)
    }

    /// Reads a text that messages call `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self, Errors> {
        Self::read(text, name, &Overrides::default())
    }

    /// Reads a text that messages call `name`, then what overrides it.
    pub fn read(text: &str, name: &str, overrides: &Overrides) -> Result<Self, Errors> {
        Self::default().read_onto(text, name, overrides)
    }

    /// The same with a text that messages call `name`.
    pub fn read_onto(self, text: &str, name: &str, overrides: &Overrides) -> Result<Self, Errors> {
        self.read_telling(text, name, overrides).map(|(config, _)| config)
    }

    /// The same, with what is no mistake but should be known, a line each.
    pub fn read_telling(
        self,
        text: &str,
        name: &str,
        overrides: &Overrides,
    ) -> Result<(Self, Vec<String>), Errors> {
        raw::read(self, text, name, overrides)
    }

    /// The tables but those of lists by name, in the order of the documentation.
    fn tables(&mut self) -> [(&'static str, &mut dyn Table); TABLES] {
        [
            ("server", &mut self.server),
            ("balance", &mut self.balance),
            ("scored", &mut self.scored),
            ("sticky", &mut self.sticky),
            ("redirect", &mut self.redirect),
            ("lookup", &mut self.lookup),
            ("health", &mut self.health),
            ("passive", &mut self.passive),
            ("retry", &mut self.retry),
            ("queue", &mut self.queue),
            ("timeouts", &mut self.timeouts),
            ("limits", &mut self.limits),
            ("tls", &mut self.tls),
            ("log", &mut self.log),
            ("admin", &mut self.admin),
            #[cfg(feature = "alerts")]
            ("heartbeat", &mut self.heartbeat),
        ]
    }
}

/// Visits every key there is with its table, at its default.
fn each_key(visit: &mut dyn FnMut(&'static str, &'static str, &mut dyn Field)) {
    let (mut application, mut config) = (Application::default(), Config::default());
    application.each(&mut |key, field| visit(APPLICATIONS, key, field));
    listeners::Written::default().each(&mut |key, field| visit(LISTENERS, key, field));
    pools::Written::default().each(&mut |key, field| visit(POOLS, key, field));
    routes::Written::default().each(&mut |key, field| visit(ROUTES, key, field));
    for (name, table) in config.tables() {
        table.each(&mut |key, field| visit(name, key, field));
    }
    #[cfg(feature = "alerts")]
    alerts::Written::default().each(&mut |key, field| visit(ALERTS, key, field));
}

/// True for the name of a table, that of the applications too.
fn is_table(word: &str) -> bool {
    let mut found = false;
    each_key(&mut |table, _, _| found |= table == word);
    found
}

/// The lists of tables.
#[cfg(feature = "alerts")]
const LISTS: &[&str] = &[APPLICATIONS, LISTENERS, POOLS, ROUTES, ALERTS];
#[cfg(not(feature = "alerts"))]
const LISTS: &[&str] = &[APPLICATIONS, LISTENERS, POOLS, ROUTES];

/// When the keys of a table count.
fn needs(name: &str) -> Needs {
    match name {
        APPLICATIONS => return Application::default().needs(),
        LISTENERS => return listeners::Written::default().needs(),
        POOLS => return pools::Written::default().needs(),
        ROUTES => return routes::Written::default().needs(),
        #[cfg(feature = "alerts")]
        ALERTS => return alerts::Written::default().needs(),
        _ => {}
    }
    let mut config = Config::default();
    let table = config.tables().into_iter().find(|(table, _)| *table == name);
    table.expect("each setting is of a table").1.needs()
}
