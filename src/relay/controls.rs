//! What of a running server others may look at and steer: the endpoint, the balancer.
//!
//! Cheap to clone, and never in the way of a request. What it changes, it tells: whoever steers
//! only says to the operator what came of it.

use super::branch::Branch;
use super::complaints::by_operator;
use super::entrance::Listening;
use super::entrances::Entrances;
use super::pool_controls::PoolControls;
use super::{Led, Shared, Totals, Trace};
use crate::event::Event;
use crate::pool::{Change, LastUsable, Mode, Notice, Pool, Pools};
use crate::text::Traffic;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The controls of a running server.
#[derive(Clone)]
pub struct Controls {
    pub(super) shared: Arc<Shared>,
    pub(super) entrances: Arc<Entrances>,
    pub(super) workers: usize,
}

impl Controls {
    /// The pools that requests are given to from now on, in the order of the file.
    pub fn pools(&self) -> Pools {
        Pools::of(self.each_pool().iter().map(|one| Arc::clone(one.pool())).collect())
    }

    /// Each pool with the line in front of it, likewise.
    pub fn each_pool(&self) -> Vec<PoolControls> {
        let now = self.now();
        let site = self.shared.site.current();
        let one = |(index, branch): (usize, &Arc<Branch>)| {
            let traffic = site.traffic[index];
            PoolControls { branch: Arc::clone(branch), traffic, now }
        };
        site.branches.iter().enumerate().map(one).collect()
    }

    /// What requests are counted by that no pool is for, where there are several.
    pub fn astray(&self) -> Option<Totals> {
        let site = self.shared.site.current();
        let is_apart = !site.has(&site.common);
        is_apart.then(|| site.common.seen.sum(Totals::default(), Totals::with))
    }

    /// The first pool, which is the only one of most.
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.shared.site.current().branches[0].pool)
    }

    /// The name of a thread that so many calls in a row have found at the same work.
    pub fn stuck(&self, looks: u32) -> Option<String> {
        self.shared.pulses.stuck(looks)
    }

    /// The pool's clock.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// What the wall's clock showed when the pool's showed `at`, if nobody has set it since.
    pub fn at(&self, at: Duration) -> SystemTime {
        let now = SystemTime::now();
        now.checked_sub(self.now().saturating_sub(at)).unwrap_or(now)
    }

    /// False once the end has begun.
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready()
    }

    /// True when no new clients are taken.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// Client connections now, and how many there may be.
    pub fn clients(&self) -> (usize, usize) {
        (self.shared.door.taken(), self.shared.door.limit())
    }

    /// Requests that wait for a place now, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        let all = self.each_pool().into_iter().map(|one| one.waiting());
        all.fold((0, 0), |(waiting, room), (one, most)| (waiting + one, room + most))
    }

    /// What all requests have come to since the start.
    pub fn totals(&self) -> Totals {
        self.shared.ledger.totals()
    }

    /// What was decided for the requests of this id, if that was lately; the newest first.
    pub fn traces(&self, id: &str) -> Vec<Trace> {
        self.shared.traces.of(id)
    }

    /// Whereto one of them was led, where there is any choice.
    pub fn led(&self, one: &Trace) -> Option<Led> {
        self.shared.ledger.led(one.led)
    }

    /// What the backend of this number is called; one that has left the file, as far as that is
    /// remembered.
    pub fn called(&self, backend: u64) -> Option<String> {
        let pools = self.pools();
        let own = pools.backends().find(|one| one.number() == backend);
        own.map(|one| one.name().to_owned()).or_else(|| self.shared.ledger.called(backend))
    }

    /// The last ones that were wanted, the newest first.
    pub fn last_traces(&self, most: usize, wanted: impl Fn(&Trace) -> bool) -> Vec<Trace> {
        self.shared.traces.newest(most, wanted)
    }

    /// Threads that serve.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Where clients are served, at least one; the first is what the server is known by.
    pub fn listening(&self) -> Vec<Listening> {
        self.entrances.all()
    }

    /// Does as an operator says with the backend at `index` of `pool`, whatever place the newest
    /// pool has it at; `None` if nothing is otherwise than before. The last one that takes requests
    /// is taken out only by `force`.
    pub fn set_mode(
        &self,
        pool: &Pool,
        index: usize,
        mode: Mode,
        force: bool,
    ) -> Result<Option<Change>, LastUsable> {
        let change = pool.set_mode(index, mode, force, self.now())?;
        if mode == Mode::Maint {
            self.shared.idle.part_from(pool.backends()[index].number());
        }
        if let Some(change) = &change {
            let notice = Notice::Changed(change.clone());
            self.shared.teller.tell(by_operator(&notice));
        }
        Ok(change)
    }

    /// Holds new requests in the line, of all pools or of one. The pause ends by itself after
    /// `at_most`, which is 30 s at the most; where one follows the other, each request is held for
    /// 30 s in all.
    pub fn pause(&self, at_most: Duration, pool: Option<&str>) {
        if let Some(at_most) = self.those(pool).map(|one| one.pause(at_most)).max() {
            let traffic = self.traffic(pool);
            self.shared.teller.tell(Event::Paused { pool, traffic, at_most });
        }
    }

    /// Lets the requests go that are held, in their order.
    pub fn resume(&self, pool: Option<&str>) {
        let held = self.those(pool).filter_map(|one| one.resume());
        if let Some(held) = held.reduce(|all, held| all + held) {
            let traffic = self.traffic(pool);
            self.shared.teller.tell(Event::Resumed { pool, traffic, held });
        }
    }

    /// How much longer requests are held; `None` if they are not.
    pub fn paused_for(&self, pool: Option<&str>) -> Option<Duration> {
        self.those(pool).filter_map(|one| one.paused_for()).max()
    }

    /// What clients have under way there.
    pub fn traffic(&self, pool: Option<&str>) -> Traffic {
        self.shared.site.current().traffic(pool)
    }

    /// The pool of this name, or all.
    fn those(&self, pool: Option<&str>) -> impl Iterator<Item = PoolControls> {
        let is_it = move |one: &PoolControls| pool.is_none_or(|name| one.pool().name() == name);
        self.each_pool().into_iter().filter(is_it)
    }
}
