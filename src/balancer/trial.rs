//! What a server would need besides its configuration: descriptors, the log's file, the names of
//! applications, the address. Each is tried as far as that changes nothing. Called by `check`.

use std::io;

use super::build::{NAMES_PATIENCE, cannot_listen, log_destination};
use super::{CannotStart, Prepared};
use crate::config::{AccessLog, Config};
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
}

impl Trial {
    /// Tries everything; returns within a few seconds, however long the resolver takes.
    pub fn of(config: &Config) -> Self {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        match descriptors::fit(config.server.max_connections) {
            Ok((_, lowered)) => notes.extend(lowered),
            Err(few) => faults.push(CannotStart::System(few.to_string())),
        }
        if config.log.access != AccessLog::Off {
            let probed = Log::probe(&log_destination(config));
            faults.extend(probed.err().map(|error| CannotStart::System(error.to_string())));
        }
        faults.extend(unresolved(&config.applications).into_iter().map(CannotStart::System));
        let listen = config.server.listen;
        match Listener::try_bind(listen) {
            Ok(()) => {}
            // Most often it is the very server for which this configuration is meant, so it is a
            // note and no fault. Who else it might be cannot be found out from here.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let what = "in use; if not by the server that this is for, choose another";
                notes.push(format!("server.listen: {listen} is {what}"));
            }
            Err(error) => faults.push(cannot_listen(listen, &error)),
        }
        faults.extend(Prepared::of(config).err().map(CannotStart::Config));
        Self { faults, notes }
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
