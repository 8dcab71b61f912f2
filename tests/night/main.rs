//! One night with everything on, under load: one application of three dies, then all, then they
//! come back. Whoever was told, and all that can be looked at in the morning, tell one story.

#![cfg(all(feature = "email", feature = "tls", feature = "admin"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "the dashboard's tests use the rest of it")]
#[path = "../admin/chrome.rs"]
mod chrome;
#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;
#[path = "../email/mta.rs"]
mod mta;
#[allow(dead_code, reason = "the endpoint's tests use the rest of it")]
#[path = "../admin/panel.rs"]
mod panel;
mod strangers;
mod told;

use chrome::Chrome;
use harness::{
    Backend, Certs, Gate, Place, Process, Vacant, Wire, eventually, free_port, has, serve,
};
use mta::{LOGIN, Letter, Mta};
use panel::{Panel, json};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use told::{Event, ms, seconds_apart};

/// How long news wait to become one message.
const WAIT_MS: u64 = 3000;

/// A balancer with all that tells of it, and its clients.
struct Night {
    /// Ends first, as it holds connections to the endpoint.
    page: Option<Chrome>,
    panel: Panel,
    mta: Mta,
    web: Backend,
    over: Gate,
    clients: Vec<JoinHandle<Vec<u16>>>,
}

impl Night {
    fn begin(backends: &[&dyn Place]) -> Option<Self> {
        let certs = Certs::make();
        let mta = Mta::start(&certs.leaf("localhost"))?;
        let web = Backend::plain();
        let panel = Panel::with(backends, &settings(&mta, &certs, &web));
        panel.proxy.pardon("NO BACKEND IS UP");
        panel.proxy.pardon("answering 503");
        let page = (has("chromium") && has("chromedriver")).then(Chrome::start);
        page.iter().for_each(|page| page.open(&format!("http://{}/", panel.address)));
        let over = Gate::new();
        let clients = (0..4).map(|_| client(panel.proxy.address, &over)).collect();
        Some(Self { page, panel, mta, web, over, clients })
    }

    /// What the command prints.
    fn ask(&self, words: &[&str]) -> String {
        let all = [words, &["--socket", "./admin.sock"]].concat();
        let (code, printed, said) = Process::evenly(&all, self.panel.proxy.scratch.path()).finish();
        assert_eq!((code, said.as_str()), (Some(0), ""), "{words:?}: {printed}");
        printed
    }

    fn metrics(&self) -> String {
        self.panel.get("/metrics").text()
    }

    /// The sum of all samples that begin so and hold these labels.
    fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics();
        let is_it =
            |line: &&str| line.starts_with(name) && labels.iter().all(|part| line.contains(part));
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        text.lines().filter(is_it).map(value).sum()
    }

    fn history(&self) -> Value {
        json(&self.panel.get("/history"))["columns"].clone()
    }

    /// Waits until the sentence on top of the dashboard begins so.
    fn sees(&self, sentence: &str) {
        let Some(page) = &self.page else { return };
        eventually(sentence, || page.text("#sentence").starts_with(sentence));
    }

    fn events(&self) -> Vec<Event> {
        let all = json(&self.panel.get("/events"));
        assert_eq!(all["lost"], 0);
        all["events"].as_array().unwrap().iter().map(Event::of).collect()
    }

    /// The clients stop; what each was answered.
    fn end(&mut self) -> Vec<u16> {
        self.over.open();
        self.clients.drain(..).flat_map(|client| client.join().unwrap()).collect()
    }
}

