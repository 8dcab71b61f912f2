//! What the page says, and how it goes with what happens.

use super::{CHECKED, Shown};
use crate::harness::{Backend, Place, Process, Vacant, Wire, eventually, serve};
use rustix::process::Signal;
use serde_json::Value;
use std::fmt::Write as _;

#[test]
fn the_page_moves_under_traffic_and_breaks_no_rule_of_its_policy() {
    let backends = [Backend::plain(), Backend::answering(404)];
    let Some(shown) = Shown::over(&[&backends[0], &backends[1]], "") else { return };
    shown.wait("#sentence", "All 2 backends are up");
    assert_eq!(shown.chrome.run("return document.title"), "2/2 up – Evenly");
    eventually("requests are drawn", || {
        (0..10).for_each(|_| drop(shown.panel.proxy.get("/")));
        let figure = shown.chrome.text(".figure");
        figure != "–" && figure != "0" && shown.chrome.count(".chart:first-child .area.c2xx") > 0
    });
    assert!(shown.chrome.count(".chart:first-child .area.c4xx") > 0);
    shown.wait("#traffic", "requests a second, none failed");
    shown.wait(".row .share", "of 50 %");
    shown.wait("#footer", env!("CARGO_PKG_VERSION"));
    shown.wait("#timeline", "admin endpoint at");
    assert_eq!(
        shown.chrome.run(
            "return performance.getEntriesByType('resource')
        .filter((one) => !one.name.startsWith(location.origin)).length"
        ),
        0
    );
    shown.holds_to_the_policy();
}

#[test]
fn connections_that_are_passed_on_are_drawn_and_told_as_such() {
    let backends = [(); 2].map(|()| Backend::every(|wire| wire.finish()));
    let settings = "health.interval = \"1s\"\n\
                    [[listeners]]\nname = \"db\"\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let Some(shown) = Shown::over(&[&backends[0], &backends[1]], settings) else { return };
    shown.panel.proxy.no_farewell();
    shown.wait("#place", &format!("tcp://{}", shown.panel.proxy.address));
    eventually("connections are drawn", || {
        (0..10).for_each(|_| Wire::connect(shown.panel.proxy.address).expect_end());
        shown.chrome.count(".chart:first-child .area.flight") > 0
    });
    shown.wait("#traffic", "TCP connections a second");
    shown.wait(".chart:first-child h3", "Requests a second, with TCP");
    shown.wait(".chart:first-child .legend", "TCP");
    shown.wait(".row .share", "of 50 %");
}

#[test]
fn a_listener_that_is_full_and_a_pool_with_a_reserve_are_told_as_such() {
    let backends = [(); 2].map(|()| Backend::plain());
    let settings = "balance.policy = \"first-alive\"\n\
                    [[listeners]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\nmax_connections = 2";
    let Some(shown) = Shown::over(&[&backends[0], &backends[1]], settings) else { return };
    let clients = [(); 2].map(|()| shown.panel.proxy.connect());
    shown.wait("#notes", "2 clients at web, of at most 2");
    shown.wait(".row:nth-child(1) .share", "of 100 %");
    shown.wait(".row:nth-child(2) .share", "of 0 %");
    drop(clients);
    eventually("it is full no more", || !shown.chrome.text("#notes").contains("web"));
}

#[test]
fn a_backend_that_is_killed_comes_first_with_its_reason_and_back() {
    let [one, two] = [Backend::plain(), Backend::plain()];
    let settings = format!("{CHECKED}\nhealth.fall = 3");
    let Some(shown) = Shown::over(&[&one, &two], &settings) else { return };
    shown.wait("#sentence", "All 2");
    assert_eq!(shown.chrome.text("#rows .name button"), "A");
    let place: Vacant = two.go_down();
    shown.wait("#sentence", "1 of 2 up; B out for ");
    shown.wait("#sentence", ": ");
    assert_eq!(shown.chrome.text("#rows .name button"), "B", "problems first");
    shown.wait("#rows .state", "Down");
    assert_eq!(shown.chrome.count("#rows .row[data-state=down] use[href='#shape-down']"), 1);
    shown.wait("#heard", "1 of 2 up; B out");
    shown.wait("#timeline", "backend B: ");
    assert!(shown.chrome.run("return document.title").as_str().unwrap().contains("1/2 up"));
    let back = place.open(serve);
    shown.wait("#sentence", "All 2 backends are up");
    assert_eq!(shown.chrome.text("#rows .name button"), "A", "the file's order again");
    drop(back);
    shown.panel.proxy.farewell(200);
    shown.holds_to_the_policy();
}

#[test]
fn a_check_that_asks_for_a_drain_is_shown_as_that() {
    let [leaving, other] = [Backend::answering(410), Backend::plain()];
    let settings = format!("{CHECKED}\nhealth.drain = [\"410\"]");
    let Some(shown) = Shown::over(&[&leaving, &other], &settings) else { return };
    shown.wait("#rows .row:first-child .check-cell", "drain asked ");
    assert!(shown.chrome.count("#rows .row:first-child .dots i") > 0);
    assert_eq!(shown.chrome.count("#rows .dots i.failed"), 0);
}

#[test]
fn all_charts_go_to_the_time_of_an_event_and_back() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    eventually("there are points", || {
        drop(shown.panel.proxy.get("/"));
        shown.chrome.count(".chart .area") > 0
    });
    shown.chrome.click("#timeline li:last-child button");
    shown.wait("#when", "Around ");
    assert_eq!(shown.chrome.count("#timeline button[aria-current=true]"), 1);
    let is_live = |shown: &Shown| shown.chrome.run("return document.getElementById('live').hidden");
    assert_eq!(is_live(&shown), false);
    let ends = "return charts.map((chart) => chart.from)";
    let [before, after] = [(); 2].map(|()| shown.chrome.run(ends));
    let same = |value: &Value| {
        let all = value.as_array().unwrap();
        all.len() == 4 && all.iter().all(|one| one == &all[0])
    };
    assert!(same(&before) && same(&after), "{before} {after}");
    shown.chrome.click("#live");
    assert_eq!(is_live(&shown), true);
    assert_eq!(shown.chrome.count("#timeline button[aria-current=true]"), 0);
    shown.holds_to_the_policy();
}

