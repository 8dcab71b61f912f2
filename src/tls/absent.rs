//! The room in a build without TLS: what asks for it is refused at the start.

use crate::config::{Config, Errors};

/// All the TLS of a configuration, which is none.
pub struct Tls;

impl Tls {
    /// Refuses a configuration that asks for TLS.
    pub fn load(config: &Config) -> Result<Self, Errors> {
        let what = "this build has no TLS; build it with the feature `tls`";
        if !config.tls.certificates.is_empty() {
            return Err(Errors::of("[tls]", what.to_owned()));
        }
        match config.applications.iter().find(|spec| spec.tls.is_some()) {
            Some(spec) => Err(Errors::of(&format!("application {}", spec.name), what.to_owned())),
            None => Ok(Self),
        }
    }
}
