//! What a client's first bytes say of its ciphers, before rustls has read them.

use rustls::{CipherSuite, SupportedCipherSuite};

/// The `type` of a record that holds messages of the handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// The type of the message with which a client begins (section 4).
const CLIENT_HELLO: u8 = 1;

const CHACHA: [CipherSuite; 3] = [
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// True if the first of `ours` that the client names is a ChaCha20 one: its processor has nothing
/// for AES, or it would name that first. A hello that is cut before its list says nothing.
pub(super) fn prefers_chacha(records: &[u8], ours: &[SupportedCipherSuite]) -> bool {
    let named = suites(records).unwrap_or_default().chunks_exact(2);
    let mut named = named.map(|pair| CipherSuite::from(u16::from_be_bytes([pair[0], pair[1]])));
    let first = named.find(|named| ours.iter().any(|one| one.suite() == *named));
    first.is_some_and(|first| CHACHA.contains(&first))
}

/// The list of ciphers in a ClientHello (RFC 8446 section 4.1.2), two bytes each, as far as it is
/// there. Before it stand the heads of record and message, the version, 32 random bytes, and the
/// id of a session behind its length.
fn suites(records: &[u8]) -> Option<&[u8]> {
    let [HANDSHAKE, _, _, _, _, CLIENT_HELLO, ..] = records else { return None };
    let (&id_length, rest) = records.get(5 + 4 + 2 + 32..)?.split_first()?;
    let rest = rest.get(usize::from(id_length)..)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    Some(&rest[..rest.len().min(u16::from_be_bytes(*length).into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring::ALL_CIPHER_SUITES;

    fn hello(id_length: u8, suites: &[u16]) -> Vec<u8> {
        let mut hello = vec![22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3];
        hello.extend([7; 32]);
        hello.push(id_length);
        hello.extend(vec![7; id_length.into()]);
        hello.extend((2 * suites.len() as u16).to_be_bytes());
        hello.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
        hello.extend([1, 0, 0x13, 0x03]);
        hello
    }

    #[test]
    fn the_first_cipher_that_we_have_counts() {
        let cases: [(&[u16], bool); 7] = [
            (&[0x1303, 0x1301], true),
            (&[0x1301, 0x1303], false),
            (&[0x0a0a, 0x009e, 0xcca8, 0xc02f], true),
            (&[0xcca9], true),
            (&[0x1302], false),
            (&[0x00ff], false),
            (&[], false),
        ];
        for (suites, expected) in cases {
            for id_length in [0, 32] {
                let hello = hello(id_length, suites);
                assert_eq!(prefers_chacha(&hello, ALL_CIPHER_SUITES), expected, "{suites:x?}");
            }
        }
    }

    #[test]
    fn a_hello_that_is_cut_or_none_says_nothing() {
        let whole = hello(32, &[0x1303, 0x1301]);
        let list = 5 + 4 + 2 + 32 + 1 + 32 + 2;
        for end in 0..whole.len() {
            let prefers = prefers_chacha(&whole[..end], ALL_CIPHER_SUITES);
            assert_eq!(prefers, end >= list + 2, "{end}");
        }
        for first in [b"GET / HTTP/1.1\r\n\r\n".repeat(9), vec![22; 200], vec![255; 200]] {
            assert!(!prefers_chacha(&first, ALL_CIPHER_SUITES));
        }
    }
}
