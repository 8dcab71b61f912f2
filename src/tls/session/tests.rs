//! Two sessions, ours on both sides, over a wire that takes and brings as little as it likes.

#[path = "../../../tests/tls/certs.rs"]
mod certs;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::SystemTime;

use proptest::prelude::*;

use super::Session;
use crate::config::{self, Config, TlsVersion};
use crate::pool::chance::scramble;
use crate::pool::{Trust, testing::spec};
use crate::tls::{Acceptor, Connector};
use certs::Certs;

static ENDS: LazyLock<(Acceptor, Acceptor, Connector)> = LazyLock::new(|| {
    let certs = Certs::make();
    let (certificate, key) = certs.leaf("localhost");
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let tls = |min_version| config::Tls {
        certificates: vec![text(&certificate)],
        keys: vec![text(&key)],
        min_version,
        ..config::Tls::default()
    };
    let now = SystemTime::now();
    let acceptor = |oldest| {
        let config = Config { tls: tls(oldest), ..Config::default() };
        Acceptor::load(&config, now, &mut Vec::new()).unwrap().unwrap()
    };
    let trust = Trust {
        verify: true,
        ca: Some(text(&certs.ca)),
        name: Some("localhost".into()),
        certificate: None,
        key: None,
    };
    let applications = vec![crate::pool::Spec { tls: Some(trust), ..spec("a") }];
    let config = Config { applications, ..Config::default() };
    let mut connectors = Connector::load(&config, &mut Vec::new()).unwrap();
    (acceptor(TlsVersion::Tls12), acceptor(TlsVersion::Tls13), connectors.remove(0).unwrap())
});

fn sessions() -> (Session, Session) {
    (ENDS.2.session().unwrap(), ENDS.1.session())
}

/// One direction of the wire.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    ended: bool,
}

/// One end of it. Calls move at most as many bytes as one of `sizes` says; none is 0. Which one is
/// by chance, or a wire that suits reads alone could go on for ever.
struct End {
    from: Rc<RefCell<Lane>>,
    to: Rc<RefCell<Lane>>,
    sizes: Vec<usize>,
    calls: u64,
    /// What the lane holds at most.
    room: usize,
}

impl End {
    fn size(&mut self) -> usize {
        self.calls += 1;
        self.sizes[scramble(self.calls) as usize % self.sizes.len()]
    }
}

impl Read for End {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.size();
        let mut lane = self.from.borrow_mut();
        if lane.bytes.is_empty() && lane.ended {
            return Ok(0);
        }
        let n = size.min(lane.bytes.len()).min(into.len());
        if n == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        for (place, byte) in into.iter_mut().zip(lane.bytes.drain(..n)) {
            *place = byte;
        }
        Ok(n)
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.size();
        let mut lane = self.to.borrow_mut();
        let n = size.min(self.room - lane.bytes.len().min(self.room)).min(bytes.len());
        lane.bytes.extend(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wire(sizes: &[usize], room: usize) -> (End, End) {
    let (up, down) = (Rc::new(RefCell::default()), Rc::new(RefCell::default()));
    let end = |from: &Rc<RefCell<Lane>>, to: &Rc<RefCell<Lane>>| End {
        from: Rc::clone(from),
        to: Rc::clone(to),
        sizes: sizes.to_vec(),
        calls: 0,
        room,
    };
    (end(&down, &up), end(&up, &down))
}

/// Somebody who sends `out` and then says the end, and reads all there is.
struct Person<'m> {
    session: Session,
    end: End,
    out: &'m [u8],
    sent: usize,
    said_end: bool,
    read: Vec<u8>,
    heard_end: bool,
}

impl<'m> Person<'m> {
    fn new(session: Session, end: End, out: &'m [u8]) -> Self {
        let (read, said_end, heard_end) = (Vec::new(), false, false);
        Self { session, end, out, sent: 0, said_end, read, heard_end }
    }

