//! The rules for listeners of mode "tcp": what is said of requests means nothing where there are
//! none, and some of it must not be believed to happen. Called by `valid`.

use super::message::quote;
use super::report::Report;
use super::settings::Settings;
use super::{Asking, Config, HashBy, Listener, Mode, Serving};
use crate::pool::policy::Kind;

/// Keys that are about HTTP alone; one that ends in a dot stands for its whole table.
pub(super) const OF_HTTP: &[&str] = &[
    "server.ready",
    "server.untrusted_fields",
    "server.served_by",
    "server.request_id",
    "server.forwarded",
    "server.via",
    "server.upgrade_h2c",
    "sticky.",
    "lookup.",
    "limits.",
    "retry.unanswered",
    "retry.body_bytes",
    "passive.statuses",
    "passive.bad_answers",
    "timeouts.request_head",
    "timeouts.client_body",
    "timeouts.client_write",
    "timeouts.response",
    "timeouts.stream_idle",
    "timeouts.keep_alive",
    "timeouts.upstream_keep_alive",
    "timeouts.linger",
    "timeouts.linger_total",
    "timeouts.slowest",
    "timeouts.request",
];

impl Config {
    /// How checks ask. Where nothing says it, who passes connections on asks for no more than one.
    #[must_use]
    pub fn asking(&self) -> Asking {
        let by_itself = match self.asks_nothing() && self.health.path.is_none() {
            true => Asking::Tcp,
            false => Asking::Http,
        };
        self.health.protocol.unwrap_or(by_itself)
    }

    /// True where applications get no requests: who is sent to https asks there.
    fn asks_nothing(&self) -> bool {
        let mut leading =
            self.listeners.iter().map(|one| one.mode).filter(|one| *one != Mode::ToHttps);
        leading.next().is_some_and(|first| first == Mode::Tcp && leading.all(|one| one == first))
    }

    /// True where no listener takes requests.
    fn passes_all(&self) -> bool {
        !self.listeners.is_empty() && self.listeners.iter().all(|one| one.mode == Mode::Tcp)
    }
}

/// Reports what cannot be with listeners that pass connections on, and what means nothing.
pub(super) fn judge(config: &Config, report: &mut Report<'_>) {
    let Some(first) = config.listeners.iter().find(|one| one.mode == Mode::Tcp) else { return };
    if config.server.mode == Serving::Redirect {
        let what = format!(
            "\"tcp\" has no requests that could be redirected, as server.mode has it; remove \
             that, or {}",
            quote(&first.name)
        );
        report.add(report.place_of("listeners.mode"), "listeners.mode", what);
    }
    names_are_read_of_what_is_not_ended(config, report);
    if config.balance.policy == Kind::Hash && config.balance.hash_by != HashBy::Client {
        let what = "of a client at a listener of mode \"tcp\" there is its address alone to go by, \
                    and so it goes; write \"client\" to have it so for all";
        report.warn(report.place("balance.hash_by"), "balance.hash_by", what);
    }
    if config.passes_all() {
        warn_of_http(report);
    }
}

fn names_are_read_of_what_is_not_ended(config: &Config, report: &mut Report<'_>) {
    let both = |one: &&Listener| one.sni && one.tls == Some(true);
    if let Some(one) = config.listeners.iter().find(both) {
        let what = format!(
            "{} cannot end the TLS that it is to pass on; remove tls = true, or sni",
            quote(&one.name)
        );
        report.add(report.place_of("listeners.sni"), "listeners.sni", what);
    }
}

fn warn_of_http(report: &mut Report<'_>) {
    let usual = Settings::usual();
    let is_of_http = |path: &str| {
        OF_HTTP.iter().any(|own| *own == path || (own.ends_with('.') && path.starts_with(own)))
    };
    let said: Vec<_> = report
        .settings
        .tables
        .iter()
        .filter(|setting| is_of_http(&setting.path()) && !usual.has(setting))
        .map(|setting| (setting.place.clone(), setting.path()))
        .collect();
    for (place, path) in said {
        let what = "means nothing where each listener is of mode \"tcp\"; remove this key";
        report.warn(place, &path, what);
    }
}
