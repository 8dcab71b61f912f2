//! Where the backends are, found out once at the start, within the time of a connect. One that is
//! not found stops nobody: the watch looks its name up again.

use super::vigil::Vigil;
use crate::config::Config;
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