/// Everything on: three ways to be told, checks, the access log.
fn settings(mta: &Mta, certs: &Certs, web: &Backend) -> String {
    let (user, password) = LOGIN;
    let (port, ca, web) = (mta.submission, certs.ca.display(), web.port());
    format!(
        "health.interval = \"100ms\"\nhealth.rise = 2\nhealth.fall = 2\nhealth.timeout = \"5s\"\n\
         passive.eject = \"500ms\"\nlog.access = \"json\"\n\
         alerts = [{{ name = \"mail\", kind = \"email\", wait = \"{WAIT_MS}ms\", \
         to = [\"ops@mail.test\"], from = \"evenly@mail.test\", server = \"localhost:{port}\", \
         ca = \"{ca}\", user = \"{user}\", password = \"{password}\" }}, \
         {{ name = \"web\", kind = \"webhook\", wait = \"{WAIT_MS}ms\", \
         url = \"http://127.0.0.1:{web}/hook\" }}, \
         {{ name = \"program\", kind = \"command\", wait = \"{WAIT_MS}ms\", \
         command = [\"/bin/sh\", \"-c\", \"cat >> told; echo >> told\"] }}]\n"
    )
}

/// A client that asks again and again until it is over; what it was answered.
fn client(address: SocketAddr, over: &Gate) -> JoinHandle<Vec<u16>> {
    let over = over.clone();
    thread::spawn(move || {
        let mut answers = Vec::new();
        while !over.is_open() {
            answers.push(Wire::connect(address).get("/load").status());
            // So many that they matter, and so few that other tests have a machine too.
            thread::park_timeout(Duration::from_millis(10));
        }
        answers
    })
}

#[test]
fn a_night_is_one_story_whoever_tells_it() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let Some(mut night) = Night::begin(&[&a, &b, &c]) else { return };
    eventually("clients are served", || {
        night.metric("evenly_requests_total", &["code=\"2xx\""]) > 50.0
    });
    let a = a.go_down();
    let down = night.mta.letter("ops", "A down");
    night.sees("2 of 3 up; A out for ");
    let [b, c] = [b, c].map(Backend::go_down);
    let none = night.mta.letter("ops", "NO BACKEND IS UP");
    night.sees("None of 3 up; ");
    nothing_is_up_anywhere(&night);
    let [_a, _b] = [a, b].map(reopen);
    // In the order in which they came back.
    let some = night.mta.letter("ops", " up again; 2 of 3 up");
    night.sees("2 of 3 up; C out for ");
    let _c = reopen(c);
    let over = night.mta.letter("ops", "recovered: C up again");
    night.sees("All 3 backends are up");
    let answers = night.end();
    let letters = [down, none, some, over];
    let events = night.events();
    everybody_is_told_the_same(&night, &letters);
    the_letters_say_what_happened(&letters, &events);
    commands_and_endpoint_have_the_same_times(&night, &events);
    the_counters_are_what_clients_saw(&night, &answers);
    the_history_shows_who_was_up(&night, &events);
    // What would come late has come.
    let points = || night.history()["time_s"].as_array().unwrap().len();
    let before = points();
    eventually("news have had their wait", || points() >= before + 2);
    night.mta.delivered("ops", 4);
    assert_eq!(night.metric("evenly_alerts_total", &["result=\"sent\""]), 12.0);
    assert_eq!(night.metric("evenly_alerts_total", &[]), 12.0);
    drop(night); // before the backends, who answer its last request
}

fn reopen(vacant: Vacant) -> Backend {
    vacant.open(serve)
}

/// While no backend is up: each place says so, and why a request that failed did.
fn nothing_is_up_anywhere(night: &Night) {
    let status = night.panel.status();
    assert_eq!(status["pools"][0]["usable"], 0);
    assert_eq!(night.metric("evenly_backend_up", &[]), 0.0);
    assert_eq!(night.metric("evenly_pool_usable_backends", &[]), 0.0);
    eventually("all are down by their checks", || {
        night.metric("evenly_backend_state", &["state=\"down\""]) == 3.0
    });
    // One that was asked since.
    let failed = |line: &String| line.contains("\"status\":503");
    let before = night.panel.proxy.process.printed.all().into_iter().filter(failed).count();
    let line = night.panel.proxy.process.printed.wait_nth("\"status\":503", before + 4);
    let record: Value = serde_json::from_str(&line).unwrap();
    let id = record["request_id"].as_str().unwrap();
    let mut why = String::new();
    eventually("the request is remembered", || {
        let answer = night.panel.get(&format!("/why?of={id}"));
        why = answer.text();
        answer.status() == 200
    });
    let decision = &serde_json::from_str::<Value>(&why).unwrap()["requests"][0];
    assert_eq!((&decision["status"], &decision["cause"]), (&503.into(), &"no-backend".into()));
    let at = [&decision["at"], &record["time"]].map(|time| ms(time.as_str().unwrap()));
    assert!(seconds_apart(at) < 1.0, "{decision}\n{record}");
    let out = decision["out"].as_array().unwrap();
    let names: Vec<_> = out.iter().map(|one| one["backend"].as_str().unwrap()).collect();
    assert_eq!(names, ["A", "B", "C"], "{decision}");
    let printed = night.ask(&["why", id]);
    assert!(
        printed.contains("out then: A (down since ") && printed.contains("status 503 "),
        "{printed}"
    );
}

