//! What is read as a preface and what is not, held against the crate `ppp` as well.

use super::*;
use ppp::{HeaderResult, PartialResult, v1, v2};
use proptest::prelude::*;

fn ends(from: &str, to: &str) -> Ends {
    Ends { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

/// What it comes to when all of it is there.
fn read(bytes: &[u8]) -> Result<Option<Ends>, &'static str> {
    match parse(bytes) {
        Ok(Parsed::Whole { ends, length }) => {
            assert_eq!(length, bytes.len(), "{}", bytes.escape_ascii());
            Ok(ends)
        }
        Ok(Parsed::Partial) => Err("partial"),
        Err(Malformed(why)) => Err(why),
    }
}

fn v2_of(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [V2, &[command, family], &length, rest].concat()
}

const FOUR: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xc0, 0x01, 0x01, 0xbb];

#[test]
fn the_client_is_who_the_preface_names() {
    let four = ends("192.0.2.7:49153", "198.51.100.1:443");
    let six = ends("[2001:db8::7]:65535", "[::1]:0");
    let long = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(read(b"PROXY TCP4 192.0.2.7 198.51.100.1 49153 443\r\n"), Ok(Some(four)));
    assert_eq!(read(b"PROXY TCP6 2001:DB8::7 0:0:0:0:0:0:0:1 65535 0\r\n"), Ok(Some(six)));
    assert_eq!(read(b"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n").map(|ends| ends.is_some()), Ok(true));
    assert_eq!(read(long.as_bytes()).map(|ends| ends.is_some()), Ok(true));
    assert_eq!(read(&v2_of(0x21, 0x11, &FOUR)), Ok(Some(four)));
    let mut rest = [0; 36];
    rest[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
    rest[31] = 1;
    rest[32..34].copy_from_slice(&[255, 255]);
    assert_eq!(read(&v2_of(0x21, 0x21, &rest)), Ok(Some(six)));
}

#[test]
fn whose_addresses_are_not_said_keeps_its_own() {
    let unknown = [
        &b"PROXY UNKNOWN\r\n"[..],
        b"PROXY UNKNOWN \r\n",
        b"PROXY UNKNOWN 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY UNKNOWN what\0ever \xff\r\n",
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
          ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    ];
    assert_eq!(unknown[4].len(), V1_BYTES_MAX);
    for line in unknown {
        assert_eq!(read(line), Ok(None), "{}", line.escape_ascii());
    }
    for (command, family, rest) in [
        (0x20, 0x00, &[][..]),
        (0x20, 0x11, &FOUR),     // addresses that are not believed
        (0x20, 0x11, &[0; 3]),   // nor looked at
        (0x20, 0xff, &[0; 100]), // whatever the family
        (0x21, 0x00, &[]),
        (0x21, 0x00, &[1; 50]),
        (0x21, 0x01, &[]), // how the crate ppp writes ends of two families
        (0x21, 0x12, &FOUR),
        (0x21, 0x31, &[b'/'; 216]),
        (0x21, 0x31, &[b'/'; 300]),
    ] {
        let bytes = v2_of(command, family, rest);
        assert_eq!(read(&bytes), Ok(None), "{}", bytes.escape_ascii());
    }
}

#[test]
fn extensions_are_skipped_and_what_follows_is_not_touched() {
    let mut rest = FOUR.to_vec();
    rest.extend_from_slice(&[0x04, 0xff]); // one that is cut short is none of ours
    rest.resize(V2_REST_BYTES_MAX, b'G');
    let mut bytes = v2_of(0x21, 0x11, &rest);
    assert_eq!(bytes.len(), BYTES_MAX);
    assert!(read(&bytes).unwrap().is_some());
    bytes.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let Ok(Parsed::Whole { length, .. }) = parse(&bytes) else { panic!("not whole") };
    assert_eq!(length, BYTES_MAX);
    let twice = b"PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n";
    assert_eq!(parse(twice), Ok(Parsed::Whole { ends: None, length: 15 }));
}

#[test]
fn what_is_no_preface_is_refused_with_its_reason() {
    let family = "an address of the family";
    let port = "not a port";
    let words = "six words";
    let crlf = "end with CR LF";
    for (line, why) in [
        ("GET / HTTP/1.1\r\n", "a request begins without it"),
        ("PUT", "a request begins without it"),
        ("PROXYTCP4", "a request begins without it"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a request begins without it"),
        ("\u{16}\u{3}\u{1}", "TLS begins"),
        ("proxy TCP4", "another protocol"),
        (" PROXY TCP4", "another protocol"),
        ("\nPROXY TCP4", "another protocol"),
        ("\r\nPROXY TCP4", "another protocol"),
        ("SSH-2.0-x\r\n", "a request begins without it"),
        ("PROXY \r\n", words),
        ("PROXY\r\n", "a request begins without it"),
        ("PROXY TCP4\r\n", words),
        ("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", words),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", words),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", words),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", words),
        ("PROXY TCP4\t1.2.3.4\t1.2.3.4\t1\t2\r\n", words),
        ("PROXY UNKNOWNS\r\n", words),
        ("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "neither TCP4 nor TCP6"),
        ("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "neither TCP4 nor TCP6"),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", family),
        ("PROXY TCP6 1.2.3.4 ::1 1 2\r\n", family),
        ("PROXY TCP6 2001:db8::1 192.0.2.1 51512 22\r\n", family),
        ("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", family),
        ("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", family),
        ("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", family),
        ("PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n", family),
        ("PROXY TCP4 0x7f.0.0.1 1.2.3.4 1 2\r\n", family),
        ("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n", family),
        ("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", family),
        ("PROXY TCP6 [::1] ::1 1 2\r\n", family),
        ("PROXY TCP6 1::2::3 ::1 1 2\r\n", family),
        ("PROXY TCP6 00001::2 ::1 1 2\r\n", family),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 99999999999\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1\0 2\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n", port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", crlf),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", crlf),
        ("PROXY UNKNOWN\nGET / HTTP/1.1\r\n", crlf),
        ("PROXY UNKNOWN x\ry\r\n", crlf),
    ] {
        let found = read(line.as_bytes()).unwrap_err();
        assert!(found.contains(why), "{line:?}: {found}");
    }
}

#[test]
fn what_is_no_binary_preface_is_refused_too() {
    let short = "too short for its addresses";
    for (bytes, why) in [
        (v2_of(0x11, 0x11, &FOUR), "unknown version"),
        (v2_of(0x31, 0x11, &FOUR), "unknown version"),
        (v2_of(0x22, 0x11, &FOUR), "unknown version"),
        (v2_of(0x21, 0x41, &FOUR), "unknown family"),
        (v2_of(0x21, 0x13, &FOUR), "unknown family"),
        (v2_of(0x21, 0x11, &FOUR[..11]), short),
        (v2_of(0x21, 0x21, &FOUR), short),
        (v2_of(0x21, 0x31, &[0; 215]), short),
        (v2_of(0x20, 0x00, &[0; V2_REST_BYTES_MAX + 1]), "longer than 4096"),
        ([V2, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"].concat(), "unknown version"),
        ([b"\r\n\r\n\0\r\nQUIT\r", &[0x20][..]].concat(), "another protocol"),
    ] {
        let found = read(&bytes).unwrap_err();
        assert!(found.contains(why), "{}: {found}", bytes.escape_ascii());
    }
}

#[test]
fn a_line_without_an_end_is_refused_at_its_107th_byte() {
    let line = |length: usize| [b"PROXY UNKNOWN ", vec![b'x'; length - 14].as_slice()].concat();
    assert_eq!(parse(&line(106)), Ok(Parsed::Partial));
    assert!(parse(&line(107)).is_err());
    let ended = |length: usize| [line(length - 2).as_slice(), b"\r\n"].concat();
    assert_eq!(read(&ended(107)), Ok(None));
    assert!(parse(&ended(108)).is_err());
    assert!(parse(&ended(1000)).is_err());
}

#[test]
fn a_length_that_is_too_large_is_refused_before_it_is_there() {
    let head = [V2, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert!(parse(&head).is_err());
    assert_eq!(parse(&head[..15]), Ok(Parsed::Partial));
    assert!(parse(&[V2, &[0x29]].concat()).is_err());
}

#[test]
fn ends_of_two_families_are_written_as_one() {
    let mixed = ends("192.0.2.7:1", "[2001:db8::1]:2");
    let line = "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n";
    assert_eq!(write(Version::V1, Some(mixed)), line.as_bytes());
    let read = read(&write(Version::V2, Some(mixed))).unwrap().unwrap();
    assert_eq!(read, ends("[::ffff:192.0.2.7]:1", "[2001:db8::1]:2"));
    let mapped = ends("[::ffff:192.0.2.7]:1", "[::ffff:192.0.2.8]:2");
    assert_eq!(write(Version::V1, Some(mapped)), b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n");
}

#[test]
fn a_connection_for_its_own_sake_says_so() {
    assert_eq!(write(Version::V1, None), b"PROXY UNKNOWN\r\n");
    assert_eq!(write(Version::V2, None), [V2, &[0x20, 0, 0, 0]].concat());
}

fn addresses() -> impl Strategy<Value = Ends> {
    let four = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let six = any::<([u16; 8], [u16; 8])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let sparse = prop::array::uniform8(prop::sample::select(vec![0u16, 0, 1, 0xffff]));
    let sparse = (sparse.clone(), sparse).prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let both = prop_oneof![four, six, sparse];
    (both, any::<(u16, u16)>()).prop_map(|((from, to), (from_port, to_port))| Ends {
        from: (from, from_port).into(),
        to: (to, to_port).into(),
    })
}

/// As the crate `ppp` reads these bytes.
fn as_ppp_reads(bytes: &[u8]) -> Option<Option<Ends>> {
    let four = |from: std::net::Ipv4Addr, from_port: u16, to: std::net::Ipv4Addr, to_port: u16| {
        Ends { from: (from, from_port).into(), to: (to, to_port).into() }
    };
    let six = |from: Ipv6Addr, from_port: u16, to: Ipv6Addr, to_port: u16| Ends {
        from: (from, from_port).into(),
        to: (to, to_port).into(),
    };
    match HeaderResult::parse(bytes) {
        HeaderResult::V1(header) => Some(match header.ok()?.addresses {
            v1::Addresses::Tcp4(it) => Some(four(
                it.source_address,
                it.source_port,
                it.destination_address,
                it.destination_port,
            )),
            v1::Addresses::Tcp6(it) => Some(six(
                it.source_address,
                it.source_port,
                it.destination_address,
                it.destination_port,
            )),
            v1::Addresses::Unknown => None,
        }),
        HeaderResult::V2(header) => {
            let header = header.ok()?;
            let is_stream =
                header.command == v2::Command::Proxy && header.protocol == v2::Protocol::Stream;
            Some(match header.addresses {
                v2::Addresses::IPv4(it) if is_stream => Some(four(
                    it.source_address,
                    it.source_port,
                    it.destination_address,
                    it.destination_port,
                )),
                v2::Addresses::IPv6(it) if is_stream => Some(six(
                    it.source_address,
                    it.source_port,
                    it.destination_address,
                    it.destination_port,
                )),
                _ => None,
            })
        }
    }
}

/// Text and bytes that are nearly a preface.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let line =
        "PROXY (TCP4|TCP6|UNKNOWN)( [0-9a-f.:]{1,12}){0,5}( ?[0-9]{1,6}){0,3}\r?\n?[a-z]{0,3}";
    let binary = (
        prop::sample::select(vec![0x20u8, 0x21, 0x11, 0x22]),
        prop::sample::select(vec![0u8, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x41, 0x14]),
        prop::sample::select(vec![0u16, 11, 12, 13, 36, 40, 216, 300, 4096, 4097]),
        prop::collection::vec(any::<u8>(), 0..320),
    );
    let binary = binary.prop_map(|(command, family, length, rest)| {
        [V2, &[command, family], &length.to_be_bytes(), &rest].concat()
    });
    prop_oneof![line.prop_map(String::into_bytes), binary]
}

proptest! {
    #[test]
    fn what_is_written_another_reader_understands_and_we_do_too(
        ends in addresses(), version in prop::sample::select(vec![Version::V1, Version::V2]),
    ) {
        let bytes = write(version, Some(ends));
        prop_assert!(bytes.len() <= V1_BYTES_MAX);
        let meant = Some(ends.of_one_family());
        prop_assert_eq!(read(&bytes), Ok(meant));
        prop_assert_eq!(as_ppp_reads(&bytes), Some(meant));
    }

    #[test]
    fn what_another_writes_is_read(ends in addresses(), extension in any::<Vec<u8>>()) {
        let extension = &extension[..extension.len().min(200)];
        let from = (ends.from, ends.to);
        let bytes = v2::Builder::with_addresses(
            v2::Version::Two | v2::Command::Proxy, v2::Protocol::Stream, from,
        );
        let bytes = bytes.write_tlv(v2::Type::NoOp, extension).unwrap().build().unwrap();
        prop_assert_eq!(read(&bytes), Ok(Some(ends)));
        let line = v1::Addresses::from(from).to_string();
        prop_assert_eq!(read(line.as_bytes()), Ok(Some(ends)));
    }

    /// However it is cut, nothing is said before its last byte is here.
    #[test]
    fn a_part_of_a_preface_is_never_taken_for_the_whole(
        ends in prop::option::of(addresses()),
        version in prop::sample::select(vec![Version::V1, Version::V2]),
    ) {
        let bytes = write(version, ends);
        for cut in 0..bytes.len() {
            prop_assert_eq!(parse(&bytes[..cut]), Ok(Parsed::Partial), "{}", cut);
        }
    }

    /// Whom we take for the client, the other reader does; it is laxer, so not the other way round.
    /// Only of a connection that is the sender's own does it want what we need not look at.
    #[test]
    fn we_never_read_anything_into_bytes_that_another_reader_does_not(bytes in nearly()) {
        match parse(&bytes) {
            Ok(Parsed::Whole { ends, length }) => {
                let theirs = as_ppp_reads(&bytes);
                prop_assert!(theirs == Some(ends) || (theirs, ends) == (None, None), "{theirs:?}");
                for cut in 0..length {
                    prop_assert_eq!(parse(&bytes[..cut]), Ok(Parsed::Partial));
                }
            }
            Ok(Parsed::Partial) => {
                let reading = HeaderResult::parse(&bytes);
                prop_assert!(reading.is_incomplete() || as_ppp_reads(&bytes).is_none());
            }
            // What is refused stays refused, whatever follows.
            Err(why) => prop_assert_eq!(parse(&[&bytes[..], b"\r\n"].concat()), Err(why)),
        }
    }

    #[test]
    fn any_bytes_come_to_something(bytes in any::<Vec<u8>>()) {
        if let Ok(Parsed::Whole { length, .. }) = parse(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }
}
