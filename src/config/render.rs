//! The effective configuration as TOML that reads back to the same. Called by `evenly check`.

#[cfg(feature = "alerts")]
use super::ALERTS;
#[cfg(feature = "alerts")]
use super::alerts::Written;
use super::applications::Application;
use super::message::quote;
use super::settings::{self, Setting, Settings};
use super::table::{Field, Table};
use super::{
    APPLICATIONS, Config, LISTENERS, OWN, POOLS, ROUTES, exposed, listeners, pools, routes,
};

/// What stands for a secret. As one it is too short: whoever reads the file back is told so, and
/// has none that all the world knows.
pub(super) const HIDDEN: &str = "(hidden)";

/// Which keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those that are not at their defaults, and what each application is called and where it is.
    Changed,
    /// All of them. One that is not set, or at its default means nothing, is a comment.
    All,
}

/// Visiting keys takes a `&mut`, as reading them does; so do these, which change nothing: a second
/// visitor, or a copy to visit, is 4 KiB of code.
impl Config {
    /// As TOML that reads back to this configuration.
    pub fn render(&mut self, extent: Extent) -> String {
        self.text(extent, false)
    }

    /// The same for others to see: it does not read back where there is a secret.
    pub fn show(&mut self, extent: Extent) -> String {
        self.text(extent, true)
    }

    /// The keys whose values are secret and written out, as `table.key`.
    pub fn secrets(&mut self) -> Vec<String> {
        let mut secrets: Vec<String> = Vec::new();
        let of_pools = self.pools.iter_mut().flat_map(Self::secrets).collect::<Vec<_>>();
        for (name, table) in self.tables() {
            table.each(&mut |key, field| {
                if writes_secret(field) {
                    secrets.push(format!("{name}.{key}"));
                }
            });
        }
        secrets.extend(of_pools);
        #[cfg(feature = "alerts")]
        for alert in &self.alerts {
            Written::from(alert).each(&mut |key, field| {
                let path = format!("{ALERTS}.{key}");
                if writes_secret(field) && !secrets.contains(&path) {
                    secrets.push(path);
                }
            });
        }
        secrets
    }

    /// The pools with what is otherwise for each than for all, and the routes to them.
    fn write_pools(&mut self, page: &mut Page) {
        let file = page.all.tables.clone();
        let mut pools = std::mem::take(&mut self.pools);
        for pool in &mut pools {
            let mut written = pools::Written { name: pool.pool.clone() };
            page.write("[[pools]]", POOLS, &mut written, &[]);
            page.all.tables = file.clone();
            for (name, table) in pool.tables() {
                page.all.tables.extend(settings::of(name, table));
            }
            for (name, table) in pool.tables().into_iter().filter(|(name, _)| OWN.contains(name)) {
                page.write_besides(&format!("[pools.{name}]"), name, table, &file);
            }
            for spec in &pool.applications {
                let mut item = Application::from(spec);
                let own = settings::of(APPLICATIONS, &mut item);
                page.write("[[pools.applications]]", APPLICATIONS, &mut item, &own);
            }
        }
        self.pools = pools;
        for route in &self.routes {
            let mut route = routes::Written::of(route, self);
            page.write("[[routes]]", ROUTES, &mut route, &[]);
        }
    }

