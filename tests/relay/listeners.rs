//! More listeners than one: where clients come in decides how they are spoken to, and whether they
//! are sent to https.

use crate::harness::{
    Backend, Certs, Gate, Message, OpenSsl, Place, Proxy, Scratch, Wire, eventually, timed,
};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

const TWO: &str = "[[listeners]]\nname = \"one\"\nlisten = \"127.0.0.1:0\"\n\
                   [[listeners]]\nname = \"two\"\nlisten = \"127.0.0.1:0\"\n";

/// One that serves, and one that sends to https, with `keys` of its own.
fn sending(keys: &str) -> String {
    format!("{TWO}mode = \"redirect-to-https\"\n{keys}\n")
}

fn ask_at(address: SocketAddr, request: &str) -> Message {
    Wire::connect(address).ask(request)
}

fn fetch_at(address: SocketAddr, target: &str) -> Message {
    ask_at(address, &format!("GET {target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"))
}

#[test]
fn the_same_applications_are_served_at_each_with_tls_or_without() {
    let (a, certs) = (Backend::plain(), Certs::make());
    let (certificate, key) = certs.leaf("localhost");
    let tls = format!("tls.certificates = [{certificate:?}]\ntls.keys = [{key:?}]\n");
    let proxy =
        Proxy::with(&[&a], &format!("{tls}{}", TWO.replacen("\n[[", "\ntls = false\n[[", 1)));
    assert_eq!(proxy.get("/clear").status(), 200);
    let name = ["-servername", "localhost", "-verify_hostname", "localhost"];
    let mut client = OpenSsl::connect(proxy.listener(2), &certs, &name);
    assert_eq!(client.wire.get("/secure").status(), 200);
    assert_eq!(fetch_at(proxy.listener(2), "/").status(), 400, "it speaks TLS");
    let first = proxy.process.said.wait("listening on ");
    let second = proxy.process.said.wait_nth("listening on ", 2);
    assert!(first.ends_with(": 1 application, round-robin"), "{first}");
    assert!(second.ends_with(": 1 application, round-robin, with TLS"), "{second}");
}

#[test]
fn who_is_to_speak_tls_is_told_the_same_address_by_https() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], &format!("log.access = \"json\"\n{}", sending("")));
    let to = |method: &str, target: &str, host: &str| {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = ask_at(proxy.listener(2), &request);
        assert_eq!(answer.status(), 308, "{answer:?}");
        assert_eq!(answer.field("cache-control"), Some("no-store"), "it hangs on Host");
        answer.field("location").unwrap().to_owned()
    };
    for (method, target, host, expected) in [
        ("GET", "/", "a.test", "https://a.test/"),
        ("GET", "/a/b?c=d", "a.test:80", "https://a.test/a/b?c=d"),
        ("DELETE", "/x", "A.test", "https://A.test/x"),
        ("GET", "//evil.test/", "a.test", "https://a.test//evil.test/"),
        ("GET", "/@evil.test", "a.test", "https://a.test/@evil.test"),
        ("GET", "http://b.test/p", "a.test", "https://b.test/p"),
        ("GET", "/%0d%0aX:y", "[::1]:80", "https://[::1]/%0d%0aX:y"),
        ("OPTIONS", "*", "a.test", "https://a.test"),
    ] {
        assert_eq!(to(method, target, host), expected);
    }
    let post = "POST /f HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(ask_at(proxy.listener(2), post).status(), 308);
    let record = proxy.record("/f");
    assert!(record["pool"].is_null() && record["route"].is_null(), "led nowhere yet: {record}");
    assert_eq!(record["status"], 308);
    for bad in ["a.test/x", "a.test@evil.test", "a b", "evil.test#", "\"evil\""] {
        let answer = ask_at(proxy.listener(2), &format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n"));
        assert_eq!(answer.status(), 400, "{bad}");
    }
    let nameless = ask_at(proxy.listener(2), "GET / HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.status(), 400);
    assert!(nameless.text().contains("names no Host"), "{}", nameless.text());
    let line = proxy.process.said.wait_nth("listening on ", 2);
    assert!(line.ends_with(": redirecting to https at port 443"), "{line}");
    assert_eq!(a.visits(), 0, "nothing was relayed");
    assert_eq!(proxy.get("/").status(), 200, "at the other listener all is as ever");
}

#[test]
fn another_port_of_https_is_named_and_a_balancer_in_front_still_learns_whether_all_is_ready() {
    let a = Backend::plain();
    let settings = format!("server.ready = \"/ready\"\n{}", sending("https_port = 8443"));
    let proxy = Proxy::with(&[&a], &settings);
    let answer = fetch_at(proxy.listener(2), "/x");
    assert_eq!(answer.field("location"), Some("https://a.test:8443/x"));
    assert_eq!(fetch_at(proxy.listener(2), "/ready").status(), 200);
    assert_eq!(proxy.get("/ready").status(), 200);
}

/// A webroot with one proof in it, called `proof`.
fn webroot() -> Scratch {
    let scratch = Scratch::new();
    let folder = scratch.path().join(".well-known/acme-challenge");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("proof"), "proof.print").unwrap();
    scratch
}

