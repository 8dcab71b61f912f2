//! `[[routes]]`: which pool a request goes to. Called by `raw`, `render`, `changes`; which of them
//! counts, `pool::Routes` decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::form::{Form, Unset, found, text};
use super::message::{Place, nearest, quote};
use super::needs::{Need, Needs};
use super::report::Report;
use super::table::{Field, Slot, Table, table};
use super::written::{items, read_table};
use super::{APPLICATIONS, Config, POOLS, ROUTES, grammar, passing};
use crate::pool::Route;

/// The most of them.
pub const ROUTES_MAX: usize = 10_000;
/// The longest path of one.
const PATH_BYTES_MAX: usize = 1024;

table! {
    /// A route as written.
    pub(super) struct Written {
        /// The host that a request names, without a port: a name, an address, or `*.` and the end
        /// of names; not set, any.
        host: Option<String> = "any", Unset(text("*.example.org", host));
        /// The path, or what is below it: whole segments, so `/api` is not `/apix`; not set, any.
        path: Option<String> = "any", Unset(text("/api", path));
        /// The name of the pool; needed.
        pool: Option<String> = "api", Unset(text("api", grammar::name));
    }
}

/// As `pool::Route` has it.
fn host(text: &str) -> Result<String, String> {
    let (below, name) = below(text);
    grammar::host_fits(name)?;
    if let Some(host) = host_or_none(text) {
        return Ok(host);
    }
    if text == "*" {
        return Err("\"*\" is any host, as it is without this key; remove it".to_owned());
    }
    let said = quote(text);
    if !name.is_ascii() {
        // RFC 5890 section 2.3.2.1: what is looked up and asked for is the form in ASCII.
        let what = "clients ask for such a name in its form in ASCII, which begins with xn--";
        return Err(format!("{said} matches nothing: {what}; write that, as idn2 prints it"));
    }
    let (bare, rest) = bare(name);
    let (what, other) = if grammar::host_or_none(name).is_some() {
        ("is an address, which has no names below it", name.to_owned())
    } else if !matches!(rest, "" | "/") {
        let what = "is more than a host: a path has a key of its own, and routes ask for no scheme \
                    and port";
        (what, format!("{below}{bare}"))
    } else if bare != name {
        ("is more than a host: routes ask for no scheme and port", format!("{below}{bare}"))
    } else if let Some((_, end)) = name.rsplit_once('*') {
        let what = "has a * elsewhere than in \"*.\" in front";
        (what, format!("*.{}", end.trim_start_matches('.')))
    } else {
        let what = "is no address and no name of a host, which has letters, digits, - and _ \
                    between dots";
        (what, String::new())
    };
    let other = match host_or_none(&other) {
        Some(_) => quote(&other),
        None => "for example \"a.example.org\" or \"*.example.org\"".to_owned(),
    };
    let path = match path(rest) {
        Ok(path) if !path.is_empty() => format!(", and path = {}", quote(&path)),
        _ => String::new(),
    };
    Err(format!("{said} {what}; write {other}{path}"))
}

/// None where it is none.
fn host_or_none(text: &str) -> Option<String> {
    let (below, name) = below(text);
    let host = grammar::host_or_none(name)?;
    let host = host.strip_suffix('.').unwrap_or(&host);
    match host.parse::<IpAddr>() {
        Ok(_) if !below.is_empty() => None,
        Ok(IpAddr::V6(_)) => Some(format!("[{host}]")),
        _ => Some(format!("{below}{host}")),
    }
}

/// What is in front where all names below one are meant, and that one.
fn below(text: &str) -> (&str, &str) {
    text.strip_prefix("*.").map_or(("", text), |name| ("*.", name))
}

/// What of a URL, or of what stands in `Host`, is the host, and the path behind it.
fn bare(text: &str) -> (&str, &str) {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = authority.rsplit_once(':').filter(|(_, port)| is_port(port));
    (host.map_or(authority, |(host, _)| host), path)
}

/// A path that everybody reads in one way: routes are compared with it letter by letter.
fn path(text: &str) -> Result<String, String> {
    let fits = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"%?#;\\*{}<>|\"^`".contains(&byte);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
    };
    if text.len() > PATH_BYTES_MAX {
        return Err(format!("{} bytes are too many; up to {PATH_BYTES_MAX} will do", text.len()));
    }
    let whole = text.strip_suffix('/').unwrap_or(text);
    let (said, meant) = (quote(text), format!("/{}", text.trim_end_matches('*').trim_matches('/')));
    match whole.strip_prefix('/') {
        _ if text == "/" => Ok(String::new()),
        Some(segments) if segments.split('/').all(fits) => Ok(whole.to_owned()),
        _ if meant != text && path(&meant).is_ok() => {
            let below = if text.ends_with('*') { ", which takes what is below it" } else { "" };
            Err(format!("{said} will not do; write {}{below}", quote(&meant)))
        }
        _ => Err(format!(
            "{said} will not do; write whole segments, such as \"/api\", without %, ;, ?, *, {{}}, \
             // and .."
        )),
    }
}

