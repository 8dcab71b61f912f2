//! `[[listeners]]`: where clients come in, and what becomes of them there. A file without any has
//! the one of `[server] listen`. Called by `raw` and `render`.

use std::net::SocketAddr;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::form::{Choice, Flag, Form, OrOff, Unset, found, text};
use super::keys::{count, port, required};
use super::message::{Place, quote};
use super::needs::{Need, Needs, is, is_not};
use super::report::Report;
use super::table::{Field, Slot, Table, table};
use super::written::{items, read_table};
use super::{Config, LISTENERS, grammar};

/// The most of them: each has a thread, and an upgrade hands all of them over at once.
pub const LISTENERS_MAX: usize = 16;

/// Where proofs that a name is ours are, in a folder and below a name (RFC 8555 section 8.3).
pub const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Where clients come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in logs and answers.
    pub name: String,
    /// Address and port; port 0 lets the kernel choose one.
    pub listen: SocketAddr,
    /// What becomes of a request there.
    pub mode: Mode,
    /// Whether clients are spoken to through TLS; none is where there are certificates. See
    /// [`Config::is_secure`].
    pub tls: Option<bool>,
    /// Whether each connection begins with the PROXY protocol; none is as `[server]` says. See
    /// [`Config::expects_preface`].
    pub proxy_protocol: Option<bool>,
    /// Whether each connection begins with TLS that is read for the name it asks for, and not
    /// ended.
    pub sni: bool,
    /// The pool for all who come in there, whatever routes say.
    pub pool: Option<String>,
    /// Most clients at once that came in there; none is as many as there may be in all.
    pub max_connections: Option<u32>,
    /// Where https is spoken, for those who are sent there.
    pub https_port: u16,
    /// The folder in which an ACME client puts what proves that a name is ours; none answers as
    /// any other path.
    pub acme_webroot: Option<String>,
}

/// What becomes of a request at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is served as `[server] mode` says.
    Http,
    /// It is sent on to the same address by https.
    ToHttps,
    /// There are no requests: the connection is passed on as it is.
    Tcp,
}

