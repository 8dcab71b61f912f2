//! What a server would need besides its configuration: the log's file, the names of applications,
//! the address. Each is tried as far as that changes nothing. Called by `check`.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::Failure;
use super::balancer::cannot_listen;
use crate::config::{AccessLog, Config, LogTarget};
use crate::pool::Spec;
use crate::proxy::Listener;
use crate::thread;

/// How long all names may take to be looked up. A resolver that is not there takes longer.
const NAMES_PATIENCE: Duration = Duration::from_secs(5);

/// What came of it.
pub(super) struct Trial {
    /// What would fail.
    pub(super) faults: Vec<Failure>,
    /// What may be as it should.
    pub(super) notes: Vec<String>,
}

impl Trial {
    /// Tries everything; returns within a few seconds, however long the resolver takes.
    pub(super) fn of(config: &Config) -> Self {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        match &config.log.to {
            LogTarget::File(path) if config.log.access != AccessLog::Off => {
                faults.extend(unwritable(path).map(Failure::Run));
            }
            _ => {}
        }
        faults.extend(unresolved(&config.applications).into_iter().map(Failure::Run));
        let listen = config.server.listen;
        match Listener::try_bind(listen) {
            Ok(()) => {}
            // As it is beside a server that runs: what else it could be, nobody here can tell.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let what = "in use; if not by the server that this is for, choose another";
                notes.push(format!("server.listen: {listen} is {what}"));
            }
            Err(error) => faults.push(cannot_listen(listen, &error)),
        }
        Self { faults, notes }
    }
}

/// Why no lines could be appended there, if so. A file that is not there is not made: another one
/// beside it is, and removed.
fn unwritable(path: &Path) -> Option<String> {
    let (tried, remedy) = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Some(format!("log.to: {}: is a folder; name a file in it", path.display()));
        }
        // A pipe or a terminal: to open it could be to wait for its other end.
        Ok(found) if !found.is_file() => return None,
        Ok(_) => (OpenOptions::new().append(true).open(path).map(drop), "let Evenly write to it"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| *folder != "").unwrap_or(Path::new("."));
            let beside = folder.join(format!(".evenly-check-{}", std::process::id()));
            let made = OpenOptions::new().write(true).create_new(true).open(&beside);
            let removed = made.and_then(|_| fs::remove_file(&beside));
            let is_there = folder.is_dir();
            (removed, if is_there { "let Evenly write in its folder" } else { "make its folder" })
        }
        Err(error) => (Err(error), "name another file"),
    };
    let error = tried.err()?;
    Some(format!("log.to: {}: {error}; {remedy}", path.display()))
}

/// A sentence for each application whose name has no address.
fn unresolved(specs: &[Spec]) -> Vec<String> {
    let mut hosts: Vec<&str> = specs.iter().map(|spec| spec.host.as_str()).collect();
    hosts.retain(|host| host.parse::<IpAddr>().is_err());
    hosts.sort_unstable();
    hosts.dedup();
    let until = Instant::now() + NAMES_PATIENCE;
    let (sender, found) = bounded(hosts.len());
    for host in &hosts {
        let (host, sender) = (host.to_string(), sender.clone());
        let look_up = move || {
            let result = (host.as_str(), 0).to_socket_addrs().map(|mut all| all.next().is_some());
            let why = match result {
                Ok(true) => None,
                Ok(false) => Some("it has no address".to_string()),
                Err(error) => Some(error.to_string()),
            };
            // Too late is no error: that is said of it.
            let _ = sender.send((host, why));
        };
        if thread::spawn("look-up", look_up).is_err() {
            break;
        }
    }
    drop(sender);
    let mut answers = Vec::new();
    while let Ok(answer) = found.recv_deadline(until) {
        answers.push(answer);
    }
    let sentence = |spec: &Spec| {
        let answer = answers.iter().find(|(host, _)| *host == spec.host);
        let late = || Some(format!("no answer within {NAMES_PATIENCE:?}"));
        let why = answer.map_or_else(late, |(_, why)| why.clone())?;
        let (name, host) = (&spec.name, &spec.host);
        Some(format!("application {name}: cannot resolve {host}: {why}; correct its ip"))
    };
    specs.iter().filter(|spec| hosts.contains(&spec.host.as_str())).filter_map(sentence).collect()
}