/// Mail, web and program: the same four messages, of one incident.
fn everybody_is_told_the_same(night: &Night, letters: &[Letter; 4]) {
    let hooks = night.web.wait_requests(4);
    let hooks: Vec<Value> = hooks.iter().map(json).collect();
    let file = night.panel.proxy.scratch.path().join("told");
    let lines = || fs::read_to_string(&file).unwrap_or_default();
    eventually("the program was told", || lines().lines().count() == 4);
    let programs: Vec<Value> =
        lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds = ["down", "all-down", "up", "recovered"];
    for (index, letter) in letters.iter().enumerate() {
        for message in [&hooks[index], &programs[index]] {
            assert_eq!(message["kind"], kinds[index], "{message}");
            assert_eq!(message["subject"], letter.header("Subject"), "{message}");
            assert_eq!(message["key"], hooks[0]["key"], "{message}");
            let text = message["text"].as_str().unwrap();
            assert_eq!(told::items(text), told::items(&letter.text), "{text}\n{}", letter.text);
        }
        assert_eq!(hooks[index]["key"], told::line(&letter.text, "Key: "));
        assert_eq!(letter.header("References"), letters[0].header("References"), "{letter:#?}");
    }
}

/// Who, why, since when, the last checks, who is left; and each at its time.
fn the_letters_say_what_happened(letters: &[Letter; 4], events: &[Event]) {
    let [down, none, some, over] = letters;
    let began = events.iter().find(|event| event.is_of("A") && event.leaves("up")).unwrap();
    for letter in letters {
        let is_worst = letter.text.contains("\nIncident began: ");
        assert_eq!(is_worst, std::ptr::eq(letter, none), "{}", letter.text);
        let line = if is_worst { "Incident began: " } else { "Since: " };
        let since = told::line(&letter.text, line);
        assert_eq!(since.split(' ').next(), Some(began.time.as_str()), "{}", letter.text);
        for (time, name, is_up) in told::items(&letter.text) {
            let is_it = |event: &&Event| {
                event.time == time
                    && event.is_of(&name)
                    && if is_up { event.comes("up") } else { event.leaves("up") }
            };
            assert_eq!(events.iter().filter(is_it).count(), 1, "{time} {name} in {events:#?}");
        }
    }
    let named = |letter: &Letter| -> BTreeSet<(String, bool)> {
        let items = told::items(&letter.text).into_iter();
        items.map(|(_, name, is_up)| (name, is_up)).collect()
    };
    let of = |names: &[&str], is_up| -> BTreeSet<(String, bool)> {
        names.iter().map(|name| ((*name).to_owned(), is_up)).collect()
    };
    let last = told::items(&none.text).into_iter().map(|(time, ..)| time).max().unwrap();
    assert!(told::line(&none.text, "Since: ").starts_with(&last), "{}", none.text);
    assert_eq!(named(down), of(&["A"], false));
    assert_eq!(named(none), of(&["B", "C"], false));
    assert_eq!(named(some), of(&["A", "B"], true));
    assert_eq!(named(over), of(&["C"], true));
    assert!(down.text.contains("Up: B, C\nNot up: A ("), "{}", down.text);
    assert!(none.text.contains("Up: none\nNot up: A ("), "{}", none.text);
    assert!(some.text.contains("Up: A, B\nNot up: C ("), "{}", some.text);
    assert!(over.text.contains("Up: A, B, C\nNot up: none\n"), "{}", over.text);
    let failed = down.text.lines().filter(|line| line.contains(" ago: failed: ")).count();
    assert!((2..=5).contains(&failed), "{}", down.text);
    // What happens meanwhile is one message, at its time; that nothing is up waits for nothing.
    for (letter, waits) in [(down, true), (none, false), (some, true), (over, true)] {
        let items = told::items(&letter.text);
        let times = items.iter().map(|(time, ..)| ms(time));
        let edge = if waits { times.min() } else { times.max() };
        let took = ms(told::line(&letter.text, "At: ")) - edge.unwrap();
        let (least, most) = if waits { (WAIT_MS, 2 * WAIT_MS) } else { (0, WAIT_MS) };
        assert!((least..most).contains(&took), "{took} ms: {}", letter.text);
    }
}

