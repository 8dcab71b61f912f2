//! Any bytes as a preface of the PROXY protocol: a verdict stands whatever follows, none is given
//! before the last byte is here, and what was read is read again once rewritten.
#![no_main]

use evenly::preface::{BYTES_MAX, Parsed, Version, parse, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let verdict = parse(bytes);
    match verdict {
        Ok(Parsed::Partial) => assert!(bytes.len() < BYTES_MAX),
        Err(_) => assert_eq!(parse(&[bytes, b"\r\n"].concat()), verdict),
        Ok(Parsed::Whole { ends, length }) => {
            assert!(length <= bytes.len().min(BYTES_MAX));
            for cut in 0..length {
                assert_eq!(parse(&bytes[..cut]), Ok(Parsed::Partial));
            }
            assert_eq!(parse(&bytes[..length]), verdict);
            for version in [Version::V1, Version::V2] {
                let written = write(version, ends);
                let read = parse(&written);
                let Ok(Parsed::Whole { ends: again, length }) = read else { panic!("{read:?}") };
                assert_eq!((length, again.is_some()), (written.len(), ends.is_some()));
                let bare = |ends: evenly::preface::Ends| ends.from.ip().to_canonical();
                assert_eq!(again.map(bare), ends.map(bare));
            }
        }
    }
});