#[test]
fn proofs_for_an_acme_server_are_read_from_the_folder_as_they_come_and_go() {
    let (a, root) = (Backend::plain(), webroot());
    let keys = format!("acme_webroot = {:?}", root.path());
    let proxy = Proxy::with(&[&a], &sending(&keys));
    let at = proxy.listener(2);
    let path = |name: &str| format!("/.well-known/acme-challenge/{name}");
    let answer = fetch_at(at, &path("proof"));
    assert_eq!((answer.status(), answer.text().as_str()), (200, "proof.print"));
    assert_eq!(answer.field("content-type"), Some("application/octet-stream"));
    let head = format!("HEAD {} HTTP/1.1\r\nHost: a\r\n\r\n", path("proof"));
    let mut client = Wire::connect(at);
    client.send(head);
    assert_eq!(client.head().unwrap().field("content-length"), Some("11"));

    let folder = root.path().join(".well-known/acme-challenge");
    assert_eq!(fetch_at(at, &path("next")).status(), 404);
    fs::write(folder.join("next"), "next.print\n").unwrap();
    assert_eq!(fetch_at(at, &path("next")).text(), "next.print\n");
    fs::remove_file(folder.join("next")).unwrap();
    assert_eq!(fetch_at(at, &path("next")).status(), 404);

    fs::write(root.path().join("secret"), "secret").unwrap();
    symlink(root.path().join("secret"), folder.join("link")).unwrap();
    assert_eq!(fetch_at(at, &path("link")).text(), "secret", "who may write there chooses");
    for name in ["", "..%2f..%2fsecret", "../../secret", "..", "a/b", "proof/", "a.b"] {
        assert_eq!(fetch_at(at, &path(name)).status(), 404, "{name}");
    }
    let post = format!("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", path("proof"));
    assert_eq!(ask_at(at, &post).status(), 404);
    assert_eq!(fetch_at(at, "/.well-known/acme-challenge").status(), 308);
    assert_eq!(proxy.get(&path("proof")).text(), format!("GET {} 0\n", path("proof")), "relayed");
}

#[test]
fn what_is_no_file_proves_nothing_and_holds_up_nobody() {
    let (a, root) = (Backend::plain(), webroot());
    let folder = root.path().join(".well-known/acme-challenge");
    assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    fs::create_dir(folder.join("folder")).unwrap();
    fs::write(folder.join("binary"), [0xff, 0xfe, 0]).unwrap();
    let keys = format!("acme_webroot = {:?}", root.path());
    let proxy = Proxy::with(&[&a], &sending(&keys));
    let at = proxy.listener(2);
    for name in ["pipe", "folder", "binary"] {
        let answer = fetch_at(at, &format!("/.well-known/acme-challenge/{name}"));
        assert_eq!(answer.status(), 404, "{name}");
    }
    assert_eq!(fetch_at(at, "/.well-known/acme-challenge/proof").status(), 200);
}

#[test]
fn a_reload_opens_and_closes_listeners_and_changes_what_becomes_of_clients_there() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], TWO);
    let (one, two) = (proxy.address, proxy.listener(2));
    let mut staying = Wire::connect(two);
    assert_eq!(staying.get("/").status(), 200);
    let settings =
        |rest: &str| format!("[[listeners]]\nname = \"one\"\nlisten = \"{one}\"\n{rest}");
    let two_at = |rest: &str| {
        settings(&format!("[[listeners]]\nname = \"two\"\nlisten = \"{two}\"\n{rest}"))
    };

    let line = proxy.reload(&[&a], &two_at("mode = \"redirect-to-https\"\n"));
    assert!(line.contains("listener two: mode: \"http\" -> \"redirect-to-https\""), "{line}");
    assert_eq!(fetch_at(two, "/").status(), 308);
    assert_eq!(staying.get("/").status(), 200, "it came in when that was served");

    let line = proxy.reload(&[&a], &settings(""));
    assert!(line.contains("listener two: gone"), "{line}");
    eventually("its address is free", || TcpStream::connect(two).is_err());
    assert_eq!(staying.get("/").status(), 200);
    assert_eq!(fetch_at(one, "/").status(), 200);

    let line = proxy.reload(&[&a], &two_at(""));
    assert!(line.contains(&format!("listener two: new, at {two}")), "{line}");
    assert_eq!(fetch_at(two, "/").status(), 200);
}

