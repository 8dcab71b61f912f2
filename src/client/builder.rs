//! A client's backends and settings, named in code. What it is told becomes the text of a
//! configuration, so that one reader judges both.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::{Client, Error};
use crate::config::{Config, Errors, Overrides, quote, spell};
use crate::pool::policy::Kind;

/// What messages call the text.
const NAME: &str = "client";

/// Backends and settings to be. Made by [`Client::builder`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// The keys of each backend, and their values as TOML.
    backends: Vec<BTreeMap<String, String>>,
    /// The first key that was meant for a backend when there was none.
    stray: Option<String>,
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
        self.backends.push(BTreeMap::new());
        self.with("name", name).with("ip", host).with("port", port)
    }

    /// Sets any other key that an application has in the file, for the backend that was added last.
    /// Here one that speaks TLS, with a certificate signed by an authority of your own:
    ///
    /// ```
    /// # use evenly::client::Client;
    /// let builder = Client::builder()
    ///     .backend("far", "api.example.org:443")
    ///     .with("tls", true)
    ///     .with("tls_ca", "./ca.pem")
    ///     .with("weight", 3);
    /// ```
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        match self.backends.last_mut() {
            Some(backend) => {
                backend.insert(key.to_owned(), spell(key, &value.to_string()));
            }
            None => self.stray = self.stray.or_else(|| Some(key.to_owned())),
        }
        self
    }

    /// How a backend is picked; [`Kind::FirstAlive`] by default.
    #[must_use]
    pub fn policy(self, policy: Kind) -> Self {
        self.set("balance.policy", policy.name())
    }

    /// Sets a key of any other table of the file, as the flag `--set` does:
    /// `set("health.interval", "1s")`.
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
        Client::new(&self.config().map_err(Error::Config)?)
    }

    fn config(&self) -> Result<Config, Errors> {
        if let Some(key) = &self.stray {
            let what = format!("{} is set before any backend; add one first", quote(key));
            return Err(Errors::of(NAME, what));
        }
        Config::for_client().read_onto(&self.text(), NAME, &self.overrides)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for backend in &self.backends {
            text.push_str("[[applications]]\n");
            for (key, value) in backend {
                text.push_str(&format!("{} = {value}\n", quote(key)));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Trust;

    fn refusal(builder: &Builder) -> String {
        builder.config().unwrap_err().to_string()
    }

    #[test]
    fn a_backend_is_given_keys_of_any_kind() {
        let builder = Client::builder()
            .backend("near", "[::1]:80")
            .backend("far", "api.example.org:443")
            .with("tls", true)
            .with("tls_ca", "./ca \"1\".pem")
            .with("tls_name", "true")
            .with("weight", "3")
            .with("max_connections", 7);
        let applications = builder.config().unwrap().applications;
        let (near, far) = (&applications[0], &applications[1]);
        assert_eq!((near.name.as_str(), near.authority().as_str()), ("near", "[::1]:80"));
        assert_eq!((&near.tls, near.weight), (&None, 1));
        assert_eq!((far.name.as_str(), far.authority().as_str()), ("far", "api.example.org:443"));
        assert_eq!((far.weight, far.max_connections), (3, 7));
        let trust = Trust {
            verify: true,
            ca: Some("./ca \"1\".pem".to_owned()),
            name: Some("true".to_owned()),
            certificate: None,
            key: None,
        };
        assert_eq!(far.tls, Some(trust));
    }

    #[test]
    fn either_spelling_of_tls_will_do() {
        let builder = Client::builder().backend("a", "127.0.0.1:80").with("tsl", true);
        assert!(builder.config().unwrap().applications[0].tls.is_some());
        let said = refusal(&builder.with("tls", true));
        assert!(said.contains("applications.tsl: the same as tls"), "{said}");
    }

    #[test]
    fn of_two_values_for_a_key_the_later_one_counts() {
        let builder = Client::builder().backend("a", "127.0.0.1:80").with("port", 81);
        let config = builder.with("tls", true).with("tls", false).config().unwrap();
        assert_eq!((config.applications[0].port, &config.applications[0].tls), (81, &None));
    }

    #[test]
    fn what_a_key_does_not_take_is_refused_as_in_a_file() {
        let one = || Client::builder().backend("a", "127.0.0.1:80");
        let cases = [
            (one().with("tls", "yes"), "applications.tls: found \"yes\"; expected true or false"),
            (one().with("weight", 0), "applications.weight: 0 is out of range; use 1 to 1000"),
            (
                one().with("tls_ca", "ca.pem"),
                "applications.tls_ca: means nothing without tls = true",
            ),
            (one().with("tsl_ca", "ca.pem"), "applications.tsl_ca: unknown key; did you mean"),
            (one().with("a\" = 1\n[b]", ""), "unknown key"),
            (one().with("weight", "3\n[log]"), "found \"3\\u000A[log]\"; expected a whole number"),
            (one().with("weight", "[3]"), "found \"[3]\"; expected a whole number"),
            (one().with("tls_name", 5), "\"5\" is neither an address nor a host name"),
        ];
        for (builder, words) in cases {
            let said = refusal(&builder);
            assert!(said.starts_with("client:") && said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_key_before_any_backend_is_refused() {
        let early = Client::builder().with("tls", true).backend("a", "127.0.0.1:80");
        assert_eq!(refusal(&early), "client: \"tls\" is set before any backend; add one first");
    }
}
