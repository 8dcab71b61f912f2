//! TLS at a listener of mode "tcp": ended there, or passed on, with the name that it asks for read
//! or not.

use super::{TCP, echo, named, passing, record, records, with};
use crate::harness::{
    Backend, Broken, Certs, Keyed, OpenSsl, Proving, Proxy, Trusting, Wire, proving, showing,
    trusting,
};
use serde_json::Value;

#[test]
fn a_listener_may_end_tls_for_whatever_is_spoken_in_it() {
    let (backend, certs) = (Backend::every(echo), Certs::make());
    let proxy = Proxy::secure(&certs, &[&backend], &format!("log.access = \"json\"\n{TCP}"));
    proxy.no_farewell();
    let line = proxy.process.said.wait("listening on ");
    assert!(line.ends_with(": TCP, 1 application, round-robin, with TLS"), "{line}");
    let mut client = proxy.connect();
    client.send("*1\r\n$4\r\nPING\r\n");
    client.expect("*1\r\n$4\r\nPING\r\n");
    client.finish();
    client.expect_end();
    let name = ["-servername", "localhost", "-verify_hostname", "localhost"];
    let mut client = OpenSsl::connect(proxy.address, &certs, &name);
    client.wire.send("through openssl");
    client.wire.expect("through openssl");
}

#[test]
fn who_speaks_no_tls_where_it_ends_is_reset_and_is_no_request() {
    let (backend, certs) = (Backend::every(echo), Certs::make());
    let proxy = Proxy::secure(&certs, &[&backend], &format!("log.access = \"json\"\n{TCP}"));
    proxy.no_farewell();
    for words in ["EHLO mail.example.org\r\n", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"] {
        let mut client = proxy.connect_raw();
        client.send(words);
        assert_eq!(client.ending(), (Vec::new(), Broken::Reset), "{words}");
    }
    proxy.process.said.wait("client 127.0.0.1: speaks no TLS");
    assert_eq!(backend.visits(), 0);
    let mut client = proxy.connect();
    client.send("x");
    client.expect("x");
    client.finish();
    client.expect_end();
    assert_eq!(record(&proxy)["status"], Value::Null, "the first line of all is of this one");
}

#[test]
fn a_backend_may_speak_tls_where_clients_do_not_and_must_prove_who_it_is() {
    let (certs, others) = (Certs::make(), Certs::make());
    let script = |_: usize, wire: &mut Wire| {
        wire.send("hello");
        wire.expect("ping");
        wire.send("pong");
        wire.finish();
    };
    let good = proving(Proving::with(&certs.leaf("b.test")), script);
    let bad = proving(Proving::with(&others.leaf("b.test")), script);
    let keys = trusting(&certs);
    let settings = "balance.policy = \"first-alive\"\npassive.failures = 0";
    let proxy = passing(&[&Keyed(&bad, &keys), &Keyed(&good, &keys)], settings);
    let mut client = proxy.connect();
    client.expect("hello");
    client.send("ping");
    client.expect("pong");
    client.finish();
    client.expect_end();
    assert_eq!(record(&proxy)["tries"], 2);
    proxy.process.said.wait("backend A: connect failed: ");
}

#[test]
fn tls_goes_through_to_whom_it_is_meant_for_and_its_name_is_in_the_log() {
    let certs = Certs::make();
    let backend = showing(&certs.leaf("localhost"));
    let proxy = with(&[&backend], "", "sni = \"required\"");
    let line = proxy.process.said.wait("listening on ");
    assert!(line.contains(": TCP by the names that TLS asks for, 1 application"), "{line}");
    let mut client = proxy.connect();
    client.secure(Trusting::of(&certs).to("localhost"));
    assert_eq!(client.get("/").status(), 200);
    drop(client);
    assert_eq!(record(&proxy)["host"], "localhost");
}

#[test]
fn a_hello_may_come_byte_by_byte_and_arrives_whole() {
    let certs = Certs::make();
    let backend = Backend::every(echo);
    let proxy = with(&[&backend], "", "sni = \"required\"");
    let mut client = proxy.connect();
    let hello = Trusting::of(&certs).to("a.test").hello();
    for byte in &hello {
        client.send([*byte]);
    }
    assert_eq!(client.exactly(hello.len()).unwrap(), hello);
    client.send("and more");
    client.expect("and more");
    client.finish();
    client.expect_end();
    assert_eq!(record(&proxy)["host"], "a.test");
    assert_eq!(record(&proxy)["bytes_received"], hello.len() + 8);
}

