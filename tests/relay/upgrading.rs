//! An upgrade: another process takes over at the same sockets, and no client notices; or it cannot,
//! and the one before serves on.

use crate::harness::{
    Backend, DEADLINE, Gate, Place, Process, Scratch, Wire, eventually, has_own_names, names, serve,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};

/// A program of its own in a directory of its own, so that it can be replaced there.
struct Service {
    first: Process,
    address: SocketAddr,
    scratch: Scratch,
}

impl Service {
    fn over(backends: &[&Backend], settings: &str) -> Self {
        Self::with(backends, settings, "")
    }

    /// Where a shell has first run this.
    fn with(backends: &[&Backend], settings: &str, before: &str) -> Self {
        let scratch = Scratch::new();
        scratch.install("evenly", env!("CARGO_BIN_EXE_evenly"));
        let listen = match settings.contains("[[listeners]]") {
            true => "",
            false => "server.listen = \"127.0.0.1:0\"\n",
        };
        let mut text = format!("{listen}server.workers = 2\n{settings}\n");
        for (name, backend) in ["A", "B", "C"].iter().zip(backends) {
            let port = backend.port();
            text += &format!(
                "[[applications]]\nname = \"{name}\"\nip = \"127.0.0.1\"\nport = {port}\n"
            );
        }
        scratch.write("applications.toml", text);
        let mut command = Command::new("sh");
        let script =
            format!("{before}\nexport EVENLY_ADMIN_SOCKET=./admin.sock\nexec ./evenly serve");
        let first = Process::start(command.args(["-c", &script]), scratch.path());
        let line = first.said.wait("listening on ");
        let address = line.split("listening on ").nth(1).unwrap();
        let address = address.split(": ").next().unwrap().trim_start_matches("http://");
        Self { address: address.parse().unwrap(), first, scratch }
    }

    /// An operator's question: status and body of the answer.
    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut socket = UnixStream::connect(self.scratch.path().join("admin.sock")).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nX-Evenly: 1\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/status").1).unwrap()
    }

    /// The process that answers operators.
    fn pid(&self) -> u32 {
        u32::try_from(self.status()["process"]["pid"].as_u64().unwrap()).unwrap()
    }

    fn upgrade(&self) -> (u16, String) {
        let answer = self.ask("POST", "/upgrade");
        (answer.0, answer.1)
    }

    fn get(&self, target: &str) -> Option<u16> {
        let mut client = TcpStream::connect(self.address).ok()?;
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(client, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).ok()?;
        answer.get(9..12)?.parse().ok()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}", self.first.said.all().join("\n"));
        }
        // Whoever has succeeded is nobody's child here.
        if UnixStream::connect(self.scratch.path().join("admin.sock")).is_ok() {
            signal(self.pid(), Signal::TERM);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal);
}

fn is_there(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap()).is_ok()
}

/// Clients that ask all the time: half on a connection for each request, half on one for many.
struct Load {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(address: SocketAddr) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |keeps: bool| {
            let (stop, good) = (Arc::clone(&stop), Arc::clone(&good));
            thread::spawn(move || {
                let (mut failures, mut kept) = (Vec::new(), None);
                while !stop.load(SeqCst) {
                    match ask_once(address, kept.take(), keeps) {
                        Ok(left) => {
                            kept = left;
                            good.fetch_add(1, SeqCst);
                        }
                        Err(why) => failures.push(why.to_string()),
                    }
                }
                failures
            })
        };
        let clients = (0..4).map(|number| client(number % 2 == 0)).collect();
        Self { stop, good, clients }
    }

    /// Waits until so many more requests were answered.
    fn go_on(&self, more: usize) {
        let before = self.good.load(SeqCst);
        eventually("requests are answered", || self.good.load(SeqCst) >= before + more);
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

fn ask_once(
    address: SocketAddr,
    kept: Option<TcpStream>,
    keeps: bool,
) -> std::io::Result<Option<TcpStream>> {
    let mut client = kept.map_or_else(|| TcpStream::connect(address), Ok)?;
    client.set_read_timeout(Some(DEADLINE))?;
    let close = if keeps { "" } else { "Connection: close\r\n" };
    write!(client, "GET / HTTP/1.1\r\nHost: a\r\n{close}\r\n")?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(std::io::Error::other(head));
    }
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    client.read_exact(&mut body)?;
    Ok((keeps && !head.contains("connection: close")).then_some(client))
}

