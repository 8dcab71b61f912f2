//! TLS: what the listener proves to clients, whom backends must prove to be, and the bytes of one
//! connection.
//!
//! Called by whoever starts things, to read the files, and by whoever has a connection. It opens
//! no socket: a [`Session`] is handed one. Without the feature `tls` the room is empty, and what
//! asks for it is refused at the start.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod acceptor;
#[cfg(feature = "tls")]
mod chain;
#[cfg(feature = "tls")]
mod connector;
#[cfg(feature = "tls")]
mod fault;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod print;
mod remedy;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod shown;
mod stream;
#[cfg(feature = "tls")]
mod trust;

#[cfg(feature = "tls")]
use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::config::{Config, Errors};
use crate::pool::Spec;

#[cfg(not(feature = "tls"))]
pub use absent::{Acceptor, Connector, Session, Shown};
#[cfg(feature = "tls")]
pub use acceptor::Acceptor;
#[cfg(feature = "tls")]
pub use connector::Connector;
pub use remedy::Remedy;
#[cfg(feature = "tls")]
pub use session::Session;
#[cfg(feature = "tls")]
pub use shown::Shown;
pub use stream::Stream;
#[cfg(feature = "tls")]
use trust::Term;

/// All the TLS of a configuration, its files read.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// What is proved to clients; none if the listener speaks no TLS.
    pub acceptor: Option<Acceptor>,
    /// How each application is reached, in the order of the file; none in the clear.
    pub connectors: Vec<Option<Connector>>,
    /// The certificates that are shown to anybody.
    pub shown: Vec<Shown>,
    /// How long those are valid whom alerts believe: as long as they were when that was read.
    #[cfg(feature = "tls")]
    terms: Vec<Term>,
    /// Stands for the bytes of all the files but those of alerts.
    #[cfg(feature = "tls")]
    print: u64,
}

impl Tls {
    /// Reads the files. The errors name all that will not do, where the configuration names them,
    /// and say why.
    pub fn load(config: &Config) -> Result<Self, Errors> {
        let mut shown = Vec::new();
        // Before they are read for use: one that is replaced meanwhile is another the next time.
        #[cfg(feature = "tls")]
        let print = print_of(config);
        let acceptor = Acceptor::load(config, SystemTime::now(), &mut shown);
        let connectors = Connector::load(config, &mut shown);
        let (acceptor, connectors) = Errors::both(acceptor, connectors)?;
        Ok(Self {
            acceptor,
            connectors,
            shown,
            #[cfg(feature = "tls")]
            terms: config.authorities_of_alerts().filter_map(Term::read).collect(),
            #[cfg(feature = "tls")]
            print,
        })
    }

    /// With the files as they are now, and what will not do of them: there, the ones before go on.
    /// None as long as no file has changed.
    #[cfg(feature = "tls")]
    pub fn renewed(&self, config: &Config) -> Option<(Self, Vec<Errors>)> {
        let print = print_of(config);
        if print == self.print {
            return None;
        }
        let (mut shown, mut faults, now) = (Vec::new(), Vec::new(), SystemTime::now());
        let acceptor = self.acceptor.as_ref().map(|before| {
            let renewed = before.renewed(config, now, &mut shown, &mut faults);
            renewed.unwrap_or_else(|fault| {
                faults.push(fault);
                before.clone()
            })
        });
        let connectors = Connector::renewed(&self.connectors, config, &mut shown, &mut faults);
        // Those of applications that go on with the one before.
        let is_missing = |one: &&Shown| !shown.iter().any(|it| it.file() == one.file());
        let kept: Vec<Shown> = self.shown.iter().filter(is_missing).cloned().collect();
        shown.extend(kept);
        // A pair that is not valid yet is good later, with no change of its file.
        let print = if faults.is_empty() { print } else { UNREAD };
        let terms = self.terms.clone();
        Some((Self { acceptor, connectors, shown, terms, print }, faults))
    }

