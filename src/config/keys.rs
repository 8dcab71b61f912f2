//! The keys: one line each, with name, type, default and form, and when they count, if that is not
//! always. A default is written as in an `EVENLY_*` variable. Nothing else in this room names a key
//! but the rules between them.
//!
//! What counts only in some traffic counts: it is asked for what this configuration can never do.
//! A server that redirects still reads heads and bodies, answers, keeps clients' connections and
//! hands out cookies; one without checks or ejections still has applications that are down
//! (`alive = false`, a name that is not found), so `fail_open` and `slow_start` are for it too; and
//! `lame_duck` closes connections whether or not somebody asks at `ready`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::account::{self, Account};
#[cfg(feature = "admin")]
use super::choices::AdminSocket;
use super::choices::{
    AccessLog, Asking, HashBy, LogTarget, RetryReason, Serving, TlsVersion, UnknownNames,
};
use super::form::{Choice, Count, Flag, Form, Hidden, List, OrOff, Quantity, Text, Unset, text};
use super::needs::{Need, Needs, is, is_not};
use super::table::{Field, Slot, Table, table};
use super::{Network, grammar, units};
use crate::http::{HEADERS_MAX, HeadLimits};
use crate::pool::Statuses;
use crate::pool::policy::{Kind, ScoredRules};

table! {
    /// `[server]`: where Evenly listens and how much it takes on.
    pub struct Server {
        /// Address and port; port 0 lets the kernel choose one.
        listen: SocketAddr = "0.0.0.0:8080", text("0.0.0.0:8080", grammar::listen);
        /// What Evenly does with a request.
        mode: Serving = "relay", Choice {
            noun: "mode",
            built: &[("relay", Serving::Relay), ("redirect", Serving::Redirect)],
        };
        /// Threads that relay; 0 is one a core.
        workers: usize = "0", count(0..=1024);
        /// Clients connected at once; more wait in the kernel's queue.
        max_connections: usize = "10000", count(1..=1_000_000);
        /// Whom Evenly becomes when root starts it and it has bound its address; not set, it stays
        /// who it is.
        user: Option<Account> = "unchanged", Unset(text("evenly", account::user));
        /// Its group, and its only one; not set, that user's own.
        group: Option<Account> = "of the user", Unset(text("evenly", account::group)),
            when(is_not("server.user", ""));
        /// The path that tells balancers in front whether Evenly is ready: 200, or 503 once it is
        /// to stop. None relays that path as any other.
        ready: Option<String> = "off", OrOff(text("/ready", grammar::lookup));
        /// Whether a client that has closed its side counts as gone: its request leaves the queue,
        /// and a backend that has it is told of the end. One that still reads (`nc -N`) looks the
        /// same.
        abort_on_close: bool = "true", Flag, when(RELAYING);
        /// Peers whose X-Forwarded-* fields, or else Forwarded, are believed and extended: they say
        /// who the client is, and whether it came by https.
        trusted_proxies: Vec<Network> = "[]", List {
            item: text("10.0.0.0/8", str::parse),
            empty: true,
        };
        /// Whether each connection begins with the PROXY protocol, version 1 or 2, which says who
        /// the client is. One that does not is closed, and so is one that is not from
        /// `trusted_proxies`.
        proxy_protocol: bool = "off", required();
        /// Fields that only they get through: claims that applications believe of whoever is in
        /// front of them. A `*` at the end stands for any further characters.
        untrusted_fields: Vec<String> = "X-Forwarded-*, X-Real-IP, X-Client-IP, Client-IP, \
            True-Client-IP, CF-Connecting-IP, Fastly-Client-IP, X-Cluster-Client-IP, X-Scheme, \
            Front-End-Https, X-Original-URL, X-Rewrite-URL, X-SSL-Client-*, Remote-User",
            List { item: text("X-Real-IP", grammar::field), empty: true }, when(RELAYING);
        /// Whether answers carry `X-Served-By: NAME`.
        served_by: bool = "false", Flag, when(RELAYING);
        /// Whether answers carry `X-Request-Id`, by which the log and the backends know a request.
        request_id: bool = "false", Flag;
        /// Whether backends get `Forwarded` (RFC 7239) beside the X-Forwarded-* fields.
        forwarded: bool = "false", Flag, when(RELAYING);
        /// Whether backends get `Via` (RFC 9110 section 7.6.3). nginx does not compress for a
        /// request that came through a proxy.
        via: bool = "false", Flag, when(RELAYING);
        /// Whether an offer of `Upgrade: h2c` goes on, for docker and its builder. What the tunnel
        /// then carries is seen by no rule: a client may speak to the backend as it likes.
        upgrade_h2c: bool = "false", Flag, when(RELAYING);
    }
}

