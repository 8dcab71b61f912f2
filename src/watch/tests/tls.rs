//! Checks through TLS that come to nothing. Those that pass need certificates: tests/relay.

use super::*;
use crate::pool::Trust;

/// A server that hands every connection to `speak` at once.
fn speaks_first(speak: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(speak));
    address
}

/// To whoever says to be `name`, whether that can be proved or not.
fn connector(name: &str) -> Option<Connector> {
    let trust = Trust { verify: false, ca: None, name: None, certificate: None, key: None };
    Some(Connector::new(name, &trust, Remedy::APPLICATION).unwrap())
}

/// A watch over backends at `addresses`, the first of which is reached through TLS.
fn through_tls(addresses: &[SocketAddr], settings: Settings) -> Bench {
    let pool = pool_of(specs(addresses), Rules::default());
    Bench::through(vec![connector("localhost")], pool, settings)
}

/// How the only backend fails its check.
fn failure(address: SocketAddr, settings: Settings) -> String {
    through_tls(&[address], settings).next_change()
}

#[test]
fn a_backend_that_speaks_no_tls_is_down() {
    let address = speaks_first(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let change = failure(address, one_round(SOON));
    assert!(change.contains("check failed: speaks no TLS ("), "{change}");
}

#[test]
fn a_backend_silent_in_its_handshake_is_down_in_time_and_holds_up_nobody() {
    let watched = through_tls(&[silent(), status(200)], one_round(ms(2000)));
    assert!(watched.watch.first_round(SOON));
    assert_eq!([0, 1].map(|index| watched.standing(index)), [Standing::Down, Standing::Up]);
    let change = watched.next_change();
    let what = "backend a: check failed: the TLS handshake was not over after 2s (";
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
    let change = failure(address, one_round(ms(800)));
    assert!(change.contains("the TLS handshake was not over after 800ms ("), "{change}");
}

/// One that tells of each hello, and of the end, and answers nothing.
fn says_nothing_to_a_hello() -> (SocketAddr, Receiver<&'static str>) {
    let (reached, asked) = unbounded();
    let address = speaks_first(move |mut stream| {
        let mut hello = [0; 4096];
        while stream.read(&mut hello).is_ok_and(|read| read > 0) {
            reached.send("hello").unwrap();
        }
        reached.send("end").unwrap();
    });
    (address, asked)
}

#[test]
fn stopping_cuts_off_a_handshake() {
    let (address, asked) = says_nothing_to_a_hello();
    let long = Duration::from_secs(3600);
    let watched = through_tls(&[address], one_round(long));
    assert_eq!(asked.recv_timeout(SOON), Ok("hello"));
    watched.watch.stop();
    assert_eq!(asked.recv_timeout(SOON), Ok("end"));
    assert_eq!(watched.pool.backends()[0].standing(SOON), Standing::Up, "not held against it");
}

#[test]
fn who_must_prove_something_else_is_asked_anew_and_nobody_else() {
    let (address, asked) = says_nothing_to_a_hello();
    let settings = one_round(Duration::from_secs(3600));
    let mut bench = through_tls(&[address], settings.clone());
    assert_eq!(asked.recv_timeout(SOON), Ok("hello"));
    // It is at another place of the list, and what it must prove was read anew: from the same.
    let mut specs = specs(&[status(200), address]);
    (specs[0].name, specs[1].name) = ("b".into(), "a".into());
    bench.replace_by(vec![None, connector("localhost")], specs.clone(), settings.clone());
    bench.await_checks(0, 1);
    assert!(asked.is_empty());
    bench.replace_by(vec![None, connector("other.test")], specs, settings);
    assert_eq!([asked.recv_timeout(SOON), asked.recv_timeout(SOON)], [Ok("end"), Ok("hello")]);
    let counts = || bench.pool.backends()[1].counts();
    assert_eq!(counts().checks_failed, 0, "not held against it");
}
