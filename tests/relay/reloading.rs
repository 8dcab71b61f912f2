//! Reload by HUP: what the file says now takes the place of what was in force, or nothing does.

use crate::harness::{
    Backend, Certs, Gate, Hosted, Keyed, Message, Place, Proxy, Vacant, Wire, eventually, serve,
    timed,
};
use rustix::process::Signal;
use std::fs;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NAMED: &str = "server.served_by = true\n";
const CHECKED: &str = "server.served_by = true\nhealth.interval = \"1h\"\nhealth.rise = 1\n\
                       health.timeout = \"8s\"\n";

/// Who answered, of so many requests.
fn answering(proxy: &Proxy, requests: usize) -> String {
    let mut client = proxy.connect();
    let name = |_| client.get("/").field("x-served-by").unwrap_or("nobody").to_owned();
    let mut names: Vec<String> = (0..requests).map(name).collect();
    names.sort();
    names.dedup();
    names.concat()
}

/// A backend that counts the checks it gets, and answers them with this status.
fn checked(checks: &Arc<AtomicUsize>, status: u16) -> Backend {
    let checks = Arc::clone(checks);
    checked_by(move || {
        checks.fetch_add(1, SeqCst);
        status
    })
}

/// A backend that answers its checks with these statuses.
fn checked_by(status: impl Fn() -> u16 + Send + Sync + 'static) -> Backend {
    Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            let status = if request.target() == "/health" { status() } else { 200 };
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    })
}

#[test]
fn hup_adds_and_removes_applications_and_says_so() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b], NAMED);
    assert_eq!(answering(&proxy, 4), "AB");
    let line = proxy.reload(&[&a, &b, &c], NAMED);
    let at = format!("reloaded: application C: new, at 127.0.0.1:{}", c.port());
    assert!(line.ends_with(&at), "{line}");
    assert_eq!(answering(&proxy, 6), "ABC");
    let line = proxy.reload(&[&a], NAMED);
    assert!(line.contains("application B: gone") && line.contains("application C: gone"), "{line}");
    assert_eq!(answering(&proxy, 4), "A");
}

#[test]
fn a_file_that_says_the_same_changes_nothing() {
    let backend = Backend::plain();
    let settings = format!("{NAMED}timeouts.upstream_keep_alive = \"2s\"\n");
    let proxy = Proxy::with(&[&backend], &settings);
    let mut client = proxy.connect();
    client.get("/");
    let line = proxy.reload(&[&backend], &format!("# another word\n{settings}"));
    assert!(line.ends_with(" reloaded: nothing changes"), "{line}");
    client.get("/");
    assert_eq!(backend.visits(), 1, "its connection is still used");
}

#[test]
fn a_key_takes_effect_with_the_next_request() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    assert_eq!(client.get("/").field("x-served-by"), None);
    let line = proxy.reload(&[&backend], "server.served_by = true\nlimits.target_bytes = \"64B\"");
    assert!(line.contains("server.served_by: false -> true; "), "{line}");
    assert!(line.contains("limits.target_bytes: \"8KiB\" -> \"64B\""), "{line}");
    assert_eq!(client.get("/").field("x-served-by"), Some("A"));
    assert_eq!(client.get(&format!("/{}", "a".repeat(64))).status(), 414);
}

/// The pool of a file without any is called so.
#[test]
fn a_file_that_gives_the_only_pool_its_name_and_keys_of_its_own_is_served_by() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let proxy = Proxy::with(&[&a, &b], NAMED);
    let pool = "[[pools]]\nname = \"default\"\nbalance.policy = \"first-alive\"\n<A>\n<B>";
    let line = proxy.reload(&[&a, &b], &format!("{NAMED}{pool}"));
    let changed = |from: &str, to: &str| {
        format!(" reloaded: pool default: balance.policy: \"{from}\" -> \"{to}\"")
    };
    assert!(line.ends_with(&changed("round-robin", "first-alive")), "{line}");
    assert_eq!(answering(&proxy, 4), "A");
    let line = proxy.reload(&[&a, &b], NAMED);
    assert!(line.ends_with(&changed("first-alive", "round-robin")), "{line}");
    assert_eq!(answering(&proxy, 4), "AB");
}

