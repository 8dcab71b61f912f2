//! What backends are told, and that no client is taken for another.

use super::{GET, REQUIRED, UNKNOWN, beginning, v1, v2};
use crate::harness::{Backend, Keyed, Place, Proving, Proxy, Wire, eventually, serve};
#[cfg(feature = "tls")]
use crate::harness::{Certs, trusting};
use ppp::HeaderResult;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

pub(super) const V1: &str = "proxy_protocol = \"v1\"\n";
pub(super) const V2: &str = "proxy_protocol = \"v2\"\n";

/// Each connection's preface in words, and the targets that were asked for on it.
type Heard = Arc<Mutex<Vec<(String, Vec<String>)>>>;

/// A server that wants a preface, and whatever comes behind it.
fn told(proving: Option<Proving>) -> (Backend, Heard) {
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    let backend = Backend::scripted(move |_, wire| {
        let Some(preface) = preface_on(wire) else { return };
        let place = {
            let mut all = hears.lock().unwrap();
            all.push((preface, Vec::new()));
            all.len() - 1
        };
        if let Some(proving) = &proving {
            wire.secure(proving.accepted());
            if wire.handshake().is_err() {
                return;
            }
        }
        while let Some(request) = wire.request() {
            hears.lock().unwrap()[place].1.push(request.target().to_owned());
            if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
                return;
            }
        }
    });
    (backend, heard)
}

/// Reads it and not a byte more, and has another reader understand it.
fn preface_on(wire: &Wire) -> Option<String> {
    let (mut socket, mut bytes) = (wire.stream(), Vec::new());
    loop {
        let mut byte = [0];
        socket.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
        let is_text = bytes[0] == b'P';
        let is_whole = match bytes.get(14..16) {
            _ if is_text => bytes.ends_with(b"\r\n"),
            Some(length) => {
                bytes.len() == 16 + usize::from(length[0]) * 256 + usize::from(length[1])
            }
            None => false,
        };
        assert!(bytes.len() <= 107, "no preface: {}", bytes.escape_ascii());
        if is_whole {
            return Some(in_words(&bytes));
        }
    }
}

fn in_words(bytes: &[u8]) -> String {
    let ends = |from: SocketAddr, to: SocketAddr| format!("{from} -> {to}");
    match HeaderResult::parse(bytes) {
        HeaderResult::V1(header) => match header.unwrap().addresses {
            ppp::v1::Addresses::Tcp4(it) => ends(
                (it.source_address, it.source_port).into(),
                (it.destination_address, it.destination_port).into(),
            ),
            ppp::v1::Addresses::Tcp6(it) => ends(
                (it.source_address, it.source_port).into(),
                (it.destination_address, it.destination_port).into(),
            ),
            ppp::v1::Addresses::Unknown => "unknown".to_owned(),
        },
        HeaderResult::V2(header) => match header.unwrap().addresses {
            ppp::v2::Addresses::IPv4(it) => ends(
                (it.source_address, it.source_port).into(),
                (it.destination_address, it.destination_port).into(),
            ),
            ppp::v2::Addresses::IPv6(it) => ends(
                (it.source_address, it.source_port).into(),
                (it.destination_address, it.destination_port).into(),
            ),
            other => format!("local {other:?}"),
        },
    }
}

fn prefaces(heard: &Heard) -> Vec<String> {
    heard.lock().unwrap().iter().map(|(preface, _)| preface.clone()).collect()
}

#[test]
fn a_backend_is_told_whose_connection_it_is() {
    for keys in [V1, V2] {
        let (backend, heard) = told(None);
        let proxy = Proxy::with(&[&Keyed(&backend, keys)], "");
        let mut client = proxy.connect();
        let own = client.stream().local_addr().unwrap();
        assert_eq!(client.get("/").status(), 200);
        assert_eq!(prefaces(&heard), [format!("{own} -> {}", proxy.address)]);
    }
}

#[test]
fn a_client_that_a_preface_named_is_passed_on_with_where_it_went() {
    let (one, two) = (told(None), told(None));
    let proxy = Proxy::with(&[&Keyed(&one.0, V1), &Keyed(&two.0, V2)], REQUIRED);
    proxy.begin_with(UNKNOWN);
    for preface in [v1("192.0.2.7:4711", "198.51.100.1:443"), v2("[2001:db8::7]:1", "[::1]:2")] {
        let mut client = beginning(&proxy, preface);
        assert_eq!((client.ask(GET).status(), client.ask(GET).status()), (200, 200));
    }
    let all = ["192.0.2.7:4711 -> 198.51.100.1:443", "[2001:db8::7]:1 -> [::1]:2"];
    assert_eq!(
        (prefaces(&one.1), prefaces(&two.1)),
        (all.map(Into::into).into(), all.map(Into::into).into())
    );
}

