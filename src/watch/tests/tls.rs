//! Checks through TLS that come to nothing. Those that pass need certificates: tests/relay.

use super::*;
use crate::pool::Trust;
use crate::tls::Connector;

/// A server that hands every connection to `speak` at once.
fn speaks_first(speak: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(speak));
    address
}

/// The first backend is reached through TLS, whoever it proves to be.
fn through_tls(settings: Settings) -> Settings {
    let trust = Trust { verify: false, ca: None, name: None, certificate: None, key: None };
    let connectors = vec![Some(Connector::new("localhost", &trust).unwrap())];
    Settings { connectors, ..settings }
}

#[test]
fn a_backend_that_speaks_no_tls_is_down() {
    let address = speaks_first(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let change = Watched::failure(address, through_tls(one_round(SOON)));
    assert!(change.contains("check failed: speaks no TLS ("), "{change}");
}

#[test]
fn a_backend_silent_in_its_handshake_is_down_in_time_and_holds_up_nobody() {
    let settings = through_tls(one_round(ms(800)));
    let watched = Watched::checked(&[silent(), status(200)], settings);
    assert_eq!([0, 1].map(|index| watched.standing(index)), [Standing::Down, Standing::Up]);
    let change = watched.next_change();
    let what = "backend a: check failed: the TLS handshake was not over after 800ms (";
    assert!(change.contains(what), "{change}");
}

#[test]
fn a_handshake_that_drips_for_ever_is_down() {
    let address = speaks_first(|mut stream| {
        let _ = stream.write_all(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb");
        while stream.write_all(b".").is_ok() {
            thread::park_timeout(ms(5));
        }
    });
    let change = Watched::failure(address, through_tls(one_round(ms(800))));
    assert!(change.contains("the TLS handshake was not over after 800ms ("), "{change}");
}

#[test]
fn stopping_cuts_off_a_handshake() {
    let (reached, asked) = unbounded();
    let address = speaks_first(move |mut stream| {
        let mut hello = [0; 4096];
        while stream.read(&mut hello).is_ok_and(|read| read > 0) {
            reached.send("hello").unwrap();
        }
        reached.send("end").unwrap();
    });
    let long = Duration::from_secs(3600);
    let watched = Watched::start(specs(&[address]), through_tls(one_round(long)));
    assert_eq!(asked.recv_timeout(SOON), Ok("hello"));
    watched.watch.stop();
    assert_eq!(asked.recv_timeout(SOON), Ok("end"));
    assert_eq!(watched.pool.backends()[0].standing(SOON), Standing::Up, "not held against it");
}
