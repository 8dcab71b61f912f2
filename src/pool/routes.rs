//! Which pool a request goes to, by its host and the path in its target. Pure: asked with what is
//! sent on, not with what the client may have meant.
//!
//! The most specific route counts: the very host before a `*.` that covers it, the longest of
//! those before the shortest, and any host last; among them the longest path. Where none of the
//! routes of a host has the path, those of the less specific hosts are asked.
//!
//! **Nobody reaches another pool than the application would think.** The target goes on as it
//! came, and applications read one path in different ways: `/a/../b` is below `/a` to one and `/b`
//! to another, and so it is with `%2e`, `//`, `%2f`, `/a;x/..` and what is encoded twice. So where
//! a path has anything of that, it is read in each way, in any order of them, and if readings lead
//! to different pools, nobody gets the request.

use std::fmt;

/// A route as configured. Displayed, it is its host, `*` for any, and its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// A name or an address, or `*.` and the end of names; in small letters, without a port and a
    /// dot at its end. None is any.
    pub host: Option<String>,
    /// Whole segments from the path's beginning, with no slash at its end. None is any path.
    pub path: Option<String>,
    /// The place of the pool among all pools.
    pub pool: usize,
}

/// The target that is below no path.
pub const NO_PATH: &str = "*";

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("*");
        write!(f, "{host}{}", self.path.as_deref().unwrap_or_default())
    }
}

/// All routes of a configuration, in an order that is quick to ask.
#[derive(Debug, Default)]
pub struct Routes {
    /// Each host once, in order: `None` is any, `.example.org` stands for `*.example.org`.
    hosts: Vec<(Option<String>, Paths)>,
    /// Where everything goes.
    only: Option<RouteEnd>,
}

/// Those of one host, in the order of their paths.
#[derive(Debug, Default)]
struct Paths {
    ends: Vec<(String, RouteEnd)>,
    /// Bytes of the longest path.
    longest: usize,
}

/// What a route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEnd {
    /// The place of the route among all routes; none where none is needed.
    pub route: Option<usize>,
    /// The place of its pool.
    pub pool: usize,
}

/// The path can be read in two ways that lead to different pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// How often a path may be encoded: what is encoded thrice is read by nobody.
const DECODED_MAX: u32 = 2;
/// Readings of one path that are tried, and bytes of them together. Honest ones have a few.
const READINGS_MAX: usize = 32;
const READ_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the longest name of a host, with the dot at its end (RFC 1035 section 2.3.4): of what
/// is longer so much of its end is looked at.
const NAME_BYTES_MAX: usize = 255;

impl Routes {
    /// Those that are listed, to so many pools. Of two that are alike the first counts. Where none
    /// is listed, everything goes to the only pool, if there is just one.
    #[must_use]
    pub fn new(listed: &[Route], pools: usize) -> Self {
        let is_alone = listed.is_empty() && pools == 1;
        let only = is_alone.then_some(RouteEnd { route: None, pool: 0 });
        let mut routes = Self { only, ..Self::default() };
        for (route, Route { host, path, pool }) in listed.iter().enumerate() {
            let key = host.as_ref().map(|host| host.strip_prefix('*').unwrap_or(host).to_owned());
            let at = routes.hosts.binary_search_by(|(other, _)| other.cmp(&key));
            let at = at.unwrap_or_else(|at| {
                routes.hosts.insert(at, (key, Paths::default()));
                at
            });
            let path = path.clone().unwrap_or_default();
            routes.hosts[at].1.add(path, RouteEnd { route: Some(route), pool: *pool });
        }
        routes
    }

    /// Where a request goes with this host (and port) and this target, as both are sent on; `None`
    /// if there is no route for it.
    ///
    /// # Errors
    /// If the path can be read in two ways that lead to different pools.
    pub fn find(&self, host: &str, target: &str) -> Result<Option<RouteEnd>, Ambiguous> {
        if self.only.is_some() {
            return Ok(self.only);
        }
        let path = target.split('?').next().unwrap_or_default();
        // An absolute target without a path: a slash is put there on the way.
        let path = if path.is_empty() { "/" } else { path };
        let host = bare(host);
        let end = self.at(&host, path);
        let pool = |end: Option<RouteEnd>| end.map(|end| end.pool);
        if is_plain(path) || self.leads_one_way(&host) {
            return Ok(end);
        }
        let all = readings(path).ok_or(Ambiguous)?;
        let is_one = all.iter().all(|reading| pool(self.at(&host, reading)) == pool(end));
        if is_one { Ok(end) } else { Err(Ambiguous) }
    }

    /// The most specific route for a path that is read in one way.
    fn at(&self, host: &str, path: &str) -> Option<RouteEnd> {
        self.of(host).find_map(|paths| paths.at(path))
    }

    /// Whatever path a request of this host has, it goes to one pool, or none does.
    fn leads_one_way(&self, host: &str) -> bool {
        let mut first = None;
        for paths in self.of(host) {
            let mut pools = paths.ends.iter().map(|(_, end)| end.pool);
            if !pools.all(|pool| pool == *first.get_or_insert(pool)) {
                return false;
            }
            if paths.take_any() {
                return true;
            }
        }
        first.is_none()
    }

    /// Those that a request of this host may take, the most specific first.
    fn of(&self, host: &str) -> impl Iterator<Item = &Paths> {
        let tail = host.len().saturating_sub(NAME_BYTES_MAX);
        let dots = host.match_indices('.').filter(move |(dot, _)| *dot >= tail);
        let names = dots.map(|(dot, _)| &host[dot..]);
        let hosts = [Some(host)].into_iter().chain(names.map(Some)).chain([None]);
        hosts.filter_map(|host| {
            let own = self.hosts.binary_search_by(|(other, _)| other.as_deref().cmp(&host)).ok()?;
            Some(&self.hosts[own].1)
        })
    }
}