impl Mode {
    /// All there are, by their words in the file.
    const ALL: [(&'static str, Self); 3] =
        [("http", Self::Http), ("redirect-to-https", Self::ToHttps), ("tcp", Self::Tcp)];

    /// As in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

/// Who is sent on to https is led to no pool.
const LED: Need = is("listeners.mode", "http").or(&PASSED_ON);
const SERVED: Need = LED.or_refused();
const PASSED_ON: Need = is("listeners.mode", "tcp");
const SENT_ON: Need = is("listeners.mode", "redirect-to-https");

table! {
    /// A listener as written.
    pub(super) struct Written {
        /// Its name in logs and answers.
        name: Option<String> = "its address", Unset(text("web", grammar::name));
        /// Address and port, needed; port 0 lets the kernel choose one.
        listen: Option<SocketAddr> = "0.0.0.0:443", Unset(text("0.0.0.0:443", grammar::listen));
        /// What becomes of a request: it is served, or sent on to the same address by https; "tcp"
        /// passes the whole connection on, whatever is spoken on it.
        mode: Mode = "http", Choice {
            noun: "mode of a listener",
            built: &Mode::ALL,
        };
        /// Whether clients speak TLS, to whom the certificates of `[tls]` are shown; not set, they
        /// do where there are any.
        tls: Option<bool> = "as [tls] has certificates", Unset(Flag), when(SERVED);
        /// Whether each connection begins with the PROXY protocol, as in `[server]`; not set, as
        /// that says.
        proxy_protocol: Option<bool> = "as in [server]", Unset(required());
        /// Whether each connection must begin with TLS, which is read for the name that it asks
        /// for, and passed on as it is.
        sni: bool = "off", required(), when(PASSED_ON.or_refused());
        /// The pool for all who come in there; not set, routes say which.
        pool: Option<String> = "by [[routes]]", Unset(text("api", grammar::name)), when(LED);
        /// Most client connections at once that came in there; not set, as many as there may be
        /// in all.
        max_connections: Option<u32> = "as in [server]", Unset(count(1..=1_000_000));
        /// The port to which clients are sent on.
        https_port: u16 = "443", port(), when(SENT_ON);
        /// The folder from which `/.well-known/acme-challenge/` is answered, as an ACME client's
        /// "webroot" has it; none answers as any other path.
        acme_webroot: Option<String> = "off", OrOff(text("/var/www/acme", grammar::folder)),
            when(is_not("listeners.mode", "tcp").or_refused());
    }
}

impl Config {
    /// Where clients come in: as the file lists it, or at `[server] listen` alone.
    #[must_use]
    pub fn listening(&self) -> Vec<Listener> {
        if !self.listeners.is_empty() {
            return self.listeners.clone();
        }
        let listen = Some(self.server.listen);
        meant(Written { listen, ..Written::default() }).into_iter().collect()
    }

    /// Whether clients are shown the certificates of `[tls]` there.
    #[must_use]
    pub fn is_secure(&self, listener: &Listener) -> bool {
        let is_certified = !self.tls.certificates.is_empty();
        let by_itself = is_certified && !listener.sni;
        listener.mode != Mode::ToHttps && listener.tls.unwrap_or(by_itself)
    }

    /// Whether each connection there begins with the PROXY protocol.
    #[must_use]
    pub fn expects_preface(&self, listener: &Listener) -> bool {
        listener.proxy_protocol.unwrap_or(self.server.proxy_protocol)
    }

    /// The first address where clients come in, after which the balancer is known.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listeners.first().map_or(self.server.listen, |first| first.listen)
    }
}

/// Those that lead to a pool: the others send clients on to https.
pub(super) fn leading(listeners: &[Listener]) -> impl Iterator<Item = &Listener> {
    listeners.iter().filter(|one| one.mode != Mode::ToHttps)
}

/// Reads all listeners; whatever is wrong with one does not hide what is wrong with the next.
pub(super) fn read(
    written: (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>),
    report: &mut Report<'_>,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for item in items((LISTENERS, "listener", LISTENERS_MAX), written, report) {
        report.settings.items.push(Vec::new());
        let place = report.at(item.span().start);
        if let Some(listener) = read_one(item.get_ref(), &place, report) {
            refuse_twins(&listener, &place, &listeners, report);
            listeners.push(listener);
        }
    }
    if report.is_clean() && listeners.iter().all(|one| one.mode == Mode::ToHttps) {
        let what = "none serves the applications; write one with mode = \"http\" or \"tcp\"";
        report.add(report.at(written.0.span().start), LISTENERS, what);
    }
    listeners
}

/// None where something that it needs is missing; a problem was reported then.
fn read_one(item: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Listener> {
    let DeValue::Table(table) = item else {
        let what = format!("found {}; expected a table with listen", found(item));
        report.add(place.clone(), LISTENERS, what);
        return None;
    };
    let mut written = Written::default();
    read_table(LISTENERS, table, &mut written, report);
    if !table.contains_key("listen") {
        let what = "missing; write for example listen = \"0.0.0.0:443\"";
        report.add(place.clone(), &format!("{LISTENERS}.listen"), what);
    }
    meant(written)
}

fn meant(written: Written) -> Option<Listener> {
    let listen = written.listen?;
    Some(Listener {
        name: written.name.unwrap_or_else(|| listen.to_string()),
        listen,
        mode: written.mode,
        tls: written.tls,
        proxy_protocol: written.proxy_protocol,
        sni: written.sni,
        pool: written.pool,
        max_connections: written.max_connections,
        https_port: written.https_port,
        acme_webroot: written.acme_webroot,
    })
}

fn refuse_twins(one: &Listener, place: &Place, earlier: &[Listener], report: &mut Report<'_>) {
    if let Some(twin) = earlier.iter().find(|other| is_met(one.listen, other.listen)) {
        let (address, said, at) = (one.listen, quote(&twin.name), twin.listen);
        let what = match at == address {
            true => format!("{address} is where the listener {said} is; choose another"),
            false => format!("{address} and {at} of the listener {said} cannot both be; keep one"),
        };
        report.add(place.clone(), &format!("{LISTENERS}.listen"), what);
    } else if earlier.iter().any(|other| other.name == one.name) {
        let what = format!("{} is the name of another; give each its own", quote(&one.name));
        report.add(place.clone(), &format!("{LISTENERS}.name"), what);
    }
}

/// True where the system lets only one of them be listened at: `[::]` is every address, IPv4 too.
pub(super) fn is_met(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, other: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || other.is_ipv4())
    };
    let is_one = one == other || covers(one, other) || covers(other, one);
    one.port() != 0 && one.port() == other.port() && is_one
}

impl From<&Listener> for Written {
    fn from(one: &Listener) -> Self {
        Self {
            name: Some(one.name.clone()),
            listen: Some(one.listen),
            mode: one.mode,
            tls: one.tls,
            proxy_protocol: one.proxy_protocol,
            sni: one.sni,
            pool: one.pool.clone(),
            max_connections: one.max_connections,
            https_port: one.https_port,
            acme_webroot: one.acme_webroot.clone(),
        }
    }
}