    fn text(&mut self, extent: Extent, hides: bool) -> String {
        let mut all = Settings::default();
        let own = if self.pools.is_empty() { &self.applications[..] } else { &[] };
        let mut items: Vec<_> = own.iter().map(Application::from).collect();
        all.items = items.iter_mut().map(|item| settings::of(APPLICATIONS, item)).collect();
        let mut listeners: Vec<_> = self.listeners.iter().map(listeners::Written::from).collect();
        all.items.extend(listeners.iter_mut().map(|one| settings::of(LISTENERS, one)));
        for (name, table) in self.tables() {
            all.tables.extend(settings::of(name, table));
        }
        #[cfg(feature = "alerts")]
        let mut alerts: Vec<_> = self.alerts.iter().map(Written::from).collect();
        #[cfg(feature = "alerts")]
        all.items.extend(alerts.iter_mut().map(|alert| settings::of(ALERTS, alert)));
        let mut page = Page { out: String::new(), extent, hides, usual: Settings::usual(), all };
        let mut own = page.all.items.clone().into_iter();
        let mut own = || own.next().unwrap_or_default();
        for item in &mut items {
            page.write("[[applications]]", APPLICATIONS, item, &own());
        }
        for item in &mut listeners {
            page.write("[[listeners]]", LISTENERS, item, &own());
        }
        for (name, table) in self.tables() {
            page.write(&format!("[{name}]"), name, table, &[]);
        }
        #[cfg(feature = "alerts")]
        for alert in &mut alerts {
            page.write("[[alerts]]", ALERTS, alert, &own());
        }
        self.write_pools(&mut page);
        page.out
    }
}

/// The text as far as it is written.
struct Page {
    out: String,
    extent: Extent,
    hides: bool,
    usual: Settings,
    all: Settings,
}

impl Page {
    /// The keys that are otherwise than in `file`.
    fn write_besides(
        &mut self,
        heading: &str,
        name: &'static str,
        table: &mut dyn Table,
        file: &[Setting],
    ) {
        let is_new = |setting: &Setting| {
            settings::last(file, &setting.path()).is_none_or(|it| it.value != setting.value)
        };
        let mut lines = String::new();
        table.each(&mut |key, field| {
            let setting = Setting::of(name, key, field);
            if is_new(&setting) {
                let shown = if self.hides && holds_secret(field) {
                    quote(HIDDEN)
                } else {
                    setting.value.unwrap_or_else(|| quote(field.default()))
                };
                lines.push_str(&format!("{key} = {shown}\n"));
            }
        });
        self.put(heading, &lines);
    }

    fn write(
        &mut self,
        heading: &str,
        name: &'static str,
        table: &mut dyn Table,
        item: &[Setting],
    ) {
        let mut lines = String::new();
        table.each(&mut |key, field| {
            let setting = Setting::of(name, key, field);
            let is_usual = self.usual.has(&setting);
            let is_needed = matches!(
                (name, key),
                (APPLICATIONS, "ip" | "port")
                    | (LISTENERS, "listen")
                    | (POOLS, "name")
                    | (ROUTES, "pool")
                    | ("alerts", "name" | "kind")
            );
            if self.extent == Extent::Changed && is_usual && !is_needed {
                return;
            }
            let has_listeners =
                || self.all.items.iter().flatten().any(|setting| setting.table == LISTENERS);
            let is_meaningless = || {
                self.all.wanting(&setting, item, &self.usual).is_some()
                    || (name, key) == ("server", "listen") && has_listeners()
            };
            let (comment, value) = match &setting.value {
                None => ("# ", quote(field.default())),
                Some(_) if self.hides && holds_secret(field) => ("", quote(HIDDEN)),
                Some(value) if is_usual && is_meaningless() => ("# ", value.clone()),
                Some(value) => ("", value.clone()),
            };
            lines.push_str(&format!("{comment}{key} = {value}\n"));
        });
        self.put(heading, &lines);
    }

    fn put(&mut self, heading: &str, lines: &str) {
        if !lines.is_empty() {
            self.out.push_str(if self.out.is_empty() { "" } else { "\n" });
            self.out.push_str(&format!("{heading}\n{lines}"));
        }
    }
}

fn writes_secret(field: &dyn Field) -> bool {
    holds_secret(field) && field.write().is_some_and(|value| exposed::is_written(&value))
}

/// An empty one is none.
pub(super) fn holds_secret(field: &dyn Field) -> bool {
    let is_empty = |value: &str| [r#""""#, "[]"].contains(&value);
    field.is_secret() && field.write().is_some_and(|value| !is_empty(&value))
}
