//! The last hour in numbers: what a point counts, and what becomes of it.

use crate::harness::{Backend, Broken, Wire, eventually};
use crate::panel::{Panel, error, json};
use crate::serving::{documented, keys};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::Shutdown;
use std::time::{Duration, Instant};
use std::{io, thread};

fn history(panel: &Panel) -> Value {
    json(&panel.get("/history"))
}

/// The sum of a column.
fn sum(panel: &Panel, column: &str) -> u64 {
    let history = history(panel);
    history["columns"][column].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).sum()
}

fn last(panel: &Panel) -> u64 {
    history(panel)["last"].as_u64().unwrap()
}

#[test]
fn the_history_has_the_columns_that_are_documented_and_no_other() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let [mut found, mut shown] = [BTreeSet::new(), BTreeSet::new()];
    keys(&history(&panel), "", &mut found);
    keys(&documented("## GET /history"), "", &mut shown);
    assert_eq!(found, shown, "the history (left), docs/admin.md (right)");
}

#[test]
fn what_is_counted_in_the_points_is_what_was_asked() {
    let (fine, failing) = (Backend::plain(), Backend::answering(500));
    let settings = "balance.policy = \"round-robin\"\npassive.failures = 0";
    let panel = Panel::with(&[&fine, &failing], settings);
    panel.proxy.pardon("answering 503");
    panel.proxy.pardon("NO BACKEND IS UP");
    (0..8).for_each(|_| drop(panel.proxy.get("/")));
    let sums = || ["requests_2xx", "requests_5xx"].map(|column| sum(&panel, column));
    eventually("all of them are in a point", || sums() == [4, 4]);
    assert_eq!(sum(&panel, "errors_theirs"), 4);
    assert_eq!(sum(&panel, "errors_ours"), 0);
    for name in ["A", "B"] {
        panel.post(&format!("/backends/{name}/maint?force=1"));
    }
    assert_eq!(panel.proxy.get("/").status(), 503);
    eventually("ours is in a point", || sum(&panel, "errors_ours") == 1);
    assert_eq!([sum(&panel, "requests_5xx"), sum(&panel, "errors_theirs")], [5, 4]);
    let columns = &history(&panel)["columns"];
    let many = columns["time_s"].as_array().unwrap().len();
    assert_eq!(columns["usable"][many - 1], 0);
    let is_timed = |at: &usize| columns["p50_ms"][*at].is_number();
    let answered = |at: &usize| {
        let classes = ["requests_2xx", "requests_5xx"];
        classes.iter().any(|class| columns[class][*at].as_u64() > Some(0))
    };
    assert!((0..many).all(|at| is_timed(&at) == answered(&at)), "{columns}");
    panel.post("/backends/A/ready");
}

#[test]
fn points_are_asked_for_by_number_and_a_reload_keeps_them() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    eventually("there is a point", || last(&panel) > 0);
    assert!(panel.proxy.reload(&[&backend], "limits.headers = 99").contains("reloaded"));
    let before = last(&panel);
    eventually("there is another", || last(&panel) > before);
    let news = json(&panel.get(&format!("/history?since={before}")));
    let last = news["last"].as_u64().unwrap();
    let times = news["columns"]["time_s"].as_array().unwrap().len() as u64;
    assert_eq!((times, &news["lost"]), (last - before, &0.into()));
    let bad = panel.get("/history?since=noon");
    assert_eq!(bad.status(), 400);
    assert_eq!(error(&bad), "since is no number of a point; write for example since=0");
    assert_eq!(panel.get("/history?until=1").status(), 400);
}

#[test]
fn a_process_that_stood_still_says_how_much_its_next_point_covers() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    eventually("there is a point", || last(&panel) > 0);
    let stood = Duration::from_millis(4500);
    panel.proxy.process.signal(Signal::STOP);
    // How long it stands still is what this is about.
    let until = Instant::now() + stood;
    while Instant::now() < until {
        std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }
    panel.proxy.process.signal(Signal::CONT);
    let lengths = || -> Vec<f64> {
        let history = history(&panel);
        let lengths = history["columns"]["length_s"].as_array().unwrap();
        lengths.iter().map(|it| it.as_f64().unwrap()).collect()
    };
    eventually("a long one is there", || lengths().iter().any(|it| *it >= 4.0));
}

#[test]
fn the_bytes_of_a_busy_tcp_client_are_told_while_it_runs() {
    let backend = Backend::every(|wire| while wire.offer([b'x'; 64 * 1024]) {});
    let settings = "health.interval = \"off\"\n\
                    [[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let panel = Panel::with(&[&backend], settings);
    panel.proxy.no_farewell();
    let client = panel.proxy.connect();
    let mut down = client.stream().try_clone().unwrap();
    let reader = thread::spawn(move || io::copy(&mut down, &mut io::sink()));
    eventually("many steps are told", || panel.backend(0)["bytes_down"].as_u64() > Some(8 << 20));
    assert_eq!(panel.backend(0)["in_flight"], 1, "it is open still");
    client.stream().shutdown(Shutdown::Read).unwrap();
    let _ = reader.join().unwrap();
    // Nobody would answer the probes of one that is closed with its window shut.
    client.reset();
}

#[test]
fn connections_of_tcp_clients_are_counted_as_they_end_and_so_are_those_that_fail() {
    let backend = Backend::every(|wire| {
        wire.send("hello");
        wire.finish();
    });
    let settings = "passive.failures = 0\nhealth.interval = \"off\"\nretry.attempts = 1\n\
                    [[listeners]]\nname = \"tcp\"\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"";
    let panel = Panel::with(&[&backend], settings);
    panel.proxy.no_farewell();
    let meet = |ends_well: bool| {
        let mut client = Wire::connect(panel.proxy.address);
        client.finish();
        let (said, end) = client.ending();
        let expected = if ends_well { ("hello", Broken::End) } else { ("", Broken::Reset) };
        assert_eq!((String::from_utf8_lossy(&said).as_ref(), end), expected);
    };
    (0..3).for_each(|_| meet(true));
    eventually("all of them are in a point", || sum(&panel, "tcp_connections") == 3);
    assert_eq!(sum(&panel, "errors_ours"), 0);
    let _gone = backend.go_down();
    meet(false);
    eventually("the failed one is, too", || sum(&panel, "errors_ours") == 1);
    assert_eq!([sum(&panel, "tcp_connections"), sum(&panel, "requests_5xx")], [4, 0]);
    let totals = &panel.status()["totals"];
    assert_eq!((&totals["tcp_connections"], &totals["tcp_errors"]), (&4.into(), &1.into()));
}