impl Paths {
    fn add(&mut self, path: String, end: RouteEnd) {
        self.longest = self.longest.max(path.len());
        if let Err(at) = self.find(&path) {
            self.ends.insert(at, (path, end));
        }
    }

    fn find(&self, path: &str) -> Result<usize, usize> {
        self.ends.binary_search_by(|(own, _)| own.as_str().cmp(path))
    }

    /// What is below none of the others goes somewhere too.
    fn take_any(&self) -> bool {
        self.find("").is_ok()
    }

    /// The longest that `path` is at or below.
    fn at(&self, path: &str) -> Option<RouteEnd> {
        let mut end = path.len();
        loop {
            if end <= self.longest
                && let Ok(at) = self.find(&path[..end])
            {
                return Some(self.ends[at].1);
            }
            end = path[..end].rfind('/').or_else(|| (end > 0).then_some(0))?;
        }
    }
}

/// A host without its port, the dot at its end, and capitals.
fn bare(host: &str) -> String {
    let name = match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or_default(),
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// True where everybody reads a path alike.
fn is_plain(path: &str) -> bool {
    let is_odd = |pair: &[u8]| matches!(pair, b"//" | b"/." | b"./");
    let bytes = path.as_bytes();
    !path.contains(['%', ';', '\\']) && !bytes.windows(2).any(is_odd) && !path.ends_with('.')
}

/// All ways in which a path may be read, the first as it came; none where there are too many to
/// try.
fn readings(path: &str) -> Option<Vec<String>> {
    let mut all = vec![(path.to_owned(), 0)];
    let (mut at, mut bytes) = (0, path.len());
    while let Some((reading, decoded)) = all.get(at).cloned() {
        let plain = READERS.iter().map(|reader| (reader, decoded));
        let coded = DECODERS.iter().map(|reader| (reader, decoded + 1));
        for ((marks, read), decoded) in plain.chain(coded) {
            if decoded > DECODED_MAX || !marks.iter().any(|mark| reading.contains(mark)) {
                continue;
            }
            let next = read(&reading);
            if !all.iter().any(|(other, _)| *other == next) {
                bytes += next.len();
                all.push((next, decoded));
            }
        }
        if all.len() > READINGS_MAX || bytes > READ_BYTES_MAX {
            return None;
        }
        at += 1;
    }
    Some(all.into_iter().map(|(reading, _)| reading).collect())
}

/// What readers do to a path beside decoding it, each of them or not, in any order; and what there
/// must be for it to do anything.
const READERS: [Reader; 8] = [
    // Windows.
    (&["\\"], |path| path.replace('\\', "/")),
    // Servlets: what follows a semicolon is a parameter of the segment.
    (&[";"], |path| each(path, |segment| segment.split(';').next().unwrap_or_default())),
    // Whoever decodes first takes these for the end of the path; and so C does zero.
    (&["?", "#", "\0"], |path| path.split(['?', '#', '\0']).next().unwrap_or_default().to_owned()),
    // Names of files end in neither on Windows.
    (&[".", " "], |path| each(path, without_end)),
    // Whoever cuts off what cannot be seen: there are too many marks of it to name.
    (&[""], |path| each(path, |segment| segment.trim_matches(is_blank))),
    // URLs as WHATWG has them lose these wherever they are.
    (&["\t", "\n", "\r"], |path| path.replace(['\t', '\n', '\r'], "")),
    (&["//"], merge_slashes),
    (&["/."], follow_dots),
];

/// What is decoded: all, or all but slashes. To the latter what `%2f` is in is one segment, also
/// for `..` behind it: so it is to WHATWG's URLs, and to servers that are told to let `%2f` pass.
const DECODERS: [Reader; 2] = [
    (&["%"], |path| decode(path, |_| true)),
    (&["%2f", "%2F", "%5c", "%5C"], |path| decode(path, |byte| !matches!(byte, b'/' | b'\\'))),
];

type Reader = (&'static [&'static str], fn(&str) -> String);

/// JavaScript trims the last one, too.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}

fn without_end(segment: &str) -> &str {
    match segment {
        "." | ".." => segment,
        other => other.trim_end_matches(['.', ' ']),
    }
}

fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !merged.ends_with('/') {
            merged.push(c);
        }
    }
    merged
}

fn each(path: &str, change: impl Fn(&str) -> &str) -> String {
    joined(path.split('/').map(change))
}

fn joined<'p>(segments: impl Iterator<Item = &'p str>) -> String {
    segments.collect::<Vec<_>>().join("/")
}

/// As RFC 3986 section 5.2.4 has it.
fn follow_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut pieces = path.split('/').skip(1).peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            "." | ".." => {
                segments.truncate(segments.len().saturating_sub(usize::from(piece == "..")));
                if pieces.peek().is_none() {
                    segments.push("");
                }
            }
            piece => segments.push(piece),
        }
    }
    joined([""].into_iter().chain(segments))
}

/// With each `%` and its two hex digits as the byte that they stand for, where that is `wanted`.
fn decode(text: &str, wanted: fn(u8) -> bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let [first, more @ ..] = rest {
        let pair = (*first == b'%').then(|| Some((digit(*more.first()?)?, digit(*more.get(1)?)?)));
        let byte = pair.flatten().map(|(high, low)| (high * 16 + low) as u8);
        (bytes, rest) = match byte.filter(|byte| wanted(*byte)) {
            Some(byte) => (pushed(bytes, byte), &more[2..]),
            None => (pushed(bytes, *first), more),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pushed(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

#[cfg(test)]
mod tests;