#[test]
fn where_tls_is_required_all_else_is_closed_and_never_reaches_a_backend() {
    let backend = named("hello");
    let proxy = with(&[&backend], "timeouts.handshake = \"300ms\"", "sni = \"required\"");
    for bytes in ["GET / HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "SSH-2.0-x\r\n"] {
        let mut client = proxy.connect();
        client.send(bytes);
        assert_eq!(client.ending(), (Vec::new(), Broken::Reset), "{bytes}");
    }
    proxy.process.said.wait("it begins with no TLS");
    // Cut off in the middle of its hello, or silent there.
    let mut client = proxy.connect();
    client.send([22, 3, 1, 2, 0, 1]);
    client.finish();
    assert_eq!(client.ending(), (Vec::new(), Broken::Reset));
    let mut client = proxy.connect();
    client.send([22, 3, 1, 2, 0, 1]);
    assert_eq!(client.ending(), (Vec::new(), Broken::Reset));
    // And who says nothing has its time, too.
    assert!(matches!(proxy.connect().ending().1, Broken::End | Broken::Reset));
    assert_eq!(backend.visits(), 0);
}

#[test]
fn a_listener_with_tls_and_one_that_passes_it_on_may_stand_side_by_side() {
    let certs = Certs::make();
    let (certificate, key) = certs.leaf("localhost");
    let (inner, plain) = (showing(&certs.leaf("b.test")), Backend::every(echo));
    drop(plain);
    let tls = format!("tls.certificates = [{certificate:?}]\ntls.keys = [{key:?}]");
    let listeners = format!("{TCP}sni = \"required\"\n{TCP}name = \"two\"\n");
    let settings = format!("log.access = \"json\"\n{tls}\n{listeners}");
    let proxy = Proxy::with(&[&inner], &settings);
    proxy.no_farewell();
    let mut through = Wire::connect(proxy.address);
    through.secure(Trusting::of(&certs).to("b.test"));
    assert_eq!(through.get("/").status(), 200, "the application's own certificate");
    let mut ended = Wire::connect(proxy.listener(2));
    ended.secure(Trusting::of(&certs).to("localhost"));
    ended.handshake().unwrap();
    drop((through, ended));
    let names: Vec<_> = records(&proxy, 2).iter().map(|it| it["host"].clone()).collect();
    assert!(names.contains(&"b.test".into()) && names.contains(&serde_json::Value::Null));
}

/// Two applications, each in a pool of its own.
const POOLS: &str = "[[pools]]\nname = \"one\"\n<A>\n[[pools]]\nname = \"two\"\n<B>\n";

#[test]
fn tls_is_passed_on_to_the_pool_that_its_name_has_a_route_to() {
    let certs = Certs::make();
    let [a, b] = ["a.test", "x.b.test"].map(|name| showing(&certs.leaf(name)));
    let routes = "[[routes]]\nhost = \"a.test\"\npool = \"one\"\n\
                  [[routes]]\nhost = \"*.b.test\"\npool = \"two\"\n\
                  [[routes]]\npath = \"/x\"\npool = \"two\"\n";
    let proxy = with(&[&a, &b], "", &format!("sni = \"required\"\n{POOLS}{routes}"));
    for (name, visits) in [("a.test", [1, 0]), ("x.b.test", [1, 1])] {
        let mut client = proxy.connect();
        client.secure(Trusting::of(&certs).to(name));
        assert_eq!(client.get("/").status(), 200, "{name} shows its own certificate");
        assert_eq!([a.visits(), b.visits()], visits);
        drop(client);
        records(&proxy, visits.iter().sum());
    }
    let mut stranger = proxy.connect();
    stranger.send(Trusting::of(&certs).to("c.test").hello());
    assert_eq!(stranger.ending(), (Vec::new(), Broken::Reset));
    let told = records(&proxy, 3);
    let of = |key: &str| told.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    let null = serde_json::Value::Null;
    assert_eq!(of("pool"), ["one".into(), "two".into(), null.clone()]);
    assert_eq!(of("route"), ["a.test".into(), "*.b.test".into(), null]);
    assert_eq!(told[2]["reason"], "no route leads from there to a pool");
}

#[test]
fn a_listener_may_be_for_one_pool_whatever_routes_say() {
    let (a, b) = (Backend::plain(), Backend::every(echo));
    let listeners = format!(
        "[[listeners]]\nname = \"a\"\nlisten = \"127.0.0.1:0\"\n{TCP}name = \"b\"\npool = \"two\"\n\
         [[listeners]]\nname = \"c\"\nlisten = \"127.0.0.1:0\"\npool = \"one\"\n"
    );
    let routes = "[[routes]]\nhost = \"a.test\"\npool = \"one\"\n";
    let settings = format!("log.access = \"json\"\n{listeners}{POOLS}{routes}");
    let proxy = Proxy::with(&[&a, &b], &settings);
    for summary in ["1 application, in pool one", "TCP, 1 application, in pool two"] {
        proxy.process.said.wait(&format!(": {summary}"));
    }
    assert_eq!(proxy.get("/").status(), 200);
    let get = "GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n";
    assert_eq!(proxy.ask(get).status(), 404);
    assert_eq!(Wire::connect(proxy.listener(3)).ask(get).status(), 200);
    let mut client = Wire::connect(proxy.listener(2));
    client.send("through and back");
    client.expect("through and back");
    client.finish();
    client.expect_end();
}