#[test]
fn two_upgrades_under_load_fail_no_request() {
    let backends = [Backend::plain(), Backend::plain()];
    let all: Vec<_> = backends.iter().collect();
    let mut service = Service::over(&all, "health.interval = \"50ms\"");
    assert_eq!(service.ask("POST", "/backends/B/drain").0, 200);
    let load = Load::on(service.address);
    let mut before = service.pid();
    assert_eq!(before, service.first.id());
    for round in 0..2 {
        load.go_on(200);
        let (code, words) = service.upgrade();
        assert_eq!(code, 200, "{words}");
        let now = service.pid();
        assert!(now != before && words.contains(&format!("process {now} serves now")), "{words}");
        load.go_on(200);
        match round {
            0 => assert_eq!(service.first.wait().code(), Some(0)),
            _ => eventually("the second one ends", || !is_there(before)),
        }
        load.go_on(200);
        before = now;
        let modes = &service.status()["pools"][0]["backends"];
        assert_eq!([&modes[0]["mode"], &modes[1]["mode"]], ["ready", "drain"]);
    }
    assert_eq!(load.end(), Vec::<String>::new());
}

/// What the status says of its listeners.
fn listed(status: &Value) -> Vec<(String, String, bool)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let all = status["listeners"].as_array().expect("there are some").iter();
    all.map(|one| (text(one, "name"), text(one, "mode"), one["tls"] == true)).collect()
}

#[test]
fn every_listener_goes_over_and_its_mode_with_it() {
    let backend = Backend::plain();
    let listeners = "[[listeners]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\n\
                     [[listeners]]\nname = \"plain\"\nlisten = \"127.0.0.1:0\"\n\
                     mode = \"redirect-to-https\"\n";
    let service = Service::over(&[&backend], listeners);
    let line = service.first.said.wait_nth("listening on ", 2);
    let plain = line.split("listening on ").nth(1).and_then(|rest| rest.split(": ").next());
    let plain: SocketAddr = plain.unwrap().parse().unwrap();
    let ask = || Wire::connect(plain).ask("GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let (pid, before) = (service.pid(), listed(&service.status()));
    assert_eq!(ask().field("location"), Some("https://a.test/x"));
    assert_eq!(service.upgrade().0, 200);
    assert_ne!(service.pid(), pid);
    assert_eq!(listed(&service.status()), before);
    assert_eq!(ask().field("location"), Some("https://a.test/x"));
    assert_eq!(service.get("/"), Some(200));
}

#[test]
fn a_tcp_client_stays_with_the_process_that_has_it() {
    let backend = Backend::every(|wire| {
        wire.send("hello");
        while let Ok(byte) = wire.exactly(1) {
            wire.offer(byte);
        }
    });
    let settings = "timeouts.drain = \"1m\"\n\
                    [[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let mut service = Service::over(&[&backend], settings);
    let mut before = Wire::connect(service.address);
    before.expect("hello");
    assert_eq!(service.upgrade().0, 200);
    // Until then it lets clients in as well.
    service.first.said.wait("stopping: 1 connection has");
    let mut after = Wire::connect(service.address);
    after.expect("hello");
    assert!(service.first.is_running());
    before.send("x");
    before.expect("x");
    before.finish();
    before.expect_end();
    assert_eq!(service.first.wait().code(), Some(0), "it had nobody else");
    after.send("y");
    after.expect("y");
}

#[test]
fn a_cookie_leads_where_it_led_before_the_upgrade() {
    let backends = [Backend::plain(), Backend::plain(), Backend::plain()];
    let all: Vec<_> = backends.iter().collect();
    let settings = "sticky.cookie = \"B\"\nserver.served_by = true\nhealth.interval = \"1s\"";
    let service = Service::over(&all, settings);
    // Who answers this client, and with which cookie.
    let visit = |cookie: &str| {
        let mut client = TcpStream::connect(service.address).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: ";
        write!(client, "{request}{cookie}\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        let field = |name: &str| {
            let line = answer.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.split(';').next()).unwrap_or_default().to_owned()
        };
        (field("X-Served-By: "), field("Set-Cookie: "))
    };
    let clients: Vec<_> = (0..3).map(|_| visit("x=1")).collect();
    assert!(clients.iter().all(|(_, cookie)| cookie.starts_with("B=")), "{clients:?}");
    assert_eq!(service.upgrade().0, 200);
    assert_ne!(service.pid(), service.first.id());
    for (name, cookie) in clients {
        assert_eq!(visit(&cookie).0, name);
    }
}

