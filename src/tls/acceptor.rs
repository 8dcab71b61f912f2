//! The listener's side: its certificates, and which of them a client is shown.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};
use webpki::EndEntityCert;

use super::{Session, Shown};
use crate::config::{self, Errors, TlsVersion, UnknownNames};

/// What we speak inside (RFC 7301): who insists on something else is refused with an alert.
pub(super) const ALPN: &[u8] = b"http/1.1";

/// What the listener proves to clients.
#[derive(Clone, Debug)]
pub struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    /// Reads the files of `[tls]`; none if it names no certificate.
    pub(super) fn load(
        tls: &config::Tls,
        now: SystemTime,
        shown: &mut Vec<Shown>,
    ) -> Result<Option<Self>, Errors> {
        if tls.certificates.is_empty() {
            return Ok(None);
        }
        let mut certificates = Vec::new();
        for (index, path) in tls.certificates.iter().enumerate() {
            let key = tls.keys.get(index).unwrap_or(path);
            let (one, certified) = Shown::load(path, key, now)?;
            shown.push(one);
            certificates.push(certified);
        }
        let broken = |error| Errors::of("[tls]", format!("TLS cannot be set up: {error}"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions(tls.min_version))
            .map_err(broken)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Certificates {
                all: certificates,
                refuses_unknown: tls.unknown_names == UnknownNames::Refuse,
            }));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A client that comes back is spared the signature, whichever worker it meets; the keys
        // of the tickets are drawn at the start and change every six hours.
        config.ticketer = ring::Ticketer::new().map_err(broken)?;
        Ok(Some(Self(Arc::new(config))))
    }

    /// The TLS of a client that has just been accepted.
    pub fn session(&self) -> Session {
        Session::server(&self.0)
    }
}

static TLS13_ALONE: &[&SupportedProtocolVersion] = &[&TLS13];

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match oldest {
        TlsVersion::Tls12 => ALL_VERSIONS,
        TlsVersion::Tls13 => TLS13_ALONE,
    }
}

#[derive(Debug)]
struct Certificates {
    /// In the order of the file, at least one.
    all: Vec<Arc<CertifiedKey>>,
    /// None is shown to who asks for no name that is in one.
    refuses_unknown: bool,
}

impl ResolvesServerCert for Certificates {
    /// The first that is for the name that the client asks for (RFC 6066 section 3) and of a kind
    /// that it can verify. Who asks for no name, or for one that we do not have, gets the first,
    /// unless it is to be refused: it will say itself what it thinks of it. Where the client can
    /// verify no kind that we have, rustls says so once it sees one.
    fn resolve(&self, hello: ClientHello) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let fits = |one: &&Arc<CertifiedKey>| one.key.choose_scheme(schemes).is_some();
        let name = hello.server_name().and_then(|name| DnsName::try_from(name).ok());
        let name = name.map(ServerName::DnsName);
        let is_named =
            |one: &&Arc<CertifiedKey>| name.as_ref().is_some_and(|name| is_for(one, name));
        let named = self.all.iter().filter(is_named).find(fits);
        if named.is_none() && self.refuses_unknown {
            return self.all.iter().find(is_named).cloned();
        }
        named.or_else(|| self.all.iter().find(fits)).or(self.all.first()).cloned()
    }
}

fn is_for(one: &CertifiedKey, name: &ServerName) -> bool {
    let certificate = one.cert.first().and_then(|first| EndEntityCert::try_from(first).ok());
    certificate.is_some_and(|it| it.verify_is_valid_for_subject_name(name).is_ok())
}
