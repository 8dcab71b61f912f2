//! Backends that a reload brings in: looked up, and checked once before they get traffic, beside
//! what serves.
//!
//! They are in no pool that serves yet, so for this they have one of their own, and a watch. Both
//! go when all have been asked once.

use super::build::{self, FIRST_ROUND_MARGIN, FIRST_ROUND_MAX};
use super::tell;
use crate::config::Config;
use crate::event::{Event, Teller};
use crate::pool::policy::{Kind, ScoredRules};
use crate::pool::{Backend, Found, Pool, Rules, Spec};
use crate::tls::Tls;
use crate::watch::{self, Watch, WatchEvent, Watched};
use std::sync::Arc;
use std::time::Instant;

/// Those of a configuration that are new, or somewhere else now.
pub(super) struct Newcomers {
    /// Their places in the file.
    places: Vec<usize>,
    specs: Vec<Spec>,
    found: Vec<Found>,
}

impl Newcomers {
    /// Those for whom no backend of `before` stands, or one at another place.
    pub(super) fn of(before: &Pool, specs: &[Spec], heirs: &[Option<usize>]) -> Self {
        let stands_for =
            |old: &Backend, spec: &Spec| old.host() == spec.host && old.port() == spec.port;
        let is_new = |place: &usize| {
            let old = heirs[*place].map(|at| &before.backends()[at]);
            !old.is_some_and(|old| stands_for(old, &specs[*place]))
        };
        let places: Vec<usize> = (0..specs.len()).filter(is_new).collect();
        let specs = places.iter().map(|place| specs[*place].clone()).collect();
        Self { places, specs, found: Vec::new() }
    }

    /// Looks up where they are.
    pub(super) fn look_up(&mut self) {
        self.found = watch::look_up_all(&self.specs, build::NAMES_PATIENCE);
    }

    /// Checks each once, for as long as a first round may take: each is up or down as that says.
    /// Where nothing is checked, they are believed. Returns a sentence for each that is not up.
    pub(super) fn try_out(&mut self, config: &Config, tls: &Tls, teller: &Teller) -> Vec<String> {
        if config.health.interval.is_some() && !self.specs.is_empty() {
            let passed = self.ask_once(config, tls, teller);
            self.specs.iter_mut().zip(passed).for_each(|(spec, passed)| spec.alive = passed);
        }
        let mut down = Vec::new();
        for (spec, found) in self.specs.iter().zip(&self.found) {
            let why = match found {
                Ok(_) if spec.alive => continue,
                Ok(_) => "down until a check passes",
                Err(why) => {
                    build::tell_unresolved(&spec.name, why, teller);
                    why
                }
            };
            down.push(format!("application {}: {why}", spec.name));
        }
        down
    }

    /// Whose check has passed.
    fn ask_once(&self, config: &Config, tls: &Tls, teller: &Teller) -> Vec<bool> {
        let (specs, found) = (self.specs.clone(), self.found.clone());
        let policy = Kind::RoundRobin.build(&specs, &ScoredRules::default());
        let pool = Pool::new(specs, found, policy, Rules::default());
        let connector = |place: &usize| tls.connectors.get(*place).cloned().flatten();
        let watched = Watched {
            pool: Arc::clone(&pool),
            connectors: self.places.iter().map(connector).collect(),
            settings: (&config.health).into(),
        };
        let teller = teller.clone();
        let on = move |event: WatchEvent| {
            // What else there is will be said of the pool that serves.
            if let WatchEvent::Other(Event::Died { .. }) = event {
                tell::watched(&teller, event);
            }
        };
        if let Ok(watch) = Watch::start(watched, Instant::now(), on) {
            watch.first_round((config.health.timeout + FIRST_ROUND_MARGIN).min(FIRST_ROUND_MAX));
            watch.stop();
        }
        let has_passed = |one: &Backend| one.counts().checks_passed > 0;
        pool.backends().iter().map(has_passed).collect()
    }

    /// All applications with where they are: these as they were found, the others as `before` has
    /// them.
    pub(super) fn among(
        self,
        config: &Config,
        before: &Pool,
        heirs: &[Option<usize>],
    ) -> (Vec<Spec>, Vec<Found>) {
        let mut specs = build::specs(config);
        let mut found: Vec<Found> = Vec::with_capacity(specs.len());
        let mut newcomers = self.places.iter().zip(self.specs).zip(self.found).peekable();
        for (place, spec) in specs.iter_mut().enumerate() {
            if let Some(((_, new), at)) = newcomers.next_if(|((own, _), _)| **own == place) {
                spec.alive = new.alive;
                found.push(at);
                continue;
            }
            let old = &before.backends()[heirs[place].expect("who is not new follows one")];
            // One that came in as down, and was not checked since: the file would make it up.
            spec.alive &= old.is_called_up() || config.health.interval.is_none();
            found.push(old.addresses());
        }
        (specs, found)
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
        let found: Vec<Found> =
            down.iter().map(|_| Ok(vec!["127.0.0.1:1".parse().unwrap()])).collect();
        let policy = build::policy_of(&config, &down);
        let before = Pool::new(down, found, policy, Rules::default());
        before.set_mode(1, Mode::Drain, true, std::time::Duration::ZERO).unwrap();
        let heirs = [Some(0), Some(1)];
        let newcomers = Newcomers::of(&before, &config.applications, &heirs);
        let (specs, _) = newcomers.among(&config, &before, &heirs);
        assert_eq!(specs.iter().map(|spec| spec.alive).collect::<Vec<_>>(), [false, false]);
    }
}
