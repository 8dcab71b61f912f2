//! The rules for listeners of mode "tcp": what is said of requests means nothing where there are
//! none, and some of it must not be believed to happen. Called by `valid`.

use super::listeners::leading;
use super::message::quote;
use super::report::Report;
use super::settings::{Setting, Settings};
use super::{Asking, Config, HashBy, Listener, Mode, Serving};
use crate::pool::Route;
use crate::pool::policy::Kind;
use crate::text::Traffic;

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
    // A connection that is not taken is nobody's doing but the application's.
    "passive.clients",
    "scored.statuses",
    "applications.public",
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

/// Those of them that count where clients are but sent on to https.
const OF_SENDING: &[&str] = &[
    "server.ready",
    "server.request_id",
    "limits.",
    "timeouts.request_head",
    "timeouts.client_body",
    "timeouts.client_write",
    "timeouts.keep_alive",
    "timeouts.linger",
    "timeouts.linger_total",
    "timeouts.slowest",
    "timeouts.request",
];

/// Keys of checks that are requests of HTTP, but the path, by which they are.
const OF_REQUESTS: &[&str] = &[
    "health.expect",
    "health.drain",
    "health.contains",
    "health.method",
    "health.host",
    "health.headers",
];

const ALL: &str = "each listener";
const ALL_LEADING: &str = "each listener that leads to applications";
const ALL_OF_POOL: &str = "each listener that leads to this pool";

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
        are_tcp(leading(&self.listeners))
    }

    /// True where all that leads to the pool at `index` passes connections on.
    pub(super) fn passes_all_to(&self, index: usize) -> bool {
        are_tcp(self.leading_to(index))
    }

    /// What clients have under way at the pool at `index`.
    #[must_use]
    pub fn traffic(&self, index: usize) -> Traffic {
        let of = |one: &Listener| match one.mode {
            Mode::Tcp => Traffic::Connections,
            Mode::Http | Mode::ToHttps => Traffic::Requests,
        };
        Traffic::of_all(self.leading_to(index).map(of))
    }

    /// The listeners that lead to the pool at `index`.
    fn leading_to(&self, index: usize) -> impl Iterator<Item = &Listener> {
        leading(&self.listeners).filter(move |one| self.leads_to(one, index))
    }

    /// True if who comes in at this listener, and is not sent on, may get to the pool at `index`.
    #[must_use]
    pub fn leads_to(&self, listener: &Listener, index: usize) -> bool {
        let leads = |route: &Route| route.pool == index && may_be_for(route, listener);
        match &listener.pool {
            Some(own) => own == self.parts()[index].pool_name(),
            None => self.routes.is_empty() || self.routes.iter().any(leads),
        }
    }

    /// True where no listener takes requests.
    fn passes_all(&self) -> bool {
        are_tcp(self.listeners.iter())
    }
}

/// True unless it asks for what a connection that is passed on does not say.
fn may_be_for(route: &Route, listener: &Listener) -> bool {
    let is_named = listener.sni || route.host.is_none();
    listener.mode != Mode::Tcp || route.path.is_none() && is_named
}

/// True of some that all pass connections on.
fn are_tcp<'l>(mut all: impl Iterator<Item = &'l Listener>) -> bool {
    all.next().is_some_and(|first| first.mode == Mode::Tcp && all.all(|it| it.mode == first.mode))
}

/// Reports what cannot be with listeners that pass connections on, and what means nothing.
pub(super) fn judge(config: &Config, report: &mut Report<'_>) {
    let mut all = config.listeners.iter().enumerate();
    let Some((at, first)) = all.find(|(_, one)| one.mode == Mode::Tcp) else { return };
    if config.server.mode == Serving::Redirect {
        let what = format!(
            "\"tcp\" has no requests that could be redirected, as server.mode has it; remove \
             that, or {}",
            quote(&first.name)
        );
        report.add(report.place_at(at, "listeners.mode"), "listeners.mode", what);
    }
    names_are_read_of_what_is_not_ended(config, report);
    if config.passes_all() {
        let settings = report.settings.clone();
        warn_of_http(&settings, ALL, &[], report);
        proxies_are_asked_for_whom(config, report);
        for own in report.pools.clone() {
            warn_of_http(&own, ALL, &[], report);
        }
    } else if config.asks_nothing() {
        warn_of_http(&report.settings.clone(), ALL_LEADING, OF_SENDING, report);
    }
}

