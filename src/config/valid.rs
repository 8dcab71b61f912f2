//! The rules between keys, which no single key can see. Called last, once every key has been read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

#[cfg(feature = "alerts")]
use super::alerts;
#[cfg(feature = "admin")]
use super::listeners::is_met;
use super::message::{Place, quote};
use super::report::Report;
use super::settings::Setting;
use super::units::TIME;
use super::{Config, Listener, Mode, meaning, passing, paths, pools};

/// Reports contradictions, and what is odd. Says nothing while single keys are wrong: it would
/// judge defaults that nobody asked for.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    if !report.is_clean() {
        return;
    }
    meaning::judge_places(report);
    // Where there are no requests, that is the reason, whatever else a key would need.
    passing::judge(config, report);
    meaning::judge(report);
    passing::judge_checks(config, report);
    for (index, pool) in config.parts().iter().enumerate() {
        report.within(index, |report| {
            check_pool(pool, report);
            passing::judge_pool(config, index, report);
        });
    }
    a_user_has_a_group(config, report);
    each_certificate_has_a_key(config, report);
    clients_come_in_as_one_of_two_says(config, report);
    a_secure_listener_has_a_certificate(config, report);
    whoever_is_sent_on_gets_there(config, report);
    passing::each_leads_somewhere(config, report);
    listeners_are_part_of_the_house(config, report);
    prefaces_come_from_somebody(config, report);
    pools::judge(config, report);
    paths::each_has_one_use(config, report);
    #[cfg(feature = "alerts")]
    alerts::judge(config, report);
    #[cfg(feature = "admin")]
    others_prove_who_they_are(config, report);
}

/// The same of what one pool says, and the file for it.
fn check_pool(pool: &Config, report: &mut Report<'_>) {
    ejections_grow(pool, report);
    checks_end_before_the_next(pool, report);
    each_path_has_one_answer(pool, report);
    a_backup_is_one_of_others(pool, report);
    slow_has_a_range(pool, report);
    a_text_has_a_body_to_be_in(pool, report);
    no_status_is_well_and_asks_to_be_drained(pool, report);
    secure_cookies_have_tls(pool, report);
    no_backend_is_evenly(pool, report);
}

fn ejections_grow(config: &Config, report: &mut Report<'_>) {
    let (eject, most) = (config.passive.eject, config.passive.eject_max);
    if eject > most {
        let [eject, most] = [eject, most].map(|time| quote(&TIME.write(time.as_millis() as u64)));
        let what = format!("eject {eject} is longer than eject_max {most}; raise eject_max");
        report.add(later(["passive.eject", "passive.eject_max"], report), "passive", what);
    }
}

/// One that hangs is then in the way of the next: an application is asked less often than it says,
/// and is down later than `interval` and `fall` promise.
fn checks_end_before_the_next(config: &Config, report: &mut Report<'_>) {
    let health = &config.health;
    let Some(interval) = health.interval.filter(|interval| *interval < health.timeout) else {
        return;
    };
    let [timeout, interval] = [health.timeout, interval].map(|time| time.as_millis() as u64);
    let [timeout, interval] = [timeout, interval].map(|time| quote(&TIME.write(time)));
    let so = "a check that hangs keeps the next ones waiting";
    // The key that is written is the one to look at. With neither set here it is what the program
    // began with, and not for its user to mend.
    match ["health.timeout", "health.interval"].map(|key| (key, report.place(key))) {
        [(_, Place::File), (_, Place::File)] => {}
        [(_, Place::File), (key, place)] => {
            let what = format!("{interval} is shorter than timeout {timeout}, its default");
            report.warn(place, key, format!("{what}: {so}; write a shorter timeout, too"));
        }
        [(key, place), _] => {
            let what = format!("{timeout} is longer than interval {interval}: {so}; lower it");
            report.warn(place, key, what);
        }
    }
}

/// Both answer themselves, and one of them would never be heard.
fn each_path_has_one_answer(config: &Config, report: &mut Report<'_>) {
    let ready = config.server.ready.as_ref();
    if let Some(path) = ready.filter(|path| config.lookup.path.as_ref() == Some(path)) {
        let what = format!("{} is lookup.path too; choose another", quote(path));
        report.add(later(["server.ready", "lookup.path"], report), "server.ready", what);
    }
}

/// One is spared until no other is up: where each is one, nobody is spared.
fn a_backup_is_one_of_others(config: &Config, report: &mut Report<'_>) {
    if config.applications.iter().all(|spec| spec.backup) {
        let backup = |item: &Vec<Setting>| item.iter().rfind(|it| it.key == "backup").cloned();
        let last = report.settings.items.iter().filter_map(backup).next_back();
        let place = last.map_or(Place::File, |setting| setting.place);
        let what = "means nothing where each application is one; remove it from one";
        report.warn(place, "applications.backup", what);
    }
}

/// One that is a number may be in no file, and nobody else knows its group.
fn a_user_has_a_group(config: &Config, report: &mut Report<'_>) {
    let (user, group) = (&config.server.user, &config.server.group);
    if let (Some(user), None) = (user.as_ref().filter(|user| user.group.is_none()), group) {
        let what =
            format!("{user} is not in /etc/passwd, which would say its group; set group too");
        report.add(report.place("server.user"), "server.user", what);
    }
}

