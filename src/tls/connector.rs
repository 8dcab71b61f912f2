//! The side of the backends: whom each must prove to be, and what is proved to it.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::acceptor::ALPN;
use super::trust::{Blind, believing};
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
                    let config = Arc::new(configure(&files, shown)?);
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
        let config = Arc::new(configure(trust, &mut Vec::new())?);
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

fn configure(trust: &Trust, shown: &mut Vec<Shown>) -> Result<ClientConfig, Errors> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust.verify {
        true => believing(trust.ca.as_deref(), &provider)?,
        false => Arc::new(Blind),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Errors::of("tls", format!("TLS to applications cannot be set up: {error}"))
        })?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own(trust, shown)? {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The certificate that backends are shown, in date or not: it is for them to say what they think
/// of it, and the others are served.
fn own(trust: &Trust, shown: &mut Vec<Shown>) -> Result<Option<Arc<CertifiedKey>>, Errors> {
    let Some(path) = &trust.certificate else { return Ok(None) };
    let (one, certified) = Shown::load(path, trust.key.as_ref().unwrap_or(path))?;
    shown.push(one);
    Ok(Some(certified))
}
