//! What a file holds behind its first certificate: those of who has signed that, each other's or
//! none of them. Read with the certificate; what is odd is told, as many a client takes it.

use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::files::{Validity, WARNING, refusal};
use crate::config::Errors;
use crate::text::day;

/// A certificate, and those of who has signed it.
pub(super) type Chain = Vec<CertificateDer<'static>>;

/// One behind the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    /// Its place in the file, from 1.
    number: usize,
    /// None where it is of a version whose dates nobody here reads.
    until: Option<SystemTime>,
    /// Whether it has signed the first, by itself or by others of the chain.
    has_signed: bool,
}

/// Those of a chain whose first certificate this is. Clients refuse all of a chain of which they
/// cannot read a part; one of an authority may be of any version.
pub(super) fn signers(
    path: &str,
    chain: &Chain,
    (first, validity): (&EndEntityCert, Validity),
) -> Result<Vec<Signer>, Errors> {
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    // What has expired had signed it before.
    let began = validity.from.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(began);
    let read = |(above, signer): (usize, &CertificateDer<'_>)| {
        let number = above + 1;
        let anchor = webpki::anchor_from_trusted_cert(signer).map_err(|error| {
            let what = format!("its certificate number {number} is not valid: {error}");
            refusal(path, format!("{what}; put that of who has signed the one before there"))
        })?;
        let (anchors, usage) = ([anchor], KeyUsage::server_auth());
        let led =
            first.verify_for_usage(algorithms, &anchors, &chain[1..], time, usage, None, None);
        // Whatever else is amiss on the way there, it is one.
        let is_none =
            matches!(led, Err(Error::UnknownIssuer | Error::InvalidSignatureForPublicKey));
        let until = EndEntityCert::try_from(signer).and_then(|it| Validity::of(&it));
        let until = until.ok().map(|validity| validity.until);
        Ok(Signer { number, until, has_signed: !is_none })
    };
    chain.iter().enumerate().skip(1).map(read).collect()
}

impl Signer {
    /// A sentence if clients may not take it, or soon will not.
    pub(super) fn warning(&self, path: &str, now: SystemTime) -> Option<String> {
        let Self { number, until, has_signed } = self;
        let what = match until {
            _ if !has_signed => {
                "is of nobody who has signed the first; put that of who has".to_owned()
            }
            Some(until) if now > *until => {
                format!("expired on {}; put its successor", day(*until))
            }
            Some(until) if now + WARNING > *until => {
                format!("expires on {}; put its successor", day(*until))
            }
            _ => return None,
        };
        Some(format!("{path}: its certificate number {number} {what} there, or remove it"))
    }
}
