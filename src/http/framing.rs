//! The fields that say where a message ends: Content-Length and Transfer-Encoding.
//!
//! `request` and `response` hand it both. It must never settle on one reading where another
//! reader could settle on a second: that gap is what requests are smuggled through.

use super::{Broken, Repairs, Version};

/// From here on a reader with a signed number sees a negative length.
pub(super) const LENGTH_MAX: u64 = i64::MAX as u64;

/// The fields that say how long the body is, as they are met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
}

impl Declared {
    /// Takes a request's Content-Length. Even two equal ones are refused: no honest client writes
    /// them.
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<(), Broken> {
        if self.length.is_some() {
            return Err("more than one Content-Length");
        }
        self.length = Some(length(value)?);
        Ok(())
    }

    /// Takes a request's Transfer-Encoding. `gzip, chunked` is refused too: no peer in front or
    /// behind could be trusted to read it as we would.
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Broken> {
        if self.chunked {
            return Err("more than one Transfer-Encoding");
        }
        self.chunked = is_chunked(value)?;
        Ok(())
    }

    /// Takes an answer's Content-Length. An application and the server around it may both have
    /// written it: as often as they say the same there is one meaning (RFC 9110 8.6).
    pub(super) fn content_lengths(&mut self, value: &[u8]) -> Result<Repairs, Broken> {
        let mut repairs = Repairs::default();
        for item in items(value) {
            let length = length(item)?;
            match self.length.replace(length) {
                Some(before) if before != length => return Err("Content-Lengths that differ"),
                Some(_) => repairs |= Repairs::LENGTHS,
                None => {}
            }
        }
        Ok(repairs)
    }

    /// Takes an answer's Transfer-Encoding, likewise: nobody may apply chunked twice (RFC 9112
    /// 7.1).
    pub(super) fn transfer_encodings(&mut self, value: &[u8]) -> Result<Repairs, Broken> {
        let mut repairs = Repairs::default();
        for item in items(value) {
            // An empty member says nothing (RFC 9110 5.6.1), unless there is none but it.
            if item.is_empty() && value.len() > 1 {
                repairs |= Repairs::CODINGS;
                continue;
            }
            if self.chunked {
                repairs |= Repairs::CODINGS;
            }
            self.chunked = is_chunked(item)?;
        }
        Ok(repairs)
    }

    /// Both at once is how requests are smuggled (RFC 9112 6.3); 1.0 knows no chunks (6.1).
    pub(super) fn check(&self, version: Version) -> Result<(), Broken> {
        if self.chunked && self.length.is_some() {
            return Err("both Transfer-Encoding and Content-Length");
        }
        if self.chunked && version == Version::Http10 {
            return Err("Transfer-Encoding in an HTTP/1.0 message");
        }
        Ok(())
    }
}

/// The members of a list, empty ones too: what they mean is for the field to say.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn length(value: &[u8]) -> Result<u64, Broken> {
    let length = decimal(value).ok_or("Content-Length is not a plain number")?;
    if length > LENGTH_MAX { Err("Content-Length is 2^63 or more") } else { Ok(length) }
}

/// True, or an error.
fn is_chunked(value: &[u8]) -> Result<bool, Broken> {
    let chunked = value.eq_ignore_ascii_case(b"chunked");
    chunked.then_some(true).ok_or("Transfer-Encoding is not exactly chunked")
}