#[test]
fn a_file_that_is_wrong_missing_unreadable_or_half_written_changes_nothing() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], NAMED);
    proxy.pardon("not reloaded");
    let file = proxy.scratch.path().join("applications.toml");
    let good = fs::read_to_string(&file).unwrap();
    let half = good.rfind("port").unwrap() + 6;
    for (text, why) in [
        (good.replace("served_by = true", "served_bye = true"), "unknown key"),
        (good[..half].to_owned(), "applications.toml:"),
        (String::new(), "there are none"),
        (good.replace("served_by = true", "served_by = 1"), "expected true or false"),
    ] {
        fs::write(&file, text).unwrap();
        let line = proxy.hup();
        assert!(line.contains("ERROR not reloaded, all stays as it was: "), "{line}");
        assert!(line.contains(why), "{line}");
        assert_eq!(answering(&proxy, 1), "A");
    }
    fs::remove_file(&file).unwrap();
    let said = proxy.hup();
    let gone = format!("{} is not there any more; put it back, or serve ", file.display());
    assert!(said.contains(&gone), "{said}");
    fs::create_dir(&file).unwrap();
    assert!(proxy.hup().contains("is a directory"));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, good).unwrap();
    assert!(proxy.hup().ends_with("nothing changes"));
}

/// With the place of the mistake, as at the start.
#[test]
fn the_line_and_column_of_a_mistake_are_named() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    proxy.pardon("not reloaded");
    proxy
        .scratch
        .write("applications.toml", "[[applications]]\nip = \"127.0.0.1\"\nport = 99999\n");
    let line = proxy.hup();
    assert!(line.contains("/applications.toml:3:8: applications.port: "), "{line}");
}

#[test]
fn what_cannot_change_while_it_runs_is_refused_with_its_reason_and_all_else_with_it() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], NAMED);
    proxy.pardon("not reloaded");
    for (key, why) in [
        ("server.workers = 3", "server.workers: 2 -> 3: its threads are started once; restart"),
        ("log.access = \"json\"", "log.access: \"off\" -> \"json\": the log is opened once"),
    ] {
        let line = proxy.reload(&[&backend], key);
        assert!(line.contains("not reloaded") && line.contains(why), "{line}");
        assert_eq!(answering(&proxy, 1), "A", "the name is still shown");
    }
}

#[test]
fn a_new_application_gets_no_request_before_its_check_has_passed() {
    let checks = Arc::default();
    let backend = checked(&checks, 200);
    let proxy = Proxy::with(&[&backend], CHECKED);
    let (gate, first) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let (held, asked) = (gate.clone(), Arc::clone(&first));
    let slow = Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            if request.target() == "/health" {
                asked.fetch_add(1, SeqCst);
                held.pass();
            }
            if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
                return;
            }
        }
    });
    proxy.rewrite(&[&backend, &slow], CHECKED);
    proxy.process.signal(Signal::HUP);
    eventually("it is checked", || first.load(SeqCst) > 0);
    assert_eq!(answering(&proxy, 4), "A", "the old configuration serves meanwhile");
    gate.open();
    proxy.process.said.wait(" reloaded");
    assert_eq!(answering(&proxy, 4), "AB");
}

#[test]
fn a_new_application_whose_check_fails_is_down_and_holds_up_nobody() {
    let (checks, ill) = (Arc::default(), Arc::default());
    let (backend, failing) = (checked(&checks, 200), checked(&ill, 503));
    let proxy = Proxy::with(&[&backend], CHECKED);
    let vacant = Vacant::new();
    let line = proxy.reload(&[&backend, &failing, &vacant], CHECKED);
    for name in ["B", "C"] {
        let down = format!("application {name}: down until a check passes");
        assert!(line.contains(&down), "{line}");
    }
    assert_eq!(answering(&proxy, 6), "A");
    assert_eq!(checks.load(SeqCst), 1, "who stays is not asked out of turn");
    let line = proxy.reload(&[&backend, &failing], CHECKED);
    assert!(line.contains("application C: gone"), "{line}");
    assert_eq!(answering(&proxy, 6), "A", "it is still down");
}

/// Else the one whom the operator moves would be down for everybody until its check.
#[test]
fn one_that_moves_serves_at_its_old_place_until_it_is_checked_at_the_new_one() {
    let (checks, gate) = (Arc::default(), Gate::new());
    let old = checked(&checks, 200);
    let held = gate.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let new = Backend::every(move |wire| {
        counts.fetch_add(1, SeqCst);
        held.pass();
        serve(wire);
    });
    let proxy = Proxy::with(&[&old], CHECKED);
    proxy.rewrite(&[&new], CHECKED);
    proxy.process.signal(Signal::HUP);
    eventually("it is checked", || asked.load(SeqCst) > 0);
    for _ in 0..3 {
        assert_eq!(proxy.get("/").text(), "", "the old one answers");
    }
    gate.open();
    proxy.process.said.wait("application A: moves from ");
    assert_eq!(proxy.get("/").text(), "GET / 0\n");
}

