//! Whether two field names are one name to those who read them.
//!
//! `fields` and `claims` ask it. It must never find two spellings of one name unlike: a backend
//! behind CGI does not.

/// How like a name is to a known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    Same,
    /// To a reader behind CGI it is the same.
    Disguised,
    Different,
}

/// CGI and its heirs turn `-`, and some of them every other mark, into `_`: to their programs
/// `Content_Length` and `Content.Length` are Content-Length. Both slices are of one length.
#[inline]
pub(super) fn likeness(name: &[u8], known: &[u8]) -> Likeness {
    if name.eq_ignore_ascii_case(known) {
        return Likeness::Same;
    }
    let alike = |(a, b): (&u8, &u8)| {
        a.eq_ignore_ascii_case(b) || (!b.is_ascii_alphanumeric() && !a.is_ascii_alphanumeric())
    };
    if name.iter().zip(known).all(alike) { Likeness::Disguised } else { Likeness::Different }
}
