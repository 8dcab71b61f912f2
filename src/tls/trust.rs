//! Whose certificate a backend may show: one that is signed by whom the operator trusts, one that
//! the operator has named itself, or any. Made when a configuration is read, asked in handshakes.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, ServerName, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, RawPublicKeyEntity};

use super::files::{self, Validity, refusal};
use crate::config::Errors;
use crate::text::day;

/// How long the certificates of a file are valid. They are believed longer: an authority is trusted
/// for its key (RFC 5280 section 6.1.1), and nobody looks after a file that is copied by hand.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// What names them.
    key: &'static str,
    path: String,
    /// The end of the last one.
    until: SystemTime,
}

impl Term {
    /// That of a file which others read too, and complain of.
    pub(super) fn read((key, path): (&'static str, &str)) -> Option<Self> {
        Self::of(key, path, &files::certificates(path).ok()?)
    }

    /// None where one of them is of a version whose dates nobody here reads.
    fn of(key: &'static str, path: &str, named: &[CertificateDer<'static>]) -> Option<Self> {
        let end = |certificate| {
            let read = EndEntityCert::try_from(certificate).and_then(|it| Validity::of(&it));
            read.ok().map(|validity| validity.until)
        };
        let until = named.iter().map(end).reduce(|one, other| Some(one?.max(other?)))??;
        Some(Self { key, path: path.to_owned(), until })
    }

    /// A sentence if it is over.
    pub(super) fn warning(&self, now: SystemTime) -> Option<String> {
        let Self { key, path, until } = self;
        (now > *until).then(|| {
            let what = "and is believed all the same; name who signs now";
            format!("{path}: {key}: expired on {}, {what}", day(*until))
        })
    }
}

/// What holds a backend's certificate against the file `ca`, or against whom the system trusts; and
/// until when those of the file are valid.
pub(super) fn believing(
    ca: Option<&str>,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ServerCertVerifier>, Option<Term>), Errors> {
    let named = ca.map(files::certificates).transpose()?.unwrap_or_default();
    let roots = match ca {
        Some(path) => authorities(path, &named)?,
        None => system()?,
    };
    let signed = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    let signed = signed.build().map_err(|error| Errors::of("tls_ca", error.to_string()))?;
    let algorithms = provider.signature_verification_algorithms;
    let term = ca.and_then(|path| Term::of("tls_ca", path, &named));
    Ok((Arc::new(Believing { signed, named, algorithms }), term))
}

/// The system's list may hold some that rustls cannot read.
fn system() -> Result<RootCertStore, Errors> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        let what = format!("the system trusts nobody{why}; install ca-certificates or set it");
        return Err(Errors::of("tls_ca", what));
    }
    Ok(store)
}

fn authorities(path: &str, named: &[CertificateDer<'static>]) -> Result<RootCertStore, Errors> {
    let mut store = RootCertStore::empty();
    for certificate in named {
        store.add(certificate.clone()).map_err(|error| {
            refusal(path, format!("holds a certificate that cannot be read: {error}"))
        })?;
    }
    Ok(store)
}

/// Takes what is signed by one who may, for the right name and in its time; and, whatever stands in
/// it, a certificate that is itself one of `named`. `openssl req -x509` makes those, and whoever
/// puts one into `tls_ca` means this very key: name, dates and version would tell no more, as with
/// DANE-EE (RFC 7671 section 5.1). Its holder has to prove that it has the key, like everybody.
#[derive(Debug)]
struct Believing {
    signed: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Believing {
    fn has_named(&self, certificate: &CertificateDer) -> bool {
        self.named.iter().any(|named| named == certificate)
    }
}

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.has_named(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.signed.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.has_named(certificate) {
            return self.signed.verify_tls12_signature(message, certificate, signed);
        }
        let key = key(certificate)?;
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| UNREADABLE)?;
        // The scheme names a hash and a kind of key, and several curves may go with it.
        let fitting = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let proves = |algorithm: &dyn SignatureVerificationAlgorithm| {
            key.verify_signature(algorithm, message, signed.signature()).is_ok()
        };
        match fitting.flat_map(|(_, algorithms)| *algorithms).any(|one| proves(*one)) {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(CertificateError::BadSignature.into()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.has_named(certificate) {
            return self.signed.verify_tls13_signature(message, certificate, signed);
        }
        verify_tls13_signature_with_raw_key(message, &key(certificate)?, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

const UNREADABLE: Error = Error::InvalidCertificate(CertificateError::BadEncoding);

/// The key in a certificate of any version. webpki reads X.509 v1 as an authority's alone, and
/// leaves the outermost shell of the key out there (RFC 5280 section 4.1.2.7).
fn key(certificate: &CertificateDer) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|_| UNREADABLE)?;
    let inside = anchor.subject_public_key_info;
    let mut der = vec![0x30];
    match inside.len() {
        short @ ..0x80 => der.push(short as u8),
        middle @ ..0x100 => der.extend([0x81, middle as u8]),
        long => der.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    der.extend_from_slice(&inside);
    Ok(der.into())
}

/// Takes whatever certificate it is shown, for `tls_verify = false`, and asks for no proof that the
/// key in it is the backend's: whoever is in between shows one of its own and proves that. So no
/// key is of the wrong kind, and none needs to be read.
#[derive(Debug)]
pub(super) struct Blind;

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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All that a server may sign with (RFC 8446 section 4.2.3): it looks for its own among them.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            // For keys that do nothing but RSA-PSS, which rustls has no names for.
            SignatureScheme::Unknown(0x0809),
            SignatureScheme::Unknown(0x080a),
            SignatureScheme::Unknown(0x080b),
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]
    }
}