#[test]
fn another_name_of_the_same_address_is_what_checks_ask_for_from_then_on() {
    let hosts = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&hosts);
    let backend = Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            *heard.lock().unwrap() = request.field("host").unwrap_or_default().to_owned();
            if !wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
                return;
            }
        }
    });
    let settings = "health.interval = \"20ms\"\n";
    let proxy = Proxy::with(&[&backend], settings);
    let line = proxy.reload(&[&Hosted(&backend, "localhost")], settings);
    let port = backend.port();
    let told = format!("application A: moves from 127.0.0.1:{port} to localhost:{port}");
    assert!(line.ends_with(&told), "{line}");
    let named = format!("localhost:{port}");
    eventually("the check asks for it", || *hosts.lock().unwrap() == named);
}

#[test]
fn a_request_in_flight_ends_at_the_application_that_has_left() {
    let gate = Gate::new();
    let (leaving, staying) = (Backend::holding(&gate), Backend::plain());
    let proxy = Proxy::over(&[&leaving]);
    let mut client = proxy.asking("/held");
    eventually("it is asked", || leaving.requests().len() == 1);
    // Another, and not the same under another name.
    proxy.reload(&[&Keyed(&staying, "weight = 2")], "");
    gate.open();
    assert_eq!(client.answer().status(), 200);
    assert_eq!(client.get("/").text(), "GET / 0\n");
}