#[test]
fn who_waits_is_answered_by_the_one_before_and_who_comes_by_the_next() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let mut service = Service::over(&[&backend], "health.interval = \"off\"");
    let address = service.address;
    let waiting = thread::spawn(move || ask_once(address, None, false).map(|_| ()));
    backend.wait_requests(1);
    let (code, words) = service.upgrade();
    assert_eq!(code, 200, "{words}");
    let coming = thread::spawn(move || ask_once(address, None, false).map(|_| ()));
    backend.wait_requests(2);
    assert!(service.first.is_running(), "it has a request in flight");
    gate.open();
    waiting.join().unwrap().unwrap();
    coming.join().unwrap().unwrap();
    assert_eq!(service.first.wait().code(), Some(0));
}

#[test]
fn the_last_hour_is_handed_on() {
    let backend = Backend::plain();
    let service = Service::over(&[&backend], "");
    let history = || -> Value { serde_json::from_str(&service.ask("GET", "/history").1).unwrap() };
    assert_eq!(service.get("/"), Some(200));
    let sum = |history: &Value| -> u64 {
        let column = history["columns"]["requests_2xx"].as_array().unwrap();
        column.iter().map(|it| it.as_u64().unwrap()).sum()
    };
    eventually("it is in a point", || sum(&history()) == 1);
    let (before, pid) = (history(), service.pid());
    assert_eq!(service.upgrade().0, 200);
    eventually("the successor answers", || service.pid() != pid);
    let after = history();
    assert_eq!((sum(&after), &after["lost"]), (1, &Value::from(0)));
    let times = |history: &Value| history["columns"]["time_s"].as_array().unwrap().clone();
    assert!(times(&after).starts_with(&times(&before)), "{after}");
    eventually("and counts on", || history()["last"].as_u64() > after["last"].as_u64());
}