#[test]
fn a_balancer_that_is_gone_is_said_to_be_and_one_that_is_back_is_shown() {
    let backend = Backend::plain();
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    shown.wait("#sentence", "The one backend is up");
    let is_grey = |shown: &Shown| shown.chrome.count("body.is-gone") == 1;
    assert!(!is_grey(&shown));
    // Stopped it is as silent as a machine that has crashed: connections stand, nobody answers.
    shown.panel.proxy.process.signal(Signal::STOP);
    eventually("it is grey", || is_grey(&shown));
    assert!(shown.chrome.text("#gone").starts_with("The balancer does not answer. What you see"));
    assert_eq!(shown.chrome.heard("#gone").0, "alert");
    shown.wait("#pulse", "no answer for ");
    assert_eq!(shown.chrome.run("return document.getElementById('backends').inert"), true);
    assert!(shown.chrome.run("return document.title").as_str().unwrap().contains("no answer"));
    shown.panel.proxy.process.signal(Signal::CONT);
    eventually("it is back", || !is_grey(&shown));
    assert_eq!(shown.chrome.text("#gone"), "");
    shown.wait("#pulse", "live, ");
}

#[test]
fn another_process_at_the_same_address_begins_anew() {
    let backend = Backend::plain();
    let port = Vacant::new();
    let listen = format!("127.0.0.1:{}", port.port());
    drop(port);
    let Some(shown) = Shown::over(&[&backend], "") else { return };
    let serve = || {
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"{listen}\"\n\
            [[applications]]\nname = \"A\"\nip = \"127.0.0.1\"\nport = {}\n",
            backend.port()
        );
        let folder = &shown.panel.proxy.scratch;
        let file = folder.write("other.toml", text);
        let process = Process::evenly(&["serve", "-c", file.to_str().unwrap()], folder.path());
        process.said.wait("listening on ");
        process
    };
    let first = serve();
    shown.chrome.open(&format!("http://{listen}/"));
    shown.wait("#footer", &format!("process {}", first.id()));
    drop(first);
    eventually("it is grey", || shown.chrome.count("body.is-gone") == 1);
    let second = serve();
    shown.wait("#footer", &format!("process {}", second.id()));
    eventually("it is back", || shown.chrome.count("body.is-gone") == 0);
    let events = shown.chrome.run("return events.map((one) => one.number)");
    let numbers: Vec<_> =
        events.as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers[0] == 1, "{numbers:?}");
}

/// Names as nobody would give them, or somebody who means no good.
const HOSTILE: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "'><svg onload=alert(1)>",
    "a/b?c#d %2e%2e&e",
    "${alert(1)} {{alert(1)}} javascript:alert(1)",
    "an-application-whose-name-somebody-made-of-all-that-was-known-of-it-and-then-some-more-0001",
];

#[test]
fn hostile_names_are_text_and_can_be_steered() {
    let backend = Backend::plain();
    let mut settings = String::new();
    for (name, port) in HOSTILE.iter().zip(1..) {
        let table =
            format!("[[applications]]\nname = \"{name}\"\nip = \"127.0.0.1\"\nport = {port}");
        writeln!(settings, "{table}").unwrap();
    }
    let Some(shown) = Shown::over(&[&backend], &settings) else { return };
    shown.panel.proxy.no_farewell();
    shown.wait("#sentence", "All 7 backends are up");
    assert_eq!(shown.chrome.count("#rows img, #rows script, #rows [onload]"), 0);
    let names = shown.chrome.run(
        "return [...document.querySelectorAll('.name button')]
        .map((one) => one.textContent)",
    );
    for name in HOSTILE {
        assert!(names.as_array().unwrap().iter().any(|one| *one == name), "{name} of {names}");
    }
    for width in [1280, 360] {
        shown.chrome.resize(width, 900);
        assert!(!shown.overflows(), "at {width}");
    }
    shown.chrome.click("#rows [aria-label^='Drain a/b?c#d']");
    shown.chrome.click("#ask-yes");
    shown.wait("#rows .state", "Drain");
    assert_eq!(shown.chrome.text("#rows .name button"), "a/b?c#d %2e%2e&e");
    shown.holds_to_the_policy();
}

#[test]
fn two_hundred_backends_are_found_by_name_and_cost_little() {
    let ports: Vec<u16> = (1..=200).collect();
    let all: Vec<_> = ports.iter().map(|port| port as &dyn Place).collect();
    let Some(shown) = Shown::over(&all, "") else { return };
    shown.panel.proxy.no_farewell();
    shown.wait("#sentence", "All 200 backends are up");
    assert_eq!(shown.chrome.count("#rows .row"), 200);
    // The middle one of five rounds: the machine may be busy for a moment.
    let took = shown.chrome.run(
        "const took = [0, 1, 2, 3, 4].map(() => {
        const began = performance.now(); show(); return performance.now() - began; });
        return took.sort((a, b) => a - b)[2]",
    );
    assert!(took.as_f64().unwrap() < 250.0, "{took} ms a second");
    shown.chrome.type_into("#find", "N19");
    eventually("they are found", || shown.chrome.count("#rows .row") == 10);
    shown.chrome.type_into("#find", "x");
    shown.wait("#more", "None is called so");
}