#[test]
fn a_reload_tells_of_the_listeners_that_it_changes_and_of_no_others() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let settings = |places: [&str; 2], pool: &str, limit: u32| {
        let [one, two] = places;
        format!(
            "server.max_connections = {limit}\n\
             [[listeners]]\nname = \"one\"\nlisten = \"{one}\"\n\
             [[listeners]]\nname = \"two\"\nlisten = \"{two}\"\npool = \"{pool}\"\n\
             [[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
             [[routes]]\npool = \"web\"\n"
        )
    };
    let proxy = Proxy::with(&[&a, &b], &settings(["127.0.0.1:0"; 2], "web", 100));
    let places = [proxy.address, proxy.listener(2)];
    let mut clients = places.map(Wire::connect);
    for client in &mut clients {
        assert_eq!(client.get("/").status(), 200);
    }
    let [one, two] = places.map(|at| at.to_string());
    let line = proxy.reload(&[&a, &b], &settings([&one, &two], "web", 90));
    assert!(line.contains("max_connections: 100 -> 90"), "{line}");
    assert_eq!(proxy.said("listening on "), 2, "who is there is told of no listener");
    proxy.reload(&[&a, &b], &settings([&one, &two], "api", 90));
    let line = proxy.process.said.wait_nth("listening on ", 3);
    assert!(line.ends_with(&format!("{two}: 1 application, in pool api")), "{line}");
    assert_eq!(proxy.said("listening on "), 3);
}

#[test]
fn a_reload_to_an_address_that_is_taken_opens_none_of_the_others() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], TWO);
    proxy.pardon("not reloaded");
    let (one, two) = (proxy.address, proxy.listener(2));
    // An address at which nobody else is given a port.
    let held = TcpListener::bind("127.0.0.3:0").unwrap();
    let (free, taken) = (held.local_addr().unwrap(), a.port());
    drop(held);
    let settings = format!(
        "[[listeners]]\nlisten = \"{one}\"\n[[listeners]]\nlisten = \"{free}\"\n\
         [[listeners]]\nlisten = \"127.0.0.2:{taken}\"\n"
    );
    let _held = TcpListener::bind(format!("127.0.0.2:{taken}")).unwrap();
    let line = proxy.reload(&[&a], &settings);
    let told = format!(":10:10: listeners.listen: cannot listen on 127.0.0.2:{taken}");
    assert!(line.contains(&told), "{line}");
    assert!(TcpStream::connect(free).is_err());
    for at in [one, two] {
        assert_eq!(fetch_at(at, "/").status(), 200);
    }
}

