//! Hellos as they are sent, cut at each byte and into records of any size, and what is no hello.

use super::*;
use Hello::{Malformed, Partial, Whole};
use proptest::prelude::*;
use proptest::{collection, sample::Index};

/// A record of the handshake.
fn in_record(fragment: &[u8]) -> Vec<u8> {
    let mut record = vec![22, 3, 1];
    record.extend((fragment.len() as u16).to_be_bytes());
    record.extend(fragment);
    record
}

/// The same message in records of `size` bytes at the most.
fn in_records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(in_record).collect()
}

fn vector16(content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u16).to_be_bytes().to_vec();
    bytes.extend(content);
    bytes
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend(vector16(content));
    bytes
}

/// A server_name extension with these names, each of this kind.
fn names(all: &[(u8, &[u8])]) -> Vec<u8> {
    let one = |(kind, name): &(u8, &[u8])| [vec![*kind], vector16(name)].concat();
    let list: Vec<u8> = all.iter().flat_map(one).collect();
    extension(0, &vector16(&list))
}

/// A message with this body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    message
}

/// What stands before the extensions.
fn front() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([4, 1, 2, 3, 4]); // session
    body.extend([0, 2, 0x13, 0x01]); // suites
    body.extend([1, 0]); // compressions
    body
}

fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = front();
    body.extend(vector16(&extensions.concat()));
    message(1, &body)
}

fn asking_for(name: &str) -> Hello {
    read(&in_record(&hello(&[extension(43, &[2, 3, 4]), names(&[(0, name.as_bytes())])])))
}

fn named(name: &str) -> Hello {
    Whole(Some(name.to_owned()))
}

#[test]
fn the_name_is_found_wherever_it_stands_and_in_lower_case() {
    assert_eq!(asking_for("Db.Example.ORG"), named("db.example.org"));
    assert_eq!(asking_for("localhost"), named("localhost"));
    assert_eq!(asking_for("_a.b-c.xn--9ca.test"), named("_a.b-c.xn--9ca.test"));
    assert_eq!(read(&in_record(&hello(&[extension(43, &[2, 3, 4])]))), Whole(None));
    assert_eq!(read(&in_record(&hello(&[]))), Whole(None));
    assert_eq!(read(&in_record(&message(1, &front()))), Whole(None), "no extensions at all");
}

#[test]
fn a_hello_may_come_in_any_number_of_records_and_pieces() {
    let message = hello(&[names(&[(0, b"a.test")]), extension(21, &[0; 600])]);
    for size in (1..60).chain([message.len() - 1, message.len()]) {
        let all = in_records(&message, size);
        for end in 0..all.len() {
            assert_eq!(read(&all[..end]), Partial, "{size} a record, {end} bytes");
        }
        assert_eq!(read(&all), named("a.test"), "{size} a record");
    }
    let behind = [in_record(&message), b"more".to_vec()].concat();
    assert_eq!(read(&behind), named("a.test"), "what is behind it is not looked at");
}

/// The bytes of two hexadecimal digits each.
fn bytes_of(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn real_hellos_are_understood_cut_at_each_byte() {
    for bytes in [OPENSSL_12, OPENSSL_13].map(bytes_of) {
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Partial, "{end} bytes");
        }
        assert_eq!(read(&bytes), named("db.example.org"));
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_hello_of_rustls_is_understood_cut_at_each_byte() {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let ours = |name: &str| {
        let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
        let config = std::sync::Arc::new(config.clone());
        let mut bytes = Vec::new();
        let mut client = rustls::ClientConnection::new(config, name).unwrap();
        client.write_tls(&mut bytes).unwrap();
        bytes
    };
    let bytes = ours("db.example.org");
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end]), Partial, "{end} bytes");
    }
    assert_eq!(read(&bytes), named("db.example.org"));
    assert_eq!(read(&ours("192.0.2.1")), Whole(None), "addresses are not sent");
}

