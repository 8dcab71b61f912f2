//! Values as bytes, appended by hand: numbers, addresses, field lines.
//!
//! Request, response, body and reply write with it on every exchange, so nothing here may
//! allocate or go through `std::fmt`.

use std::net::{IpAddr, Ipv6Addr};

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

/// Appends a number in decimal.
pub(super) fn decimal(out: &mut Vec<u8>, value: u64) {
    radix::<10>(out, value);
}

/// Appends a number in lower-case hexadecimal.
pub(super) fn hex(out: &mut Vec<u8>, value: u64) {
    radix::<16>(out, value);
}

/// 20 digits hold any u64 in base 10 and more than that in base 16.
fn radix<const BASE: u64>(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(value % BASE) as usize];
        value /= BASE;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends an address; an IPv4 address mapped into IPv6 reads as the IPv4 address that it is.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            for (index, octet) in four.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                decimal(out, octet.into());
            }
        }
        IpAddr::V6(six) => ipv6(out, six),
    }
}

/// RFC 5952: hexadecimal without leading zeros, the first longest run of two or more zeros as `::`.
fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    let groups = address.segments();
    let (start, length) = longest_zeros(&groups);
    let mut index = 0;
    while index < groups.len() {
        if length > 1 && index == start {
            out.extend_from_slice(b"::");
            index += length;
            continue;
        }
        if index > 0 && !(length > 1 && index == start + length) {
            out.push(b':');
        }
        hex(out, groups[index].into());
        index += 1;
    }
}

fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let mut longest = (0, 0);
    let mut run = 0;
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > longest.1 {
            longest = (index + 1 - run, run);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_read_as_people_write_them() {
        for shown in ["192.0.2.1", "0.0.0.0", "::", "::1", "2001:db8::1", "1::", "1:2:3:4:5:6:7:8"]
        {
            assert_eq!(text(|out| address(out, shown.parse().unwrap())), shown);
        }
        for shown in ["2001:db8:0:1:1:1:1:1", "1:0:0:2::3", "2001::1:0:0:1"] {
            let parsed: IpAddr = shown.parse().unwrap();
            assert_eq!(text(|out| address(out, parsed)), parsed.to_string());
        }
        assert_eq!(text(|out| address(out, "::ffff:192.0.2.1".parse().unwrap())), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn numbers_and_addresses_equal_those_of_std(
            value: u64,
            groups: [u16; 8],
            zeros: [bool; 8],
        ) {
            prop_assert_eq!(text(|out| decimal(out, value)), value.to_string());
            prop_assert_eq!(text(|out| hex(out, value)), format!("{value:x}"));
            let mut groups = groups;
            for (group, zero) in groups.iter_mut().zip(zeros) {
                *group *= u16::from(!zero);
            }
            let six = Ipv6Addr::from(groups);
            prop_assert_eq!(text(|out| ipv6(out, six)).parse::<Ipv6Addr>().unwrap(), six);
            let canonical = IpAddr::V6(six).to_canonical();
            prop_assert_eq!(text(|out| address(out, six.into())), canonical.to_string());
        }
    }
}
