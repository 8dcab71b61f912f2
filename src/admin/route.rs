//! What is asked for: a method and a target become a route, or a sentence that says what there is.
//!
//! Pure. A name in a path is percent-decoded after the path is taken apart, so that one with a
//! slash in it can be named.

use super::page::Part;
use crate::pool::Mode;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The dashboard.
    Page(Part),
    Status,
    Metrics,
    Events,
    /// The last hour in numbers.
    History,
    /// How something has come about: what, the query says.
    Why,
    Config,
    Live,
    Ready,
    /// What a reload would change: of the file, or by POST of the text in the body.
    Diff,
    Pause,
    Resume,
    Reload,
    Upgrade,
    /// A successor asks for the sockets; it serves; it cannot.
    Handover,
    Succeeded,
    NotSucceeded,
    /// This backend is to be used, drained or maintained.
    Set(String, Mode),
}

/// Why there is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// Nothing is at this path.
    NotFound,
    /// The method is not for it; these are.
    WrongMethod(&'static str),
    /// The target breaks a rule.
    Malformed(&'static str),
}

/// What stands behind the path, decoded: `force=1&for=20s`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

/// Read by GET and HEAD, changed by POST.
const READ: &str = "GET, HEAD";
const CHANGE: &str = "POST";
const BOTH: &str = "GET, HEAD, POST";

/// True for what checks ask: it tells nothing but whether we live and serve.
pub(super) fn is_check(target: &str) -> bool {
    matches!(path(target), "/live" | "/ready")
}

/// True for what anybody may ask: checks, and the page, which is the same for everyone.
pub(super) fn is_open(target: &str) -> bool {
    is_check(target) || matches!(path(target), "/" | "/style.css" | "/script.js")
}

fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// Where a request leads.
pub(super) fn route(method: &str, target: &str) -> Result<(Route, Query), Astray> {
    let (route, allowed) = of_path(path(target))?;
    if !allowed.split(", ").any(|one| one == method) {
        return Err(Astray::WrongMethod(allowed));
    }
    let query = target.split_once('?').map_or("", |(_, query)| query);
    Ok((route, Query::read(query)?))
}

/// Each path with what may be done there.
const PATHS: [(&str, Route, &str); 19] = [
    ("/", Route::Page(Part::Html), READ),
    ("/style.css", Route::Page(Part::Style), READ),
    ("/script.js", Route::Page(Part::Script), READ),
    ("/status", Route::Status, READ),
    ("/metrics", Route::Metrics, READ),
    ("/events", Route::Events, READ),
    ("/history", Route::History, READ),
    ("/why", Route::Why, READ),
    ("/config", Route::Config, READ),
    ("/live", Route::Live, READ),
    ("/ready", Route::Ready, READ),
    ("/diff", Route::Diff, BOTH),
    ("/pause", Route::Pause, CHANGE),
    ("/resume", Route::Resume, CHANGE),
    ("/reload", Route::Reload, CHANGE),
    ("/upgrade", Route::Upgrade, CHANGE),
    ("/handover", Route::Handover, "GET"),
    ("/handover/done", Route::Succeeded, CHANGE),
    ("/handover/failed", Route::NotSucceeded, CHANGE),
];

fn of_path(path: &str) -> Result<(Route, &'static str), Astray> {
    match PATHS.iter().find(|(own, ..)| *own == path) {
        Some((_, route, allowed)) => Ok((route.clone(), allowed)),
        None => Ok((of_backend(path)?, CHANGE)),
    }
}

/// What can be asked, for who has gone astray: without the parts of the page, and without what
/// only a successor asks.
pub(super) fn paths() -> String {
    let is_told = |path: &str| !path.contains('.') && !path.starts_with("/handover");
    let told = |wanted: fn(&str) -> bool| {
        let paths = PATHS.iter().filter(|(path, _, allowed)| is_told(path) && wanted(allowed));
        paths.map(|(path, ..)| *path).collect::<Vec<_>>().join(", ")
    };
    let (read, change) = (told(|allowed| allowed != CHANGE), told(|allowed| allowed == CHANGE));
    format!("GET {read}; POST {change}, /backends/NAME/drain, and maint or ready for drain")
}

/// `/backends/NAME/drain`
fn of_backend(path: &str) -> Result<Route, Astray> {
    let named = path.strip_prefix("/backends/").and_then(|rest| rest.split_once('/'));
    let (name, mode) = named.ok_or(Astray::NotFound)?;
    let mode = mode.parse().map_err(|()| Astray::NotFound)?;
    Ok(Route::Set(decoded(name)?, mode))
}

impl Route {
    /// What a query may name. Checks and links add what they like: it means nothing there.
    pub(super) fn queries(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Self::Page(_) | Self::Live | Self::Ready => return None,
            Self::Events | Self::History => &["since"],
            Self::Why => &["of"],
            Self::Pause => &["for", "pool"],
            Self::Resume => &["pool"],
            Self::Set(..) => &["force"],
            _ => &[],
        })
    }
}