    /// As a step does: writes and reads until neither moves.
    fn step(&mut self, buf: &mut [u8]) {
        loop {
            let rest = &self.out[self.sent..];
            let wrote = match rest.is_empty() && self.said_end {
                true => 0,
                false => self.session.write(&mut self.end, rest, true).unwrap(),
            };
            self.sent += wrote;
            self.said_end |= self.sent == self.out.len();
            let read = match self.heard_end {
                true => 0,
                false => match self.session.read(&mut self.end, buf) {
                    Ok(0) => {
                        self.heard_end = true;
                        0
                    }
                    Ok(n) => n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    Err(error) => panic!("{error}"),
                },
            };
            self.read.extend_from_slice(&buf[..read]);
            if wrote == 0 && read == 0 {
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_one_writes_the_other_reads_however_the_wire_cuts_it(
        up in prop::collection::vec(any::<u8>(), 1..100_000),
        down in prop::collection::vec(any::<u8>(), 1..300_000),
        mut sizes in prop::collection::vec(
            prop_oneof![0usize..8, 1usize..2000, 1usize..100_000],
            1..20,
        ),
        room in prop_oneof![1usize..300, 1usize..100_000],
        buffer in prop_oneof![1usize..40, 1usize..70_000],
    ) {
        sizes.push(4096); // now and then something moves
        let (ours, theirs) = wire(&sizes, room);
        let (client, server) = sessions();
        let mut client = Person::new(client, ours, &up);
        let mut server = Person::new(server, theirs, &down);
        let mut buf = vec![0; buffer];
        for turn in 0.. {
            client.step(&mut buf);
            server.step(&mut buf);
            if client.heard_end && server.heard_end {
                break;
            }
            prop_assert!(turn < 1_000_000, "it hangs: {} up, {} down", client.sent, server.sent);
        }
        prop_assert!(server.read == up, "the way up");
        prop_assert!(client.read == down, "the way down");
    }

    #[test]
    fn a_changed_byte_is_never_taken_for_what_was_sent(
        at in 0usize..4000,
        flip in 1u8..,
        message in prop::collection::vec(any::<u8>(), 1..2000),
    ) {
        let (mut client, mut server, mut ours, mut theirs) = shaken_hands();
        prop_assert_eq!(client.write(&mut ours, &message, false).unwrap(), message.len());
        let place = {
            let mut lane = theirs.from.borrow_mut();
            let place = at % lane.bytes.len();
            lane.bytes[place] ^= flip;
            place
        };
        let mut buf = vec![0; 4096];
        match server.read(&mut theirs, &mut buf) {
            // The version in a record's head is to be ignored (RFC 8446 section 5.1), and its type
            // is there for show: the true one is sealed. What was sent is read all the same.
            Ok(n) => prop_assert!(place <= 2 && buf[..n] == message[..], "{n} bytes, {place}"),
            // A length that grew: it waits for the rest of the record.
            Err(error) => prop_assert!(
                matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::WouldBlock),
                "{error}"
            ),
        }
    }

    #[test]
    fn no_garbage_upsets_a_server(bytes in prop::collection::vec(any::<u8>(), 1..5000)) {
        let (_, mut theirs) = wire(&[usize::MAX], usize::MAX);
        theirs.from.borrow_mut().bytes.extend(&bytes);
        let mut server = ENDS.0.session();
        for _ in 0..10 {
            prop_assert!(!matches!(server.handshake(&mut theirs), Ok(true)));
        }
    }
}

/// Both ends after the handshake, on a wire without limits.
fn shaken_hands() -> (Session, Session, End, End) {
    let (mut ours, mut theirs) = wire(&[usize::MAX], usize::MAX);
    let (mut client, mut server) = sessions();
    while client.is_handshaking() || server.is_handshaking() {
        let nothing = client.read(&mut ours, &mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        server.handshake(&mut theirs).unwrap();
    }
    (client, server, ours, theirs)
}

#[test]
fn a_cut_is_an_error_and_an_end_is_none() {
    let (mut client, mut server, mut ours, mut theirs) = shaken_hands();
    assert_eq!(server.write(&mut theirs, b"all", false).unwrap(), 3);
    let mut buf = [0; 8];
    assert_eq!(client.read(&mut ours, &mut buf).unwrap(), 3);
    ours.from.borrow_mut().ended = true;
    let cut = client.read(&mut ours, &mut buf).unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);

    let (mut client, mut server, mut ours, mut theirs) = shaken_hands();
    assert_eq!(server.write(&mut theirs, b"all", true).unwrap(), 3);
    assert_eq!(client.read(&mut ours, &mut buf).unwrap(), 3);
    assert_eq!(client.read(&mut ours, &mut buf).unwrap(), 0);
    assert_eq!(client.write(&mut ours, b"still", false).unwrap(), 5);
    assert_eq!(server.read(&mut theirs, &mut buf).unwrap(), 5);
}

#[test]
fn a_write_that_is_stuck_is_neither_done_nor_undone() {
    let (mut client, mut server, mut ours, mut theirs) = shaken_hands();
    ours.room = ours.to.borrow().bytes.len() + 10;
    let wrote = client.write(&mut ours, b"a request", false).unwrap();
    assert_eq!(wrote, 8, "all but the last byte");
    assert_eq!(client.write(&mut ours, b"t", false).unwrap(), 0);
    ours.room = usize::MAX;
    assert_eq!(client.write(&mut ours, b"t and more", false).unwrap(), 10);
    let mut buf = [0; 64];
    let mut read = server.read(&mut theirs, &mut buf).unwrap();
    read += server.read(&mut theirs, &mut buf[read..]).unwrap_or(0);
    assert_eq!(&buf[..read], b"a request and more");
}

#[test]
fn an_end_that_the_socket_does_not_take_is_said_once_it_does() {
    let (mut client, mut server, mut ours, mut theirs) = shaken_hands();
    assert_eq!(server.write(&mut theirs, b"all", false).unwrap(), 3);
    let full = theirs.to.borrow().bytes.len();
    for room in [full, full + 5] {
        theirs.room = room;
        assert!(!server.close(&mut theirs), "with room for {} bytes of it", room - full);
    }
    theirs.room = usize::MAX;
    assert!(server.close(&mut theirs));
    assert!(server.close(&mut theirs), "it is said");
    ours.from.borrow_mut().ended = true;
    let mut buf = [0; 8];
    assert_eq!(client.read(&mut ours, &mut buf).unwrap(), 3);
    assert_eq!(client.read(&mut ours, &mut buf).unwrap(), 0, "an end, and no cut");
}

#[test]
fn an_idle_session_holds_no_buffer() {
    let (mut client, mut server, mut ours, mut theirs) = shaken_hands();
    let (mut buf, message) = (vec![0; 200_000], vec![7; 150_000]);
    assert_eq!(client.write(&mut ours, &message, false).unwrap(), message.len());
    let mut read = 0;
    while read < message.len() {
        read += server.read(&mut theirs, &mut buf).unwrap();
    }
    for session in [&client, &server] {
        let held = [&session.received, &session.plain.bytes, &session.unsent.bytes];
        assert_eq!(held.map(Vec::capacity), [0; 3]);
    }
}
