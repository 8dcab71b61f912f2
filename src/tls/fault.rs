//! What goes wrong in TLS, in words for the log. Called by the session and by whoever reads files.

use std::io;

use rustls::{CertificateError, Error};

/// As the error of a socket, which it is to the caller.
pub(super) fn error(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {}", word(&error)))
}

/// What was seen, and for what an operator can change, what to do.
pub(super) fn word(error: &Error) -> String {
    let Error::InvalidCertificate(why) = error else {
        return error.to_string();
    };
    match why {
        // The name of one who is trusted, and another's signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is signed by nobody who is trusted (tls_ca, or bench --cacert)"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name (see tls_name)".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        other => format!("its certificate is not valid: {other}"),
    }
}
