//! What a request needs of the configuration of its pool, as one value.
//!
//! What outlives a configuration is not here: idle connections and the line of those who wait are
//! [`Shared`](super::Shared)'s or handed on, counters and health belong to the pool's records.

use super::affinity::Affinity;
use super::direct::Direct;
use super::queue::Queue;
use super::totals::Seen;
use super::upstream::Destination;
use crate::config::Config;
use crate::http::{Claims, Refusal};
use crate::pool::{Pool, Shards};
use crate::tls::Connector;
use std::sync::Arc;

/// The place of the route that leads a request to its pool, if that is for routes to say; or what
/// is said where none does.
pub(super) type Way = Result<Option<usize>, Refusal>;

/// A route.
pub(super) struct Lead {
    /// The ledger's, of the pool that it leads to by this route.
    pub(super) number: u16,
    pub(super) words: String,
}

/// What a request needs of the configuration of its pool.
pub(crate) struct Branch {
    /// Limits, timeouts, and what the answers say; the applications are the pool's.
    pub(crate) config: Config,
    pub(crate) pool: Arc<Pool>,
    /// The line in front of the pool.
    pub(crate) queue: Arc<Queue>,
    /// None if nothing ties clients to backends.
    pub(crate) affinity: Option<Affinity>,
    /// None if every request is relayed.
    pub(crate) direct: Option<Direct>,
    /// Fields that untrusted clients do not get through.
    pub(crate) claims: Claims,
    /// What became of the requests of this pool.
    pub(crate) seen: Arc<Shards<Seen>>,
    /// The routes of all pools.
    routes: Arc<[Lead]>,
    /// The ledger's number of this pool without a route, where there are several pools.
    own: u16,
    connectors: Vec<Option<Connector>>,
    /// Some application has a `max_connections`.
    limits_places: bool,
}

impl Branch {
    /// `connectors`: how each backend is reached, by its place in the pool.
    pub(super) fn new(
        mut config: Config,
        connectors: Vec<Option<Connector>>,
        pool: Arc<Pool>,
        queue: Arc<Queue>,
        seen: Arc<Shards<Seen>>,
        (own, routes): (u16, Arc<[Lead]>),
    ) -> Arc<Self> {
        config.applications = Vec::new();
        Arc::new(Self {
            affinity: Affinity::new(&config),
            direct: Direct::new(&config),
            claims: Claims::new(config.server.untrusted_fields.iter().map(String::as_str)),
            limits_places: pool.backends().iter().any(|one| one.max_connections() > 0),
            own,
            config,
            pool,
            queue,
            seen,
            routes,
            connectors,
        })
    }

    /// The ledger's number of whereto this way leads.
    pub(super) fn led(&self, way: &Way) -> u16 {
        match *way {
            Ok(Some(route)) => self.routes.get(route).map_or(0, |lead| lead.number),
            Ok(None) => self.own,
            Err(_) => 0,
        }
    }

    /// The route of this way, in words.
    pub(super) fn route(&self, way: &Way) -> Option<&str> {
        let route = way.as_ref().ok().copied().flatten()?;
        self.routes.get(route).map(|lead| lead.words.as_str())
    }

    /// How the backend at `index` of the pool is reached; none in the clear.
    pub(crate) fn connector(&self, index: usize) -> Option<&Connector> {
        self.connectors.get(index).and_then(Option::as_ref)
    }

    /// True if a connection there may carry a request of this configuration.
    pub(super) fn leads_to(&self, to: &Destination) -> bool {
        let backends = self.pool.backends();
        let place = backends.iter().position(|backend| backend.number() == to.backend);
        place.is_some_and(|index| {
            let trust = self.connector(index).map_or(0, Connector::trust);
            let is_told = backends[index].preface().is_some();
            (trust, is_told) == (to.trust, to.told.is_some())
                && backends[index].address() == Ok(to.address)
        })
    }

    /// True where a request's body is awaited before it takes one of the places that are limited.
    pub(crate) fn awaits_bodies(&self) -> bool {
        self.limits_places && self.config.limits.buffer_bytes > 0
    }
}
