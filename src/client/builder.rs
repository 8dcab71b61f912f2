//! A client's backends and settings, named in code. What it is told becomes the text of a
//! configuration, so that one reader judges both.

use std::fmt::{Display, Write};

use super::{Client, Error};
use crate::config::{Config, Overrides, quote};
use crate::pool::policy::Kind;

/// What messages call the text.
const NAME: &str = "client";

/// Backends and settings to be. Made by [`Client::builder`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    applications: String,
    overrides: Overrides,
}

impl Builder {
    /// Adds a backend: its name, and its address or host name with a port, such as `10.0.0.7:80`,
    /// `[::1]:80` or `api.example.org:80`. The order is the order of preference under
    /// [`Kind::FirstAlive`].
    #[must_use]
    pub fn backend(mut self, name: &str, address: impl Display) -> Self {
        let address = address.to_string();
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let [name, ip, port] = [name, host, port].map(quote);
        let _ = write!(
            self.applications,
            "[[applications]]\nname = {name}\nip = {ip}\nport = {port}\n"
        );
        self
    }

    /// How a backend is picked; [`Kind::FirstAlive`] by default.
    #[must_use]
    pub fn policy(self, policy: Kind) -> Self {
        self.set("balance.policy", policy.name())
    }

    /// Sets any other key of the file, as the flag `--set` does: `set("health.interval", "1s")`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.overrides.set(key, key, value);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// As [`Client::new`]; also [`Error::Config`] if what it was told makes no sense.
    pub fn build(self) -> Result<Client, Error> {
        let config = Config::for_client().read_onto(&self.applications, NAME, &self.overrides);
        Client::new(&config.map_err(Error::Config)?)
    }
}
