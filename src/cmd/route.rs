//! `evenly check --route URL`: which pool a request would go to, and why. Read as a server reads
//! it, from the bytes of a request.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use super::{Failure, warn};
use crate::config::quote;
use crate::config::{CHALLENGES, Config, Listener, Mode, Redirect, Serving, Source, UnknownNames};
use crate::http::{HeadLimits, Parsed, request, slots};
use crate::pool::{Ambiguous, NO_PATH, RouteEnd, Routes};
use crate::tls::Tls;

/// Names of applications that are told.
const TOLD_MAX: usize = 5;

/// A URL, as a request for it comes in.
struct Asked<'u> {
    url: &'u str,
    /// What stands behind `://`.
    rest: &'u str,
    /// It is asked for through TLS.
    is_secure: bool,
    head: String,
}

/// Whether a client that asks for this name by TLS, or for none, is shown a certificate.
type IsShown<'s> = &'s dyn Fn(Option<&str>) -> bool;

/// Says of each URL where it goes. Fails if one of them goes nowhere.
pub fn run(source: &Source, urls: &[String]) -> Result<(), Failure> {
    let all = urls.iter().map(|url| Asked::read(url)).collect::<Result<Vec<_>, _>>()?;
    let (config, warnings) = source.load()?;
    warn(warnings);
    let acceptor = match config.tls.unknown_names {
        UnknownNames::First => None,
        UnknownNames::Refuse => Tls::for_listener(&config)?,
    };
    let is_shown = |name: Option<&str>| acceptor.as_ref().is_none_or(|one| one.shows(name));
    let (mut out, mut is_fine) = (io::stdout().lock(), true);
    for asked in &all {
        let (fate, leads) = fate(&config, asked, &is_shown);
        is_fine &= leads;
        writeln!(out, "{}: {fate}", asked.url)?;
    }
    out.flush()?;
    if is_fine { Ok(()) } else { Err(Failure::Told) }
}

impl<'u> Asked<'u> {
    fn read(url: &'u str) -> Result<Self, Failure> {
        let asked = url.split_once("://").and_then(|(scheme, rest)| {
            let is_secure = scheme.eq_ignore_ascii_case("https");
            let is_known = is_secure || scheme.eq_ignore_ascii_case("http");
            let head = head(rest).filter(|_| is_known)?;
            Some(Self { url, rest, is_secure, head })
        });
        let what = "is no URL of http or https; write for example https://api.example.org/api/x";
        asked.ok_or_else(|| Failure::Usage(format!("--route: {} {what}", quote(url))))
    }
}

