//! The night: applications die and come back under load, and somebody is told so that they know
//! what to do, and can sleep on.

use crate::harness::{Backend, Gate, Process, Proxy, Scratch, Wire, eventually};
use crate::{App, OFTEN, each, hook, json, run};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

/// A client that asks again and again until the gate opens.
fn load(address: SocketAddr, over: &Gate) -> JoinHandle<usize> {
    let over = over.clone();
    thread::spawn(move || {
        let mut asked = 0;
        while !over.is_open() {
            Wire::connect(address).get("/load");
            asked += 1;
        }
        asked
    })
}

#[test]
fn a_night_is_four_messages_and_each_says_what_was_seen() {
    let [a, b, c] = [(); 3].map(|()| App::new());
    let (eager, patient) = (Backend::plain(), Backend::plain());
    // Whoever waits an hour for all else hears at once that nothing is up.
    let alerts = format!(
        "{}, {}, {{name = \"page\", kind = \"command\", command = [\"/bin/sh\", \"-c\", \
         \"echo $EVENLY_KIND $EVENLY_KEY >> told; ls -l /proc/self/fd > fds\"], wait = \"1s\"}}",
        hook(&eager, ", wait = \"1s\""),
        hook(&patient, ", name = \"patient\", wait = \"1h\""),
    );
    let settings = format!("alerts = [{alerts}]\n{OFTEN}");
    let proxy = Proxy::with(&[&a.server, &b.server, &c.server], &settings);
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("answering 503");
    let over = Gate::new();
    let client = load(proxy.address, &over);

    a.turn(503);
    let told = eager.wait_requests(1);
    assert_eq!(told[0].start, "POST /hook HTTP/1.1");
    assert_eq!(told[0].field("content-type"), Some("application/json"));
    let down = json(&told[0]);
    assert_eq!((&down["kind"], &down["backend"]), (&"down".into(), &"A".into()));
    assert_eq!(
        (&down["up"], &down["out"], &down["usable"]),
        (&"B, C".into(), &"A".into(), &"2".into())
    );
    let text = down["text"].as_str().unwrap();
    let failed = text.lines().filter(|line| line.contains(": failed: ")).count();
    assert!((1..=5).contains(&failed) && text.contains("status 503"), "{text}");
    assert!(text.contains("Up: B, C\nNot up: A (down)\n"), "{text}");
    assert!(text.contains(&format!("Key: {}\n", down["key"].as_str().unwrap())), "{text}");

    b.turn(503);
    c.turn(503);
    let worst = json(&patient.wait_requests(1)[0]);
    assert_eq!((&worst["kind"], &worst["severity"]), (&"all-down".into(), &"critical".into()));
    assert!(worst["subject"].as_str().unwrap().contains("NO BACKEND IS UP"), "{worst}");
    eager.wait_requests(2);
    a.turn(200);
    eager.wait_requests(3);
    b.turn(200);
    c.turn(200);
    let told = eager.wait_requests(4);
    assert_eq!(each(&told, "kind"), ["down", "all-down", "up", "recovered"]);
    let keys = each(&told, "key");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(json(&told[3])["action"], "resolve");
    let path = proxy.scratch.path().join("told");
    let lines = || fs::read_to_string(&path).unwrap_or_default();
    eventually("the program was told the same", || lines().lines().count() == 4);
    let kinds: Vec<String> =
        lines().lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["down", "all-down", "up", "recovered"]);
    assert_eq!(patient.requests().len(), 1);
    let open = fs::read_to_string(proxy.scratch.path().join("fds")).unwrap();
    assert!(!open.contains("socket:") && !open.contains("anon_inode"), "{open}");
    over.open();
    assert!(client.join().unwrap() > 0);
}

