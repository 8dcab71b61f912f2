//! What users of other programs have reported of TCP through them, played here. The reports are
//! named beside each.

use super::{echo, passing, with};
use crate::harness::{Backend, Broken, DEADLINE, Gate, Keyed, Vacant, Wire, eventually};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// fabiolb/fabio #336, armon/go-socks5 #9, mandiant/flare-fakenet-ng #83: a burst with a FIN right
/// behind it, and the answer was lost.
#[test]
fn a_burst_with_an_end_right_behind_it_is_answered_whole() {
    let backend = Backend::every(|wire| {
        let (asked, end) = wire.ending();
        assert_eq!(end, Broken::End);
        wire.send(asked);
    });
    let proxy = passing(&[&backend], "");
    for round in 0..20 {
        let mut client = proxy.connect();
        let burst = vec![b'a' + round; 60_000];
        client.send(&burst);
        client.finish();
        assert_eq!(client.ending(), (burst, Broken::End));
    }
}

/// sozu-proxy/sozu #1290: of an upload whose client closed right behind it, what the backend had
/// not read yet was thrown away.
#[test]
fn an_upload_is_whole_though_its_client_is_gone_and_its_reader_slow() {
    const BYTES: usize = 8_000_000;
    let (gate, (read, count)) = (Gate::new(), mpsc::channel());
    let opens = gate.clone();
    let backend = Backend::every(move |wire| {
        opens.pass();
        read.send(wire.ending()).unwrap();
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    // What no buffer on the way has room for waits in this thread.
    let sending = thread::spawn(move || {
        client.send(vec![b'a'; BYTES]);
        drop(client);
    });
    eventually("it is connected", || backend.visits() == 1);
    gate.open();
    sending.join().unwrap();
    let (all, end) = count.recv_timeout(DEADLINE).unwrap();
    assert_eq!((all.len(), end), (BYTES, Broken::End));
}

/// fatedier/frp #4967, envoyproxy/envoy #2067, lima-vm/lima #5329: the other side had not ended,
/// and the client was told that it had.
#[test]
fn who_has_ended_hears_of_no_end_before_there_is_one() {
    let gate = Gate::new();
    let opens = gate.clone();
    let backend = Backend::every(move |wire| {
        wire.expect_end();
        opens.pass();
        wire.send("late");
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.finish();
    assert!(client.is_silent_for(Duration::from_millis(300)));
    gate.open();
    assert_eq!(client.ending(), (b"late".to_vec(), Broken::End));
}

/// tailscale/tailscale #20879: with a preface in front, the end did not reach a backend that waits
/// for it.
#[test]
fn an_end_is_passed_on_behind_a_preface_that_comes_once() {
    let backend = Backend::every(|wire| {
        let (all, _) = wire.ending();
        assert_eq!(all.windows(6).filter(|part| part == b"PROXY ").count(), 1);
        assert!(all.starts_with(b"PROXY TCP4 127.0.0.1 127.0.0.1 ") && all.ends_with(b"\r\nask"));
        wire.send("answer");
    });
    let told = Keyed(&backend, "proxy_protocol = \"v1\"");
    let proxy = passing(&[&told], "");
    let mut client = proxy.connect();
    client.send("ask");
    client.finish();
    assert_eq!(client.ending(), (b"answer".to_vec(), Broken::End));
}

/// haproxy/haproxy #2061, envoyproxy/envoy #2076: a connect that was refused was not tried at
/// another server.
#[test]
fn a_refused_connect_goes_to_another_for_each_client() {
    let vacant = Vacant::new();
    let good = Backend::every(echo);
    let settings = "passive.failures = 0\nbalance.policy = \"first-alive\"";
    let proxy = passing(&[&vacant, &good], settings);
    for _ in 0..10 {
        let mut client = proxy.connect();
        client.send("x");
        client.expect("x");
    }
}

/// traefik/traefik #5155 and #10505: a server that speaks first, and TLS only after its greeting
/// (MySQL), hung.
#[test]
fn tls_that_begins_after_a_greeting_is_nobodys_business() {
    let backend = Backend::every(|wire| {
        wire.send("5.7.0-greeting");
        assert_eq!(wire.exactly(5).unwrap(), [22, 3, 1, 0, 9]);
        wire.send([21, 3, 3, 0, 2]);
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.expect("5.7.0-greeting");
    client.send([22, 3, 1, 0, 9]);
    assert_eq!(client.exactly(5).unwrap(), [21, 3, 3, 0, 2]);
}

/// traefik/traefik #12866 and #10310: PostgreSQL asks for TLS in words of its own, so that there is
/// no name to go by. It is refused with a word, and where no name is needed it goes through.
#[test]
fn postgresql_that_asks_for_tls_is_told_apart_from_tls() {
    const ASKS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let backend = Backend::every(|wire| {
        assert_eq!(wire.exactly(8).unwrap(), ASKS);
        wire.send("S");
        echo(wire);
    });
    let proxy = with(&[&backend], "", "sni = \"required\"");
    let mut client = proxy.connect();
    client.send(ASKS);
    assert_eq!(client.ending(), (Vec::new(), Broken::Reset));
    proxy.process.said.wait("it begins with no TLS");
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.send(ASKS);
    client.expect("S");
    client.send("and on");
    client.expect("and on");
}

/// mholt/caddy-l4 #346, kubernetes/ingress-nginx #11498, droe/sslsplit #342, bol-van/zapret #161: a
/// hello with post-quantum keys is longer than a packet, or comes in several records, and its name
/// was not found.
#[test]
fn a_long_hello_in_many_records_has_a_name() {
    let backend = Backend::every(echo);
    let proxy = with(&[&backend], "", "sni = \"required\"");
    let hello = hello("pq.example.org", 6000);
    for size in [90, 1200, 16_000] {
        let records: Vec<u8> = hello.chunks(size).flat_map(record).collect();
        let mut client = proxy.connect();
        for piece in records.chunks(1400) {
            client.send(piece);
        }
        assert_eq!(client.exactly(records.len()).unwrap(), records, "records of {size}");
        drop(client);
    }
    let said = super::records(&proxy, 3);
    assert!(said.iter().all(|line| line["host"] == "pq.example.org"), "{said:?}");
}

/// haproxy-unofficial-obsolete-mirrors/haproxy #26: the backend did not hear that the client had
/// left until it said something itself.
#[test]
fn a_backend_hears_at_once_that_its_client_has_left() {
    let gate = Gate::new();
    let opens = gate.clone();
    let backend = Backend::every(move |wire: &mut Wire| {
        wire.expect("x");
        wire.expect_end();
        opens.open();
    });
    let proxy = passing(&[&backend], "");
    let mut client = proxy.connect();
    client.send("x");
    drop(client);
    gate.pass();
}

fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &length(fragment)[..], fragment].concat()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&length(bytes)[..], bytes].concat()
}

/// A ClientHello with this name behind a key of so many bytes.
fn hello(name: &str, key: usize) -> Vec<u8> {
    let names = sized(&[&[0], &sized(name.as_bytes())[..]].concat());
    let key = [&[0, 51], &sized(&vec![7; key])[..]].concat();
    let extensions = sized(&[&key[..], &[0, 0], &sized(&names)].concat());
    let front = [&[3, 3][..], &[9; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    let body = [front, extensions].concat();
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &size[1..], &body].concat()
}
