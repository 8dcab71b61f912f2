//! The side of the backends: whom each must prove to be, and what is proved to it.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::acceptor::ALPN;
use super::files::{self, refusal};
use super::{Session, Shown};
use crate::config::Errors;
use crate::pool::{Spec, Trust};

/// How one backend is reached.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    /// One for each application that speaks TLS. Those with the same files share what was read:
    /// the system's list of authorities takes some 100 KiB.
    pub(super) fn load(
        specs: &[Spec],
        now: SystemTime,
        shown: &mut Vec<Shown>,
    ) -> Result<Vec<Option<Self>>, Errors> {
        let mut known: Vec<(Trust, Arc<ClientConfig>)> = Vec::new();
        let mut connectors = Vec::with_capacity(specs.len());
        for spec in specs {
            let Some(trust) = &spec.tls else {
                connectors.push(None);
                continue;
            };
            let files = Trust { name: None, ..trust.clone() };
            let config = match known.iter().find(|(same, _)| *same == files) {
                Some((_, config)) => Arc::clone(config),
                None => {
                    let config = Arc::new(configure(&files, now, shown)?);
                    known.push((files, Arc::clone(&config)));
                    config
                }
            };
            let name = server_name(trust.name.as_ref().unwrap_or(&spec.host)).map_err(|what| {
                Errors::of(&format!("application {}", spec.name), format!("{what}; set tls_name"))
            })?;
            connectors.push(Some(Self { config, name }));
        }
        Ok(connectors)
    }

    /// One to whoever goes by `name`, unless `trust` has another. The errors say what will not do.
    pub fn new(name: &str, trust: &Trust) -> Result<Self, Errors> {
        let config = Arc::new(configure(trust, SystemTime::now(), &mut Vec::new())?);
        let name = server_name(trust.name.as_deref().unwrap_or(name));
        Ok(Self { config, name: name.map_err(|what| Errors::of("tls", what))? })
    }

    /// The TLS of a connection to this backend.
    pub fn session(&self) -> io::Result<Session> {
        Session::client(&self.config, self.name.clone())
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    ServerName::try_from(bare.to_owned())
        .map_err(|_| format!("\"{name}\" is no name for a certificate"))
}

fn configure(
    trust: &Trust,
    now: SystemTime,
    shown: &mut Vec<Shown>,
) -> Result<ClientConfig, Errors> {
    let provider = Arc::new(ring::default_provider());
    let broken = |error: &dyn ToString| {
        Errors::of("tls", format!("TLS to applications cannot be set up: {}", error.to_string()))
    };
    let verifier: Arc<dyn ServerCertVerifier> = if trust.verify {
        let roots = Arc::new(roots(trust.ca.as_deref())?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        verifier.build().map_err(|error| broken(&error))?
    } else {
        Arc::new(Blind(Arc::clone(&provider)))
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own(trust, now, shown)? {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The certificate that backends are shown.
fn own(
    trust: &Trust,
    now: SystemTime,
    shown: &mut Vec<Shown>,
) -> Result<Option<Arc<CertifiedKey>>, Errors> {
    let Some(path) = &trust.certificate else { return Ok(None) };
    let (one, certified) = Shown::load(path, trust.key.as_ref().unwrap_or(path), now)?;
    shown.push(one);
    Ok(Some(certified))
}

/// Who may sign a backend's certificate. The system's list may hold some that rustls cannot read.
fn roots(ca: Option<&str>) -> Result<RootCertStore, Errors> {
    let mut store = RootCertStore::empty();
    let Some(path) = ca else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            let what = format!("the system trusts nobody{why}; install ca-certificates or set it");
            return Err(Errors::of("tls_ca", what));
        }
        return Ok(store);
    };
    for certificate in files::certificates(path)? {
        store.add(certificate).map_err(|error| {
            refusal(path, format!("holds a certificate that is no authority's: {error}"))
        })?;
    }
    Ok(store)
}

/// Takes whatever certificate it is shown, for `tls_verify = false`. The handshake is still held to
/// the key in it, so that at least both ends see the same one.
#[derive(Debug)]
struct Blind(Arc<CryptoProvider>);

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