fn slow_has_a_range(config: &Config, report: &mut Report<'_>) {
    let (from, most) = (config.scored.slow_from, config.scored.slow_max);
    if from > most {
        let what = format!("slow_from {from} is above slow_max {most}; raise slow_max");
        report.add(later(["scored.slow_from", "scored.slow_max"], report), "scored", what);
    }
}

fn a_text_has_a_body_to_be_in(config: &Config, report: &mut Report<'_>) {
    if config.health.contains.is_some() && config.health.method == "HEAD" {
        let what = "an answer to HEAD has no body that could contain it; write method = \"GET\"";
        let place = later(["health.contains", "health.method"], report);
        report.add(place, "health.contains", what);
    }
}

fn no_status_is_well_and_asks_to_be_drained(config: &Config, report: &mut Report<'_>) {
    let health = &config.health;
    let shared = |drain: &RangeInclusive<u16>| {
        let first = |expect: &RangeInclusive<u16>| *drain.start().max(expect.start());
        let meets = |expect: &&RangeInclusive<u16>| first(expect) <= *drain.end().min(expect.end());
        health.expect.iter().find(meets).map(first)
    };
    if let Some(status) = health.drain.iter().find_map(shared) {
        let what = format!("{status} passes by expect; remove it from one of the two");
        let place = later(["health.drain", "health.expect"], report);
        report.add(place, "health.drain", what);
    }
}

fn each_certificate_has_a_key(config: &Config, report: &mut Report<'_>) {
    let (certificates, keys) = (config.tls.certificates.len(), config.tls.keys.len());
    if certificates != 0 && keys != 0 && keys != certificates {
        let what = format!(
            "{certificates} in certificates and {keys} in keys; name one key for each, in the \
             same order, or none if each certificate's file holds its key"
        );
        report.add(later(["tls.certificates", "tls.keys"], report), "tls", what);
    }
}

/// Browsers drop a cookie with one of the two prefixes, in any case of letters, if it is not marked
/// Secure (RFC 6265bis section 4.1.3). Ours is where the client speaks TLS, with us or with a
/// trusted proxy.
fn secure_cookies_have_tls(config: &Config, report: &mut Report<'_>) {
    let in_the_clear =
        config.tls.certificates.is_empty() && config.server.trusted_proxies.is_empty();
    let Some(name) = config.sticky.cookie.as_ref().filter(|_| in_the_clear) else { return };
    let starts_with = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if starts_with("__Host-") || starts_with("__Secure-") {
        let what = "is a name for cookies that need TLS; name [tls] certificates, or write";
        let what = format!("{} {what} for example \"BACKEND\"", quote(name));
        report.add(report.place("sticky.cookie"), "sticky.cookie", what);
    }
}

/// Whoever wrote both believes that clients come in at each of them.
fn clients_come_in_as_one_of_two_says(config: &Config, report: &mut Report<'_>) {
    let place = report.place("server.listen");
    if !config.listeners.is_empty() && place != Place::File {
        let what = "says nothing beside [[listeners]], which name all addresses; make it one of \
                    them, or remove it";
        report.add(place, "server.listen", what);
    }
}

fn a_secure_listener_has_a_certificate(config: &Config, report: &mut Report<'_>) {
    if config.listeners.is_empty() {
        return;
    }
    let is_certified = !config.tls.certificates.is_empty();
    let mut all = config.listeners.iter().enumerate();
    if let Some((at, one)) = all.find(|(_, one)| config.is_secure(one) && !is_certified) {
        let what =
            format!("{} has no certificate to show; name certificates in [tls]", quote(&one.name));
        report.add(report.place_at(at, "listeners.tls"), "listeners.tls", what);
    }
    if is_certified && !config.listeners.iter().any(|one| config.is_secure(one)) {
        let why = match config.listeners.iter().all(|one| one.sni || one.mode == Mode::ToHttps) {
            true => "means nothing where TLS is but passed on, as with sni; remove this key",
            false => {
                "means nothing where no listener speaks TLS; write tls = true in one, or remove \
                 this key"
            }
        };
        let is_of_them = |path: &str| path.starts_with("tls.") && path != "tls.watch";
        passing::warn_of(&report.settings.clone(), &is_of_them, why, report);
    }
}

/// Of what is more than all, nothing comes.
fn listeners_are_part_of_the_house(config: &Config, report: &mut Report<'_>) {
    let (key, all) = ("listeners.max_connections", config.server.max_connections);
    for (at, one) in config.listeners.iter().enumerate() {
        if one.max_connections.is_some_and(|most| most as usize > all) {
            let what =
                format!("server.max_connections lets in {all} at all; lower this, or remove it");
            report.warn(report.place_at(at, key), key, what);
        }
    }
}