/// `timeline`, `why`, `status`, the log and the dashboard, each of each change.
fn commands_and_endpoint_have_the_same_times(night: &Night, events: &[Event]) {
    let changes: Vec<&Event> = events.iter().filter(|event| event.change.is_some()).collect();
    let timeline: Value = serde_json::from_str(&night.ask(&["timeline", "--json"])).unwrap();
    let entries = timeline["entries"].as_array().unwrap();
    let printed = night.ask(&["timeline"]);
    for event in &changes {
        let is_it =
            |entry: &&Value| entry["at"] == event.time && entry["text"] == event.text.as_str();
        assert_eq!(entries.iter().filter(is_it).count(), 1, "{event:?} in {timeline:#}");
        let line = printed
            .lines()
            .find(|line| line.contains(event.time_of_day()) && line.contains(event.text.as_str()));
        assert!(line.is_some(), "{event:?} in {printed}");
        let logged = night.panel.proxy.process.said.wait(&event.text);
        assert!(
            night
                .panel
                .proxy
                .process
                .said
                .all()
                .iter()
                .any(|line| { line.contains(&event.time) && line.contains(&event.text) }),
            "{event:?}: {logged}"
        );
    }
    for (index, name) in ["A", "B", "C"].into_iter().enumerate() {
        let own: Vec<_> = changes.iter().filter(|event| event.is_of(name)).collect();
        let why: Value = serde_json::from_str(&night.ask(&["why", name, "--json"])).unwrap();
        let standings = why["standings"].as_array().unwrap();
        for (event, standing) in own.iter().rev().zip(standings) {
            assert_eq!(standing["standing"], event.change.as_ref().unwrap().1, "{why:#}");
            let at = [standing["at"].as_str().unwrap(), &event.time].map(ms);
            assert!(seconds_apart(at) < 0.5, "{event:?} in {why:#}");
        }
        assert_eq!(standings.len(), own.len() + 1, "{own:#?} {why:#}");
        let since = night.panel.backend(index)["since"].as_str().unwrap().to_owned();
        let at = [&since, &own.last().unwrap().time].map(|time| ms(time));
        assert!(seconds_apart(at) < 0.5, "{name} since {since}: {own:#?}");
    }
    if let Some(page) = &night.page {
        if page.count("#older:not([hidden])") > 0 {
            page.click("#older");
        }
        let script = "return [...document.querySelectorAll('#timeline li')].map(it =>
            it.querySelector('time').dateTime + ' ' + it.querySelector('.text').textContent)";
        let shown = page.run(script);
        for event in changes {
            let is_it = |line: &&Value| {
                let line = line.as_str().unwrap();
                line.starts_with(&event.time) && line.ends_with(&event.text)
            };
            let found = shown.as_array().unwrap().iter().filter(is_it).count();
            assert_eq!(found, 1, "{event:?} in {shown:#}");
        }
        assert!(page.complaints().is_empty());
    }
}