/// What becomes of a request for this URL, and whether a pool gets it.
fn fate(config: &Config, asked: &Asked<'_>, is_shown: IsShown<'_>) -> (String, bool) {
    let Asked { rest, is_secure, .. } = *asked;
    let mut slots = slots();
    let limits: HeadLimits = config.limits.head();
    let asked = match request::parse(asked.head.as_bytes(), &limits, &mut slots) {
        Ok(Parsed::Complete { head, .. }) => head,
        Ok(Parsed::Partial) => return (format!("{rest} is no target of a request"), false),
        Err(refusal) => {
            return (format!("refused with {}: {}", refusal.status, refusal.reason), false);
        }
    };
    let port = port(asked.host).unwrap_or(if is_secure { 443 } else { 80 });
    let listening = config.listening();
    let mut there = listening.iter().filter(|one| one.listen.port() == port);
    let listener = there.next().filter(|_| there.next().is_none());
    if let Some(end) = listener.and_then(|one| unspoken(config, one, is_secure)) {
        return (end, false);
    }
    if let Some(one) = listener.filter(|one| is_secure && config.is_secure(one))
        && let Some(end) = unnamed(one, asked.host, is_shown)
    {
        return (end, false);
    }
    if let Some(one) = listener.filter(|one| one.mode == Mode::Tcp) {
        return passed_on(config, one, asked.host);
    }
    let path = asked.target.split('?').next();
    let is_at = |own: &Option<String>| own.is_some() && own.as_deref() == path;
    let is_proof = path.is_some_and(|path| path.starts_with(CHALLENGES));
    if let Some(one) = listener.filter(|one| is_proof && one.acme_webroot.is_some()) {
        return (format!("answered here, by acme_webroot of listener {}", one.name), true);
    }
    if is_at(&config.server.ready) {
        return ("answered here, by [server] ready".to_owned(), true);
    }
    if let Some(one) = listener.filter(|one| one.mode == Mode::ToHttps) {
        let Listener { name, https_port, .. } = one;
        return (format!("sent to https at port {https_port}, by listener {name}"), true);
    }
    if let Some((listener, name)) = listener.and_then(|one| Some((one, one.pool.as_deref()?))) {
        return match is_at(&config.lookup.path) {
            true => ("answered here, by [lookup] path".to_owned(), true),
            false => {
                served(config, &format!("{}, by listener {}", named(config, name), listener.name))
            }
        };
    }
    let routes = Routes::new(&config.routes, config.parts().len());
    match routes.find(asked.host, asked.target) {
        Ok(None) if !config.routes.is_empty() => {
            ("nowhere: no route has this host and path; answered 404".to_owned(), false)
        }
        Ok(_) if is_at(&config.lookup.path) => ("answered here, by [lookup] path".to_owned(), true),
        Ok(Some(RouteEnd { route: None, pool })) => served(config, &told(config, pool)),
        Ok(Some(RouteEnd { route: Some(at), pool })) => {
            let (nth, route) = (at + 1, config.route(at));
            served(config, &format!("{}, by route {nth} ({route})", told(config, pool)))
        }
        Ok(None) => served(config, "the pool of its listener: there are several, and no route"),
        Err(Ambiguous) => {
            let what = "refused with 400: the path can be read in two ways, which lead to \
                        different pools";
            (what.to_owned(), false)
        }
    }
}

/// What becomes of a client that speaks TLS where it is not spoken, or does not where it is.
fn unspoken(config: &Config, listener: &Listener, is_secure: bool) -> Option<String> {
    let takes_tls = listener.sni || config.is_secure(listener);
    let (end, takes, scheme) = match (is_secure, takes_tls, listener.mode) {
        (false, true, Mode::Tcp) => ("reset", "takes TLS alone", "https"),
        (false, true, _) => ("refused with 400", "takes TLS alone", "https"),
        // Where it is passed on, the application may speak it.
        (true, false, Mode::Http | Mode::ToHttps) => ("refused", "speaks no TLS", "http"),
        _ => return None,
    };
    Some(format!("{end}: listener {} {takes}; ask with {scheme}", listener.name))
}

/// What becomes of a client that asks for a name of which there is no certificate.
fn unnamed(listener: &Listener, host: &str, is_shown: IsShown<'_>) -> Option<String> {
    let bare = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let (name, what) = match is_address(host) {
        true => (None, "TLS names no address".to_owned()),
        false => (Some(bare), format!("listener {} has no certificate for {bare}", listener.name)),
    };
    (!is_shown(name)).then(|| format!("refused: {what}, and unknown_names is \"refuse\""))
}

/// What becomes of a request for these applications.
fn served(config: &Config, whom: &str) -> (String, bool) {
    let Redirect { status, methods } = &config.redirect;
    match config.server.mode {
        Serving::Relay => (format!("to {whom}"), true),
        Serving::Redirect if methods.iter().any(|it| it == "GET") => {
            (format!("sent with {status} to {whom}"), true)
        }
        Serving::Redirect => ("answered 405: [redirect] methods has no GET".to_owned(), false),
    }
}

