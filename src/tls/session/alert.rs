//! The alerts of a handshake by their right names (RFC 8446 section 6.2), where rustls has another:
//! a person reads them in a browser, or looks them up. Called by the session when it gives up.

use rustls::{Error, PeerIncompatible};

const HANDSHAKE_FAILURE: u8 = 40;
const ACCESS_DENIED: u8 = 49;
const PROTOCOL_VERSION: u8 = 70;
const UNRECOGNIZED_NAME: u8 = 112;

/// The least `legacy_version` of a client that speaks TLS 1.2, and of every later one.
const TLS_1_2: [u8; 2] = [3, 3];

/// Corrects the alert at the end of what is to be sent to a client after `error`, if there is one
/// in the clear. `records` begin with what the client has said.
pub(super) fn correct(unsent: &mut [u8], error: &Error, records: &[u8]) {
    let Some([21, _, _, 0, 2, 2, description]) = unsent.last_chunk_mut() else {
        return;
    };
    *description = match (*description, error) {
        // It misses an extension that came with TLS 1.2 before it looks at the version.
        (
            HANDSHAKE_FAILURE,
            Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired),
        ) if version(records).is_some_and(|version| version < TLS_1_2) => PROTOCOL_VERSION,
        // There was no certificate to show: by our rules, that is for the name alone.
        (ACCESS_DENIED, Error::General(_)) => UNRECOGNIZED_NAME,
        (other, _) => other,
    };
}

/// The version in a ClientHello, behind the head of its record and its own.
fn version(records: &[u8]) -> Option<[u8; 2]> {
    match records {
        [22, _, _, _, _, 1, _, _, _, major, minor, ..] => Some([*major, *minor]),
        _ => None,
    }
}