table! {
    /// `[balance]`: who gets the next request.
    pub struct Balance {
        /// How a backend is picked.
        policy: Kind = "round-robin", Choice {
            noun: "policy",
            built: &Kind::ALL,
        };
        /// What the policy `hash` goes by.
        hash_by: HashBy = "client", text("client", grammar::hash_by),
            when(is("balance.policy", "hash"));
        /// Time that an application which comes back takes to get its full share; 0 gives it at
        /// once.
        slow_start: Duration = "0", time_or_none();
        /// Whether to try backends that count as down when none is up, instead of answering 503.
        fail_open: bool = "false", Flag;
    }
}

// `[scored]`: what the policy defines, with the words for each figure.
table! {
    for ScoredRules when(is("balance.policy", "scored-round-robin")) {
        threshold: u32 = "250", count(1..=POINTS_MAX);
        slow: u32 = "10", count(0..=POINTS_MAX);
        slow_from: u32 = "175", count(100..=100_000),
            when(is_not("scored.slow", "0"));
        slow_max: u32 = "800", count(100..=100_000),
            when(is_not("scored.slow", "0"));
        fast: u32 = "4", count(0..=POINTS_MAX);
        error: u32 = "70", count(0..=POINTS_MAX);
        statuses: Statuses = "500-599", statuses("500-599", true);
        run: u32 = "10", count(1..=10_000), when(is_not("scored.good", "0"));
        good: u32 = "5", count(0..=POINTS_MAX);
        checks: u32 = "1", count(0..=1000);
        step: u32 = "4", count(1..=POINTS_MAX);
        turns_max: u32 = "60", count(1..=10_000);
        decay: u32 = "1", count(0..=POINTS_MAX);
        kept: u32 = "125", count(0..=POINTS_MAX);
        out_max: u32 = "50", count(0..=100);
        window: u32 = "64", count(1..=10_000);
    }
}

table! {
    /// `[sticky]`: clients that stay with their backend, by a cookie that Evenly sets.
    pub struct Sticky {
        /// The cookie's name; none sets no cookie.
        cookie: Option<String> = "off", OrOff(text("BACKEND", grammar::cookie));
        /// What the cookie's values are made with; if empty, drawn at each start.
        secret: String = "", Hidden(text("at least 16 characters", grammar::secret)),
            when(is_not("sticky.cookie", "off"));
        /// How long clients keep the cookie; none is until they are closed.
        max_age: Option<Duration> = "off", OrOff(time(1000..=400 * DAY_MS)),
            when(is_not("sticky.cookie", "off"));
    }
}

table! {
    /// `[redirect]`: what the mode `redirect` answers.
    pub struct Redirect when(is("server.mode", "redirect")) {
        /// 307 sends this request elsewhere, 308 the client's later ones too.
        status: u16 = "307", count(307..=308);
        /// Methods that are redirected; the others are answered 405.
        methods: Vec<String> = "GET, HEAD", List {
            item: text("GET", grammar::method),
            empty: false,
        };
    }
}

table! {
    /// `[lookup]`: which application to use, for clients that ask before they go there themselves.
    pub struct Lookup {
        /// The path that answers it; none relays that path as any other.
        path: Option<String> = "off", OrOff(text("/.well-known/evenly/next", grammar::lookup));
    }
}

