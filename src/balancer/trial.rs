//! What a server would need besides its configuration: descriptors, the log's file, the names of
//! applications, the address. Each is tried as far as that changes nothing. Called by `check`.

use std::io;
use std::net::SocketAddr;

use super::build::{NAMES_PATIENCE, cannot_listen, cannot_log, log_destination, webroots};
use super::{CannotStart, Prepared, operators};
use crate::config::{self, AccessLog, Answers, Config, Errors};
use crate::engine::{Listener, descriptors};
use crate::log::Log;
use crate::pool::Spec;
use crate::watch;

/// What came of it.
pub struct Trial {
    /// What would fail.
    pub faults: Vec<CannotStart>,
    /// What may be as it should.
    pub notes: Vec<String>,
    /// Where names lead, a sentence each.
    pub names: Vec<String>,
    /// Addresses that somebody has: most often the very server that this configuration is meant
    /// for.
    pub taken: Vec<SocketAddr>,
    /// The same of the places for operators, in words.
    pub taken_admin: Vec<String>,
}

impl Trial {
    /// Tries everything; returns within a few seconds, however long the resolver takes.
    pub fn of(config: &Config) -> Self {
        let (mut faults, mut notes, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        match descriptors::fit(config.server.max_connections) {
            Ok((_, lowered)) => notes.extend(lowered),
            Err(few) => faults.push(CannotStart::System(few.to_string())),
        }
        if config.log.access != AccessLog::Off {
            let probed = Log::probe(&log_destination(config));
            faults.extend(probed.err().map(|error| cannot_log(config, &error)));
        }
        let (unresolved, names) = names(config, &mut notes);
        faults.extend(unresolved.into_iter().map(CannotStart::System));
        for config::Listener { listen, .. } in config.listening() {
            match Listener::try_bind(listen) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken.push(listen),
                Err(error) => faults.push(cannot_listen(config, listen, &error)),
            }
        }
        let alerts = Prepared::of(config).map(|_| ());
        let missing = [webroots(config), alerts].into_iter().filter_map(Result::err);
        let missing = missing.flat_map(Errors::apart);
        faults.extend(missing.map(CannotStart::Config));
        let (taken_admin, in_the_way) = operators::try_places(config);
        faults.extend(in_the_way.into_iter().map(CannotStart::System));
        Self { faults, notes, names, taken, taken_admin }
    }
}

/// A sentence for each application whose name leads nowhere, and where the others lead. What is
/// left out of that is noted.
fn names(config: &Config, notes: &mut Vec<String>) -> (Vec<String>, Vec<String>) {
    let answers = watch::look_up_all(&config.applications, &Answers::new(), NAMES_PATIENCE);
    let is_local = |ip| watch::is_local(ip).unwrap_or(false);
    let (spread, left_out) = config.spread(&answers, &is_local);
    notes.extend(left_out);
    let (mut nowhere, mut found, mut last) = (Vec::new(), Vec::new(), "");
    for spec in &spread.applications {
        let name = spec.application();
        if let Err(why) = spec.address() {
            let what = format!("application {name}: {why}; correct it");
            nowhere.push(config.wrong(&["applications.ip"], &spec.host, what).to_string());
        } else if spec.name != name && name != last {
            let is_of_it = |other: &&Spec| other.name != name && other.application() == name;
            let addresses = match spread.applications.iter().filter(is_of_it).count() {
                1 => "1 address, which is one backend".to_owned(),
                many => format!("{many} addresses, each of which is a backend"),
            };
            found.push(format!("application {name}: {} has {addresses}", spec.host));
            last = name;
        }
    }
    (nowhere, found)
}