/// The keys of checks that are requests, where by itself each check is a connection alone.
pub(super) fn judge_checks(config: &Config, report: &mut Report<'_>) {
    let parts = config.parts();
    if parts.iter().all(|part| part.asking() == Asking::Tcp) {
        warn_of_requests(&report.settings.clone(), ALL, report);
    }
    for (own, part) in report.pools.clone().iter().zip(parts) {
        if part.asking() == Asking::Tcp {
            warn_of_requests(own, ALL_OF_POOL, report);
        }
    }
}

/// Of one pool; asked within what it says for itself.
pub(super) fn judge_pool(config: &Config, index: usize, report: &mut Report<'_>) {
    let balance = &config.parts()[index].balance;
    let is_passed_on = config.leading_to(index).any(|one| one.mode == Mode::Tcp);
    if is_passed_on && balance.policy == Kind::Hash && balance.hash_by != HashBy::Client {
        let what = "of a client at a listener of mode \"tcp\" there is its address alone to go by, \
                    and so it goes; write \"client\" to have it so for all";
        report.warn(report.place("balance.hash_by"), "balance.hash_by", what);
    }
    tls_is_spoken_once(config, index, report);
    if let Some(own) = report.pools.get(index).filter(|_| config.passes_all_to(index)) {
        warn_of_http(&own.clone(), ALL_OF_POOL, &[], report);
    }
}

/// What a client speaks goes on as it is, and only who speaks TLS to what ends it may want more.
fn tls_is_spoken_once(config: &Config, index: usize, report: &mut Report<'_>) {
    let (key, specs) = ("applications.tls", &config.parts()[index].applications);
    if let Some(one) = config.leading_to(index).find(|one| one.sni)
        && specs.iter().any(|spec| spec.tls.is_some())
    {
        let what = format!(
            "{} passes on the TLS of its clients, which would be inside this; remove this key, or \
             lead it to another pool",
            quote(&one.name)
        );
        report.warn(report.place_where(key, "true"), key, what);
    }
}

/// True where each listener names its pool, or sends clients on.
pub(super) fn asks_no_routes(config: &Config) -> bool {
    !config.listeners.is_empty() && leading(&config.listeners).all(|one| one.pool.is_some())
}

/// One that goes by routes, where all that do pass connections on.
pub(super) fn first_by_routes(config: &Config) -> Option<&Listener> {
    by_routes(config).next().filter(|_| are_tcp(by_routes(config)))
}

fn by_routes(config: &Config) -> impl Iterator<Item = &Listener> {
    leading(&config.listeners).filter(|one| one.pool.is_none())
}

/// Why this one of the routes leads nobody, if so, and the key that is to blame: where all who go
/// by routes are passed on, no path is asked for, and a name only of TLS that is read.
pub(super) fn leads_nobody(
    config: &Config,
    route: &Route,
    routes: &[Route],
) -> Option<(&'static str, String)> {
    first_by_routes(config)?;
    let is_read = by_routes(config).any(|one| one.sni);
    let (key, what) = match (&route.path, &route.host) {
        (Some(_), _) => ("path", "there are no paths;"),
        (None, Some(_)) if !is_read => {
            ("host", "no name is read; set sni = \"required\" there, or")
        }
        _ => return None,
    };
    // Without what nobody can be asked for, two may be one.
    let is_like = |other: &&Route| !is_read || other.host == route.host;
    let it = if routes.iter().filter(is_like).nth(1).is_some() { "route" } else { "key" };
    let what = format!("leads nobody: at listeners of mode \"tcp\" {what} remove this {it}");
    Some((key, what))
}