/// What becomes of a connection at a listener that passes it on.
fn passed_on(config: &Config, listener: &Listener, host: &str) -> (String, bool) {
    let name = &listener.name;
    if let Some(pool) = &listener.pool {
        return (format!("passed on to {}, by listener {name}", named(config, pool)), true);
    }
    // A client names no address there (RFC 6066 section 3).
    let is_address = is_address(host);
    let routes = Routes::new(&config.routes, config.parts().len());
    let asked = if listener.sni && !is_address { host } else { "" };
    match routes.find(asked, NO_PATH) {
        Ok(Some(RouteEnd { pool, .. })) => {
            (format!("passed on to {}, by listener {name}", told(config, pool)), true)
        }
        _ if listener.sni && is_address => {
            let what = "TLS names no address, and no route without host is for it at listener";
            (format!("nowhere: {what} {name}; reset"), false)
        }
        _ => (format!("nowhere: no route is for it at listener {name}; reset"), false),
    }
}

/// True of an address, with a port or without.
fn is_address(host: &str) -> bool {
    let is_bare = || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    host.parse::<SocketAddr>().is_ok() || is_bare()
}

/// The port that a host names.
fn port(host: &str) -> Option<u16> {
    let (_, port) = host.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?;
    port.parse().ok()
}

/// The head of a request for what stands behind `://`; none without a host.
fn head(rest: &str) -> Option<String> {
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    // A fragment stays with the client.
    let target = target.split('#').next().unwrap_or_default();
    let slash = if target.starts_with('/') { "" } else { "/" };
    let is_fit = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_url = !authority.is_empty() && is_fit(rest);
    is_url.then(|| format!("GET {slash}{target} HTTP/1.1\r\nHost: {authority}\r\n\r\n"))
}

/// The pool of that name, which is one of the file's.
fn named(config: &Config, name: &str) -> String {
    let index = config.parts().iter().position(|part| part.pool_name() == name);
    index.map_or_else(|| format!("pool {name}"), |index| told(config, index))
}

