//! The side of the backends: whom each must prove to be, and what is proved to it.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::acceptor::ALPN;
use super::files::{self, Naming};
use super::print::hash_of;
use super::trust::{Blind, Term, believing};
use super::{Remedy, Session, Shown};
use crate::config::{Config, Errors};
use crate::pool::{Spec, Trust};

fn naming(config: &Config) -> Naming<'_> {
    let keys = ["applications.tls_certificate", "applications.tls_key", "applications.tls_ca"];
    Naming { config, keys }
}

/// How one backend is reached.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    trust: u64,
    term: Option<Arc<Term>>,
    remedy: Remedy,
}

impl Connector {
    /// One for each application that speaks TLS. Those with the same files share what was read:
    /// the system's list of authorities takes some 100 KiB.
    pub(super) fn load(
        config: &Config,
        shown: &mut Vec<Shown>,
    ) -> Result<Vec<Option<Self>>, Errors> {
        let mut known = Known::new();
        let load = |spec: &Spec| {
            let trust = spec.tls.as_ref();
            trust.map(|trust| Self::of(spec, trust, config, &mut known, shown)).transpose()
        };
        Errors::all(config.applications.iter().map(load))
    }

    /// The same with the files as they are now. Where those will not do, that is a fault, and the
    /// one `before`, in the same order, goes on.
    pub(super) fn renewed(
        before: &[Option<Self>],
        config: &Config,
        shown: &mut Vec<Shown>,
        faults: &mut Vec<Errors>,
    ) -> Vec<Option<Self>> {
        let (mut known, specs) = (Known::new(), &config.applications);
        let mut renewed = Vec::with_capacity(specs.len());
        for (spec, before) in specs.iter().zip(before) {
            let trust = spec.tls.as_ref();
            let made = trust.map(|it| Self::of(spec, it, config, &mut known, shown)).transpose();
            renewed.push(match made {
                Ok(renewed) => renewed,
                Err(fault) => {
                    if !faults.contains(&fault) {
                        faults.push(fault);
                    }
                    before.clone()
                }
            });
        }
        renewed
    }

    /// The one to this application. `known` are files that were read.
    fn of(
        spec: &Spec,
        trust: &Trust,
        config: &Config,
        known: &mut Known,
        shown: &mut Vec<Shown>,
    ) -> Result<Self, Errors> {
        let files = Trust { name: None, ..trust.clone() };
        let means = match known.iter().find(|(same, _)| *same == files) {
            Some((_, means)) => means.clone(),
            None => {
                let means = Means::read(&files, naming(config), shown);
                known.push((files, means.clone()));
                means
            }
        };
        let name = trust.name.as_ref().unwrap_or(&spec.host);
        Self::to(name, means?, Remedy::APPLICATION).map_err(|what| {
            let keys = ["applications.tls_name", "applications.ip"];
            let what = format!("application {}: {what}; set tls_name", spec.name);
            config.wrong(&keys, name, what)
        })
    }

    /// One to whoever goes by `name` and speaks something other than HTTP. It names no protocol:
    /// mail servers refuse a client that names another than theirs (the ALPACA attacks).
    pub fn nameless(name: &str, trust: &Trust, remedy: Remedy) -> Result<Self, Errors> {
        let mut connector = Self::new(name, trust, remedy)?;
        Arc::make_mut(&mut connector.config).alpn_protocols.clear();
        Ok(connector)
    }

    /// One to whoever goes by `name`, unless `trust` has another. The errors say what will not do.
    pub fn new(name: &str, trust: &Trust, remedy: Remedy) -> Result<Self, Errors> {
        // No file of a configuration names them.
        let means = Means::read(trust, naming(&Config::default()), &mut Vec::new())?;
        let name = trust.name.as_deref().unwrap_or(name);
        Self::to(name, means, remedy).map_err(|what| Errors::of("tls", what))
    }

    /// One to whoever goes by `name`.
    fn to(name: &str, means: Means, remedy: Remedy) -> Result<Self, String> {
        let trust = hash_of((means.number, name));
        let (config, name) = (means.config, server_name(name)?);
        Ok(Self { config, name, trust, term: means.term, remedy })
    }

    /// How long the authorities are valid that it believes, where a file names them.
    pub(super) fn term(&self) -> Option<&Term> {
        self.term.as_deref()
    }

    /// What stands for whom it believes and what it proves, never 0: equal for two that were made
    /// of the same name and of files with the same bytes, so that a connection that one has made
    /// may be the other's. Where files were replaced, it is another.
    pub fn trust(&self) -> u64 {
        self.trust
    }

    /// The TLS of a connection to this backend.
    pub fn session(&self) -> io::Result<Session> {
        Session::client(&self.config, self.name.clone(), self.remedy)
    }
}

/// Files that were read, and what they have come to.
type Known = Vec<(Trust, Result<Means, Errors>)>;

/// What the files of an application have come to, whatever it goes by.
#[derive(Clone)]
struct Means {
    config: Arc<ClientConfig>,
    term: Option<Arc<Term>>,
    /// Stands for their bytes.
    number: u64,
}

impl Means {
    fn read(trust: &Trust, naming: Naming<'_>, shown: &mut Vec<Shown>) -> Result<Self, Errors> {
        // Before they are read for use: one that is replaced meanwhile is another the next time,
        // and one that cannot be read is refused there.
        let bytes = |path: &Option<String>| path.as_deref().and_then(|it| files::read(it).ok());
        let Trust { verify, ca, certificate, key, .. } = trust;
        let number = hash_of((verify, bytes(ca), bytes(certificate), bytes(key)));
        let (config, term) = configure(trust, naming, shown)?;
        Ok(Self { config: Arc::new(config), term: term.map(Arc::new), number })
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    ServerName::try_from(bare.to_owned())
        .map_err(|_| format!("\"{name}\" is no name for a certificate"))
}

fn configure(
    trust: &Trust,
    naming: Naming<'_>,
    shown: &mut Vec<Shown>,
) -> Result<(ClientConfig, Option<Term>), Errors> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Result<(Arc<dyn ServerCertVerifier>, _), _> = match trust.verify {
        true => believing(trust.ca.as_deref(), &provider),
        false => Ok((Arc::new(Blind), None)),
    };
    let verifier = verifier.map_err(|fault| naming.authorities(fault));
    let ((verifier, term), own) = Errors::both(verifier, own(trust, naming, shown))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Errors::of("tls", format!("TLS to applications cannot be set up: {error}"))
        })?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok((config, term))
}

/// The certificate that backends are shown, in date or not: it is for them to say what they think
/// of it, and the others are served.
fn own(
    trust: &Trust,
    naming: Naming<'_>,
    shown: &mut Vec<Shown>,
) -> Result<Option<Arc<CertifiedKey>>, Errors> {
    let Some(path) = &trust.certificate else { return Ok(None) };
    let (one, certified) = Shown::load(path, trust.key.as_ref().unwrap_or(path), naming)?;
    shown.push(one);
    Ok(Some(certified))
}
