//! What has woken others for nothing, or has not woken them: tried over all that tells.

use crate::harness::{Backend, Message, Place, Vacant, eventually, serve};
use crate::panel::{Panel, json};
use crate::told::{items, line, ms, seconds_apart};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Checks as often as a test can wait for.
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 1\nhealth.fall = 1\n\
                     health.timeout = \"2s\"\ntimeouts.drain = \"1s\"";

/// A balancer that tells this server, after a wait.
fn telling(web: &Backend, wait: &str, backends: &[&dyn Place]) -> Panel {
    let panel = Panel::with(backends, &alerts(web, wait));
    panel.proxy.pardon("NO BACKEND IS UP");
    panel
}

fn alerts(web: &Backend, wait: &str) -> String {
    alerts_to(web.port(), wait)
}

/// Where nobody answers yet.
fn vacant() -> (Vacant, u16) {
    let vacant = Vacant::new();
    let port = vacant.port();
    (vacant, port)
}

fn alerts_to(port: u16, wait: &str) -> String {
    let url = format!("http://127.0.0.1:{port}/");
    let hook = format!("{{ kind = \"webhook\", url = \"{url}\", wait = \"{wait}\" }}");
    format!("{OFTEN}\nalerts = [{hook}]")
}

/// The process that answers operators.
fn process(panel: &Panel) -> u64 {
    panel.status()["process"]["pid"].as_u64().unwrap()
}

/// Another process takes over: it, to be ended, as nobody here has started it.
fn upgrade(panel: &Panel) -> Successor {
    assert_eq!(panel.post("/upgrade").status(), 200);
    let pid = i32::try_from(process(panel)).unwrap();
    Successor(Pid::from_raw(pid).unwrap())
}

struct Successor(Pid);

impl Successor {
    /// Both end, and whoever shares their log.
    fn end(self, mut panel: Panel) {
        panel.proxy.process.wait();
        drop(self);
        assert_eq!(panel.proxy.exit_code(), Some(0));
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn kinds(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|it| json(it)["kind"].as_str().unwrap().to_owned()).collect()
}

fn text(message: &Message) -> String {
    json(message)["text"].as_str().unwrap().to_owned()
}

#[test]
fn an_incident_goes_on_after_an_upgrade_and_is_told_once() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "100ms", &[&a, &b]);
    let a = a.go_down();
    let down = web.wait_requests(1).remove(0);
    let since = line(&text(&down), "Since: ")[..24].to_owned();
    let successor = upgrade(&panel);
    // The one before is still there, and checks.
    let _a = a.open(serve);
    let told = web.wait_requests(2);
    let over = json(&told[1]);
    assert_eq!((&over["kind"], &over["key"]), (&"recovered".into(), &json(&down)["key"]));
    assert_eq!(line(&text(&told[1]), "Since: ")[..24], since);
    successor.end(panel);
    assert_eq!(kinds(&web.requests()), ["down", "recovered"]);
}

#[test]
fn what_an_upgrade_comes_upon_before_it_is_told_is_not_lost() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "1h", &[&a, &b]);
    let a = a.go_down();
    panel.proxy.process.said.wait("up -> down");
    let successor = upgrade(&panel);
    assert_eq!(kinds(&web.wait_requests(1)), ["down"]);
    successor.end(panel);
    drop(a);
}

/// The predecessor has ended before anybody can take the message.
#[test]
fn a_message_that_cannot_be_delivered_at_an_upgrade_is_delivered_by_the_one_who_comes() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let (shy, port) = vacant();
    let panel = Panel::with(&[&a, &b], &alerts_to(port, "10ms"));
    let _a = a.go_down();
    panel.proxy.process.said.wait("alert webhook: not delivered yet: ");
    let key = |message: &Message| json(message)["key"].clone();
    let successor = upgrade(&panel);
    let status = panel.status();
    assert_eq!(status["alerts"][0]["failed"], 0, "{status}");
    let before = panel.proxy.said("NOT DELIVERED");
    panel.proxy.process.said.wait("stopped");
    assert_eq!(panel.proxy.said("NOT DELIVERED"), before);
    let web = shy.open(serve);
    let told = web.wait_requests(1);
    assert_eq!(kinds(&told), ["down"]);
    assert!(!key(&told[0]).as_str().unwrap().is_empty());
    successor.end(panel);
    assert_eq!(kinds(&web.requests()), ["down"]);
}

#[test]
fn an_alert_that_the_one_who_comes_has_not_is_told_as_not_delivered() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let (_shy, port) = vacant();
    let panel = Panel::with(&[&a, &b], &alerts_to(port, "10ms"));
    let _a = a.go_down();
    panel.proxy.process.said.wait("alert webhook: not delivered yet: ");
    panel.proxy.pardon("alert webhook: NOT DELIVERED: this alert is no longer in the file");
    panel.proxy.rewrite(&[&b], OFTEN);
    let successor = upgrade(&panel);
    let line = panel.proxy.process.said.wait("this alert is no longer in the file; not sent: ");
    assert!(line.contains("A down"), "{line}");
    successor.end(panel);
}

#[test]
fn one_that_flaps_still_does_after_an_upgrade() {
    let [mut a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "10ms", &[&a, &b]);
    for told in [2, 4] {
        let vacant = a.go_down();
        web.wait_requests(told - 1);
        a = vacant.open(serve);
        web.wait_requests(told);
    }
    let successor = upgrade(&panel);
    let downs = panel.proxy.said("up -> down");
    let _a = a.go_down();
    panel.proxy.process.said.wait_nth("up -> down", downs + 2); // both check
    let _b = b.go_down();
    let told = web.wait_requests(5);
    assert_eq!(kinds(&told), ["down", "recovered", "down", "flapping", "all-down"]);
    assert_eq!(json(&told[4])["key"], json(&told[3])["key"]);
    panel.proxy.pardon("answering 503");
    successor.end(panel);
}

