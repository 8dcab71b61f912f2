//! What a server would need besides its configuration: descriptors, the log's file, the names of
//! applications, the address. Each is tried as far as that changes nothing. Called by `check`.

use std::io;
use std::net::SocketAddr;

use super::build::{NAMES_PATIENCE, cannot_listen, log_destination};
use super::{CannotStart, Prepared};
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
        faults.extend(Prepared::of(config).err().map(CannotStart::Config));
        Self { faults, notes, taken }
    }
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