/// Reads all routes; whatever is wrong with one does not hide what is wrong with the next.
pub(super) fn read(
    written: (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>),
    config: &Config,
    report: &mut Report<'_>,
) -> Vec<Route> {
    let (mut routes, mut tables) = (Vec::<Route>::new(), Vec::new());
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for item in items((ROUTES, "route", ROUTES_MAX), written, report) {
        report.settings.items.push(Vec::new());
        let place = report.at(item.span().start);
        let route = read_one(item.get_ref(), &place, config, report);
        // No other key hangs on what a route says, and there may be many.
        report.settings.items.pop();
        let Some((route, table)) = route else { continue };
        let own = [&route.host, &route.path].map(|end| end.as_deref().unwrap_or_default());
        if let Some(twin) = known.insert(own.join("\n"), routes.len()) {
            let pool = config.pools[routes[twin].pool].pool_name();
            let what = format!(
                "the {} route has this host and path already, and leads to {}; remove one",
                nth(twin + 1),
                quote(pool)
            );
            report.add(place, ROUTES, what);
        }
        routes.push(route);
        tables.push(table);
    }
    for (route, table) in routes.iter().zip(tables) {
        if let Some((key, what)) = passing::leads_nobody(config, route, &routes)
            && let Some(said) = table.get(key)
        {
            report.warn(report.at(said.span().start), &format!("{ROUTES}.{key}"), what);
        }
    }
    if !routes.is_empty() && passing::asks_no_routes(config) {
        let what = "lead nobody, as each listener names its pool; remove that from one, or these";
        report.warn(report.at(written.0.span().start), ROUTES, what);
    }
    routes
}

/// None where something that it needs is missing; a problem was reported then.
fn read_one<'w, 't>(
    item: &'w DeValue<'t>,
    place: &Place,
    config: &Config,
    report: &mut Report<'_>,
) -> Option<(Route, &'w DeTable<'t>)> {
    let DeValue::Table(table) = item else {
        let what = format!("found {}; expected a table with pool", found(item));
        report.add(place.clone(), ROUTES, what);
        return None;
    };
    let (mut written, before) = (Written::default(), report.problems());
    read_table(ROUTES, table, &mut written, report);
    let is_refused = report.problems() > before;
    let key = format!("{ROUTES}.pool");
    let Some(named) = table.get("pool") else {
        report.add(place.clone(), &key, "missing; write for example pool = \"api\"");
        return None;
    };
    let name = written.pool?;
    let Some(pool) = config.pools.iter().position(|own| own.pool_name() == name) else {
        let what = unknown(&name, config, "remove the route");
        report.add(report.at(named.span().start), &key, what);
        return None;
    };
    if is_refused {
        return None; // without what was refused it would be for any host, or any path
    }
    let path = written.path.filter(|path| !path.is_empty());
    Some((Route { host: written.host, path, pool }, table))
}

/// What to do about a pool that is none; and `without` where the file has but one, which has no
/// name there: as `default` others are told of it.
pub(super) fn unknown(name: &str, config: &Config, without: &str) -> String {
    let said = quote(name);
    let names: Vec<&str> = config.pools.iter().map(Config::pool_name).collect();
    if let Some(near) = nearest(name, names.iter().copied()) {
        return format!("{said} is no pool; did you mean {}?", quote(near));
    }
    match names[..] {
        [] => format!(
            "{said} cannot be chosen, as the file has one pool, its [[{APPLICATIONS}]]; {without}, \
             or make them [[{POOLS}.{APPLICATIONS}]], below [[{POOLS}]] and name = {said}"
        ),
        [only] => format!("{said} is no pool; there is {only}"),
        _ => format!("{said} is no pool; there are {}", names[..names.len().min(8)].join(", ")),
    }
}

fn nth(number: usize) -> String {
    match (number % 100, number % 10) {
        (11..=13, _) => format!("{number}th"),
        (_, 1) => format!("{number}st"),
        (_, 2) => format!("{number}nd"),
        (_, 3) => format!("{number}rd"),
        _ => format!("{number}th"),
    }
}

impl Config {
    /// The route at this place, and where it leads, in a few words.
    #[must_use]
    pub fn route(&self, index: usize) -> String {
        let route = &self.routes[index];
        format!("{route} to {}", self.pools[route.pool].pool_name())
    }
}

impl Written {
    /// As the file has it.
    pub(super) fn of(route: &Route, config: &Config) -> Self {
        let pool = config.pools.get(route.pool).map(|pool| pool.pool_name().to_owned());
        Self { host: route.host.clone(), path: route.path.clone(), pool }
    }
}