#[test]
fn a_reload_that_failed_before_an_upgrade_is_over_with_it_under_the_same_key() {
    let [a, web] = [(); 2].map(|()| Backend::plain());
    let panel = telling(&web, "10ms", &[&a]);
    panel.proxy.pardon("not reloaded");
    panel.proxy.rewrite(&[&a], "no.such.key = 1");
    panel.proxy.hup();
    let failed = json(&web.wait_requests(1)[0]);
    panel.proxy.rewrite(&[&a], &alerts(&web, "10ms"));
    let successor = upgrade(&panel);
    let told = web.wait_requests(2);
    assert_eq!(kinds(&told), ["reload-failed", "recovered"]);
    assert_eq!(json(&told[1])["key"], failed["key"]);
    successor.end(panel);
}

#[test]
fn that_nothing_is_up_is_not_told_again_after_an_upgrade() {
    let [a, web] = [(); 2].map(|()| Backend::plain());
    let panel = telling(&web, "100ms", &[&a]);
    let a = a.go_down();
    let none = json(&web.wait_requests(1)[0]);
    let successor = upgrade(&panel);
    let _a = a.open(serve);
    let told = web.wait_requests(2);
    assert_eq!(kinds(&told), ["all-down", "recovered"]);
    assert_eq!(json(&told[1])["key"], none["key"]);
    successor.end(panel);
}

#[test]
fn a_reload_of_the_same_tells_nobody_anything() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "1ms", &[&a, &b]);
    let vacant = b.go_down();
    web.wait_requests(1);
    for _ in 0..5 {
        panel.proxy.reload(&[&a, &vacant], &alerts(&web, "1ms"));
    }
    let b = vacant.open(serve);
    assert_eq!(kinds(&web.wait_requests(2)), ["down", "recovered"]);
    drop(panel);
    drop(b);
}

#[test]
fn what_an_operator_does_is_in_the_story_and_wakes_nobody() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "1ms", &[&a, &b]);
    for mode in ["drain", "maint", "ready"] {
        assert_eq!(panel.post(&format!("/backends/A/{mode}")).status(), 200);
    }
    // It dies while it is out, and is back before it is used again.
    panel.post("/backends/A/maint");
    let vacant = a.go_down();
    eventually("its checks fail", || panel.backend(0)["health"] == "down");
    let a = vacant.open(serve);
    eventually("its checks pass", || panel.backend(0)["health"] == "up");
    panel.post("/backends/A/ready");
    let vacant = b.go_down();
    let told = web.wait_requests(1);
    assert_eq!((told.len(), items(&text(&told[0]))[0].1.as_str()), (1, "B"));
    let story: Value = json(&panel.get("/why?of=A"));
    let states: Vec<&str> = story["standings"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|it| it["standing"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["up", "drain", "maint", "up", "maint", "up"], "{story:#}");
    let b = vacant.open(serve);
    web.wait_requests(2);
    drop(panel);
    drop((a, b));
}

#[test]
fn one_that_dies_in_maintenance_is_told_when_it_is_to_be_used() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "1ms", &[&a, &b]);
    panel.post("/backends/A/maint");
    let vacant = a.go_down();
    eventually("its checks fail", || panel.backend(0)["health"] == "down");
    panel.post("/backends/A/ready");
    assert_eq!(panel.backend(0)["standing"], "down");
    let told = web.wait_requests(1);
    assert_eq!(items(&text(&told[0]))[0].1, "A");
    let a = vacant.open(serve);
    web.wait_requests(2);
    drop(panel);
    drop(a);
}

#[test]
fn a_start_with_one_that_is_down_tells_so_at_the_time_that_is_shown() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let vacant = b.go_down();
    let panel = telling(&web, "1ms", &[&a, &vacant]);
    let told = web.wait_requests(1);
    let (time, name, is_up) = items(&text(&told[0])).remove(0);
    assert_eq!((name.as_str(), is_up), ("B", false));
    let since = panel.backend(1)["since"].as_str().unwrap().to_owned();
    assert!(seconds_apart([&time, &since].map(|it| ms(it))) < 0.5, "{time} {since}");
    let b = vacant.open(serve);
    web.wait_requests(2);
    drop(panel);
    drop(b);
}

#[test]
fn one_that_leaves_the_file_while_it_is_down_ends_its_incident_everywhere() {
    let [a, b, web] = [(); 3].map(|()| Backend::plain());
    let panel = telling(&web, "1ms", &[&a, &b]);
    let vacant = b.go_down();
    let down = json(&web.wait_requests(1)[0]);
    panel.proxy.reload(&[&a], &alerts(&web, "1ms"));
    let told = web.wait_requests(2);
    assert_eq!(kinds(&told), ["down", "recovered"]);
    assert_eq!(json(&told[1])["key"], down["key"]);
    assert!(text(&told[1]).contains("Up: A\nNot up: none\n"), "{}", text(&told[1]));
    assert_eq!(panel.status()["pools"][0]["total"], 1);
    assert!(!panel.get("/metrics").text().contains("backend=\"B\",state"));
    assert_eq!(panel.get("/why?of=B").status(), 404);
    drop(panel);
    drop(vacant);
}