#[test]
fn since_when_backends_stand_where_they_do_is_handed_on_and_so_is_their_story() {
    let backends = [Backend::plain(), Backend::plain(), Backend::plain()];
    let all: Vec<_> = backends.iter().collect();
    let service = Service::over(&all, "health.interval = \"50ms\"\nhealth.fall = 2");
    let standing = |name: &str| {
        let status = service.status();
        let all = status["pools"][0]["backends"].as_array().unwrap();
        all.iter().find(|it| it["name"] == name).unwrap().clone()
    };
    let story = |name: &str| -> Value {
        let (code, text) = service.ask("GET", &format!("/why?of={name}"));
        assert_eq!(code, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()["standings"].clone()
    };
    let [_, second, _] = backends;
    drop(second);
    eventually("B is down", || standing("B")["standing"] == "down");
    assert_eq!(service.ask("POST", "/backends/C/drain").0, 200);
    let reasons = |story: &Value| -> Vec<Value> {
        story.as_array().unwrap().iter().map(|it| json!([it["standing"], it["reason"]])).collect()
    };
    let names = ["A", "B", "C"];
    let (before, stories) = (names.map(standing), names.map(story));
    let asked = service.status()["time"].clone();
    for _ in 0..2 {
        let pid = service.pid();
        assert_eq!(service.upgrade().0, 200);
        eventually("the successor answers", || service.pid() != pid);
        for (name, (was, story_was)) in names.iter().zip(before.iter().zip(&stories)) {
            let is = standing(name);
            assert_eq!([&is["standing"], &is["why"]], [&was["standing"], &was["why"]], "{name}");
            // Both in UTC and of one length, so that the earlier comes first.
            let (since, asked) = (is["since"].as_str().unwrap(), asked.as_str().unwrap());
            assert!(since <= asked, "{name} since {since}, asked at {asked}");
            assert_eq!(reasons(&story(name)), reasons(story_was), "{name}");
        }
    }
}

#[test]
fn one_that_is_ejected_stays_out_for_as_long_as_it_was_to() {
    let backends = [Backend::plain(), Backend::plain(), Backend::plain()];
    let all: Vec<_> = backends.iter().collect();
    let passive = "passive.failures = 1\npassive.clients = 1\npassive.eject = \"60s\"";
    let service = Service::over(&all, &format!("health.interval = \"off\"\n{passive}"));
    let [_first, second, _third] = backends;
    let vacant = second.go_down();
    for _ in 0..3 {
        assert_eq!(Wire::connect(service.address).get("/").status(), 200);
    }
    let told = || {
        let (code, text) = service.ask("GET", "/why?of=B");
        assert_eq!(code, 200, "{text}");
        let mut standings = serde_json::from_str::<Value>(&text).unwrap()["standings"].clone();
        // When each began is rounded anew by each process.
        standings.as_array_mut().unwrap().iter_mut().for_each(|one| one["at"] = Value::Null);
        let status = service.status()["pools"][0]["backends"][1].clone();
        let left = status["ejected_for_s"].as_f64();
        (left.unwrap_or_default(), [standings, status["standing"].clone(), status["why"].clone()])
    };
    let (left, before) = told();
    assert_eq!(before[1], "ejected", "{before:?}");
    let pid = service.pid();
    assert_eq!(service.upgrade().0, 200);
    eventually("the successor answers", || service.pid() != pid);
    let (less, after) = told();
    assert_eq!(after, before);
    assert!(0.0 < less && less < left, "{less} s, before {left} s");
    let again = vacant.open(serve);
    for _ in 0..4 {
        assert_eq!(Wire::connect(service.address).get("/").status(), 200);
    }
    assert!(again.requests().is_empty());
}

/// A resolver that fails just then takes nobody away: the successor goes where the one before went.
#[test]
fn where_names_led_is_handed_on() {
    if !has_own_names("upgrading::where_names_led_is_handed_on") {
        return;
    }
    let backend = Backend::at("127.0.0.3:0").unwrap();
    let port = backend.port();
    names("127.0.0.3 app.internal");
    let named = format!("[[applications]]\nname = \"A\"\nip = \"app.internal\"\nport = {port}");
    let service = Service::over(&[], &format!("health.interval = \"50ms\"\n{named}"));
    let expected = [["A@127.0.0.3".to_owned(), format!("127.0.0.3:{port}"), "up".to_owned()]];
    assert_eq!(backends(&service), expected);
    names("");
    for _ in 0..2 {
        let pid = service.pid();
        assert_eq!(service.upgrade().0, 200);
        eventually("the successor answers", || service.pid() != pid);
        assert_eq!((backends(&service), service.get("/")), (expected.to_vec(), Some(200)));
    }
}

/// Each backend's name, address and standing.
fn backends(service: &Service) -> Vec<[String; 3]> {
    let status = service.status();
    let all = status["pools"][0]["backends"].as_array().unwrap();
    let one = |it: &Value| {
        ["name", "address", "standing"].map(|key| it[key].as_str().unwrap().to_owned())
    };
    all.iter().map(one).collect()
}

/// Many a server tells a part of them at a time: who was not told just then is no newcomer when he
/// is told next.
#[test]
fn an_address_that_is_not_told_just_then_goes_over_as_it_stands() {
    let test = "upgrading::an_address_that_is_not_told_just_then_goes_over_as_it_stands";
    if !has_own_names(test) {
        return;
    }
    let three = Backend::at("127.0.0.3:0").unwrap();
    let port = three.port();
    let _four = Backend::at(&format!("127.0.0.4:{port}")).unwrap();
    names("127.0.0.3 app.internal\n127.0.0.4 app.internal");
    let named = format!("[[applications]]\nname = \"A\"\nip = \"app.internal\"\nport = {port}");
    let service = Service::over(&[], &format!("health.resolve_interval = \"1h\"\n{named}"));
    assert_eq!(service.ask("POST", "/backends/A@127.0.0.4/drain").0, 200);
    let both = ["up", "drain"].iter().zip([3, 4]).map(|(standing, last)| {
        let ip = format!("127.0.0.{last}");
        [format!("A@{ip}"), format!("{ip}:{port}"), (*standing).to_owned()]
    });
    let both: Vec<_> = both.collect();
    assert_eq!(backends(&service), both);
    names("127.0.0.3 app.internal");
    let pid = service.pid();
    assert_eq!(service.upgrade().0, 200);
    eventually("the successor answers", || service.pid() != pid);
    assert_eq!(backends(&service), both);
}

/// What was found for one name says nothing of another, be the applications called alike.
#[test]
fn no_other_names_addresses_are_taken_for_those_of_one_that_is_not_found() {
    let test = "upgrading::no_other_names_addresses_are_taken_for_those_of_one_that_is_not_found";
    if !has_own_names(test) {
        return;
    }
    let backend = Backend::at("127.0.0.3:0").unwrap();
    let port = backend.port();
    names("127.0.0.3 old.internal");
    let application = |name: &str, host: &str| {
        format!("[[applications]]\nname = \"{name}\"\nip = \"{host}\"\nport = {port}\n")
    };
    let both = application("A", "old.internal") + &application("A@blue", "127.0.0.3");
    let service = Service::over(&[], &both);
    assert_eq!(backends(&service)[0][0], "A@127.0.0.3");
    let file = service.scratch.path().join("applications.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("old.internal", "new.internal")).unwrap();
    assert_eq!(service.upgrade().0, 200);
    eventually("the successor answers", || service.pid() != service.first.id());
    let of_a = ["A".to_owned(), format!("new.internal:{port}"), "down".to_owned()];
    assert_eq!(backends(&service)[0], of_a);
    assert_eq!(service.get("/"), Some(200), "by the other one");
}

#[test]
fn a_successor_that_cannot_serve_leaves_the_one_before_serving() {
    let backend = Backend::plain();
    let service = Service::over(&[&backend], "health.interval = \"off\"");
    let file = service.scratch.path().join("applications.toml");
    let (good, program) =
        (fs::read_to_string(&file).unwrap(), service.scratch.path().join("evenly"));
    fs::write(&file, format!("queue.lenght = 1\n{good}")).unwrap();
    let refused = |part: &str| {
        let (code, words) = service.upgrade();
        assert!(code == 409 && words.contains(part), "{code} {words}");
        assert_eq!((service.pid(), service.get("/")), (service.first.id(), Some(200)));
    };
    refused("applications.toml:1:");
    fs::write(&file, &good).unwrap();
    fs::remove_file(&program).unwrap();
    refused("cannot start: No such file");
    for (script, part) in [("exit 7", "exit status: 7"), ("kill -9 $$", "signal: 9")] {
        service.scratch.script("evenly", &format!("#!/bin/sh\n{script}\n"));
        refused(part);
    }
    // And then it can.
    service.scratch.install("evenly", env!("CARGO_BIN_EXE_evenly"));
    assert_eq!(service.upgrade().0, 200);
    assert_ne!(service.pid(), service.first.id());
    assert_eq!(service.get("/"), Some(200));
}

#[test]
fn one_successor_at_a_time_and_none_once_the_end_has_begun() {
    let backend = Backend::plain();
    let mut service = Service::over(&[&backend], "health.interval = \"off\"");
    let script = "#!/bin/sh\necho $$ > pid.tmp && mv pid.tmp pid\nexec sleep 600\n";
    service.scratch.script("evenly", script);
    let (address, socket) = (service.address, service.scratch.path().join("admin.sock"));
    let first = thread::spawn(move || {
        let mut socket = UnixStream::connect(socket).unwrap();
        let request = "POST /upgrade HTTP/1.1\r\nHost: a\r\nX-Evenly: 1\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).unwrap();
        let _ = socket.read_to_string(&mut String::new());
    });
    let file = service.scratch.path().join("pid");
    eventually("the successor runs", || file.exists());
    let pid: u32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let (code, words) = service.upgrade();
    assert!(
        code == 409 && words.contains(&format!("process {pid} is about to succeed")),
        "{words}"
    );
    // Nobody but that process gets the sockets.
    assert_eq!(service.ask("GET", "/handover").0, 403);
    assert_eq!(service.ask("POST", "/handover/done").0, 409);
    assert!(TcpStream::connect(address).is_ok());
    service.first.signal(Signal::TERM);
    assert_eq!(service.first.wait().code(), Some(0));
    first.join().unwrap();
    eventually("no successor is left behind", || !is_there(pid));
}

#[test]
fn a_signal_asks_for_an_upgrade_too_and_systemd_hears_of_the_main_process() {
    let notified = Scratch::new();
    let path = notified.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let hear = |what: &str| loop {
        let mut message = [0; 4096];
        let length = match systemd.recv(&mut message) {
            // A wait that may end in time is not begun anew by the system (signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            length => length.expect("a message in time"),
        };
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        assert!(!message.contains("STOPPING="), "the service goes on");
        if message.contains(what) {
            return message;
        }
    };
    let backend = Backend::plain();
    let before =
        format!("export NOTIFY_SOCKET={} WATCHDOG_USEC=300000 WATCHDOG_PID=$$", path.display());
    let mut service = Service::with(&[&backend], "health.interval = \"off\"", &before);
    hear("READY=1");
    service.first.signal(Signal::USR2);
    let main = hear("MAINPID=");
    hear("READY=1");
    assert_eq!(main, format!("MAINPID={}", service.pid()));
    assert_eq!(service.first.wait().code(), Some(0));
    // Of the successor, to which the variable of the one before does not apply.
    hear("WATCHDOG=1");
    assert_eq!(service.get("/"), Some(200));
}

#[test]
fn without_an_admin_socket_the_signal_asks_how_all_stands() {
    let (scratch, backend) = (Scratch::new(), Backend::plain());
    let port = backend.port();
    let text =
        format!("server.listen = \"127.0.0.1:0\"\n[[applications]]\nip = \"::1\"\nport = {port}");
    let file = scratch.write("a.toml", text);
    let mut process = Process::evenly(&["serve", "-c", file.to_str().unwrap()], scratch.path());
    process.said.wait("listening on ");
    process.signal(Signal::USR2);
    process.said.wait("backend [::1]:");
    process.ends_at_once_on(Signal::TERM);
}
