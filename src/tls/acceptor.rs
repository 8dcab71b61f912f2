//! The listener's side: its certificates, and which of them a client is shown.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, CipherSuite, ServerConfig, SupportedProtocolVersion};
use webpki::EndEntityCert;

use super::files::Naming;
use super::{Session, Shown};
use crate::config::{self, Config, Errors, TlsVersion, UnknownNames};

/// What we speak inside (RFC 7301): who insists on something else is refused with an alert.
pub(super) const ALPN: &[u8] = b"http/1.1";
/// Requests of HTTP/1.0 are served, so a client that offers nothing else is taken (RFC 7301 3.2).
const ALPN_OLD: &[u8] = b"http/1.0";

/// The ciphers that we choose first: SHA-384 makes a handshake dearer than SHA-256, and nobody
/// breaks a key of 128 bits. Who must have one of 256 offers nothing else.
const FIRST: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

fn naming(config: &Config) -> Naming<'_> {
    Naming { config, keys: ["tls.certificates", "tls.keys", ""] }
}

/// What the listener proves to clients.
#[derive(Clone, Debug)]
pub struct Acceptor {
    /// We choose the cipher.
    ours: Arc<ServerConfig>,
    /// The client does; all else is the same.
    theirs: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Acceptor {
    /// Reads the files of `[tls]`; none if it names no certificate.
    pub(super) fn load(
        config: &Config,
        now: SystemTime,
        shown: &mut Vec<Shown>,
    ) -> Result<Option<Self>, Errors> {
        let load = |(path, key): (&String, &String)| Certificate::load(path, key, naming(config));
        let all = Errors::all(pairs(&config.tls).map(load))?;
        match all.is_empty() {
            true => Ok(None),
            false => Self::of(all, config, now, shown).map(Some),
        }
    }

    /// With the files as they are now. A pair that will not do, or is not in date, is a fault, and
    /// the one before goes on in its place.
    pub(super) fn renewed(
        &self,
        config: &Config,
        now: SystemTime,
        shown: &mut Vec<Shown>,
        faults: &mut Vec<Errors>,
    ) -> Result<Self, Errors> {
        let renew = |((path, key), before): ((&String, &String), &Certificate)| {
            let fault = match Certificate::load(path, key, naming(config)) {
                // It is the same, and if it has expired, that is known.
                Ok(one) if one.shown == before.shown => return one,
                Ok(one) => match one.shown.check(now) {
                    Ok(()) => return one,
                    Err(expired) => naming(config).certificate(expired),
                },
                Err(bad) => bad,
            };
            faults.push(fault);
            before.clone()
        };
        let all = pairs(&config.tls).zip(&self.certificates.all).map(renew).collect();
        Self::of(all, config, now, shown)
    }

    fn of(
        certificates: Vec<Certificate>,
        config: &Config,
        now: SystemTime,
        shown: &mut Vec<Shown>,
    ) -> Result<Self, Errors> {
        // A certificate expires at a time when nobody looks at it. One that has expired must not
        // keep the listener from serving the names of the others, so only if none is left is the
        // start refused.
        if let Some(first) = certificates.first()
            && certificates.iter().all(|one| !one.shown.is_in_date(now))
        {
            first.shown.check(now).map_err(|expired| naming(config).certificate(expired))?;
        }
        shown.extend(certificates.iter().map(|one| one.shown.clone()));
        let refuses_unknown = config.tls.unknown_names == UnknownNames::Refuse;
        let certificates = Arc::new(Certificates { all: certificates, refuses_unknown });
        let broken = |error| Errors::of("[tls]", format!("TLS cannot be set up: {error}"));
        let mut provider = ring::default_provider();
        provider.cipher_suites.sort_by_key(|one| !FIRST.contains(&one.suite()));
        let mut ours = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions(config.tls.min_version))
            .map_err(broken)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
        ours.alpn_protocols = vec![ALPN.to_vec(), ALPN_OLD.to_vec()];
        ours.ticketer = ticketer().map_err(broken)?;
        // As Go does: each connection that comes back is given the next one.
        ours.send_tls13_tickets = 1;
        let theirs = Arc::new(ours.clone());
        ours.ignore_client_order = true;
        Ok(Self { ours: Arc::new(ours), theirs, certificates })
    }