/// Whom no route can be for, a listener that passes connections on can only reset.
pub(super) fn each_leads_somewhere(config: &Config, report: &mut Report<'_>) {
    if config.routes.is_empty() {
        return;
    }
    let passing = config.listeners.iter().enumerate().filter(|(_, one)| one.mode == Mode::Tcp);
    for (at, one) in passing.filter(|(_, one)| one.pool.is_none()) {
        if !config.routes.iter().any(|route| may_be_for(route, one)) {
            let rest = if one.sni { "path" } else { "host and path" };
            let what = format!(
                "{} resets each connection, as no route can be for it; write its pool, or a route \
                 without {rest}",
                quote(&one.name)
            );
            report.warn(report.place_at(at, "listeners.mode"), "listeners.mode", what);
        }
    }
}

fn names_are_read_of_what_is_not_ended(config: &Config, report: &mut Report<'_>) {
    let mut all = config.listeners.iter().enumerate();
    if let Some((at, one)) = all.find(|(_, one)| one.sni && one.tls == Some(true)) {
        let what = format!(
            "{} cannot end the TLS that it is to pass on; remove tls = true, or sni",
            quote(&one.name)
        );
        report.add(report.place_at(at, "listeners.sni"), "listeners.sni", what);
    }
}

/// Who a client is, where that is said at all, a preface says.
fn proxies_are_asked_for_whom(config: &Config, report: &mut Report<'_>) {
    let key = "server.trusted_proxies";
    let is_asked = config.listeners.iter().any(|one| config.expects_preface(one));
    if !config.server.trusted_proxies.is_empty() && !is_asked {
        let what = format!(
            "means nothing where {ALL} is of mode \"tcp\" and none has proxy_protocol = \
             \"required\"; set that, or remove this key"
        );
        report.warn(report.place(key), key, what);
    }
}

fn warn_of_http(settings: &Settings, whose: &str, but: &[&str], report: &mut Report<'_>) {
    let is_in = |keys: &[&str], path: &str| {
        keys.iter().any(|own| *own == path || (own.ends_with('.') && path.starts_with(own)))
    };
    let is_of_http = |path: &str| is_in(OF_HTTP, path) && !is_in(but, path);
    let why = format!("means nothing where {whose} is of mode \"tcp\"; remove this key");
    warn_of(settings, &is_of_http, &why, report);
    // Whether it says "connect" decides whether there is a further try.
    let has_more = |setting: &Setting| setting.is_of("retry.on") && !setting.says("connect");
    let all = settings.tables.iter().filter(|it| has_more(it) && !it.says(""));
    for setting in all.filter(|it| !Settings::usual().has(it)) {
        let what =
            format!("only \"connect\" can be where {whose} is of mode \"tcp\"; remove the others");
        if !report.has_warned(&setting.place, "retry.on") {
            report.warn(setting.place.clone(), "retry.on", what);
        }
    }
}

fn warn_of_requests(settings: &Settings, whose: &str, report: &mut Report<'_>) {
    let why = format!(
        "means nothing where checks are connections alone, as {whose} is of mode \"tcp\"; set \
         path, or remove this key"
    );
    warn_of(settings, &|path| OF_REQUESTS.contains(&path), &why, report);
}

/// Warns of each of these keys that is not at its default.
pub(super) fn warn_of(
    settings: &Settings,
    is_of_them: &dyn Fn(&str) -> bool,
    why: &str,
    report: &mut Report<'_>,
) {
    let usual = Settings::usual();
    let all = settings.tables.iter().chain(settings.items.iter().flatten());
    for setting in all.filter(|it| is_of_them(&it.path()) && !usual.has(it)) {
        let (place, path) = (setting.place.clone(), setting.path());
        if !report.has_warned(&place, &path) {
            report.warn(place, &path, why);
        }
    }
}