    /// Reads the files of a listener, and none of those who are called.
    pub fn for_listener(config: &Config) -> Result<Option<Acceptor>, Errors> {
        Acceptor::load(config, SystemTime::now(), &mut Vec::new())
    }

    /// Reads the files of those who are called, and none of a listener's.
    pub fn for_client(config: &Config) -> Result<Self, Errors> {
        let mut shown = Vec::new();
        let connectors = Connector::load(config, &mut shown)?;
        Ok(Self { connectors, shown, ..Self::default() })
    }

    /// The same for `specs`, each of which is one of the applications `before` at some address.
    #[must_use]
    pub fn among(&self, before: &[Spec], specs: &[Spec]) -> Self {
        let connector = |spec: &Spec| {
            let is_it = |old: &Spec| (&old.host, &old.tls) == (&spec.host, &spec.tls);
            before.iter().position(is_it).and_then(|at| self.connectors.get(at).cloned().flatten())
        };
        Self { connectors: specs.iter().map(connector).collect(), ..self.clone() }
    }

    /// What is otherwise than in `before`, a sentence each. `heirs` says who each of `specs` was
    /// there, by place.
    pub fn news(&self, before: &Self, heirs: &[Option<usize>], config: &Config) -> Vec<String> {
        let is_new = |one: &&Shown| !before.shown.contains(one);
        let mut news: Vec<String> =
            self.shown.iter().filter(is_new).map(|one| format!("certificate {one}")).collect();
        for (index, (spec, heir)) in config.applications.iter().zip(heirs).enumerate() {
            if heir.is_some_and(|old| self.trust(index) != before.trust(old)) {
                let (name, within) = (&spec.name, config.in_pool(index));
                let what = "whom it or we must prove to be has changed";
                news.push(format!(
                    "application {name}{within}: {what}; its connections are made anew"
                ));
            }
        }
        news
    }

    fn trust(&self, index: usize) -> u64 {
        self.connectors.get(index).and_then(Option::as_ref).map_or(0, Connector::trust)
    }

    /// What an operator should know of the certificates, a sentence each: those that have expired
    /// or soon will, authorities that have, and keys that others may read.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let now = SystemTime::now();
        let shown = self.shown.iter().flat_map(move |shown| shown.warnings(now));
        #[cfg(feature = "tls")]
        let shown = shown.chain(self.outdated(now));
        shown
    }

    /// A sentence for each file of authorities that has expired.
    #[cfg(feature = "tls")]
    fn outdated(&self, now: SystemTime) -> BTreeSet<String> {
        let terms = self.connectors.iter().flatten().filter_map(Connector::term);
        terms.chain(&self.terms).filter_map(|term| term.warning(now)).collect()
    }
}

/// The print of no file, so that all are read again.
#[cfg(feature = "tls")]
const UNREAD: u64 = 0;

/// What stands for the bytes of all files that are named; the system's authorities are not.
#[cfg(feature = "tls")]
fn print_of(config: &Config) -> u64 {
    let trusts = config.applications.iter().filter_map(|spec| spec.tls.as_ref());
    let theirs = trusts.flat_map(|tls| [&tls.ca, &tls.certificate, &tls.key]).flatten();
    let paths = config.tls.certificates.iter().chain(&config.tls.keys).chain(theirs);
    // Each once: an application may be at many addresses.
    let paths: BTreeSet<&String> = paths.collect();
    // An error is one content more: that of a file that has gone.
    let bytes = |path: &String| files::read(path).map_err(|error| error.to_string());
    let prints = paths.into_iter().map(|path| print::hash_of((path, bytes(path))));
    print::hash_of(prints.collect::<Vec<u64>>())
}

/// A sentence for each backend that nobody verifies.
pub fn unverified(specs: &[Spec]) -> impl Iterator<Item = String> {
    let blind = specs.iter().filter(|spec| spec.tls.as_ref().is_some_and(|tls| !tls.verify));
    blind.map(|spec| {
        let name = &spec.name;
        format!("application {name}: tls_verify = false: whoever is in between reads all")
    })
}
