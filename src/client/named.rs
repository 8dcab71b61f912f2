//! Where the backends are: found out at the start, within the time of a connect, and again as names
//! come to lead elsewhere. One that is not found stops nobody: its name is looked up until it is.

use std::sync::Arc;
use std::time::Instant;

use super::vigil::Vigil;
use crate::config::{Answers, Config, Errors};
use crate::pool::Pool;
use crate::tls::Tls;
use crate::watch::{Watched, WatchedPool, is_local, look_up_all};

/// What a client's pools are made of.
pub(super) struct Named {
    config: Config,
    tls: Tls,
    vigil: Arc<Vigil>,
    epoch: Instant,
}

impl Named {
    pub(super) fn new(config: Config, tls: Tls, vigil: Arc<Vigil>, epoch: Instant) -> Self {
        Self { config, tls, vigil, epoch }
    }

    /// What there is at the start. The file is believed about who is alive.
    pub(super) fn first(&self) -> Watched {
        let Config { applications, timeouts, .. } = &self.config;
        let answers = look_up_all(applications, &Answers::new(), timeouts.connect);
        self.made(answers, |config| {
            let specs = config.applications.clone();
            Pool::new(
                specs.clone(),
                config.balance.policy.build(&specs, &config.scored),
                config.rules(),
            )
        })
    }

    /// What follows `before` by these answers. Who is new is checked before it is used.
    pub(super) fn next(&self, before: &Pool, answers: &Answers) -> Watched {
        self.made(answers.clone(), |config| {
            let mut specs = config.applications.clone();
            let heirs = before.heirs(&specs);
            for (spec, _) in specs.iter_mut().zip(heirs).filter(|(_, heir)| heir.is_none()) {
                spec.alive &= config.health.interval.is_none();
            }
            let policy = config.balance.policy.build(&specs, &config.scored);
            Pool::succeeding(before, specs, policy, config.rules(), self.epoch.elapsed())
        })
    }

    fn made(&self, answers: Answers, pool: impl FnOnce(&Config) -> Arc<Pool>) -> Watched {
        let (spread, _) = self.config.spread(&answers, &|ip| is_local(ip).unwrap_or(false));
        let names: Vec<&str> = spread.applications.iter().map(|spec| &*spec.name).collect();
        self.vigil.keep(&names);
        for spec in &spread.applications {
            if let Err(why) = spec.address() {
                self.vigil.note(&spec.name, &why);
            }
        }
        let before = &self.config.applications;
        let watched = WatchedPool {
            pool: pool(&spread),
            connectors: self.tls.among(before, &spread.applications).connectors,
            settings: (&spread).into(),
        };
        Watched { pools: vec![watched], answers }
    }
}

/// A program speaks for itself alone, so it sends no preface, and who waits for one would take its
/// request for a bad one. Better said at the start than met at each call.
pub(super) fn refuse_prefaces(config: &Config) -> Result<(), Errors> {
    let Some(spec) = config.applications.iter().find(|spec| spec.preface.is_some()) else {
        return Ok(());
    };
    let what = format!(
        "application {}: proxy_protocol is for balancers, and the client sends none; name a port \
         of it that takes none, or the balancer in front of it",
        spec.name
    );
    Err(Errors::of("client", what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::pool::Backend;
    use std::time::Duration;

    #[test]
    fn a_name_becomes_its_addresses_as_they_come_and_go() {
        let text = "[[applications]]\nname = \"app\"\nip = \"app.internal\"\nport = 80\n";
        let config = Config::for_client().read_onto(text, "test", &Overrides::default()).unwrap();
        let vigil = Arc::new(Vigil::new(None));
        let named = Named::new(config, Tls::default(), Arc::clone(&vigil), Instant::now());
        let answers = |answer| Answers::from([(("app.internal".into(), 80), answer)]);
        let standings = |pool: &Pool| -> Vec<String> {
            let backends = pool.backends().iter();
            let shown = |one: &Backend| format!("{} {}", one.name(), one.standing(Duration::ZERO));
            backends.map(shown).collect()
        };
        let nowhere = |config: &Config| {
            let policy = config.balance.policy.build(&config.applications, &config.scored);
            Pool::new(config.applications.clone(), policy, config.rules())
        };
        let first = named.made(answers(Err("it does not resolve".into())), nowhere);
        assert_eq!(standings(&first.first().pool), ["app down"]);
        assert_eq!(vigil.why("app").as_deref(), Some("it does not resolve"));
        let found = |last: u8| std::net::SocketAddr::from(([10, 0, 0, last], 80));
        let next = named.next(&first.first().pool, &answers(Ok(vec![found(2), found(1)])));
        assert_eq!(standings(&next.first().pool), ["app@10.0.0.1 down", "app@10.0.0.2 down"]);
        assert_eq!(vigil.why("app"), None, "who is gone is forgotten");
    }

    #[test]
    fn an_application_that_waits_for_a_preface_is_refused_at_once() {
        let refused = |keys: &str| {
            let text = format!("[[applications]]\nname = \"b\"\nip = \"::1\"\nport = 80\n{keys}");
            let config = Config::for_client().read_onto(&text, "test", &Overrides::default());
            refuse_prefaces(&config.unwrap()).err().map(|said| said.to_string())
        };
        assert_eq!(refused("proxy_protocol = \"off\""), None);
        let said = refused("proxy_protocol = \"v2\"").unwrap();
        assert!(
            said.starts_with("client: application b: proxy_protocol is for balancers"),
            "{said}"
        );
    }
}