table! {
    /// `[health]`: the checks that Evenly makes.
    pub struct Health {
        /// How an application is asked: by a request of HTTP, or by a connection alone, with TLS
        /// where it speaks that. Not set, as [`Config::asking`](super::Config::asking) says.
        protocol: Option<Asking> = "as the listeners",
            Unset(Choice { noun: "protocol", built: &Asking::ALL }), when(CHECKING);
        /// Path asked for. While not set it is [`Health::path`]'s default, and 404 or 405 count as
        /// up too: plain file servers have no /health.
        path: Option<String> = "/health", Unset(text("/health", grammar::asked)),
            when(CHECKING, REQUESTING);
        /// Time between two checks of a backend; none turns checks off.
        interval: Option<Duration> = "5s", OrOff(time(10..=DAY_MS));
        /// Longest that a check may take.
        timeout: Duration = "2s", time(1..=HOUR_MS), when(CHECKING);
        /// Passes in a row until a backend is up.
        rise: u32 = "2", count(1..=1000), when(CHECKING);
        /// Failures in a row until a backend is down.
        fall: u32 = "3", count(1..=1000), when(CHECKING);
        /// Statuses that pass.
        expect: Vec<RangeInclusive<u16>> = "200-299", statuses("200-299", false),
            when(CHECKING, REQUESTING);
        /// Statuses by which an application asks for no new requests, as it is about to end: it
        /// is drained at once, unless no other is up.
        drain: Vec<RangeInclusive<u16>> = "[]", statuses("410", true), when(CHECKING, REQUESTING);
        /// A text that the body must contain, in what is read of it; not set, any body will do.
        contains: Option<String> = "any", Unset(text("ok", grammar::contained)),
            when(CHECKING, REQUESTING);
        /// The method: only those that change nothing, since checks are made again and again.
        method: &'static str = "GET", Choice {
            noun: "method",
            built: &[("GET", "GET"), ("HEAD", "HEAD"), ("OPTIONS", "OPTIONS")],
        }, when(CHECKING, REQUESTING);
        /// What the Host field says; not set, the application's `tls_name`, or else its `ip`, and
        /// the port asked.
        host: Option<String> = "tls_name or ip", Unset(text("api.example.org", grammar::authority)),
            when(CHECKING, REQUESTING);
        /// Further fields, which may hold a password: nobody else is to see them.
        headers: Vec<String> = "[]", Hidden(List {
            item: text("Accept: text/plain", grammar::header),
            empty: true,
        }), when(CHECKING, REQUESTING);
        /// The port of all checks, in quotes or not; not set, that of each application.
        port: Option<u16> = "port", Unset(port()), when(CHECKING);
        /// Time between two look-ups of a name; one whose backend fails is looked up at once.
        resolve_interval: Duration = "10s", time(100..=DAY_MS);
    }
}

impl Health {
    /// The path to ask for, set or not.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/health")
    }
}

table! {
    /// `[passive]`: what requests themselves tell about a backend's health.
    pub struct Passive when(RELAYING) {
        /// Failures in a row until a backend is taken out; 0 never takes one out.
        failures: u16 = "3", count(0..=1000);
        /// For how long; doubles each time that it comes back and fails.
        eject: Duration = "10s", time(1..=DAY_MS), when(EJECTING);
        /// Longest that it doubles to.
        eject_max: Duration = "60s", time(1..=DAY_MS), when(EJECTING);
        /// Statuses that count as a failure.
        statuses: Vec<RangeInclusive<u16>> = "502-504", statuses("502-504", true),
            when(EJECTING);
        /// Whether an answer that breaks the rules of HTTP counts as a failure.
        bad_answers: bool = "false", Flag, when(EJECTING);
        /// Clients that must have met the failures of a row: what one alone meets may be its own
        /// doing.
        clients: u16 = "2", count(1..=2), when(EJECTING);
    }
}

table! {
    /// `[retry]`: when another backend gets the same request.
    pub struct Retry when(RELAYING) {
        /// What may be followed by another try: "connect", "reset" and "timeout", that an
        /// application did not take the request, broke off, or was late, and statuses of answers.
        on: Vec<RetryReason> = "connect, reset, timeout", List {
            item: text("connect", grammar::retry_on),
            empty: true,
        }, when(RETRYING);
        /// Tries after the first; 0 turns retries off.
        attempts: u32 = "2", count(0..=100);
        /// Further applications for a request that one got and gave no answer to: what breaks
        /// whoever gets it shall not go round.
        unanswered: u32 = "1", count(0..=100), when(RETRYING);
        /// Retries under way at once, in percent of the requests under way.
        budget_percent: u32 = "20", count(0..=100), when(RETRYING);
        /// Retries under way at once that are always allowed.
        budget_min: u32 = "3", count(0..=1_000_000), when(RETRYING);
        /// Longest request body that is held for a retry; 0 holds none.
        body_bytes: usize = "64KiB", size(1..=16 << 20, true), when(RETRYING);
    }
}

table! {
    /// `[queue]`: requests that find every backend at its `max_connections`, or are held by a
    /// pause.
    pub struct Queue when(RELAYING) {
        /// Requests that may wait; 0 answers 503 at once.
        length: usize = "1024", count(0..=1_000_000);
        /// Longest wait before the answer is 503.
        timeout: Duration = "1s", time(1..=DAY_MS), when(is_not("queue.length", "0"));
    }
}

