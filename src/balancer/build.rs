//! What the configuration becomes: a log, a pool with the addresses of its backends, a listening
//! socket, checks. Called by the start, and by its trial, which tries the same and keeps nothing.

use super::{CannotStart, Prepared, failed, tell};
use crate::config::{self, AccessLog, Answers, Config, Errors, LogTarget};
use crate::config::{Mode, Serving};
use crate::engine::{Listener, descriptors};
use crate::event::{Event, Teller};
use crate::log::{self, Log};
use crate::pool::policy::Policy;
use crate::pool::{Pool, Pools, Rules, Secret, Spec};
use crate::tls::Tls;
use crate::watch::{Respread, Watch, Watched, WatchedPool, is_local};
use rustix::process::geteuid;
use std::cell::Cell;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the start, or its trial, waits for names. Those that are late are down until they are
/// found.
pub(super) const NAMES_PATIENCE: Duration = Duration::from_secs(3);

/// How much longer than one check the first round may take.
const FIRST_ROUND_MARGIN: Duration = Duration::from_millis(500);
/// How long clients wait for it at the most, whatever a check may take.
const FIRST_ROUND_MAX: Duration = Duration::from_secs(10);

/// What is served at a listener, in a few words, to which its address is added.
pub fn summary(config: &Config, listener: &config::Listener) -> String {
    if listener.mode == Mode::ToHttps {
        return format!("redirecting to https at port {}", listener.https_port);
    }
    let parts = config.parts().iter().enumerate();
    let led = parts.filter(|(index, _)| config.leads_to(listener, *index)).map(|(_, part)| part);
    let led: Vec<&Config> = led.collect();
    let count: usize = led.iter().map(|part| part.applications.len()).sum();
    let noun = if count == 1 { "application" } else { "applications" };
    let policy = match led[..] {
        _ if config.pools.is_empty() => config.balance.policy.name().to_owned(),
        [own] => format!("in pool {}", own.pool_name()),
        _ => format!("in {} pools", led.len()),
    };
    let how = if config.server.mode == Serving::Redirect { ", redirecting" } else { "" };
    let tls = if config.is_secure(listener) { ", with TLS" } else { "" };
    let tcp = match (listener.mode, listener.sni) {
        (Mode::Tcp, true) => "TCP by the names that TLS asks for, ",
        (Mode::Tcp, false) => "TCP, ",
        _ => "",
    };
    format!("{tcp}{count} {noun}, {policy}{how}{tls}")
}

/// Listens wherever clients are to come in, in the order of the file. `inherit` has the socket of
/// a predecessor, if it listens there.
pub(super) fn bind_all(
    config: &Config,
    mut inherit: impl FnMut(SocketAddr) -> Option<Listener>,
) -> Result<Vec<Listener>, CannotStart> {
    let bind =
        |listen| Listener::bind(listen).map_err(|error| cannot_listen(config, listen, &error));
    let all = config.listening().into_iter();
    all.map(|one| inherit(one.listen).map_or_else(|| bind(one.listen), Ok)).collect()
}

pub(super) fn start_log(config: &Config) -> Result<Log, CannotStart> {
    let format = match config.log.access {
        AccessLog::Off => None,
        AccessLog::Common => Some(log::Format::Common),
        AccessLog::Combined => Some(log::Format::Combined),
        AccessLog::Json => Some(log::Format::Json),
    };
    let open = |format| Log::open(&log_destination(config)).map(|to| (format, to));
    let access = format.map(open).transpose().map_err(|error| cannot_log(config, &error))?;
    Log::start(access).map_err(failed("cannot start the log"))
}

/// No more is this the file's fault than what `cannot_listen` says.
pub(super) fn cannot_log(config: &Config, error: &io::Error) -> CannotStart {
    let to = log_destination(config).name();
    CannotStart::System(config.wrong(&["log.to"], &to, error.to_string()).to_string())
}

/// Where access lines go.
pub(super) fn log_destination(config: &Config) -> log::Destination {
    match &config.log.to {
        LogTarget::Stdout => log::Destination::Stdout,
        LogTarget::Stderr => log::Destination::Stderr,
        LogTarget::File(path) => log::Destination::File(path.clone()),
    }
}

/// Which addresses are this machine's own, as far as that can be told.
pub(super) struct Own {
    is_local: fn(IpAddr) -> io::Result<bool>,
    /// Why it could not be told of one.
    wanting: Cell<Option<io::Error>>,
}

impl Default for Own {
    fn default() -> Self {
        Self { is_local, wanting: Cell::default() }
    }
}

