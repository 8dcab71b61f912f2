//! A certificate with its key, as it is shown: read, held against each other, and in date. Called
//! when a configuration is read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::EndEntityCert;

use super::fault;
use super::files::{self, Validity, refusal};
use crate::config::{Errors, exposed};

/// How long before a certificate expires that is said.
const WARNING: Duration = Duration::from_secs(14 * DAY_S);
const DAY_S: u64 = 86_400;

/// A certificate that is shown to clients or to a backend. Displayed as one line: the file, the
/// names, and until when it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    path: String,
    names: Vec<String>,
    validity: Validity,
    /// Said of the file of its key, if that is for others to read.
    exposed: Option<String>,
}

impl Shown {
    /// Reads a certificate with its chain, and its key. Refuses what cannot be read, does not
    /// belong together, or is not valid now.
    pub(super) fn load(
        path: &str,
        key_path: &str,
        now: SystemTime,
    ) -> Result<(Self, Arc<CertifiedKey>), Errors> {
        let chain = files::certificates(path)?;
        let bad = |error| refusal(path, format!("its first certificate is not valid: {error}"));
        let certificate = EndEntityCert::try_from(&chain[0]).map_err(bad)?;
        let validity = Validity::of(&certificate).map_err(bad)?;
        let names = certificate.valid_dns_names().map(str::to_owned).collect();
        let exposed = exposed(Path::new(key_path), "a private key");
        let shown = Self { path: path.to_owned(), names, validity, exposed };
        shown.check(now)?;
        let key = files::key(key_path)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let what = "is not the key of the first certificate in";
                refusal(key_path, format!("{what} {path}; pair each certificate with its key"))
            }
            other => refusal(key_path, format!("cannot be used: {}", fault::word(&other))),
        })?;
        Ok((shown, Arc::new(certified)))
    }

    fn check(&self, now: SystemTime) -> Result<(), Errors> {
        let Validity { from, until } = self.validity;
        let what = if now > until {
            format!("expired on {}; renew it", date(until))
        } else if now < from {
            format!("is not valid before {}; check the clock, or use the one before", date(from))
        } else {
            return Ok(());
        };
        Err(refusal(&self.path, what))
    }

    /// A sentence if it is about to expire, and one if its key is for others to read.
    pub(super) fn warnings(&self, now: SystemTime) -> impl Iterator<Item = String> {
        let left = self.validity.until.duration_since(now).unwrap_or_default();
        let expiring =
            (left < WARNING).then(|| format!("{}: {}; renew it", self.path, self.expiry(now)));
        expiring.into_iter().chain(self.exposed.clone())
    }

    fn expiry(&self, now: SystemTime) -> String {
        let until = self.validity.until;
        let days = until.duration_since(now).unwrap_or_default().as_secs() / DAY_S;
        let noun = if days == 1 { "day" } else { "days" };
        format!("expires on {}, in {days} {noun}", date(until))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { "no name".into() } else { self.names.join(", ") };
        let (path, expiry) = (&self.path, self.expiry(SystemTime::now()));
        write!(f, "{path}: for {names}; {expiry}")
    }
}

/// The day, such as `2026-11-21`.
fn date(time: SystemTime) -> String {
    let mut text = humantime::format_rfc3339_seconds(time).to_string();
    text.truncate(text.find('T').unwrap_or(text.len()));
    text
}