#[test]
fn a_tunnel_outlives_the_application_that_it_leads_to() {
    let upgrade = |wire: &mut Wire| {
        if wire.request().is_none() {
            return;
        }
        wire.send("HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
        while let Ok(byte) = wire.exactly(1) {
            wire.send(byte);
        }
    };
    let (leaving, staying) = (Backend::every(upgrade), Backend::plain());
    let proxy = Proxy::over(&[&leaving]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
    assert_eq!(client.head().unwrap().status(), 101);
    for target in [&staying, &leaving, &staying] {
        proxy.reload(&[target], "");
        client.send("x");
        client.expect("x");
    }
}

#[test]
fn another_address_is_listened_at_before_the_old_one_closes() {
    let backend = Backend::plain();
    let mut proxy = Proxy::with(&[&backend], NAMED);
    let mut inside = proxy.connect();
    assert_eq!(inside.get("/").status(), 200);
    let vacant = Vacant::new();
    let (port, before) = (vacant.port(), proxy.address);
    drop(vacant);
    let settings = format!("{NAMED}server.listen = \"127.0.0.1:{port}\"\n");
    let line = proxy.reload(&[&backend], &settings);
    assert!(line.contains("server.listen: \"127.0.0.1:0\" -> "), "{line}");
    proxy.address.set_port(port);
    assert_eq!(proxy.get("/").status(), 200);
    eventually("the old one closes", || TcpStream::connect(before).is_err());
    assert_eq!(inside.get("/").status(), 200, "who is inside stays");
}

/// Its old door still looks around for a moment.
#[test]
fn an_address_that_was_left_can_be_had_back_at_once() {
    let backend = Backend::plain();
    let mut proxy = Proxy::with(&[&backend], NAMED);
    let vacant = [Vacant::new(), Vacant::new()];
    let [here, there] = vacant.map(|it| it.port());
    for port in [here, there, here, there] {
        let settings = format!("{NAMED}server.listen = \"127.0.0.1:{port}\"\n");
        let line = proxy.reload(&[&backend], &settings);
        assert!(line.contains(" reloaded: server.listen: "), "{line}");
        proxy.address.set_port(port);
        assert_eq!(proxy.get("/").status(), 200);
    }
}

#[test]
fn a_file_that_leaves_nobody_who_takes_requests_says_so_aloud() {
    let (checks, gate) = (Arc::default(), Gate::new());
    let (asks, held) = (AtomicUsize::new(0), gate.clone());
    let well = checked(&checks, 200);
    let asking = checked_by(move || match asks.fetch_add(1, SeqCst) {
        0 => 410,
        _ => {
            held.pass();
            200
        }
    });
    let settings = format!("{CHECKED}health.drain = [\"410\"]\n");
    let proxy = Proxy::with(&[&asking, &well], &settings);
    assert_eq!(answering(&proxy, 4), "B");
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("503");
    let line = proxy.reload(&[&asking], &settings);
    assert!(
        line.contains("application B: gone") && line.ends_with("NO BACKEND IS UP by this file")
    );
    assert_eq!(proxy.get("/").status(), 503);
    assert!(proxy.process.said.wait("by the file that serves now").contains("ERROR"));
    // Nobody would hear any more that it asks no more.
    proxy.reload(&[&asking], CHECKED);
    let line = proxy.process.said.wait("says no more that it asks to be drained");
    assert!(line.contains("drain -> up"), "{line}");
    assert_eq!(answering(&proxy, 1), "A");
    gate.open();
}

#[test]
fn an_address_that_is_taken_leaves_all_as_it_was() {
    let (backend, other) = (Backend::plain(), Backend::plain());
    let proxy = Proxy::with(&[&backend], NAMED);
    proxy.pardon("not reloaded");
    let settings = format!("server.listen = \"127.0.0.1:{}\"\n", other.port());
    let line = proxy.reload(&[&backend], &settings);
    assert!(line.contains("not reloaded") && line.contains("in use"), "{line}");
    let settings = format!("server.listen = \"0.0.0.0:{}\"\n", proxy.address.port());
    let line = proxy.reload(&[&backend], &settings);
    assert!(line.contains("beside 127.0.0.1:") && line.contains("choose another port"), "{line}");
    assert_eq!(answering(&proxy, 1), "A", "the name is still shown");
}

#[test]
fn a_hundred_signals_are_a_few_reloads_and_the_last_file_counts() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let proxy = Proxy::with(&[&a], NAMED);
    for number in 0..100 {
        proxy.rewrite(&[[&a, &b][number % 2]], &format!("{NAMED}queue.length = {number}\n"));
        proxy.process.signal(Signal::HUP);
    }
    proxy.process.said.wait("-> 99");
    assert!(proxy.said(" reloaded") <= 100);
    assert_eq!(answering(&proxy, 2), "A");
}

#[test]
fn variables_and_flags_still_beat_a_file_that_is_read_again() {
    use crate::harness::{Process, Scratch};
    use std::process::Command;
    let (backend, scratch) = (Backend::plain(), Scratch::new());
    let text = |served: bool| {
        let port = backend.port();
        let keys = "health.interval = \"off\"\nserver.listen = \"127.0.0.1:1\"\n";
        let application = format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n");
        format!("{keys}server.served_by = {served}\nserver.workers = 9\n{application}")
    };
    let file = scratch.write("a.toml", text(false));
    let mut command = Command::new("sh");
    command
        .args(["-c", "EVENLY_SERVER_WORKERS=1 exec \"$0\" serve -c a.toml --listen 127.0.0.1:0"]);
    command.arg(env!("CARGO_BIN_EXE_evenly"));
    let mut process = Process::start(&mut command, scratch.path());
    let line = process.said.wait("listening on ");
    let address = line.split("listening on ").nth(1).unwrap().split(": ").next().unwrap();
    let address = address.parse().unwrap();
    fs::write(file, text(true)).unwrap();
    process.signal(Signal::HUP);
    let line = process.said.wait(" reloaded");
    assert!(line.ends_with("reloaded: server.served_by: false -> true"), "{line}");
    assert!(Wire::connect(address).get("/").field("x-served-by").is_some());
    process.ends_at_once_on(Signal::TERM);
}

#[test]
fn the_end_is_heard_while_a_reload_waits_for_a_check_and_after_it_nothing_is_reloaded() {
    let (backend, silent) = (Backend::plain(), Backend::silent());
    let mut proxy = Proxy::with(&[&backend], CHECKED);
    proxy.pardon("not reloaded");
    proxy.rewrite(&[&backend, &silent], CHECKED);
    proxy.process.signal(Signal::HUP);
    eventually("it is checked", || silent.visits() > 0);
    proxy.terminate();
    let (code, took) = timed(|| proxy.exit_code());
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn hup_in_the_middle_of_a_drain_does_nothing() {
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let mut proxy = Proxy::over(&[&backend]);
    let mut client = proxy.asking("/held");
    eventually("it is asked", || backend.requests().len() == 1);
    proxy.terminate();
    proxy.process.said.wait("stopping");
    proxy.rewrite(&[&backend], NAMED);
    proxy.process.signal(Signal::HUP);
    gate.open();
    assert_eq!(client.answer().field("x-served-by"), None);
    drop(client);
    assert_eq!(proxy.exit_code(), Some(0));
    assert_eq!(proxy.said(" reloaded"), 0);
}

#[test]
fn the_drawn_secret_of_sticky_cookies_outlives_a_reload() {
    let (a, b) = (Backend::plain(), Backend::plain());
    let settings = "server.served_by = true\nsticky.cookie = \"B\"\n";
    let proxy = Proxy::with(&[&a, &b], settings);
    let first = proxy.get("/");
    let cookie = first.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let name = first.field("x-served-by").unwrap().to_owned();
    proxy.reload(&[&a, &b], &format!("{settings}queue.length = 5\n"));
    for _ in 0..4 {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
        let answer = proxy.ask(request);
        assert_eq!(answer.field("x-served-by"), Some(name.as_str()));
        assert_eq!(answer.field("set-cookie"), None);
    }
}

#[test]
fn whoever_was_down_is_believed_once_checks_are_off() {
    let ill = Arc::default();
    let backend = checked(&ill, 503);
    let proxy = Proxy::with(&[&backend], CHECKED);
    proxy.pardon("503");
    proxy.pardon("NO ");
    assert_eq!(proxy.get("/").status(), 503);
    let line = proxy.reload(&[&backend], NAMED);
    assert!(line.contains("health.interval: \"1h\" -> \"off\""), "{line}");
    assert_eq!(answering(&proxy, 1), "A");
}

/// A name that leads nowhere is down, as at the start, and no reason to leave all as it was.
#[test]
fn a_new_name_that_resolves_to_nothing_is_down_and_told() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], NAMED);
    let lost = Hosted(&backend, "no-such-host.invalid");
    let line = proxy.reload(&[&backend, &lost], NAMED);
    assert!(line.contains("application B: no-such-host.invalid does not resolve"), "{line}");
    assert_eq!(answering(&proxy, 4), "A");
}

