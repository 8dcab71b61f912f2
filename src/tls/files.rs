//! PEM files: certificates, keys, and how long a certificate is valid.
//!
//! Called when a configuration is read; each error names the file and what to do about it.

use std::io;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::config::{Config, Errors, read_again};

/// Said in the first line of such a key (RFC 7468 section 11), or of the old format in a field in
/// front of its base64 (RFC 1421).
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// Longest file. All the authorities that a system trusts are 220 KiB.
const FILE_BYTES_MAX: usize = 4 << 20;

/// The certificates in a file, in its order: at least one.
pub(super) fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, Errors> {
    let text = read(path)?;
    let read = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>();
    let certificates: Vec<_> = read.map_err(|error| unreadable(path, error))?;
    if certificates.is_empty() {
        return Err(refusal(path, "holds no certificate; write it in PEM (BEGIN CERTIFICATE)"));
    }
    Ok(certificates)
}

/// The key in a file.
pub(super) fn key(path: &str) -> Result<PrivateKeyDer<'static>, Errors> {
    let text = read(path)?;
    let is_encrypted = || text.windows(ENCRYPTED.len()).any(|word| word == ENCRYPTED);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        _ if is_encrypted() => {
            let decrypt = "decrypt it with openssl pkey -in FILE -out NEW-FILE";
            refusal(path, format!("holds a key that is encrypted; {decrypt}, and name that"))
        }
        pem::Error::NoItemsFound => {
            refusal(path, "holds no private key; write it in PEM (BEGIN PRIVATE KEY)")
        }
        other => unreadable(path, other),
    })
}

/// The bytes of a file.
pub(super) fn read(path: &str) -> Result<Vec<u8>, Errors> {
    let read = read_again(path.as_ref(), FILE_BYTES_MAX);
    let text = read.map_err(|error| unreadable(path, pem::Error::Io(error)))?;
    match text.len() > FILE_BYTES_MAX {
        true => Err(refusal(path, "is longer than 4 MiB; name a PEM file")),
        false => Ok(text),
    }
}

/// A problem of this file.
pub(super) fn refusal(path: &str, what: impl Into<String>) -> Errors {
    Errors::of(path, what.into())
}

fn unreadable(path: &str, error: pem::Error) -> Errors {
    match error {
        pem::Error::Io(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => {
                    "correct its path, which counts from where evenly starts"
                }
                io::ErrorKind::PermissionDenied => "let the user that runs evenly read it",
                _ => "name a PEM file",
            };
            refusal(path, format!("cannot be read: {error}; {remedy}"))
        }
        pem::Error::MissingSectionEnd { .. } => {
            refusal(path, "is not valid PEM: it ends inside a section; write it anew")
        }
        pem::Error::Base64Decode(_) => {
            refusal(path, "is not valid PEM: a section is not base64; write it anew")
        }
        other => refusal(path, format!("is not valid PEM: {other}; write it anew")),
    }
}

/// Who names files: what is wrong with one is told where it stands.
#[derive(Clone, Copy)]
pub(super) struct Naming<'c> {
    pub(super) config: &'c Config,
    /// The keys of those that hold a certificate, its private key, and authorities.
    pub(super) keys: [&'static str; 3],
}

impl Naming<'_> {
    pub(super) fn certificate(&self, fault: Errors) -> Errors {
        self.config.wrong_file(&self.keys[..1], fault)
    }

    /// Where no file of its own is named, it is in that of its certificate.
    pub(super) fn private_key(&self, fault: Errors) -> Errors {
        self.config.wrong_file(&[self.keys[1], self.keys[0]], fault)
    }

    pub(super) fn authorities(&self, fault: Errors) -> Errors {
        self.config.wrong_file(&self.keys[2..], fault)
    }
}

/// How long before a certificate expires that is said.
pub(super) const WARNING: Duration = Duration::from_secs(14 * DAY_S);
pub(super) const DAY_S: u64 = 86_400;

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Validity {
    /// Of this certificate. webpki keeps the two dates to itself, but it names them when it is
    /// asked about a time at which the certificate is not valid: the first thing that it looks at.
    pub(super) fn of(certificate: &EndEntityCert) -> Result<Self, webpki::Error> {
        let at = |seconds| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            let nobody = (&[][..], &[][..]);
            let usage = KeyUsage::server_auth();
            match certificate.verify_for_usage(&[], nobody.0, nobody.1, time, usage, None, None) {
                Err(webpki::Error::CertNotValidYet { not_before: time, .. })
                | Err(webpki::Error::CertExpired { not_after: time, .. }) => Ok(system_time(time)),
                Err(other) => Err(other),
                Ok(_) => Err(webpki::Error::UnknownIssuer),
            }
        };
        Ok(Self { from: at(0)?, until: at(u64::MAX)? })
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}
