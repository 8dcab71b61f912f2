//! What a server would need besides its configuration: descriptors, the log's file, the names of
//! applications, the address. Each is tried as far as that changes nothing. Called by `check`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::build::{NAMES_PATIENCE, cannot_listen, log_destination};
use super::{CannotStart, Prepared, operators};
use crate::config::{self, AccessLog, Config};
use crate::engine::{Listener, descriptors};
use crate::log::Log;
use crate::pool::{Found, Spec};
use crate::watch;

/// What came of it.
pub struct Trial {
    /// What would fail.
    pub faults: Vec<CannotStart>,
    /// What may be as it should.
    pub notes: Vec<String>,
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
            faults.extend(probed.err().map(|error| CannotStart::System(error.to_string())));
        }
        faults.extend(unresolved(&config.applications).into_iter().map(CannotStart::System));
        for config::Listener { listen, .. } in config.listening() {
            match Listener::try_bind(listen) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken.push(listen),
                Err(error) => faults.push(cannot_listen(listen, &error)),
            }
        }
        notes.extend(config.listening().iter().filter_map(without_folder));
        faults.extend(Prepared::of(config).err().map(CannotStart::Config));
        let (taken_admin, in_the_way) = operators::try_places(config);
        faults.extend(in_the_way.into_iter().map(CannotStart::System));
        Self { faults, notes, taken, taken_admin }
    }
}

/// An ACME client makes it, maybe later: what is not there is answered 404 meanwhile.
fn without_folder(listener: &config::Listener) -> Option<String> {
    let folder = listener.acme_webroot.as_ref().filter(|folder| !Path::new(folder).is_dir())?;
    Some(format!("listeners.acme_webroot: the folder {folder} does not exist; make it"))
}

/// A sentence for each application whose name has no address.
fn unresolved(specs: &[Spec]) -> Vec<String> {
    let found = watch::look_up_all(specs, NAMES_PATIENCE);
    let sentence = |(spec, found): (&Spec, Found)| {
        let name = &spec.name;
        found.err().map(|why| format!("application {name}: {why}; correct its ip"))
    };
    specs.iter().zip(found).filter_map(sentence).collect()
}