impl Query {
    fn read(text: &str) -> Result<Self, Astray> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        };
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first value of that name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str())
    }

    /// True for `name=1` and `name=true`, and for the name alone.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| matches!(value, "" | "1" | "true"))
    }

    /// What of it is in vain, where these names may stand: whoever wrote it meant something.
    pub(super) fn vain(&self, known: &[&str]) -> Option<String> {
        let named = |name: &str| self.0.iter().filter(|(named, _)| named == name).count();
        self.0.iter().find_map(|(name, value)| match (name.as_str(), value.as_str()) {
            (name, _) if !known.contains(&name) => {
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                Some(format!("unknown {name:?}; what may stand there: {known}"))
            }
            (name, _) if named(name) > 1 => Some(format!("{name} is there more than once")),
            ("force", "" | "0" | "1" | "false" | "true") => None,
            ("force", _) => Some("force is 1, or is not there".to_owned()),
            _ => None,
        })
    }
}

/// RFC 3986 section 2.1, into text.
fn decoded(text: &str) -> Result<String, Astray> {
    const BAD: Astray = Astray::Malformed("a % that no two hexadecimal digits follow");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|it| char::from(it).to_digit(16)).ok_or(BAD);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Astray::Malformed("what is percent-encoded is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(method: &str, target: &str) -> Route {
        route(method, target).unwrap().0
    }

    #[test]
    fn names_may_hold_whatever_can_be_encoded() {
        let set = |name: &str, mode| Route::Set(name.to_owned(), mode);
        assert_eq!(ok("POST", "/backends/API01/drain?force=1"), set("API01", Mode::Drain));
        assert_eq!(ok("POST", "/backends/a%20b%2fc%3F/ready"), set("a b/c?", Mode::Ready));
        assert_eq!(ok("POST", "/backends/10.0.0.1:80/maint"), set("10.0.0.1:80", Mode::Maint));
        for bad in ["/backends/a%2/drain", "/backends/a%zz/drain", "/backends/%ff/drain"] {
            assert!(matches!(route("POST", bad), Err(Astray::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn what_is_not_there_and_what_is_asked_wrongly_are_told_apart() {
        assert_eq!(route("GET", "/backends/a/drain"), Err(Astray::WrongMethod("POST")));
        assert_eq!(route("OPTIONS", "/status"), Err(Astray::WrongMethod("GET, HEAD")));
        assert_eq!(route("DELETE", "/diff"), Err(Astray::WrongMethod("GET, HEAD, POST")));
        for path in ["/Status", "/status/", "//status", "/backends/a/b/drain", "/backends/a/x"] {
            assert_eq!(route("POST", path), Err(Astray::NotFound), "{path}");
        }
        assert_eq!(route("POST", "/"), Err(Astray::WrongMethod("GET, HEAD")));
    }

    #[test]
    fn who_has_gone_astray_is_told_each_path_that_people_ask() {
        let expected = "GET /, /status, /metrics, /events, /history, /why, /config, /live, /ready, \
                        /diff; POST /pause, /resume, /reload, /upgrade, /backends/NAME/drain, and \
                        maint or ready for drain";
        assert_eq!(paths(), expected);
    }

    #[test]
    fn a_query_is_read_by_name() {
        let (_, query) = route("POST", "/pause?for=20s&pool=a%20b&force").unwrap();
        assert_eq!([query.value("for"), query.value("pool")], [Some("20s"), Some("a b")]);
        assert!(query.has("force") && !query.has("for"));
        assert!(query.vain(&["for", "pool", "force"]).is_none());
        let vain = |target: &str| {
            let (route, query) = route("POST", target).unwrap();
            route.queries().and_then(|known| query.vain(known)).unwrap_or_default()
        };
        let unknown = "unknown \"force\"; what may stand there: for, pool";
        assert_eq!(vain("/pause?for=20s&force"), unknown);
        assert_eq!(vain("/reload?now"), "unknown \"now\"; what may stand there: nothing");
        assert_eq!(vain("/pause?for=1s&for=2s"), "for is there more than once");
        assert_eq!(vain("/backends/a/drain?force=yes"), "force is 1, or is not there");
        assert_eq!([vain("/backends/a/drain?force=0"), vain("/backends/a/drain")], ["", ""]);
    }

    #[test]
    fn checks_and_the_page_are_for_anybody_and_nothing_else() {
        for open in ["/live", "/ready?x", "/", "/?x", "/style.css", "/script.js"] {
            assert!(is_open(open), "{open}");
        }
        for closed in ["/lives", "/status", "/status?/", "//", "/script.js/", "/events", "/x"] {
            assert!(!is_open(closed), "{closed}");
        }
        assert!(is_check("/ready?x") && !is_check("/"));
    }
}