/// Status, metrics, history, timeline and access log: each has counted what clients were answered.
fn the_counters_are_what_clients_saw(night: &Night, answers: &[u16]) {
    let many = |class: u16| answers.iter().filter(|status| **status / 100 == class).count() as u64;
    let (fine, failed) = (many(2), many(5));
    assert_eq!(fine + failed, answers.len() as u64);
    assert!(fine > 0 && failed > 0, "{fine} {failed}");
    let sum = |column: &str| -> u64 {
        let history = night.history();
        history[column].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).sum()
    };
    eventually("all are in a point of the history", || {
        sum("requests_2xx") + sum("requests_5xx") >= fine + failed
    });
    assert_eq!([sum("requests_2xx"), sum("requests_5xx")], [fine, failed]);
    assert_eq!([sum("errors_ours"), sum("errors_theirs")], [failed, 0]);
    let totals = &night.panel.status()["totals"];
    assert_eq!(totals["answered"]["2xx"], fine, "{totals}");
    assert_eq!(
        (&totals["answered"]["5xx"], &totals["errors_ours"]),
        (&failed.into(), &failed.into())
    );
    let total = |name: &str, labels: &[&str]| night.metric(name, labels) as u64;
    assert_eq!(total("evenly_requests_total", &["code=\"2xx\""]), fine);
    assert_eq!(total("evenly_requests_total", &["code=\"5xx\""]), failed);
    assert_eq!(total("evenly_requests_total", &[]), fine + failed);
    assert_eq!(total("evenly_request_errors_total", &["by=\"evenly\""]), failed);
    assert_eq!(total("evenly_request_errors_total", &["by=\"application\""]), 0);
    let ended = total("evenly_requests_ended_total", &[]);
    assert_eq!(ended - total("evenly_requests_ended_total", &["cause=\"done\""]), failed);
    let timeline: Value = serde_json::from_str(&night.ask(&["timeline", "--json"])).unwrap();
    let counted = |name: &str| -> u64 {
        let entries = timeline["entries"].as_array().unwrap().iter();
        entries.filter_map(|entry| entry[name].as_u64()).sum()
    };
    assert_eq!([counted("requests"), counted("errors_ours")], [fine + failed, failed]);
    let logged = || night.panel.proxy.process.printed.all();
    eventually("all is logged", || logged().len() as u64 == fine + failed);
    let lines = logged();
    let of = |part: &str| lines.iter().filter(|line| line.contains(part)).count() as u64;
    assert_eq!(of("\"status\":200"), fine);
    let checks = night.panel.status()["pools"][0]["backends"].clone();
    for (index, name) in ["A", "B", "C"].into_iter().enumerate() {
        assert!(checks[index]["checks_failed"].as_u64() >= Some(2), "{checks:#}");
        let label = format!("backend=\"{name}\"");
        let up = [label.as_str(), "state=\"up\""];
        assert_eq!(night.metric("evenly_backend_state", &up), 1.0);
        assert_eq!(night.metric("evenly_backend_state", &up[..1]), 1.0);
        assert!(night.metric("evenly_backend_checks_total", &[&label, "\"failed\""]) >= 2.0);
    }
    assert_eq!(night.metric("evenly_backend_up", &[]), 3.0);
}

/// At the end of each point as many were up as the events before it leave.
fn the_history_shows_who_was_up(night: &Night, events: &[Event]) {
    let history = night.history();
    let [times, usable] = ["time_s", "usable"].map(|name| history[name].as_array().unwrap());
    let changes: Vec<_> =
        events.iter().filter_map(|event| event.left.map(|it| (event, it))).collect();
    for (time, usable) in times.iter().zip(usable) {
        let at = (time.as_f64().unwrap() * 1000.0) as u64;
        // What is told a moment before or after it was counted, on a machine that is busy.
        if changes.iter().any(|(event, _)| seconds_apart([ms(&event.time), at]) < 0.4) {
            continue;
        }
        let last = changes.iter().rev().find(|(event, _)| ms(&event.time) < at);
        let left = last.map_or(3, |(_, left)| *left);
        assert_eq!(usable.as_u64(), Some(left), "at {time}: {last:?}");
    }
}