    /// True if a client that asks for this name, or for none, is shown a certificate.
    pub fn shows(&self, asked: Option<&str>) -> bool {
        !self.certificates.refuses_unknown || self.certificates.named(asked).next().is_some()
    }

    /// The TLS of a client that has just been accepted.
    pub fn session(&self) -> Session {
        Session::server(&self.ours, &self.theirs)
    }
}

/// The files of each certificate and of its key.
fn pairs(tls: &config::Tls) -> impl Iterator<Item = (&String, &String)> {
    let paths = tls.certificates.iter().enumerate();
    paths.map(|(index, path)| (path, tls.keys.get(index).unwrap_or(path)))
}

/// A client that comes back is spared the signature, whichever worker it meets and whichever
/// configuration is in force: with keys of its own each configuration would have all clients shake
/// hands anew at once. They are drawn at the start, and change every six hours.
fn ticketer() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    static ONE: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    if let Some(one) = ONE.get() {
        return Ok(Arc::clone(one));
    }
    let drawn = ring::Ticketer::new()?;
    Ok(Arc::clone(ONE.get_or_init(|| drawn)))
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
    all: Vec<Certificate>,
    /// None is shown to who asks for no name that is in one.
    refuses_unknown: bool,
}

#[derive(Clone, Debug)]
struct Certificate {
    shown: Shown,
    certified: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Certificates {
    /// One for the name that the client asks for (RFC 6066 section 3): of a kind that it can verify
    /// before others, in date before one that is not, with this very name before a wildcard, and
    /// then by the order of the file. Who asks for no name, or for one that we do not have, gets
    /// the first, unless such clients are to be refused: it decides itself whether that certificate
    /// will do. For a client that can verify none of our kinds of key any choice is as good: rustls
    /// ends the handshake then.
    fn resolve(&self, hello: ClientHello) -> Option<Arc<CertifiedKey>> {
        let (now, schemes) = (SystemTime::now(), hello.signature_schemes());
        let fits = |one: &Certificate| one.certified.key.choose_scheme(schemes).is_some();
        let asked = hello.server_name();
        let rank = |one: &&Certificate| (!fits(one), !one.shown.is_in_date(now), !one.has(asked));
        let named = self.named(asked).min_by_key(rank);
        let chosen = match named {
            Some(one) if self.refuses_unknown || fits(one) => one,
            None if self.refuses_unknown => return None,
            _ => self.all.iter().min_by_key(|one| (!fits(one), !one.shown.is_in_date(now)))?,
        };
        Some(Arc::clone(&chosen.certified))
    }
}

impl Certificates {
    /// Those for the name that is asked for.
    fn named(&self, asked: Option<&str>) -> impl Iterator<Item = &Certificate> {
        let name = asked.and_then(|name| DnsName::try_from(name).ok()).map(ServerName::DnsName);
        self.all.iter().filter(move |one| name.as_ref().is_some_and(|name| one.is_for(name)))
    }
}

impl Certificate {
    fn load(path: &str, key: &str, naming: Naming<'_>) -> Result<Self, Errors> {
        Shown::load(path, key, naming).map(|(shown, certified)| Self { shown, certified })
    }

    fn is_for(&self, name: &ServerName) -> bool {
        let certificate = self.certified.end_entity_cert();
        let certificate = certificate.ok().and_then(|first| EndEntityCert::try_from(first).ok());
        certificate.is_some_and(|it| it.verify_is_valid_for_subject_name(name).is_ok())
    }

    /// True if the name itself stands in it.
    fn has(&self, asked: Option<&str>) -> bool {
        let asked = asked.unwrap_or_default();
        let asked = asked.strip_suffix('.').unwrap_or(asked);
        self.shown.names().iter().any(|name| name.eq_ignore_ascii_case(asked))
    }
}