/// A pool, with whom it has.
fn told(config: &Config, index: usize) -> String {
    let part = &config.parts()[index];
    let names: Vec<&str> = part.applications.iter().map(|spec| spec.name.as_str()).collect();
    let mut out = format!("pool {}: ", part.pool_name());
    out.push_str(&names[..names.len().min(TOLD_MAX)].join(", "));
    if names.len() > TOLD_MAX {
        let _ = write!(out, " and {} more", names.len() - TOLD_MAX);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
        [[pools]]\nname = \"web\"\n[[pools.applications]]\nname = \"W\"\nip = \"::1\"\nport = 1\n\
        [[pools]]\nname = \"api\"\n[[pools.applications]]\nname = \"A\"\nip = \"::1\"\nport = 2\n\
        [[routes]]\nhost = \"*.example.org\"\npath = \"/api/\"\npool = \"api\"\n\
        [[routes]]\nhost = \"www.example.org\"\npool = \"web\"\n";

    fn of(config: &Config, url: &str) -> (String, bool) {
        fate(config, &Asked::read(url).unwrap(), &|name| name == Some("www.example.org"))
    }

    #[test]
    fn each_url_is_told_with_the_route_that_it_takes() {
        let config = Config::parse(FILE, "test").unwrap();
        for (url, expected) in [
            (
                "https://a.example.org/api/x?y#z",
                "to pool api: A, by route 1 (*.example.org/api to api)",
            ),
            ("http://WWW.example.org.:81", "to pool web: W, by route 2 (www.example.org to web)"),
            ("https://www.example.org/api", "to pool web: W, by route 2 (www.example.org to web)"),
            (
                "https://a.example.org/apix",
                "nowhere: no route has this host and path; answered 404",
            ),
            (
                "https://a.example.org/x/../api",
                "refused with 400: the path can be read in two ways, which lead to different pools",
            ),
            (
                "https://a,b/",
                "refused with 400: the host is not a name or an address with an optional port",
            ),
        ] {
            assert_eq!(of(&config, url), (expected.to_owned(), expected.starts_with("to ")));
        }
    }

    #[test]
    fn what_is_no_url_is_a_mistake_of_the_command_line() {
        for url in ["", "ftp://a/", "a.example.org/api", "https:///api", "https://a/ b"] {
            let Err(Failure::Usage(what)) = Asked::read(url) else { panic!("{url}") };
            let start = format!("--route: \"{url}\" is no URL of http or https; write ");
            assert!(what.starts_with(&start), "{what}");
        }
    }

    #[test]
    fn without_routes_it_is_for_listeners_to_say() {
        let routes = FILE.find("[[routes]]").unwrap();
        let own = |port: u16, name: &str| {
            format!("[[listeners]]\nlisten = \"127.0.0.1:{port}\"\npool = \"{name}\"\n")
        };
        let look_up = "lookup.path = \"/next\"\n";
        let text = format!("{look_up}{}{}{}", own(1, "web"), own(2, "api"), &FILE[..routes]);
        let config = Config::parse(&text, "test").unwrap();
        let expected = "to the pool of its listener: there are several, and no route";
        assert_eq!(of(&config, "http://x/y"), (expected.to_owned(), true));
        let expected = "answered here, by [lookup] path";
        assert_eq!(of(&config, "http://x/next?y"), (expected.to_owned(), true));
        // Where no route leads anywhere, nobody is named.
        let config = Config::parse(&format!("{look_up}{FILE}"), "test").unwrap();
        let expected = "nowhere: no route has this host and path; answered 404";
        assert_eq!(of(&config, "http://x/next"), (expected.to_owned(), false));
    }

    #[test]
    fn a_port_of_the_file_is_one_at_which_its_listener_has_a_say() {
        let listener = |port: u16, keys: &str| {
            format!("[[listeners]]\nname = \"l{port}\"\nlisten = \"127.0.0.1:{port}\"\n{keys}\n")
        };
        let ready = "server.ready = \"/ready\"\n";
        let text = [
            listener(8080, "tls = false"),
            listener(80, "mode = \"redirect-to-https\"\nacme_webroot = \"/srv\""),
            listener(8081, "tls = false\npool = \"api\""),
            listener(5432, "tls = false\nmode = \"tcp\"\npool = \"api\""),
            listener(8443, "mode = \"tcp\"\nsni = \"required\""),
            listener(6379, "tls = false\nmode = \"tcp\""),
            listener(8444, "tls = true"),
        ];
        let ready = format!("{ready}tls.certificates = [\"a.pem\"]\n");
        let config = Config::parse(&format!("{ready}{}{FILE}", text.concat()), "test").unwrap();
        let web = "to pool web: W, by route 2 (www.example.org to web)";
        for (url, expected, leads) in [
            ("HTTP://www.example.org:8080/", web, true),
            ("https://www.example.org/", web, true),
            ("http://www.example.org/", "sent to https at port 443, by listener l80", true),
            ("http://x/ready", "answered here, by [server] ready", true),
            (
                "http://x/.well-known/acme-challenge/a",
                "answered here, by acme_webroot of listener l80",
                true,
            ),
            ("http://www.example.org:8081/", "to pool api: A, by listener l8081", true),
            ("http://x:5432", "passed on to pool api: A, by listener l5432", true),
            ("https://www.example.org:8443", "passed on to pool web: W, by listener l8443", true),
            (
                "http://www.example.org:8443",
                "reset: listener l8443 takes TLS alone; ask with https",
                false,
            ),
            (
                "http://www.example.org:8444/ready",
                "refused with 400: listener l8444 takes TLS alone; ask with https",
                false,
            ),
            ("https://x:8443", "nowhere: no route is for it at listener l8443; reset", false),
            (
                "http://www.example.org:6379",
                "nowhere: no route is for it at listener l6379; reset",
                false,
            ),
        ] {
            assert_eq!(of(&config, url), (expected.to_owned(), leads), "{url}");
        }
    }

    #[test]
    fn tls_is_spoken_where_its_listener_does_and_names_no_address() {
        let listeners = "\
            [[listeners]]\nname = \"plain\"\nlisten = \"[::]:8080\"\n\
            [[listeners]]\nname = \"sent\"\nlisten = \"[::]:80\"\n\
            mode = \"redirect-to-https\"\nhttps_port = 443\n\
            [[listeners]]\nname = \"in\"\nlisten = \"[::]:8443\"\nmode = \"tcp\"\n\
            sni = \"required\"\n\
            [[listeners]]\nname = \"db\"\nlisten = \"[::]:5432\"\nmode = \"tcp\"\n\
            pool = \"api\"\n";
        let config = Config::parse(&format!("{listeners}{FILE}"), "test").unwrap();
        let unnamed = "nowhere: TLS names no address, and no route without host is for it at \
                       listener in; reset";
        for (url, expected, leads) in [
            ("https://127.0.0.1:8443", unnamed, false),
            ("https://[::1]:8443", unnamed, false),
            ("https://x:8080", "refused: listener plain speaks no TLS; ask with http", false),
            ("https://x:80", "refused: listener sent speaks no TLS; ask with http", false),
            ("https://x:5432", "passed on to pool api: A, by listener db", true),
        ] {
            assert_eq!(of(&config, url), (expected.to_owned(), leads), "{url}");
        }
    }

    #[test]
    fn who_asks_for_a_name_without_a_certificate_is_refused() {
        let tls = "tls.certificates = [\"a.pem\"]\n[[listeners]]\nname = \"in\"\n";
        let text = format!("{tls}listen = \"[::]:443\"\n{FILE}");
        let config = Config::parse(&text, "test").unwrap();
        let web = "to pool web: W, by route 2 (www.example.org to web)";
        let none = "refused: listener in has no certificate for a.example.org, and unknown_names \
                    is \"refuse\"";
        let unnamed = "refused: TLS names no address, and unknown_names is \"refuse\"";
        for (url, expected, leads) in [
            ("https://www.example.org.:443/", web, true),
            ("https://a.example.org/api", none, false),
            ("https://[::1]/", unnamed, false),
        ] {
            assert_eq!(of(&config, url), (expected.to_owned(), leads), "{url}");
        }
    }

    #[test]
    fn where_requests_are_redirected_it_says_how() {
        let redirecting = |more: &str| {
            let text = format!("server.mode = \"redirect\"\nredirect.{more}\n{FILE}");
            of(&Config::parse(&text, "test").unwrap(), "http://www.example.org/")
        };
        let expected = "sent with 308 to pool web: W, by route 2 (www.example.org to web)";
        assert_eq!(redirecting("status = 308"), (expected.to_owned(), true));
        let expected = "answered 405: [redirect] methods has no GET";
        assert_eq!(redirecting("methods = [\"POST\"]"), (expected.to_owned(), false));
    }

    #[test]
    fn where_there_is_one_pool_everything_goes_there() {
        let table =
            |name| format!("[[applications]]\nname = \"{name}\"\nip = \"{name}.x\"\nport = 1\n");
        let text: String = ["a", "b", "c", "d", "e", "f"].map(table).concat();
        let config = Config::parse(&text, "test").unwrap();
        let expected = "to pool default: a, b, c, d, e and 1 more".to_owned();
        assert_eq!(of(&config, "http://x/y"), (expected, true));
    }

    #[test]
    fn the_page_shows_what_is_said() {
        let page = include_str!("../../docs/pools.md");
        let block = |start: &str| page.split(start).nth(1).unwrap().split("```").next().unwrap();
        let config = Config::parse(block("```toml\n"), "test").unwrap();
        let mut lines = block("```text\n$ evenly check ").lines();
        let urls = lines.next().unwrap().split("--route ").skip(1).map(str::trim);
        let said: Vec<_> = urls.map(|url| format!("{url}: {}", of(&config, url).0)).collect();
        assert_eq!(said, lines.collect::<Vec<_>>());
    }
}
