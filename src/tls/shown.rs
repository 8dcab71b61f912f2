//! A certificate with its key, as it is shown: read, held against each other, and in date. Called
//! when a configuration is read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::EndEntityCert;

use super::chain::{Chain, Signer, signers};
use super::files::{self, DAY_S, Naming, Validity, WARNING, refusal};
use super::print::hash_of;
use super::{Remedy, fault};
use crate::config::{Errors, exposed};
use crate::text::day;

/// A certificate that is shown to clients or to a backend. Displayed as one line: the file, the
/// names, and until when it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    path: String,
    names: Vec<String>,
    validity: Validity,
    /// Whose stand behind it.
    signers: Vec<Signer>,
    /// Stands for the bytes of it and its chain.
    print: u64,
    /// Said of the file of its key, if that is for others to read.
    exposed: Option<String>,
}

impl Shown {
    /// Reads a certificate with its chain, and its key. Refuses what cannot be read or does not
    /// belong together.
    pub(super) fn load(
        path: &str,
        key_path: &str,
        naming: Naming<'_>,
    ) -> Result<(Self, Arc<CertifiedKey>), Errors> {
        let shown = Self::read(path, key_path).map_err(|fault| naming.certificate(fault));
        let key = files::key(key_path).map_err(|fault| naming.private_key(fault));
        let ((shown, chain), key) = Errors::both(shown, key)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(|error| {
            let what = match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                    "is not the key of the first certificate in {path}; pair each certificate \
                     with its key"
                ),
                other => format!("cannot be used: {}", fault::word(&other, Remedy::APPLICATION)),
            };
            naming.private_key(refusal(key_path, what))
        })?;
        Ok((shown, Arc::new(certified)))
    }

    fn read(path: &str, key_path: &str) -> Result<(Self, Chain), Errors> {
        let chain = files::certificates(path)?;
        let bad = |error| refusal(path, format!("its first certificate is not valid: {error}"));
        let certificate = EndEntityCert::try_from(&chain[0]).map_err(bad)?;
        let validity = Validity::of(&certificate).map_err(bad)?;
        let signers = signers(path, &chain, (&certificate, validity))?;
        let names = certificate.valid_dns_names().map(str::to_owned).collect();
        let exposed = exposed(Path::new(key_path), "a private key");
        let print = hash_of(&chain);
        Ok((Self { path: path.to_owned(), names, validity, signers, print, exposed }, chain))
    }

    /// The file that it was read from.
    pub fn file(&self) -> &str {
        &self.path
    }

    /// When it is good no more.
    pub fn expires(&self) -> SystemTime {
        self.validity.until
    }

    /// The names that it is for, such as `a.test` and `*.b.test`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn is_in_date(&self, now: SystemTime) -> bool {
        (self.validity.from..=self.validity.until).contains(&now)
    }

    /// Refuses it if it is not valid now.
    pub(super) fn check(&self, now: SystemTime) -> Result<(), Errors> {
        match self.is_in_date(now) {
            true => Ok(()),
            false => Err(refusal(&self.path, self.expiry(now))),
        }
    }

    /// A sentence if it is not valid now or about to expire, one for each that should not stand
    /// behind it, and one if its key is for others to read.
    pub(super) fn warnings(&self, now: SystemTime) -> impl Iterator<Item = String> {
        let left = self.validity.until.duration_since(now).unwrap_or_default();
        let needs_an_eye = left < WARNING || !self.is_in_date(now);
        let dated = needs_an_eye.then(|| format!("{}: {}", self.path, self.expiry(now)));
        let behind = self.signers.iter().filter_map(move |one| one.warning(&self.path, now));
        dated.into_iter().chain(behind).chain(self.exposed.clone())
    }

    /// Until when it is valid, and what to do if that is not long.
    fn expiry(&self, now: SystemTime) -> String {
        let Validity { from, until } = self.validity;
        if now > until {
            return format!("expired on {}; renew it", day(until));
        }
        if now < from {
            let remedy = "check the clock, or use the one before";
            return format!("is not valid before {}; {remedy}", day(from));
        }
        let left = until.duration_since(now).unwrap_or_default();
        let days = left.as_secs() / DAY_S;
        let noun = if days == 1 { "day" } else { "days" };
        let remedy = if left < WARNING { "; renew it" } else { "" };
        format!("expires on {}, in {days} {noun}{remedy}", day(until))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { "no name".into() } else { self.names.join(", ") };
        let (path, expiry) = (&self.path, self.expiry(SystemTime::now()));
        write!(f, "{path}: for {names}; {expiry}")
    }
}