#[test]
fn tls_is_switched_on_for_new_clients_and_those_inside_go_on_in_the_clear() {
    let (certs, backend) = (Certs::make(), Backend::plain());
    let proxy = Proxy::with(&[&backend], "");
    let mut inside = proxy.connect();
    assert_eq!(inside.get("/").status(), 200);
    let (certificate, key) = certs.leaf("localhost");
    let settings = format!("tls.certificates = [{certificate:?}]\ntls.keys = [{key:?}]\n");
    let line = proxy.reload(&[&backend], &settings);
    assert!(line.contains("tls.certificates: [] -> ") && line.contains("expires on"), "{line}");
    assert_eq!(inside.get("/").status(), 200);
    let mut secure = Wire::connect(proxy.address);
    secure.secure(crate::harness::Trusting::of(&certs).to("localhost"));
    assert_eq!(secure.get("/").status(), 200);
    let told = |request: &Message| request.field("x-forwarded-proto").unwrap().to_owned();
    let told: Vec<String> = backend.requests().iter().map(told).collect();
    assert_eq!(told, ["http", "http", "https"], "by its own connection");
    drop((inside, secure));
    proxy.reload(&[&backend], "");
}

/// Down stays down until a check says otherwise, and then it is up, whatever was reloaded between.
#[test]
fn who_is_down_over_a_reload_comes_back_with_its_check_also_where_what_is_asked_changes() {
    let is_ill = Arc::new(AtomicUsize::new(1));
    let ill = Arc::clone(&is_ill);
    let backend = Backend::every(move |wire| {
        while let Some(request) = wire.request() {
            let fails = match request.target() {
                "/health" => ill.load(SeqCst) > 0,
                target => target == "/wrong",
            };
            let status = if fails { 500 } else { 200 };
            if !wire.offer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    });
    let checks = "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n";
    let proxy = Proxy::with(&[&backend], checks);
    proxy.pardon("LAST");
    proxy.pardon("503");
    proxy.pardon("NO ");
    let stands = |status: u16| {
        eventually("it stands so", || proxy.get("/").status() == status);
    };
    stands(503);
    proxy.reload(&[&backend], &format!("{checks}server.via = true\n"));
    assert_eq!(proxy.get("/").status(), 503, "nobody is up by a reload");
    is_ill.store(0, SeqCst);
    stands(200);
    proxy.reload(&[&backend], &format!("{checks}health.path = \"/wrong\"\n"));
    stands(503);
    proxy.reload(&[&backend], &format!("{checks}health.path = \"/health\"\n"));
    stands(200);
}