#[test]
fn what_an_operator_does_wakes_nobody() {
    let [a, b, c] = [(); 3].map(|()| App::new());
    let told = Backend::plain();
    let settings =
        format!("alerts = [{}]\n{OFTEN}", hook(&told, ", wait = \"0\"")).replace("\"0\"", "0");
    let socket = "export EVENLY_ADMIN_SOCKET=./evenly.sock";
    let proxy = Proxy::within(socket, &[&a.server, &b.server, &c.server], &settings);
    let ask = |words: &[&str]| {
        let (code, said, why) =
            run(proxy.scratch.path(), &[words, &["--socket", "./evenly.sock"]].concat());
        assert_eq!(code, Some(0), "{said}{why}");
        said
    };
    for mode in ["drain", "maint", "ready"] {
        ask(&[mode, "A", "--wait", "10s"]);
    }
    ask(&["maint", "B"]);
    c.turn(503);
    let told = told.wait_requests(1);
    assert_eq!((told.len(), &json(&told[0])["backend"]), (1, &"C".into()));
    eventually("how it went is shown", || {
        let status: Value = serde_json::from_str(&ask(&["status", "--json"])).unwrap();
        let alert = &status["alerts"][0];
        assert_eq!((&alert["name"], &alert["kind"]), (&"webhook".into(), &"webhook".into()));
        assert_eq!(alert["on"].as_array().unwrap().len(), 9);
        alert["sent"] == 1 && alert["failed"] == 0 && alert["last"]["result"] == "delivered"
    });
}

/// The log says that nobody is up: whoever has made it so knows.
#[test]
fn a_reload_that_drops_the_last_one_that_is_up_wakes_nobody_where_none_is_down() {
    let (a, b, told) = (App::new(), App::new(), Backend::plain());
    let settings = format!("alerts = [{}]\n{OFTEN}", hook(&told, ", wait = 0"));
    let socket = "export EVENLY_ADMIN_SOCKET=./evenly.sock";
    let proxy = Proxy::within(socket, &[&a.server, &b.server], &settings);
    let words = ["maint", "A", "--socket", "./evenly.sock"];
    let (code, said, why) = run(proxy.scratch.path(), &words);
    assert_eq!(code, Some(0), "{said}{why}");
    ["NO BACKEND IS UP", "not reloaded", "503"].iter().for_each(|part| proxy.pardon(part));
    proxy.reload(&[&a.server], &settings);
    assert_eq!(proxy.said("NO BACKEND IS UP by the file that serves now"), 1);
    let file = proxy.scratch.path().join("applications.toml");
    fs::write(file, "no file").unwrap();
    assert!(proxy.hup().contains("not reloaded"));
    assert_eq!(each(&told.wait_requests(1), "kind"), ["reload-failed"]);
    proxy.farewell(503);
}

/// Nobody is out any more whom checks have found bad: a pager would ring on for what is known.
#[test]
fn an_outage_is_over_once_an_operator_has_taken_out_all_that_are_down() {
    let (a, b, told) = (App::new(), App::new(), Backend::plain());
    let keys = ", wait = 0, on = [\"all-down\", \"recovered\"]";
    let settings = format!("alerts = [{}]\n{OFTEN}", hook(&told, keys));
    let socket = "export EVENLY_ADMIN_SOCKET=./evenly.sock";
    let proxy = Proxy::within(socket, &[&a.server, &b.server], &settings);
    proxy.pardon("NO BACKEND IS UP");
    a.turn(503);
    proxy.process.said.wait("backend A: check failed");
    b.turn(503);
    let none = json(&told.wait_requests(1)[0]);
    let subject = none["subject"].as_str().unwrap();
    let says = "NO BACKEND IS UP: 2 of 2 out; the last: B, check failed: status 503";
    assert!(subject.contains(says), "{subject}");
    let ask = |mode: &str, name: &str| {
        let words = [mode, name, "--socket", "./evenly.sock"];
        let (code, said, why) = run(proxy.scratch.path(), &words);
        assert_eq!(code, Some(0), "{said}{why}");
    };
    ask("maint", "A");
    ask("maint", "B");
    let told = told.wait_requests(2);
    assert_eq!(each(&told, "kind"), ["all-down", "recovered"]);
    assert_eq!(json(&told[1])["key"], none["key"]);
    a.turn(200);
    proxy.pardon("answering 503");
    ask("ready", "A");
    eventually("it serves", || Wire::connect(proxy.address).get("/").status() == 200);
}