/// The address of the first client would hold for all who come after it on that connection.
#[test]
fn no_request_goes_up_on_another_clients_connection() {
    let (backend, heard) = told(None);
    let proxy = Proxy::with(&[&Keyed(&backend, V2)], "timeouts.upstream_keep_alive = \"2s\"");
    let mut clients = [proxy.connect(), proxy.connect(), proxy.connect()];
    for _ in 0..4 {
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.get(&format!("/{number}")).status(), 200);
        }
    }
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 3, "a client keeps its own: {heard:?}");
    for (number, client) in clients.iter().enumerate() {
        let own = client.stream().local_addr().unwrap().to_string();
        let (_, targets) = heard.iter().find(|(preface, _)| preface.starts_with(&own)).unwrap();
        assert_eq!(*targets, vec![format!("/{number}"); 4]);
    }
}

#[test]
fn nothing_is_kept_for_a_client_that_does_not_stay() {
    let (backend, _) = told(None);
    let proxy = Proxy::with(&[&Keyed(&backend, V1)], "timeouts.upstream_keep_alive = \"1h\"");
    for _ in 0..5 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    eventually("they are closed", || backend.connections() == 0);
}

#[cfg(feature = "tls")]
#[test]
fn it_comes_before_tls() {
    let certs = Certs::make();
    for keys in [V1, V2] {
        let (backend, heard) = told(Some(Proving::with(&certs.leaf("localhost"))));
        let keys = trusting(&certs) + keys;
        let proxy = Proxy::secure(&certs, &[&Keyed(&backend, &keys)], "");
        let mut client = proxy.connect();
        let own = client.stream().local_addr().unwrap();
        assert_eq!((client.get("/").status(), client.get("/").status()), (200, 200));
        assert_eq!(prefaces(&heard), [format!("{own} -> {}", proxy.address)]);
    }
}

#[test]
fn each_try_has_its_own() {
    let dead = Backend::every(|wire| {
        let _ = preface_on(wire);
    });
    let (good, heard) = told(None);
    let places: [&dyn Place; 2] = [&Keyed(&dead, V2), &Keyed(&good, V2)];
    let proxy = Proxy::with(&places, "balance.policy = \"first-alive\"\npassive.failures = 0");
    let mut client = proxy.connect();
    let own = client.stream().local_addr().unwrap();
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(prefaces(&heard), [format!("{own} -> {}", proxy.address)]);
}

#[test]
fn a_check_is_nobodys_request_and_says_so() {
    let (one, two) = (told(None), told(None));
    let checked = Backend::plain();
    let (three, heard) = told(None);
    let apart = format!("{V2}health_port = {}", checked.port());
    let places: [&dyn Place; 3] = [&Keyed(&one.0, V1), &Keyed(&two.0, V2), &Keyed(&three, &apart)];
    let proxy = Proxy::with(&places, "health.interval = \"60s\"");
    // In version 1 the check's own two ends, as some servers refuse UNKNOWN.
    eventually("the first is asked", || !prefaces(&one.1).is_empty());
    let said = prefaces(&one.1).remove(0);
    assert!(said.starts_with("127.0.0.1:") && said.ends_with(&one.0.port().to_string()), "{said}");
    eventually("the second is asked", || !prefaces(&two.1).is_empty());
    assert!(prefaces(&two.1)[0].starts_with("local"), "{:?}", prefaces(&two.1));
    // A port for checks alone is asked as it is.
    assert_eq!(checked.wait_requests(1)[0].target(), "/health");
    assert!(prefaces(&heard).is_empty());
    assert_eq!(proxy.said(" down"), 0);
}

#[test]
fn a_reload_that_turns_it_on_uses_no_connection_of_before() {
    // The first connection is taken as it is, those after it with a preface.
    let is_fine = |visit, wire: &Wire| visit == 0 || preface_on(wire).is_some();
    let backend = Backend::scripted(move |visit, wire| {
        if is_fine(visit, wire) {
            serve(wire);
        }
    });
    let keeping = "timeouts.upstream_keep_alive = \"2s\"";
    let proxy = Proxy::with(&[&backend], keeping);
    let mut client = proxy.connect();
    assert_eq!(client.get("/1").status(), 200);
    let said = proxy.reload(&[&Keyed(&backend, V1)], keeping);
    assert!(said.contains("proxy_protocol: \"off\" -> \"v1\""), "{said}");
    assert_eq!((client.get("/2").status(), client.get("/3").status()), (200, 200));
    assert_eq!(backend.visits(), 2);
}