#[test]
fn what_two_readers_could_understand_in_two_ways_is_refused() {
    let refused = |extensions: &[Vec<u8>]| {
        let answer = read(&in_record(&hello(extensions)));
        assert!(matches!(answer, Malformed(_)), "{answer:?}");
    };
    let one = names(&[(0, b"a.test")]);
    refused(&[one.clone(), names(&[(0, b"b.test")])]);
    refused(&[one.clone(), one.clone()]);
    refused(&[names(&[(0, b"a.test"), (0, b"b.test")])]);
    refused(&[names(&[(0, b"a.test"), (1, b"b.test")])]);
    refused(&[names(&[(1, b"a.test")])]);
    refused(&[names(&[])]);
    refused(&[extension(0, &[])]);
    refused(&[extension(0, &[&vector16(&[]), b"x".as_slice()].concat())]);
    for bad in [
        "",
        "a.test.",
        ".a.test",
        "a..test",
        "a test",
        "a\0b",
        "\u{e4}.test",
        "a/b",
        "*.test",
        "-a",
        "192.0.2.1",
        "a.1",
        "::1",
        "[::1]",
        "a:80",
    ] {
        assert!(matches!(asking_for(bad), Malformed(_)), "{bad:?}");
    }
    let long = |length: usize| ["a"; 127].join(".")[..length.min(253)].to_owned();
    assert_eq!(asking_for(&long(253)), named(&long(253)));
    assert!(matches!(asking_for(&format!("{}.a", long(253))), Malformed(_)));
    assert_eq!(asking_for(&"a".repeat(63)), named(&"a".repeat(63)));
    assert!(matches!(asking_for(&"a".repeat(64)), Malformed(_)));
    let mut over = front();
    over.extend(vector16(&one));
    over.push(0);
    assert_eq!(read(&in_record(&message(1, &over))), Malformed(BROKEN), "bytes behind extensions");
}

#[test]
fn what_is_no_tls_is_known_by_its_first_bytes() {
    for (bytes, why) in [
        (b"G".as_slice(), NOT_TLS),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NOT_TLS),
        (b"*1\r\n$4\r\nPING\r\n", NOT_TLS),
        (&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], NOT_TLS), // PostgreSQL asks for TLS
        (&[0x80, 0x2e, 1, 3, 1], NOT_TLS),             // SSL 2
        (&[22, 2], NOT_TLS),
        (&[22, 3, 5, 0, 1], NOT_TLS),
        (&[22, 3, 1, 0x40, 1], NOT_TLS),
        (&[22, 3, 1, 0, 0], "it sends an empty record"),
        (&[21, 3, 1, 0, 2, 2, 40], NOT_TLS),
        (&[22, 3, 1, 0, 4, 2], NOT_HELLO), // a ServerHello
        (&[22, 3, 1, 0, 4, 2, 0, 0, 0], NOT_HELLO),
        (&[22, 3, 1, 0, 4, 1, 0, 0x41, 0], "its ClientHello is too long"),
        (&[22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3], BROKEN),
        (&[22, 3, 1, 0, 6, 1, 0, 0, 2, 2, 0], NOT_HELLO),
    ] {
        assert_eq!(read(bytes), Malformed(why), "{bytes:?}");
    }
    assert_eq!(read(&[]), Partial);
}

#[test]
fn one_that_does_not_end_is_given_up() {
    let endless = hello(&[extension(21, &vec![0; BYTES_MAX])]);
    let all = in_records(&endless, 1000);
    assert!(matches!(read(&all[..BYTES_MAX]), Malformed(_)));
    // A byte a record takes six for each.
    let trickled = in_records(&hello(&[extension(21, &[0; 4000])]), 1);
    assert_eq!(read(&trickled[..BYTES_MAX - 1]), Partial);
    assert_eq!(read(&trickled[..BYTES_MAX]), Malformed("its ClientHello is too long"));
}