table! {
    /// `[timeouts]`: how long each wait may last.
    pub struct Timeouts {
        /// Connecting to a backend.
        connect: Duration = "3s", time(1..=DAY_MS), when(RELAYING);
        /// From the first byte of a request's head to its last.
        request_head: Duration = "10s", time(1..=DAY_MS);
        /// A TLS handshake, and the PROXY protocol before it.
        handshake: Duration = "10s", time(1..=DAY_MS), when(BEFORE_HTTP);
        /// Silence of the client inside a request's body.
        client_body: Duration = "30s", time(1..=DAY_MS);
        /// Silence of a client that reads nothing of its answer.
        client_write: Duration = "30s", time(1..=DAY_MS);
        /// From the end of the request to the head of the backend's answer.
        response: Duration = "30s", time(1..=DAY_MS), when(RELAYING);
        /// Silence of the backend inside its answer's body.
        stream_idle: Duration = "5m", time(1..=DAY_MS), when(RELAYING);
        /// A client's connection between two requests; 0 closes it after each answer. Less from
        /// half of `max_connections` on.
        keep_alive: Duration = "60s", time_or_none();
        /// A backend's connection between two requests, at most; 0 keeps none. Less where the
        /// backend says so, or closes sooner.
        upstream_keep_alive: Duration = "4s", time_or_none(), when(RELAYING);
        /// Silence of both sides of a tunnel.
        tunnel_idle: Duration = "1h", time(1..=DAY_MS), when(RELAYING);
        /// The same once one side has ended and the other goes on.
        tunnel_fin: Duration = "30s", time(1..=DAY_MS), when(RELAYING);
        /// Silence of a client that has its last answer and may still be sending: what it sends is
        /// discarded, since closing at once would destroy the answer on its way.
        linger: Duration = "5s", time(1..=HOUR_MS);
        /// The same in all, while it goes on sending.
        linger_total: Duration = "60s", time(1..=HOUR_MS);
        /// Least bytes a second of a body, up or down: a slower one counts as silent; 0 is no
        /// floor. Tunnels have none, nor have answers without a length, such as event streams,
        /// which come as their events arise.
        slowest: u64 = "16B", size(1..=1 << 30, true);
        /// A request in all, from its head to the end of its answer, whoever it waits for and
        /// however often it is tried; 0 is no limit. Tunnels are not bound by it.
        request: Duration = "0", time_or_none();
        /// From when Evenly is told to stop until it takes no new clients: it serves on, answers
        /// 503 at `[server] ready`, and closes each connection after its answer.
        lame_duck: Duration = "0", time_or_none();
        /// Requests in flight when Evenly is told to stop; 0 breaks them off.
        drain: Duration = "15s", time_or_none();
    }
}

table! {
    /// `[limits]`: how much of a thing is accepted.
    pub struct Limits {
        /// Bytes of a request's or answer's head (431 beyond).
        head_bytes: usize = "16KiB", size(1 << 10..=128 << 10, false);
        /// Fields in a head (431 beyond).
        headers: usize = "100", count(1..=HEADERS_MAX as u64);
        /// Bytes of a request's target (414 beyond).
        target_bytes: usize = "8KiB", size(64..=128 << 10, false);
        /// Bytes of a request's body (413 beyond); 0 is no limit, as bodies stream.
        body_bytes: u64 = "0", size(1..=1 << 50, true);
        /// Bytes of a request's body that are awaited before it takes one of the places that
        /// `max_connections` allows an application; 0 awaits none.
        buffer_bytes: usize = "16KiB", size(1..=128 << 10, true), when(RELAYING, PLACES);
        /// Requests until a client's connection is closed; 0 is no limit.
        requests_per_connection: u64 = "1000", count(0..=1_000_000_000),
            when(is_not("timeouts.keep_alive", "0"));
    }
}

impl Limits {
    /// What the parsers of heads need.
    pub fn head(&self) -> HeadLimits {
        let Self { head_bytes, headers, target_bytes, .. } = *self;
        HeadLimits { head_bytes, headers, target_bytes }
    }
}

table! {
    /// `[tls]`: what the listener proves to clients. Without a certificate it speaks no TLS.
    pub struct Tls {
        /// PEM files, each a certificate with its chain. Clients get the first that has the very
        /// name they ask for, else a wildcard for it, else the very first; what has expired is
        /// shown where nothing else fits.
        certificates: Vec<String> = "[]", List {
            item: text("./site.pem", grammar::file),
            empty: true,
        };
        /// PEM files of their keys, in the same order; none if each certificate's file holds it.
        keys: Vec<String> = "[]", List { item: text("./site.key", grammar::file), empty: true },
            when(CERTIFIED);
        /// The oldest version that is spoken.
        min_version: TlsVersion = "1.2", Choice {
            noun: "version",
            built: &[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)],
        }, when(CERTIFIED);
        /// What a client gets that asks for a name in no certificate, or for none.
        unknown_names: UnknownNames = "first", Choice {
            noun: "answer",
            built: &[("first", UnknownNames::First), ("refuse", UnknownNames::Refuse)],
        }, when(CERTIFIED);
        /// How often all files of certificates, keys and authorities are looked at, those of
        /// applications too: what has changed counts for new connections. None leaves that to a
        /// reload.
        watch: Option<Duration> = "1m", OrOff(time(100..=DAY_MS)), when(SOMEWHERE_TLS);
    }
}

