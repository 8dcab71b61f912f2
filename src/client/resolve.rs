//! Where the backends are, found out once at the start, within the time of a connect. One that is
//! not found stops nobody: the watch looks its name up again.

use super::vigil::Vigil;
use crate::config::{Config, Errors};
use crate::pool::{Found, Spec};
use crate::watch::look_up_all;

/// The backends with what the name of each has come to. One that is not found begins as down, so
/// that it is checked before it is used.
pub(super) fn backends(config: &Config, vigil: &Vigil) -> (Vec<Spec>, Vec<Found>) {
    let mut specs = config.applications.clone();
    let found = look_up_all(&specs, config.timeouts.connect);
    for (spec, found) in specs.iter_mut().zip(&found) {
        if let Err(why) = found {
            spec.alive &= config.health.interval.is_none();
            vigil.note(&spec.name, why);
        }
    }
    (specs, found)
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

    #[test]
    fn a_name_that_does_not_resolve_is_down_and_the_reason_is_known() {
        // 64 letters in a row are one more than a label of a name has room for (RFC 1035 2.3.4).
        let name = "a".repeat(64);
        let mut config = Config::for_client();
        config.applications = ["::1".to_owned(), name]
            .map(|host| Spec { host: host.clone(), name: host, ..crate::pool::testing::spec("a") })
            .to_vec();
        let vigil = Vigil::new(None);
        let (specs, found) = backends(&config, &vigil);
        assert_eq!(found[0], Ok(vec!["[::1]:8001".parse().unwrap()]));
        assert!(found[1].is_err() && specs[0].alive && !specs[1].alive);
        assert!(vigil.why("::1").is_none());
        assert!(vigil.why(&specs[1].name).is_some_and(|why| why.contains(" does not resolve: ")));
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
