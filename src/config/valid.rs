//! The rules between keys, which no single key can see. Called last, once every key has been read.

use std::net::IpAddr;

use super::Config;
use super::message::{Report, quote};
use super::units::TIME;

/// Reports contradictions. Says nothing while single keys are wrong: it would judge defaults that
/// nobody asked for.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    if !report.is_clean() {
        return;
    }
    ejections_grow(config, report);
    slow_has_a_range(config, report);
    no_backend_is_evenly(config, report);
}

fn ejections_grow(config: &Config, report: &mut Report<'_>) {
    let (eject, most) = (config.passive.eject, config.passive.eject_max);
    if eject > most {
        let [eject, most] = [eject, most].map(|time| quote(&TIME.write(time.as_millis() as u64)));
        let what = format!("eject {eject} is longer than eject_max {most}; raise eject_max");
        // Whichever was written later; a default has no place, which orders first.
        let places = ["passive.eject", "passive.eject_max"].map(|key| report.place(key));
        report.add(places.into_iter().max().expect("two places"), "passive", what);
    }
}

fn slow_has_a_range(config: &Config, report: &mut Report<'_>) {
    let (from, most) = (config.scored.slow_from, config.scored.slow_max);
    if from > most {
        let what = format!("slow_from {from} is above slow_max {most}; raise slow_max");
        // Whichever was written later; a default has no place, which orders first.
        let places = ["scored.slow_from", "scored.slow_max"].map(|key| report.place(key));
        report.add(places.into_iter().max().expect("two places"), "scored", what);
    }
}

/// A request relayed to the own listener would go round until the descriptors run out.
fn no_backend_is_evenly(config: &Config, report: &mut Report<'_>) {
    let listen = config.server.listen;
    let own = |host: &str| match host.parse::<IpAddr>() {
        Ok(ip) if listen.ip().is_unspecified() => ip.is_loopback() || ip.is_unspecified(),
        Ok(ip) => ip == listen.ip().to_canonical(),
        Err(_) => {
            host == "localhost" && (listen.ip().is_loopback() || listen.ip().is_unspecified())
        }
    };
    for spec in &config.applications {
        if spec.port == listen.port() && own(&spec.host) {
            let name = &spec.name;
            let what = format!("{listen} is the application {name} too; choose another port");
            report.add(report.place("server.listen"), "server.listen", what);
        }
    }
}