/// Digits only, below 2^64, and no leading zero: a reader that takes 010 for octal sees eight.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || (value[0] == b'0' && value.len() > 1) {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declare(lengths: &[&str], encodings: &[&str], version: Version) -> Result<Declared, Broken> {
        let mut declared = Declared::default();
        for value in lengths {
            declared.content_length(value.as_bytes())?;
        }
        for value in encodings {
            declared.transfer_encoding(value.as_bytes())?;
        }
        declared.check(version).map(|()| declared)
    }

    #[test]
    fn a_length_is_digits_that_fit_64_bits() {
        for (text, value) in [("0", 0), ("5", 5), ("18446744073709551615", u64::MAX)] {
            assert_eq!(decimal(text.as_bytes()), Some(value));
        }
        for text in ["", "+5", "-1", "-0", "0x5", "0o5", "1_0", "1 0", "5,5", "5, 5", "abc", "5a"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
        for text in ["18446744073709551616", "99999999999999999999", "005", "00", "0200", "1e3"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn two_lengths_are_refused_even_if_they_agree() {
        assert!(declare(&["5", "6"], &[], Version::Http11).is_err());
        assert!(declare(&["5", "5"], &[], Version::Http11).is_err());
    }

    #[test]
    fn a_length_that_a_signed_number_does_not_hold_is_refused() {
        assert!(declare(&["9223372036854775807"], &[], Version::Http11).is_ok());
        for text in ["9223372036854775808", "18446744073709551615"] {
            assert!(declare(&[text], &[], Version::Http11).is_err(), "{text}");
            assert!(Declared::default().content_lengths(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_may_say_the_same_length_twice() {
        let repairs = |values: &[&str]| {
            let (mut declared, mut repairs) = (Declared::default(), Repairs::default());
            for value in values {
                repairs |= declared.content_lengths(value.as_bytes()).ok()?;
            }
            assert_eq!(declared.length, Some(5));
            Some(repairs)
        };
        assert_eq!(repairs(&["5"]), Some(Repairs::default()));
        for good in [&["5", "5"][..], &["5, 5"], &["5,5", "5"], &["5\r\n , 5"]] {
            assert_eq!(repairs(good), Some(Repairs::LENGTHS), "{good:?}");
        }
        for bad in [&["5", "6"][..], &["5, 6"], &["5,"], &[",5"], &["5 5"], &["5", "05"], &[""]] {
            assert_eq!(repairs(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_answer_may_say_chunked_twice_and_nothing_else() {
        let repairs = |values: &[&str]| {
            let (mut declared, mut repairs) = (Declared::default(), Repairs::default());
            for value in values {
                repairs |= declared.transfer_encodings(value.as_bytes()).ok()?;
            }
            declared.chunked.then_some(repairs)
        };
        assert_eq!(repairs(&["Chunked"]), Some(Repairs::default()));
        let twice = [&["chunked", "chunked"][..], &["chunked, chunked"], &["chunked,CHUNKED"]];
        for good in twice.into_iter().chain([&["chunked,"][..], &[" , Chunked , "]]) {
            assert_eq!(repairs(good), Some(Repairs::CODINGS), "{good:?}");
        }
        for bad in [&["chunked, gzip"][..], &["chunked", "identity"], &[","], &[""]] {
            assert_eq!(repairs(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_transfer_encoding_is_exactly_chunked_and_stands_once() {
        for value in ["chunked", "Chunked", "CHUNKED"] {
            assert!(declare(&[], &[value], Version::Http11).is_ok_and(|seen| seen.chunked));
        }
        for value in ["", "gzip", "gzip, chunked", "chunked, gzip", "chunked,", ",chunked"] {
            assert!(declare(&[], &[value], Version::Http11).is_err(), "{value}");
        }
        for value in ["xchunked", "chunked;a=b", "identity", "chunked chunked", "\"chunked\""] {
            assert!(declare(&[], &[value], Version::Http11).is_err(), "{value}");
        }
        assert!(declare(&[], &["chunked", "chunked"], Version::Http11).is_err());
        assert!(declare(&[], &["chunked", "identity"], Version::Http11).is_err());
    }

    #[test]
    fn chunks_and_a_length_together_are_refused() {
        assert!(declare(&["5"], &["chunked"], Version::Http11).is_err());
        assert!(declare(&["0"], &["chunked"], Version::Http11).is_err());
    }

    #[test]
    fn http_1_0_has_no_chunks() {
        assert!(declare(&[], &["chunked"], Version::Http10).is_err());
        assert!(declare(&["5"], &[], Version::Http10).is_ok());
    }
}