#[test]
fn a_reload_changes_who_is_told_and_an_incident_goes_on() {
    let (a, b) = (App::new(), App::new());
    let (one, other) = (Backend::plain(), Backend::plain());
    let to = |whom: &Backend| format!("alerts = [{}]\n{OFTEN}", hook(whom, ", wait = \"50ms\""));
    let proxy = Proxy::with(&[&a.server, &b.server], &to(&one));
    a.turn(500);
    let down = json(&one.wait_requests(1)[0]);
    let said = proxy.reload(&[&a.server, &b.server], &to(&other));
    assert!(said.contains("alert webhook: url: (hidden) -> (hidden)"), "{said}");
    a.turn(200);
    let up = json(&other.wait_requests(1)[0]);
    assert_eq!((&up["kind"], &up["key"]), (&"recovered".into(), &down["key"]));
    assert_eq!(one.requests().len(), 1);
    proxy.rewrite(&[&a.server, &b.server], "alerts = [{kind = \"carrier-pigeon\"}]");
    assert!(proxy.hup().contains("not reloaded"));
    proxy.pardon("not reloaded");
    let failed = json(&other.wait_requests(2)[1]);
    assert_eq!(failed["kind"], "reload-failed");
    assert!(failed["text"].as_str().unwrap().contains("alerts.kind"), "{failed}");
}

/// Else a pager would ring on for an incident that nobody ends.
#[test]
fn an_outage_that_a_restart_falls_into_ends_under_the_key_that_it_began_with() {
    let (a, b, web) = (App::new(), App::new(), Backend::plain());
    let settings = format!("alerts = [{}]\n{OFTEN}", hook(&web, ", wait = \"10ms\""));
    let mut before = Proxy::with(&[&a.server, &b.server], &settings);
    a.turn(503);
    let down = json(&web.wait_requests(1)[0]);
    let path = before.scratch.path().join("applications.toml");
    let text = fs::read_to_string(path).unwrap();
    before.terminate();
    assert_eq!(before.exit_code(), Some(0));
    let scratch = Scratch::new();
    let text = text.replace("127.0.0.1:0", &before.address.to_string());
    scratch.write("applications.toml", text);
    let _after = Process::evenly(&["serve"], scratch.path());
    web.wait_requests(2);
    a.turn(200);
    let told = web.wait_requests(3);
    assert_eq!(each(&told, "kind"), ["down", "down", "recovered"]);
    let keys = each(&told, "key");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(json(&told[2])["action"], "resolve");
    assert_ne!(json(&told[1])["began"], down["began"], "an incident of its own");
    let text = &each(&told, "text")[1];
    for words in ["Z  A down at the start: ", "): down since before this start, ", ", or earlier: "]
    {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn one_that_flaps_is_told_with_how_it_stands_now() {
    let (a, b, web) = (App::new(), App::new(), Backend::plain());
    let settings = format!("alerts = [{}]\n{OFTEN}", hook(&web, ", wait = \"10ms\""));
    let _proxy = Proxy::with(&[&a.server, &b.server], &settings);
    for (told, status) in [503, 200, 503, 200].into_iter().enumerate() {
        a.turn(status);
        web.wait_requests(told + 1);
    }
    let told = web.requests();
    assert_eq!(each(&told, "kind"), ["down", "recovered", "down", "flapping"]);
    let (subject, text) = (&each(&told, "subject")[3], &each(&told, "text")[3]);
    assert!(subject.contains("A flapping, up now; 2 of 2 up"), "{subject}");
    assert!(text.contains("Z  A flapping, up now: check passed"), "{text}");
}