impl Own {
    /// As [`Config::spread`] asks.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        (self.is_local)(ip).map_err(|error| self.wanting.set(Some(error))).unwrap_or(true)
    }

    /// An error if it could not be told of one: an address of our own that is taken for a backend
    /// has requests go in a circle.
    pub(super) fn sure(self) -> Result<(), String> {
        match self.wanting.take() {
            None => Ok(()),
            Some(error) => Err(format!(
                "cannot tell which addresses of names are this machine's own: {error}; try again"
            )),
        }
    }
}

/// The pools of applications that are at each of their addresses. `drawn` is for their sticky
/// cookies, if a predecessor has drawn it.
pub(super) fn build_pools(config: &Config, drawn: Option<Secret>, teller: &Teller) -> Pools {
    let mut place = 0;
    for part in config.parts() {
        let mut is_any_found = false;
        for spec in &part.applications {
            match spec.address() {
                Ok(_) => is_any_found = true,
                Err(why) => tell_unresolved(&spec.name, &config.in_pool(place), &why, teller),
            }
            place += 1;
        }
        if !is_any_found {
            teller.tell(Event::NoneFound { pool: part.pool.as_deref() });
        }
    }
    let drawn = drawn.unwrap_or_else(draw);
    let build = |part: &Config| {
        let specs = specs(part);
        let policy = policy_of(part, &specs);
        Pool::new(specs, policy, rules(part, drawn))
    };
    Pools::of(config.parts().iter().map(build).collect())
}

/// `within`: which pool it is of, where there are several.
pub(super) fn tell_unresolved(backend: &str, within: &str, why: &str, teller: &Teller) {
    let within = if within.is_empty() { String::new() } else { format!(",{within}") };
    let why = &format_args!("{why}; down until it does{within}");
    teller.tell(Event::Unresolved { backend, why });
}

/// The applications as the pool has them.
pub(super) fn specs(config: &Config) -> Vec<Spec> {
    let mut specs = config.applications.clone();
    if config.server.mode == Serving::Redirect {
        // Nothing passes through that could be counted; a limit would only hit those who happen to
        // be told at the same instant.
        specs.iter_mut().for_each(|spec| spec.max_connections = 0);
    }
    specs
}

pub(super) fn policy_of(config: &Config, specs: &[Spec]) -> Box<dyn Policy> {
    config.balance.policy.build(specs, &config.scored)
}

/// What the configuration of a pool says about its decisions, with the secret of the sticky
/// cookies: the operator's, else the one that was drawn. So without the operator's, they last until
/// the restart.
pub(super) fn rules(part: &Config, drawn: Secret) -> Rules {
    let secret = |_| match part.sticky.secret.as_str() {
        "" => drawn,
        text => Secret::of(text),
    };
    Rules { sticky: part.sticky.cookie.as_ref().map(secret), ..part.rules() }
}

/// The secret that was drawn for the pools of this configuration, if one was.
pub(super) fn drawn(config: &Config, pools: &Pools) -> Option<Secret> {
    let of = |(part, pool): (&Config, &Arc<Pool>)| {
        pool.rules().sticky.filter(|_| part.sticky.secret.is_empty())
    };
    config.parts().iter().zip(pools.all()).find_map(of)
}

/// One for cookies that lead nobody anywhere yet.
pub(super) fn draw() -> Secret {
    let random = RandomState::new();
    Secret::drawn([0, 1].map(|half| random.hash_one(half)))
}

/// Starts the checks and waits, within reason, until each backend was asked once.
pub(super) fn start_watch(
    config: &Config,
    tls: &Tls,
    pools: &Pools,
    (answers, respread): (Answers, Respread),
    teller: &Teller,
    epoch: Instant,
) -> Result<Watch, CannotStart> {
    let (watched, teller) = (watched(config, tls, pools, answers), teller.clone());
    let watch = Watch::start(watched, epoch, respread, move |event| tell::watched(&teller, event));
    let watch = watch.map_err(failed("cannot start the checks"))?;
    watch.first_round(first_round(config));
    Ok(watch)
}

/// What is watched: each pool as its part of the configuration has it.
pub(super) fn watched(config: &Config, tls: &Tls, pools: &Pools, answers: Answers) -> Watched {
    let mut connectors = tls.connectors.iter().cloned();
    let of = |(part, pool): (&Config, &Arc<Pool>)| WatchedPool {
        pool: Arc::clone(pool),
        connectors: connectors.by_ref().take(pool.backends().len()).collect(),
        settings: part.into(),
    };
    Watched { pools: config.parts().iter().zip(pools.all()).map(of).collect(), answers }
}