/// Sent to where they are sent on, clients would go round for ever, or fail.
fn whoever_is_sent_on_gets_there(config: &Config, report: &mut Report<'_>) {
    let all = &config.listeners;
    let is_secure = |port: Option<u16>| {
        let is_it = |one: &&Listener| port.is_none_or(|port| one.listen.port() == port);
        all.iter().filter(is_it).any(|one| config.is_secure(one))
    };
    for (at, one) in all.iter().enumerate().filter(|(_, one)| one.mode == Mode::ToHttps) {
        let place = report.place_at(at, "listeners.https_port");
        let mode = report.place_at(at, "listeners.mode");
        let port = one.https_port;
        let is_there = |other: &&Listener| {
            other.mode == Mode::ToHttps && other.listen.port() == port && !is_secure(Some(port))
        };
        if let Some(round) = all.iter().find(is_there) {
            let what = format!(
                "{port} is where {} is, which sends clients on and speaks no TLS; name the port \
                 at which https is spoken",
                quote(&round.name)
            );
            report.add(place, "listeners.https_port", what);
        } else if place == Place::File && !is_secure(None) {
            let what = format!(
                "{} sends clients to https at port {port}, and no listener here speaks TLS; give \
                 one certificates, or write https_port if another machine does",
                quote(&one.name)
            );
            report.warn(mode, "listeners.mode", what);
        } else if place == Place::File && !is_secure(Some(port)) {
            let there = all.iter().find(|other| config.is_secure(other));
            let there = there.map_or(port, |other| other.listen.port());
            let what = format!(
                "{} sends clients to https at port {port}, where no listener here is; write \
                 https_port = {there}, or {port} if it is reached there",
                quote(&one.name)
            );
            report.warn(mode, "listeners.mode", what);
        }
    }
}

/// Believed of anybody, a preface makes each client whom it likes to be.
fn prefaces_come_from_somebody(config: &Config, report: &mut Report<'_>) {
    let all = config.listening();
    if config.server.trusted_proxies.is_empty()
        && let Some((at, one)) = all.iter().enumerate().find(|(_, it)| config.expects_preface(it))
    {
        let what = "\"required\" takes connections from trusted_proxies alone, and there are none; \
                    name the balancers in front, for example trusted_proxies = [\"10.0.0.1\"]";
        let own = "listeners.proxy_protocol";
        let (place, key) = match one.proxy_protocol {
            Some(_) => (report.place_at(at, own), own),
            None => {
                let keys = ["server.proxy_protocol", "server.trusted_proxies"];
                (later(keys, report), "server.proxy_protocol")
            }
        };
        report.add(place, key, what);
    }
}

/// A request relayed to an own listener would go round until the descriptors run out.
fn no_backend_is_evenly(config: &Config, report: &mut Report<'_>) {
    for (at, Listener { listen, .. }) in config.listening().into_iter().enumerate() {
        let own = |host: &str| match host.parse::<IpAddr>() {
            Ok(ip) => is_ours(listen, ip),
            Err(_) => {
                host == "localhost" && (listen.ip().is_loopback() || listen.ip().is_unspecified())
            }
        };
        for spec in &config.applications {
            if spec.port == listen.port() && own(&spec.host) {
                let name = &spec.name;
                let what = format!("{listen} is the application {name} too; choose another port");
                let (place, key) = where_clients_come_in(at, config, report);
                report.add(place, key, what);
            }
        }
    }
}

/// True if who connects to `ip`, at the port of `listen`, comes in there for all that is known
/// without a look at this machine.
pub(super) fn is_ours(listen: SocketAddr, ip: IpAddr) -> bool {
    let (own, met) = (listen.ip().to_canonical(), met(ip.to_canonical()));
    if own.is_unspecified() { met.is_loopback() } else { met == own }
}

/// Where Linux leads who connects to this: what is no address in particular is this machine.
fn met(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// The key that says so of the listener at this place.
fn where_clients_come_in(at: usize, config: &Config, report: &Report<'_>) -> (Place, &'static str) {
    match config.listeners.is_empty() {
        true => (report.place("server.listen"), "server.listen"),
        false => (report.place_at(at, "listeners.listen"), "listeners.listen"),
    }
}

/// Whoever reaches the endpoint may take applications out. On this machine only its users do.
#[cfg(feature = "admin")]
fn others_prove_who_they_are(config: &Config, report: &mut Report<'_>) {
    let admin = &config.admin;
    let Some(listen) = admin.listen else { return };
    if !listen.ip().to_canonical().is_loopback() && admin.token.is_empty() {
        let what = format!(
            "{listen} can be reached from elsewhere: set a token of at least 16 characters, or \
             write \"127.0.0.1:{}\"",
            listen.port()
        );
        report.add(report.place("admin.listen"), "admin.listen", what);
    }
    let ours = config.listening().into_iter().map(|one| one.listen);
    if let Some(ours) = ours.into_iter().find(|ours| is_met(listen, *ours)) {
        let what = format!("clients are served at {ours}; choose another port");
        report.add(report.place("admin.listen"), "admin.listen", what);
    }
}

/// Where the later one of two keys was written. A default has no place, which orders first.
fn later(keys: [&str; 2], report: &Report<'_>) -> Place {
    let [one, other] = keys.map(|key| report.place(key));
    one.max(other)
}
