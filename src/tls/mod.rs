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
mod connector;
#[cfg(feature = "tls")]
mod fault;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod print;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod shown;
mod stream;
#[cfg(feature = "tls")]
mod trust;

use std::time::SystemTime;

use crate::config::{Config, Errors};
use crate::pool::Spec;

#[cfg(not(feature = "tls"))]
pub use absent::{Acceptor, Connector, Session, Shown};
#[cfg(feature = "tls")]
pub use acceptor::Acceptor;
#[cfg(feature = "tls")]
pub use connector::Connector;
#[cfg(feature = "tls")]
pub use session::Session;
#[cfg(feature = "tls")]
pub use shown::Shown;
pub use stream::Stream;

/// All the TLS of a configuration, its files read.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// What is proved to clients; none if the listener speaks no TLS.
    pub acceptor: Option<Acceptor>,
    /// How each application is reached, in the order of the file; none in the clear.
    pub connectors: Vec<Option<Connector>>,
    /// The certificates that are shown to anybody.
    pub shown: Vec<Shown>,
}

impl Tls {
    /// Reads the files. The errors name the one that will not do, and say why.
    pub fn load(config: &Config) -> Result<Self, Errors> {
        let mut shown = Vec::new();
        let acceptor = Acceptor::load(&config.tls, SystemTime::now(), &mut shown)?;
        let connectors = Connector::load(&config.applications, &mut shown)?;
        Ok(Self { acceptor, connectors, shown })
    }

    /// Reads the files of those who are called, and none of a listener's.
    pub fn for_client(config: &Config) -> Result<Self, Errors> {
        let mut shown = Vec::new();
        let connectors = Connector::load(&config.applications, &mut shown)?;
        Ok(Self { acceptor: None, connectors, shown })
    }

    /// What is otherwise than in `before`, a sentence each. `heirs` says who each of `specs` was
    /// there, by place.
    pub fn news(&self, before: &Self, heirs: &[Option<usize>], specs: &[Spec]) -> Vec<String> {
        let is_new = |one: &&Shown| !before.shown.contains(one);
        let mut news: Vec<String> =
            self.shown.iter().filter(is_new).map(|one| format!("certificate {one}")).collect();
        for (index, (spec, heir)) in specs.iter().zip(heirs).enumerate() {
            if heir.is_some_and(|old| self.trust(index) != before.trust(old)) {
                let (name, what) = (&spec.name, "whom it or we must prove to be has changed");
                news.push(format!("application {name}: {what}; its connections are made anew"));
            }
        }
        news
    }

    fn trust(&self, index: usize) -> u64 {
        self.connectors.get(index).and_then(Option::as_ref).map_or(0, Connector::trust)
    }

    /// What an operator should know of the certificates, a sentence each: those that have expired
    /// or soon will, and keys that others may read.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let now = SystemTime::now();
        self.shown.iter().flat_map(move |shown| shown.warnings(now))
    }
}

/// A sentence for each backend that nobody verifies.
pub fn unverified(specs: &[Spec]) -> impl Iterator<Item = String> {
    let blind = specs.iter().filter(|spec| spec.tls.as_ref().is_some_and(|tls| !tls.verify));
    blind.map(|spec| {
        let name = &spec.name;
        format!("application {name}: tls_verify = false: whoever is in between reads all")
    })
}
