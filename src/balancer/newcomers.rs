//! Backends that a reload brings in, or a name that leads elsewhere: checked once before they get
//! traffic, beside what serves.
//!
//! They are in no pool that serves yet, so for this they have one of their own, and a watch. Both
//! go when all have been asked once.

use super::build;
use super::tell;
use crate::config::{Answers, Config};
use crate::event::{Event, Teller};
use crate::pool::policy::{Kind, ScoredRules};
use crate::pool::{Backend, Pool, Pools, Rules, Spec};
use crate::tls::Tls;
use crate::watch::{Watch, WatchEvent, Watched, WatchedPool};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Those of a configuration that are new, or somewhere else now.
pub(super) struct Newcomers {
    /// Their places in the file.
    places: Vec<usize>,
    specs: Vec<Spec>,
}

impl Newcomers {
    /// Those for whom no backend of `before` stands, or one at another place.
    pub(super) fn of(before: &Pools, specs: &[Spec], heirs: &[Option<usize>]) -> Self {
        let is_new = |place: &usize| {
            let old = heirs[*place].map(|at| before.backend(at));
            !old.is_some_and(|old| old.is_at(&specs[*place]))
        };
        let places: Vec<usize> = (0..specs.len()).filter(is_new).collect();
        let specs = places.iter().map(|place| specs[*place].clone()).collect();
        Self { places, specs }
    }

    /// Checks each once, for as long as a first round may take: each is up or down as that says.
    /// Where nothing is checked, they are believed. Returns a sentence for each that is not up.
    pub(super) fn try_out(&mut self, config: &Config, tls: &Tls, teller: &Teller) -> Vec<String> {
        if !self.specs.is_empty() {
            let passed = self.ask_once(config, tls, teller);
            let all = self.specs.iter_mut().zip(passed);
            all.for_each(|(spec, passed)| spec.alive = passed.unwrap_or(spec.alive));
        }
        let mut down = Vec::new();
        for (place, spec) in self.places.iter().zip(&self.specs) {
            let within = config.in_pool(*place);
            let why = match spec.address() {
                Ok(_) if spec.alive => continue,
                Ok(_) => "down until a check passes".to_owned(),
                Err(why) => {
                    build::tell_unresolved(&spec.name, &within, &why, teller);
                    why
                }
            };
            down.push(format!("application {}{within}: {why}", spec.name));
        }
        down
    }

    /// Whose check has passed; none where nothing is checked.
    fn ask_once(&self, config: &Config, tls: &Tls, teller: &Teller) -> Vec<Option<bool>> {
        let (mut first, mut watched) = (0, Vec::new());
        for part in config.parts() {
            let end = first + part.applications.len();
            watched.push(self.watched(part, first..end, tls));
            first = end;
        }
        let pools: Vec<_> = watched.iter().map(|it| Arc::clone(&it.pool)).collect();
        let is_checked = watched.iter().map(|it| it.settings.interval.is_some());
        let is_checked: Vec<bool> = is_checked.collect();
        if !is_checked.contains(&true) {
            return vec![None; self.specs.len()];
        }
        let teller = teller.clone();
        let on = move |event: WatchEvent| {
            // What else there is will be said of the pool that serves.
            if let WatchEvent::Other(Event::Died { .. }) = event {
                tell::watched(&teller, event);
            }
        };
        let watched = Watched { pools: watched, answers: Answers::new() };
        if let Ok(watch) = Watch::start(watched, Instant::now(), Box::new(|_, _| None), on) {
            watch.first_round(build::first_round(config));
            watch.stop();
        }
        let has_passed = |one: &Backend| one.counts().checks_passed > 0;
        let asked = pools.iter().zip(is_checked).flat_map(|(pool, is_checked)| {
            pool.backends().iter().map(move |one| is_checked.then(|| has_passed(one)))
        });
        asked.collect()
    }

    /// Those whose places are among these, in a pool of their own.
    fn watched(&self, part: &Config, places: Range<usize>, tls: &Tls) -> WatchedPool {
        let own = || self.places.iter().zip(&self.specs).filter(|(at, _)| places.contains(at));
        let specs: Vec<Spec> = own().map(|(_, spec)| spec.clone()).collect();
        let policy = Kind::RoundRobin.build(&specs, &ScoredRules::default());
        let connector = |(place, _): (&usize, _)| tls.connectors.get(*place).cloned().flatten();
        WatchedPool {
            pool: Pool::new(specs, policy, Rules::default()),
            connectors: own().map(connector).collect(),
            settings: part.into(),
        }
    }

    /// All applications, one pool behind the other: these as they were found, the others as
    /// `before` has them.
    pub(super) fn among(
        self,
        config: &Config,
        before: &Pools,
        heirs: &[Option<usize>],
    ) -> Vec<Spec> {
        let mut all = Vec::with_capacity(heirs.len());
        let mut newcomers = self.places.iter().zip(self.specs).peekable();
        for part in config.parts() {
            for mut spec in build::specs(part) {
                let place = all.len();
                if let Some((_, new)) = newcomers.next_if(|(own, _)| **own == place) {
                    spec.alive = new.alive;
                } else {
                    let old = before.backend(heirs[place].expect("who is not new follows one"));
                    // One that came in as down, and was not checked since: the file would make it
                    // up.
                    spec.alive &= old.is_called_up() || part.health.interval.is_none();
                }
                all.push(spec);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Mode;

    /// The file says that they are alive, and nobody has asked them since they came in as down.
    #[test]
    fn whom_nobody_has_asked_stays_down_whatever_an_operator_wants() {
        let text = "[[applications]]\nip = \"127.0.0.1\"\nport = 1\n\
                    [[applications]]\nip = \"127.0.0.1\"\nport = 2\n";
        let config = Config::parse(text, "test").unwrap();
        let mut down = build::specs(&config);
        down.iter_mut().for_each(|spec| spec.alive = false);
        let policy = build::policy_of(&config, &down);
        let pool = Pool::new(down, policy, Rules::default());
        let before = Pools::of(vec![Arc::clone(&pool)]);
        pool.set_mode(1, Mode::Drain, true, std::time::Duration::ZERO).unwrap();
        let heirs = [Some(0), Some(1)];
        let newcomers = Newcomers::of(&before, &config.applications, &heirs);
        let specs = newcomers.among(&config, &before, &heirs);
        assert_eq!(specs.iter().map(|spec| spec.alive).collect::<Vec<_>>(), [false, false]);
    }
}