#[test]
fn bytes_of_any_kind_are_no_more_than_refused() {
    let sound = in_records(&hello(&[names(&[(0, b"a.test")]), extension(43, &[2, 3, 4])]), 40);
    let mut state = 7u64;
    // xorshift (Marsaglia 2003): the same bytes at each run.
    let mut roll = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..5000 {
        let mut bytes = sound.clone();
        for _ in 0..=roll(4) {
            let at = roll(bytes.len());
            match roll(3) {
                0 => bytes[at] = roll(256) as u8,
                1 => drop(bytes.drain(at..at + roll(bytes.len() - at))),
                _ => bytes.insert(at, roll(256) as u8),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let verdict = read(&bytes);
        if let Whole(Some(name)) = &verdict {
            assert!(is_host(name.as_bytes()), "{bytes:?}");
        }
        // What is said of its beginning stands, whatever follows.
        let early = (0..bytes.len()).map(|end| read(&bytes[..end])).find(|one| *one != Partial);
        assert!(early.is_none_or(|early| early == verdict), "{bytes:?}");
        let noise: Vec<u8> = (0..roll(300)).map(|_| roll(256) as u8).collect();
        let _ = read(&[&[22, 3, 1, 0, 200, 1, 0, 0, 190, 3, 3], noise.as_slice()].concat());
    }
}

/// What is in the records, whatever it is, by a reader that knows nothing of a hello.
fn out_of_records(mut bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(RECORD_HEADER) {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (fragment, behind) = rest.split_at(length.min(rest.len()));
        message.extend_from_slice(fragment);
        bytes = behind;
    }
    message
}

/// One thing that is done to the bytes, at a place in them.
#[derive(Clone, Debug)]
enum Harm {
    Cut,
    Flip(u8),
    Insert(Vec<u8>),
    Remove(usize),
    /// Some of the bytes from elsewhere.
    Copy(Index, usize),
}

fn harms() -> impl Strategy<Value = Vec<(Index, Harm)>> {
    let harm = prop_oneof![
        1 => Just(Harm::Cut),
        4 => any::<u8>().prop_map(Harm::Flip),
        2 => collection::vec(any::<u8>(), 1..8).prop_map(Harm::Insert),
        2 => (1..40usize).prop_map(Harm::Remove),
        2 => (any::<Index>(), 1..60usize).prop_map(|(at, n)| Harm::Copy(at, n)),
    ];
    collection::vec((any::<Index>(), harm), 0..5)
}

fn harmed(mut bytes: Vec<u8>, harms: &[(Index, Harm)]) -> Vec<u8> {
    for (at, harm) in harms {
        let at = at.index(bytes.len() + 1);
        let until = |count: usize| (at + count).min(bytes.len());
        match harm {
            Harm::Cut => bytes.truncate(at),
            Harm::Flip(by) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= by),
            Harm::Insert(more) => drop(bytes.splice(at..at, more.iter().copied())),
            Harm::Remove(count) => drop(bytes.drain(at..until(*count))),
            Harm::Copy(from, count) => {
                let from = from.index(bytes.len() + 1);
                let part = bytes[from..(from + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn no_harm_done_to_a_real_hello_names_a_host_that_is_not_in_it(
        which in 0..2usize,
        size in 1..700usize,
        before in harms(),
        after in harms(),
    ) {
        let real = bytes_of([OPENSSL_12, OPENSSL_13][which]);
        let message = harmed(real[RECORD_HEADER..].to_vec(), &before);
        let bytes = harmed(in_records(&message, size), &after);
        let verdict = read(&bytes);
        if let Whole(Some(name)) = &verdict {
            let message = out_of_records(&bytes).to_ascii_lowercase();
            prop_assert!(message.windows(name.len()).any(|part| part == name.as_bytes()), "{name}");
            prop_assert!(is_host(name.as_bytes()), "{name}");
        }
        let early = (0..bytes.len()).map(|end| read(&bytes[..end])).find(|one| *one != Partial);
        prop_assert_eq!(early.unwrap_or(verdict.clone()), verdict);
    }
}

/// As OpenSSL 3.0 sends it, asked for TLS 1.2.
const OPENSSL_12: &str = "\
    16030100ce010000ca0303a143790a6d6b808278b2de0f3bde48b875b6a0bb5ba79fc2f93bf592e5d89bda0000\
    38c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d\
    009c003d003c0035002f00ff0100006900000013001100000e64622e6578616d706c652e6f7267000b00040300\
    0102000a000c000a001d0017001e00190018002300000016000000170000000d002a0028040305030603080708\
    080809080a080b080408050806040105010601030303010302040205020602";

/// As OpenSSL 3.0 sends it, asked for HTTP/2.
const OPENSSL_13: &str = "\
    160301014d010001490303460846b5c4f2bcadb597f1dd34dc77daaf5f1982fae7a56f9036505503b1649020e2\
    0d10d8b544255ff7508e517f88a8091f7dd5a693d527d5f7c62fa5d738e01a003e130213031301c02cc030009f\
    cca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d003c00\
    35002f00ff010000c200000013001100000e64622e6578616d706c652e6f7267000b000403000102000a001600\
    14001d0017001e0019001801000101010201030104002300000010000e000c02683208687474702f312e310016\
    000000170000000d002a0028040305030603080708080809080a080b0804080508060401050106010303030103\
    02040205020602002b0009080304030303020301002d00020101003300260024001d00204fa15bb7251047ecd4\
    9a997c06259f1a43898261ddb37724f016f7a21652217b";
