//! What operators have done through the endpoint.

use crate::harness::{Backend, Gate, Vacant, eventually};
use crate::panel::{Panel, error, json, post};
use std::process::Command;

#[test]
fn a_backend_is_drained_and_used_again() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let answer = panel.post("/backends/A/drain");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let done = json(&answer);
    assert_eq!((&done["backend"], &done["mode"]), (&"A".into(), &"drain".into()));
    assert_eq!(done["in_flight"], 0);
    assert!(done["words"].as_str().unwrap().starts_with("backend A: "), "{done}");
    let shown = panel.backend(0);
    assert_eq!([&shown["standing"], &shown["mode"]], ["drain", "drain"]);
    assert_eq!(shown["asked_by"], "operator");
    (0..4).for_each(|_| drop(panel.proxy.get("/")));
    assert!(backends[0].requests().is_empty());
    let again = json(&panel.post("/backends/A/drain"));
    assert_eq!(again["words"], "backend A: drain already");
    assert_eq!(panel.post("/backends/A/ready").status(), 200);
    (0..4).for_each(|_| drop(panel.proxy.get("/")));
    assert_eq!(backends[0].requests().len(), 2);
}

#[test]
fn what_is_in_flight_is_said_and_ends() {
    let gate = Gate::new();
    let backends = [Backend::holding(&gate), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let mut client = panel.proxy.asking("/held");
    eventually("it is under way", || panel.backend(0)["in_flight"] == 1);
    assert_eq!(json(&panel.post("/backends/A/drain"))["in_flight"], 1);
    gate.open();
    assert_eq!(client.answer().status(), 200);
    eventually("it is over", || panel.backend(0)["in_flight"] == 0);
}

#[test]
fn the_last_backend_in_use_is_taken_out_by_force_alone() {
    let (backend, vacant) = (Backend::plain(), Vacant::new());
    let panel = Panel::with(&[&backend, &vacant], "health.interval = \"1h\"\nhealth.fall = 1");
    eventually("one is down", || panel.backend(1)["standing"] == "down");
    let refused = panel.post("/backends/A/maint");
    assert_eq!(refused.status(), 409);
    assert!(error(&refused).contains("the last of 2"), "{}", error(&refused));
    assert_eq!(panel.mode(), "ready");
    assert_eq!(panel.proxy.get("/").status(), 200);
    panel.proxy.pardon("NO BACKEND IS UP");
    panel.proxy.pardon("answering 503");
    assert_eq!(panel.post("/backends/A/maint?force=1").status(), 200);
    assert_eq!(panel.proxy.get("/").status(), 503);
    assert_eq!(panel.post("/backends/A/ready").status(), 200);
}

#[test]
fn the_log_says_who_asked() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    panel.post("/backends/A/drain");
    let (uid, pid) = (rustix::process::getuid().as_raw(), std::process::id());
    panel.proxy.process.said.wait(&format!("uid {uid} (pid {pid}) asks: drain A"));
    let events = json(&panel.get("/events?since=2"));
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["asked", "out"]);
}

#[test]
fn a_name_that_nobody_has_is_answered_with_those_there_are() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let unknown = panel.post("/backends/C/drain");
    let said = "there is no backend \"C\"; known: A, B".to_owned();
    assert_eq!((unknown.status(), error(&unknown)), (404, said));
    let pool = panel.post("/pause?pool=other");
    let said =
        "there is no pool \"other\": all backends are one, which needs no name; leave it out";
    assert_eq!((pool.status(), error(&pool)), (404, said.to_owned()));
}

#[test]
fn what_is_written_in_vain_changes_nothing() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    for target in [
        "/backends/A/drain?for=5s",
        "/backends/%zz/drain",
        "/pause?for=31s",
        "/pause?for=0",
        "/pause?for=soon",
        "/pause?fro=5s",
        "/reload?dry=1",
        "/diff?from=a.toml",
        "/upgrade?to=2",
        "/pause?for=5s&for=6s",
        "/backends/A/drain?force=yes",
        "/reload?now",
        "/diff?of=a",
    ] {
        assert_eq!(panel.post(target).status(), 400, "{target}");
    }
    for target in ["/status?of=A", "/events?sicne=1", "/config?all"] {
        assert_eq!(panel.get(target).status(), 400, "{target}");
    }
    assert_eq!(panel.get("/ready?nocache=1").status(), 200, "checks add what they like");
    assert_eq!(panel.mode(), "ready");
    assert!(panel.status()["pools"][0]["paused_for_s"].is_null());
}

#[test]
fn a_text_to_compare_with_may_have_a_mebibyte() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let diff = |bytes: usize, body: &[u8]| {
        let head =
            format!("POST /diff HTTP/1.1\r\nHost: a\r\nX-Evenly: 1\r\nContent-Length: {bytes}");
        let mut wire = panel.open();
        wire.send(format!("{head}\r\n\r\n"));
        wire.send(body);
        wire.answer().status()
    };
    assert_eq!(diff(3, b"\xff\xfe\xfd"), 422, "no UTF-8");
    assert_ne!(diff(1 << 20, &vec![b'#'; 1 << 20]), 413);
    assert_eq!(diff((1 << 20) + 1, b""), 413);
}

#[test]
fn a_reload_that_waits_for_a_pipe_does_not_keep_the_end_waiting() {
    let backend = Backend::plain();
    let mut panel = Panel::over(&[&backend]);
    let file = panel.proxy.scratch.path().join("applications.toml");
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let mut operator = panel.open();
    operator.send(post("/reload", "evenly", "X-Evenly: 1\r\n"));
    panel.proxy.process.said.wait("asks: reload");
    panel.proxy.terminate();
    assert_eq!(panel.proxy.exit_code(), Some(0));
}

#[test]
fn whoever_reads_of_a_reload_finds_it_in_the_status() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    for via in [true, false].into_iter().cycle().take(20) {
        panel.proxy.reload(&[&backend], &format!("server.via = {via}\n"));
        let last = panel.status()["configuration"]["last_reload"].clone();
        assert!(last["words"].as_str().unwrap().ends_with(&format!(" -> {via}")), "{last}");
    }
}
