//! Any bytes as the beginning of a TLS connection: a verdict stands whatever follows, none is given
//! before there are grounds for it, and a name is one that stands in the bytes.
#![no_main]

use evenly::hello::{BYTES_MAX, Hello, read};
use libfuzzer_sys::fuzz_target;

/// A record's header.
const HEADER_BYTES: usize = 5;
/// How many beginnings of the bytes are read.
const CUTS_MAX: usize = 300;

fuzz_target!(|bytes: &[u8]| {
    let verdict = read(bytes);
    // Some of the cuts of a long one: each is read from its beginning.
    let cuts = (0..bytes.len()).step_by(1 + bytes.len() / CUTS_MAX);
    for early in cuts.map(|end| read(&bytes[..end])).filter(|it| *it != Hello::Partial) {
        assert_eq!(early, verdict);
    }
    match verdict {
        Hello::Partial => assert!(bytes.len() < BYTES_MAX),
        _ => assert_eq!(read(&[bytes, b"\r\n"].concat()), verdict),
    }
    if let Hello::Whole(Some(name)) = verdict {
        let message = out_of_records(bytes).to_ascii_lowercase();
        assert!(message.windows(name.len()).any(|part| part == name.as_bytes()));
        assert!(!name.is_empty() && !name.ends_with('.') && name == name.to_ascii_lowercase());
    }
});

/// What is in the records, whatever it is.
fn out_of_records(mut bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(HEADER_BYTES) {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (fragment, behind) = rest.split_at(length.min(rest.len()));
        message.extend_from_slice(fragment);
        bytes = behind;
    }
    message
}
