//! TLS for a raw connection, from either end: rustls as its users know it, on a socket that blocks.
//! What must hold before a program that nobody here wrote is in `openssl`.

use super::Pem;
use super::certs::Certs;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// The TLS of one connection.
pub struct Secure(Connection);

/// Whom a client trusts; its sessions are its own.
#[derive(Clone)]
pub struct Trusting(Arc<ClientConfig>);

/// What a server proves.
#[derive(Clone)]
pub struct Proving(Arc<ServerConfig>);

impl Trusting {
    /// Who is signed by this authority.
    pub fn of(certs: &Certs) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(ALL_VERSIONS)
            .unwrap();
        Self(Arc::new(builder.with_root_certificates(roots(&certs.ca)).with_no_client_auth()))
    }

    /// A connection to whoever goes by this name.
    pub fn to(&self, name: &str) -> Secure {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Secure(ClientConnection::new(Arc::clone(&self.0), name).unwrap().into())
    }
}

impl Proving {
    pub fn with(leaf: &Pem) -> Self {
        Self::whom(leaf, None)
    }

    /// And asks clients for a certificate of this authority.
    pub fn asking(leaf: &Pem, certs: &Certs) -> Self {
        Self::whom(leaf, Some(certs))
    }

    /// Shows a certificate whose key it does not have, in this version alone.
    pub fn stolen(
        certificate: &Path,
        key: &Path,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let shown = Arc::new(SingleCertAndKey::from(CertifiedKey::new(read(certificate), key)));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(shown);
        Self(Arc::new(config))
    }

    fn whom(leaf: &Pem, certs: Option<&Certs>) -> Self {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(ALL_VERSIONS)
            .unwrap();
        let builder = match certs {
            None => builder.with_no_client_auth(),
            Some(certs) => {
                let roots = Arc::new(roots(&certs.ca));
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::from_pem_file(&leaf.1).unwrap();
        let config = builder.with_single_cert(read(&leaf.0), key).unwrap();
        Self(Arc::new(config))
    }

    /// A connection that was accepted.
    pub fn accepted(&self) -> Secure {
        Secure(ServerConnection::new(Arc::clone(&self.0)).unwrap().into())
    }
}

fn read(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

fn roots(path: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    read(path).into_iter().for_each(|root| roots.add(root).unwrap());
    roots
}

impl Secure {
    /// What a client says first, for the test to send; the rest of the handshake goes by itself.
    pub fn hello(&mut self) -> Vec<u8> {
        let mut hello = Vec::new();
        self.0.write_tls(&mut hello).unwrap();
        hello
    }

    /// Whether the peer showed a certificate.
    pub fn peer_is_known(&self) -> bool {
        self.0.peer_certificates().is_some()
    }

    pub(super) fn handshake(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.0.is_handshaking() {
            self.0.complete_io(socket)?;
        }
        self.flush(socket)
    }

    pub(super) fn read(&mut self, socket: &mut TcpStream, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.0.complete_io(socket)?;
                }
                other => return other,
            }
        }
    }

    pub(super) fn write(&mut self, socket: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        self.handshake(socket)?;
        while !bytes.is_empty() {
            let taken = self.0.writer().write(bytes)?;
            bytes = &bytes[taken..];
            self.flush(socket)?;
        }
        Ok(())
    }

    /// Says that no more will be sent.
    pub(super) fn close(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.0.send_close_notify();
        self.flush(socket)
    }

    fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(socket)?;
        }
        Ok(())
    }
}
