//! What goes wrong in TLS, in words for the log. Called by the session and by whoever reads files.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::Remedy;

/// As the error of a socket, which it is to the caller.
pub(super) fn error(error: Error, remedy: Remedy) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {}", word(&error, remedy)))
}

/// What was seen, and for what an operator can change, what to do.
pub(super) fn word(error: &Error, remedy: Remedy) -> String {
    match error {
        Error::InvalidCertificate(why) => word_certificate(why, remedy),
        Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired) => {
            "it is older than TLS 1.2, or lacks what that needs".to_owned()
        }
        // rustls has no error of its own for it.
        Error::General(what) if what.starts_with("no server certificate") => {
            "it asks for a name that no certificate has (see unknown_names)".to_owned()
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the other side finds no version, cipher or kind of key in common".to_owned()
        }
        other => other.to_string(),
    }
}

fn word_certificate(why: &CertificateError, Remedy { ca, name }: Remedy) -> String {
    match why {
        // The name of one who is trusted, and another's signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("its certificate is signed by nobody who is trusted (see {ca})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name (see {name})")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::Other(_) if why.to_string().contains("CaUsedAsEndEntity") => {
            format!(
                "its certificate is an authority's own; to believe this very one, name it as {ca}"
            )
        }
        CertificateError::Other(why) => format!(
            "its certificate cannot be verified ({why}); to believe this very one, name it as \
             {ca}"
        ),
        other => format!("its certificate is not valid: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn what_webpki_cannot_read_is_said_in_its_one_word_with_a_remedy() {
        let said = |why| {
            let error = CertificateError::Other(OtherError(Arc::new(why))).into();
            word(&error, Remedy::APPLICATION)
        };
        let version = "its certificate cannot be verified (UnsupportedCertVersion); to believe \
                       this very one, name it as tls_ca";
        assert_eq!(said(webpki::Error::UnsupportedCertVersion), version);
        let own = said(webpki::Error::CaUsedAsEndEntity);
        assert!(own.starts_with("its certificate is an authority's own; "), "{own}");
    }

    #[test]
    fn each_remedy_is_one_that_whoever_asked_can_take() {
        let said = |why: CertificateError, remedy| word(&why.into(), remedy);
        let cases = [
            (Remedy::APPLICATION, "tls_ca", "tls_name"),
            (Remedy::MAIL, "ca of the alert", "server of the alert"),
            (Remedy::WEBHOOK, "ca of the alert", "url of the alert"),
            (Remedy::HEARTBEAT, "heartbeat.ca", "heartbeat.url"),
            (Remedy::BENCH, "--cacert", "the URL"),
        ];
        for (remedy, ca, name) in cases {
            let unknown = said(CertificateError::UnknownIssuer, remedy);
            assert!(unknown.ends_with(&format!(" is trusted (see {ca})")), "{unknown}");
            let other = said(CertificateError::NotValidForName, remedy);
            assert!(other.ends_with(&format!(" is for another name (see {name})")), "{other}");
        }
    }
}