#[test]
fn an_address_that_is_taken_stops_the_start_and_leaves_no_other_open() {
    let (a, scratch) = (Backend::plain(), Scratch::new());
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap();
    let file = scratch.write(
        "applications.toml",
        format!(
            "{TWO}[[listeners]]\nlisten = \"{taken}\"\n[[applications]]\nip = \"127.0.0.1\"\n\
             port = {}\n",
            a.port()
        ),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
    let output = command.args(["serve", "-c"]).arg(file).current_dir(scratch.path()).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let told = format!("listeners.listen: cannot listen on {taken}: Address already in use");
    assert!(said.starts_with("evenly: ") && said.contains(&told), "{said}");
    assert!(said.contains("applications.toml:"), "{said}");
    assert!(!said.contains("listening on"), "{said}");
}

/// Asks there, and is not waited for.
fn asking_at(address: SocketAddr, target: &str) -> Wire {
    let mut client = Wire::connect(address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    client
}

/// Longer than the timer takes to look around, several times over.
const SWEEPS: Duration = Duration::from_millis(400);

#[test]
fn a_crowd_at_one_listener_leaves_the_others_their_places() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let proxy = Proxy::with(&[&backend], &format!("{TWO}max_connections = 2\n"));
    let (one, two) = (proxy.address, proxy.listener(2));
    let mut first = Wire::connect(one);
    let mut busy = [(); 2].map(|()| asking_at(two, "/held"));
    backend.wait_requests(2);
    let mut third = asking_at(two, "/3");
    assert!(third.is_silent_for(SWEEPS));
    proxy.process.said.wait("listener two: max_connections = 2 reached");
    let mut many: Vec<Wire> = (0..5).map(|_| asking_at(one, "/first")).collect();
    backend.wait_requests(7);
    let [leaving, staying] = &mut busy;
    std::mem::replace(leaving, Wire::connect(one)).reset();
    backend.wait_requests(8);
    gate.open();
    for client in many.iter_mut().chain([&mut third, staying]) {
        assert_eq!(client.answer().status(), 200);
    }
    assert_eq!(first.get("/").status(), 200, "nobody at its listener was sent away");
}

/// haproxy/haproxy #2519 and #958: clients who gave up while they waited outside filled the
/// backlog, and nobody was let in any more.
#[test]
fn who_gave_up_outside_a_full_listener_keeps_nobody_waiting() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let proxy = Proxy::with(&[&backend], &format!("{TWO}max_connections = 1\n"));
    let two = proxy.listener(2);
    let mut busy = asking_at(two, "/held");
    backend.wait_requests(1);
    for number in 0..100 {
        let gone = asking_at(two, "/gone");
        if number % 2 == 0 {
            gone.reset();
        }
    }
    let mut last = asking_at(two, "/last");
    assert!(last.is_silent_for(SWEEPS));
    gate.open();
    assert_eq!([&mut busy, &mut last].map(|client| client.answer().status()), [200; 2]);
    assert_eq!(proxy.process.said.all().iter().filter(|line| line.contains("reached")).count(), 1);
}

#[test]
fn an_idle_client_makes_room_at_its_own_listener_alone() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], &format!("{TWO}max_connections = 2\n"));
    let (one, two) = (proxy.address, proxy.listener(2));
    let mut elsewhere = Wire::connect(one);
    let mut idle = [(); 2].map(|()| Wire::connect(two));
    for client in idle.iter_mut().chain([&mut elsewhere]) {
        assert_eq!(client.get("/").status(), 200);
    }
    let (_, took) = timed(|| assert_eq!(asking_at(two, "/new").answer().status(), 200));
    assert!(took < Duration::from_secs(5), "idle clients are no reason to wait: {took:?}");
    let stayed = idle.each_mut().map(|client| client.is_silent_for(SWEEPS));
    assert_eq!(stayed, [false, true], "one place was wanted: that of the longest idle");
    assert_eq!(elsewhere.get("/").status(), 200);
}

#[test]
fn a_full_listener_that_leaves_the_file_closes_and_may_come_back() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let narrow = format!("{TWO}max_connections = 1\n");
    let proxy = Proxy::with(&[&backend], &narrow);
    let two = proxy.listener(2);
    let mut clients = [(); 2].map(|()| asking_at(two, "/held"));
    backend.wait_requests(1);
    proxy.process.said.wait("listener two: max_connections = 1 reached");
    let (one, _) = narrow.rsplit_once("[[listeners]]").unwrap();
    proxy.reload(&[&backend], one);
    backend.wait_requests(2);
    eventually("it is closed", || TcpStream::connect(two).is_err());
    let again = format!("[[listeners]]\nname = \"two\"\nlisten = \"{two}\"\n");
    proxy.reload(&[&backend], &format!("{one}{again}"));
    let mut third = asking_at(two, "/held");
    backend.wait_requests(3);
    gate.open();
    for client in clients.iter_mut().chain([&mut third]) {
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn a_reload_widens_a_listener_for_those_who_wait_there() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let narrow = format!("{TWO}max_connections = 1\n");
    let proxy = Proxy::with(&[&backend], &narrow);
    let two = proxy.listener(2);
    let mut clients = [(); 3].map(|()| asking_at(two, "/held"));
    backend.wait_requests(1);
    assert!(clients[1].is_silent_for(SWEEPS) && backend.requests().len() == 1);
    proxy.reload(&[&backend], &narrow.replace("= 1", "= 2"));
    backend.wait_requests(2);
    assert!(clients[2].is_silent_for(SWEEPS) && backend.requests().len() == 2);
    proxy.reload(&[&backend], TWO);
    backend.wait_requests(3);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().status(), 200);
    }
}