table! {
    /// `[log]`: the line that each request leaves.
    pub struct Log {
        /// The format of the line.
        access: AccessLog = "off", Choice {
            noun: "format",
            built: &[
                ("off", AccessLog::Off),
                ("common", AccessLog::Common),
                ("combined", AccessLog::Combined),
                ("json", AccessLog::Json),
            ],
        };
        /// Where lines go: "stdout", "stderr" or a path with a slash or dot in it.
        to: LogTarget = "stdout", text("stdout", grammar::log_target),
            when(is_not("log.access", "off"));
    }
}

#[cfg(feature = "admin")]
table! {
    /// `[admin]`: the endpoint for operators.
    pub struct Admin {
        /// The Unix socket that it is always at: a path, "off", or "auto", which is
        /// `evenly-PORT.sock` in the runtime directory.
        socket: AdminSocket = "auto", text("auto", grammar::admin::socket);
        /// Address and port besides; none is off. Any but a loopback address takes a token.
        listen: Option<SocketAddr> = "off", OrOff(text("127.0.0.1:9900", grammar::admin::listen));
        /// What whoever asks there must show, as `Authorization: Bearer`; if empty, nothing.
        token: String = "", Hidden(text("at least 16 characters", grammar::admin::token)),
            when(OPERATED);
        /// Further values of the Host field that are answered there, with a port or for any.
        hosts: Vec<String> = "[]", List {
            item: text("lb1.example.org", grammar::authority),
            empty: true,
        }, when(OPERATED);
    }
}

#[cfg(not(feature = "admin"))]
table! {
    /// `[admin]`: the endpoint for operators, which is not in this build.
    pub struct Admin {
        /// There is none.
        socket: Option<String> = "off", OrOff(text("off", grammar::admin::absent));
        /// There is none.
        listen: Option<String> = "off", OrOff(text("off", grammar::admin::absent));
    }
}

/// A redirect ends at Evenly: nothing passes through.
pub(super) const RELAYING: Need = is_not("server.mode", "redirect");
pub(super) const CHECKING: Need = is_not("health.interval", "off");
/// A check that is no request asks for nothing.
const REQUESTING: Need = is_not("health.protocol", "tcp");
#[cfg(feature = "admin")]
const OPERATED: Need = is_not("admin.listen", "off");
const EJECTING: Need = is_not("passive.failures", "0");
const RETRYING: Need = is_not("retry.attempts", "0");
/// Nobody waits for a place where there are places without end.
const PLACES: Need = is_not("applications.max_connections", "0");
/// TLS with clients, or with an application.
const SOMEWHERE_TLS: Need = is_not("tls.certificates", "[]").or(&is("applications.tls", "true"));
/// TLS or a preface, before a client can ask.
const BEFORE_HTTP: Need = is("server.proxy_protocol", "required").or(&PREFACED_OR_TLS);
const PREFACED_OR_TLS: Need = is("listeners.proxy_protocol", "required").or(&NAMED_OR_TLS);
const NAMED_OR_TLS: Need = is("listeners.sni", "required").or(&SOMEWHERE_TLS);
/// Whoever wrote one of these keys wants TLS, and without a certificate there would be none.
const CERTIFIED: Need = is_not("tls.certificates", "[]").or_refused();

pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;

/// More than any score needs, and far from what its arithmetic holds.
const POINTS_MAX: u64 = 1_000_000;

pub(super) fn count(range: RangeInclusive<u64>) -> Count {
    Count { range, quoted: false }
}

pub(super) fn port() -> Count {
    Count { range: 1..=65535, quoted: true }
}

/// Whether a connection begins with something, which is never guessed.
pub(super) fn required() -> Choice<bool> {
    let built = &[("off", false), ("required", true)];
    Choice { noun: "setting", built }
}

pub(super) fn time(range: RangeInclusive<u64>) -> Quantity {
    Quantity { measure: &units::TIME, range, zero: false }
}

pub(super) fn time_or_none() -> Quantity {
    Quantity { zero: true, ..time(1..=DAY_MS) }
}

fn size(range: RangeInclusive<u64>, zero: bool) -> Quantity {
    Quantity { measure: &units::SIZE, range, zero }
}

fn statuses(example: &'static str, empty: bool) -> List<RangeInclusive<u16>> {
    let item = Text { example, read: grammar::statuses, write: grammar::write_statuses };
    List { item, empty }
}
