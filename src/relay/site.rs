//! A configuration as requests need it, as one value: replaced as a whole, and kept by each request
//! until its end, so that nobody is served by halves of two configurations.
//!
//! What holds before it is known which pool a request goes to is the site's; the rest is the
//! [`Branch`] of that pool, and it is what a request keeps.

use super::branch::{Branch, Lead, Way};
use super::entrance::Entrance;
use super::ledger::{Ledger, NOBODY};
use super::queue::Queue;
use super::upstream::Destination;
use crate::config::Config;
use crate::engine::Registry;
use crate::http::Refusal;
use crate::http::request::Request;
use crate::pool::{Ambiguous, NO_PATH, Pool, Route, RouteEnd, Routes, Rules};
use crate::text::Traffic;
use crate::tls::Tls;
use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

/// A configuration as requests need it.
pub(crate) struct Site {
    /// What the file says for all pools, but for their applications: those are the pools' own.
    pub(crate) config: Config,
    /// One for each pool, in the order of the file; at least one.
    pub(crate) branches: Vec<Arc<Branch>>,
    /// For requests that no pool is for: its own has no backends. The only branch where there is
    /// one and no route, as nearly every request is for that.
    pub(crate) common: Arc<Branch>,
    routes: Routes,
    /// The place of each pool's branch, by its name.
    places: BTreeMap<String, usize>,
    /// What clients have under way at each pool.
    pub(super) traffic: Vec<Traffic>,
}

const NO_ROUTE: Refusal = Refusal { status: 404, reason: "no route is for this host and path" };
const AMBIGUOUS: Refusal = Refusal {
    status: 400,
    reason: "the path can be read in two ways, which lead to different pools",
};

impl Site {
    /// `pools` are those of the configuration's parts, in their order. Those who wait in a line of
    /// `before` are waiting still, if there is a pool of that name.
    pub(super) fn new(
        mut config: Config,
        tls: &Tls,
        pools: &[Arc<Pool>],
        (lot, ledger): (&Arc<dyn Registry>, &Ledger),
        before: Option<&Self>,
    ) -> Arc<Self> {
        let mut connectors = tls.connectors.iter().cloned();
        let lead = |route: &Route| {
            let words = route.to_string();
            Lead { number: ledger.number(pools[route.pool].name(), Some(&words)), words }
        };
        let leads: Arc<[_]> = config.routes.iter().map(lead).collect();
        let traffic = (0..pools.len()).map(|index| config.traffic(index)).collect();
        // Of 10,000 applications each copy takes some MB.
        config.applications = Vec::new();
        let parts = match config.pools.is_empty() {
            true => vec![config.clone()],
            false => mem::take(&mut config.pools),
        };
        let branch = |(part, pool): (Config, &Arc<Pool>)| {
            ledger.call(pool);
            let length = part.queue.length;
            let queue = match before.and_then(|before| before.branch_called(pool.name())) {
                Some(before) => Arc::clone(&before.queue),
                None => Queue::new(Arc::clone(lot), length),
            };
            queue.resize(length);
            let connectors = connectors.by_ref().take(pool.backends().len()).collect();
            let own = pool.rules().pool.as_deref().map_or(0, |name| ledger.number(name, None));
            let (seen, leads) = (ledger.of(pool.name()), (own, Arc::clone(&leads)));
            Branch::new(part, connectors, Arc::clone(pool), queue, seen, leads)
        };
        let branches: Vec<_> = parts.into_iter().zip(pools).map(branch).collect();
        let common = match config.routes.is_empty() && branches.len() == 1 {
            true => Arc::clone(&branches[0]),
            false => nobodys(&config, lot, ledger),
        };
        let routes = Routes::new(&config.routes, branches.len());
        let mut places = BTreeMap::new();
        places.extend(branches.iter().map(|branch| branch.pool.name().to_owned()).zip(0..));
        Arc::new(Self { config, branches, common, routes, places, traffic })
    }

    /// What serves this request of a client that came in by `entrance`, and by which route, if that
    /// is for routes to say; or why no pool gets it.
    pub(super) fn way(&self, request: &Request, entrance: &Entrance) -> (&Arc<Branch>, Way) {
        self.lead(entrance, request.host, request.target)
    }

    /// The same of a TCP client, of whom no more is known than whom its TLS asks for, if that was
    /// read: routes with a path are not for it.
    pub(super) fn way_of(&self, entrance: &Entrance, name: Option<&str>) -> (&Arc<Branch>, Way) {
        self.lead(entrance, name.unwrap_or_default(), NO_PATH)
    }

    /// A listener's own pool is for all that came in there, and no other is: neither once that pool
    /// has left the file.
    fn lead(&self, entrance: &Entrance, host: &str, target: &str) -> (&Arc<Branch>, Way) {
        let found = match entrance.pool() {
            Some(name) => Ok(self.place_of(name).map(|pool| RouteEnd { route: None, pool })),
            None => self.routes.find(host, target),
        };
        match found {
            Ok(Some(end)) => (&self.branches[end.pool], Ok(end.route)),
            Ok(None) => (&self.common, Err(NO_ROUTE)),
            Err(Ambiguous) => (&self.common, Err(AMBIGUOUS)),
        }
    }

    /// True if this is one of its branches.
    pub(super) fn has(&self, branch: &Arc<Branch>) -> bool {
        self.branch_called(branch.pool.name()).is_some_and(|own| Arc::ptr_eq(own, branch))
    }

    fn branch_called(&self, name: &str) -> Option<&Arc<Branch>> {
        self.place_of(name).map(|place| &self.branches[place])
    }

    /// What clients have under way at the pool of this name, or at any.
    pub(super) fn traffic(&self, pool: Option<&str>) -> Traffic {
        let is_it = |index: &usize| pool.is_none_or(|pool| self.place_of(pool) == Some(*index));
        let those = (0..self.branches.len()).filter(is_it);
        Traffic::of_all(those.map(|index| self.traffic[index]))
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// True if a connection there may carry a request of this configuration.
    pub(super) fn leads_to(&self, to: &Destination) -> bool {
        self.branches.iter().any(|branch| branch.leads_to(to))
    }

    /// True for a peer that is believed what it says of the client before it.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.config.server.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

/// The branch of requests that no pool is for.
fn nobodys(config: &Config, lot: &Arc<dyn Registry>, ledger: &Ledger) -> Arc<Branch> {
    let policy = config.balance.policy.build(&[], &config.scored);
    let pool = Pool::new(Vec::new(), policy, Rules::default());
    let config = Config { routes: Vec::new(), ..config.clone() };
    let queue = Queue::new(Arc::clone(lot), 0);
    Branch::new(config, Vec::new(), pool, queue, ledger.of(NOBODY), (0, Arc::new([])))
}
