//! Field lines as bytes, appended by hand.
//!
//! Request, response, body and reply write with it on every exchange, so nothing here may
//! allocate or go through `std::fmt`.

use crate::text::decimal;

/// Appends `name: value` and a line end.
pub(super) fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `name: value` and a line end, with one space for each fold in the value and what is
/// around it (RFC 9112 section 5.2).
pub(super) fn unfolded(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    for part in folds(value) {
        out.push(b' ');
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

/// The parts of a value that its folds leave, without the whitespace around them; none is empty.
pub(super) fn folds(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    parts.filter(|part| !part.is_empty())
}

/// Appends `name: number` and a line end.
pub(super) fn number_field(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    decimal(out, value);
    out.extend_from_slice(b"\r\n");
}