/// How long the first checks are waited for.
pub(super) fn first_round(config: &Config) -> Duration {
    let longest = config.parts().iter().map(|part| part.health.timeout).max();
    (longest.unwrap_or_default() + FIRST_ROUND_MARGIN).min(FIRST_ROUND_MAX)
}

/// No address is the file's fault, which may be right on another machine or at another time.
pub(super) fn cannot_listen(config: &Config, listen: SocketAddr, error: &io::Error) -> CannotStart {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "end the program that uses it, or choose another address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "choose an address of this machine",
    };
    let what = format!("cannot listen on {listen}: {error}; {remedy}");
    CannotStart::System(at_listen(config, listen, what))
}

/// What is wrong with an address, at the place where the file names it.
pub fn at_listen(config: &Config, listen: SocketAddr, what: String) -> String {
    let keys = ["listeners.listen", "server.listen"];
    let keys = if config.listeners.is_empty() { &keys[1..] } else { &keys[..1] };
    config.wrong(keys, &listen.to_string(), what).to_string()
}

/// Reads the files that the configuration names; all that is wrong with any of them.
pub(super) fn open_files(config: &Config) -> Result<(Tls, Prepared), Errors> {
    let read = Errors::both(Tls::load(config), Prepared::of(config));
    Errors::both(read, webroots(config)).map(|(read, ())| read)
}

/// Looks at the folders that proofs for an ACME server are to be in. An ACME client makes none of
/// them either, so one that is not there is a slip in the file.
pub(super) fn webroots(config: &Config) -> Result<(), Errors> {
    let folders = config.listeners.iter().filter_map(|one| one.acme_webroot.as_deref());
    let faults = folders.filter_map(|folder| {
        let inside = || fs::metadata(format!("{folder}/.")).map_err(|it| it.kind());
        let what = match fs::metadata(folder) {
            Ok(found) if found.is_dir() => match inside() {
                Err(io::ErrorKind::PermissionDenied) => {
                    let user = geteuid().as_raw();
                    format!("cannot be entered by user {user}; let that one in (chmod o+x)")
                }
                // What is in there, the ACME client makes and removes.
                _ => return None,
            },
            Ok(_) => "is no folder; name the one that the ACME client has as its webroot".into(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                "does not exist; make the folder, or correct its path".into()
            }
            Err(error) => format!("cannot be looked at: {error}; let evenly's user enter it"),
        };
        let keys = ["listeners.acme_webroot"];
        Some(config.wrong(&keys, folder, format!("{folder} {what}")))
    });
    faults.reduce(Errors::and).map_or(Ok(()), Err)
}

/// Promises no more clients than fit, and says if that is fewer.
pub(super) fn fit_descriptors(server: &mut config::Server) -> Result<Option<String>, CannotStart> {
    let fit = descriptors::fit(server.max_connections);
    let (fitting, lowered) = fit.map_err(|few| CannotStart::System(few.to_string()))?;
    server.max_connections = fitting;
    Ok(lowered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_listener_those_are_counted_whom_it_leads_to() {
        let pool = |name: &str| {
            let table =
                |port| format!("[[pools.applications]]\nip = \"{name}.x\"\nport = {port}\n");
            format!("[[pools]]\nname = {name:?}\n{}", [1, 2].map(table).concat())
        };
        let text = format!(
            "[[listeners]]\nlisten = \"0.0.0.0:1\"\n\
             [[listeners]]\nlisten = \"0.0.0.0:2\"\nmode = \"tcp\"\n\
             [[listeners]]\nlisten = \"0.0.0.0:3\"\nmode = \"tcp\"\npool = \"c\"\n{}\
             [[routes]]\npath = \"/a\"\npool = \"a\"\n[[routes]]\npool = \"b\"\n",
            ["a", "b", "c"].map(pool).concat()
        );
        let config = Config::parse(&text, "test").unwrap();
        let said: Vec<_> = config.listening().iter().map(|one| summary(&config, one)).collect();
        let tcp = |pool: &str| format!("TCP, 2 applications, in pool {pool}");
        assert_eq!(said, ["4 applications, in 2 pools".to_owned(), tcp("b"), tcp("c")]);
    }

    #[test]
    fn without_a_descriptor_no_address_is_taken_for_anothers() {
        let is_local = |_| Err(io::Error::from_raw_os_error(24));
        let own = Own { is_local, ..Own::default() };
        assert!(own.has([192, 0, 2, 1].into()));
        let why = own.sure().unwrap_err();
        assert!(why.contains("this machine's own: ") && why.contains("os error 24"), "{why}");
        let own = Own::default();
        assert!(own.has([127, 0, 0, 1].into()) && !own.has([192, 0, 2, 1].into()));
        assert_eq!(own.sure(), Ok(()));
    }
}
