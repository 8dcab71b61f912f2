//! The pools of one configuration beside those of the next: who stands for whom, and which of them
//! have no backend up because of the change.

use super::Running;
use crate::config::Config;
use crate::event::Event;
use crate::pool::{Backend, Mode, Pool, Pools, Standing};
use std::sync::Arc;
use std::time::Duration;

/// Which backend of `pools` each application of `config` is, by their places among all: one of the
/// pool that has the name of its own.
pub(super) fn heirs(pools: &Pools, config: &Config) -> Vec<Option<usize>> {
    let of = |part: &Config| {
        let (mut first, mut before) = (0, None);
        for pool in pools.all() {
            if pool.name() == part.pool_name() {
                before = Some((pool.heirs(&part.applications), first));
            }
            first += pool.backends().len();
        }
        match before {
            Some((own, first)) => own.into_iter().map(|at| at.map(|at| first + at)).collect(),
            None => vec![None; part.applications.len()],
        }
    };
    config.parts().iter().flat_map(of).collect()
}

/// The pools of which no backend is up.
pub(super) fn with_none(pools: &Pools, now: Duration) -> Vec<String> {
    let is_lost = |pool: &&Arc<Pool>| pool.usable(now) == 0;
    pools.all().iter().filter(is_lost).map(|pool| pool.name().to_owned()).collect()
}

/// Has whoever has left its pool for another be as operators wanted it there, and likewise an
/// address to which a name leads that led nowhere: it is new where it comes to, and as little to be
/// used as before. `heirs` are those who stayed.
pub(super) fn carry_modes(before: &Pools, after: &Pools, heirs: &[Option<usize>], now: Duration) {
    let is_new = |(place, _): &(usize, &Backend)| heirs.get(*place) == Some(&None);
    for (place, backend) in after.backends().enumerate().filter(is_new) {
        // What an operator wants of a name that leads nowhere holds wherever it comes to lead.
        let found = before.find(backend.name()).or_else(|| before.find(backend.application()));
        let Some((pool, index)) = found else { continue };
        let old = &pool.backends()[index];
        if let (mode @ (Mode::Drain | Mode::Maint), (pool, index)) = (old.mode(), after.at(place)) {
            // By force: it was by force there, if it had to be.
            let _ = pool.set_mode(index, mode, true, now);
        }
    }
}

impl Running {
    /// Tells of each pool that has no backend up now and is none of those that `had_none`, be it
    /// new or not: where, in words.
    pub(super) fn tell_of_losses(&self, had_none: &[String]) -> Vec<String> {
        let controls = self.server.controls();
        let (pools, now) = (controls.pools(), controls.now());
        let is_lost = |pool: &&Arc<Pool>| {
            pool.usable(now) == 0 && !had_none.iter().any(|other| other == pool.name())
        };
        let tell = |pool: &Arc<Pool>| {
            let name = pool.rules().pool.as_deref();
            let is_bad =
                |it: &Backend| matches!(it.standing(now), Standing::Down | Standing::Ejected);
            let is_fault = pool.backends().iter().any(is_bad);
            self.teller.tell(Event::NoneLeft { pool: name, is_fault });
            name.map_or(String::new(), |name| format!(" in pool {name}"))
        };
        pools.all().iter().filter(is_lost).map(tell).collect()
    }
}
