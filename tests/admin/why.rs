//! A backend's story, as the endpoint tells it.

use crate::harness::{Backend, eventually};
use crate::panel::{Panel, error, json};
use crate::serving::{documented, keys};
use serde_json::Value;
use std::collections::BTreeSet;

const CHECKED: &str = "health.interval = \"50ms\"\nhealth.fall = 2\nhealth.rise = 1";

fn why(panel: &Panel, name: &str) -> Value {
    json(&panel.get(&format!("/why?of={name}")))
}

fn lines(panel: &Panel, name: &str) -> Vec<String> {
    let told = why(panel, name);
    told["lines"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_story_has_the_fields_that_are_documented() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let [mut found, mut shown] = [BTreeSet::new(), BTreeSet::new()];
    keys(&why(&panel, "A"), "", &mut found);
    keys(&documented("## GET /why"), "", &mut shown);
    shown.retain(|key| !key.starts_with("sat_out.")); // there is none by this policy
    assert_eq!(found, shown, "the story (left), docs/admin.md (right)");
}

#[test]
fn it_tells_where_a_backend_stands_and_where_it_stood() {
    let (backend, other) = (Backend::plain(), Backend::plain());
    let panel = Panel::with(&[&backend, &other], CHECKED);
    eventually("a check is over", || lines(&panel, "A")[0].contains("check passed: status 200"));
    (0..4).for_each(|_| assert_eq!(panel.proxy.get("/").status(), 200));
    let traffic = "0 in flight; 2 tries since the start, 50 % of all, and by weight 50 %";
    let mut told = Vec::new();
    eventually("the last answer is counted", || {
        told = lines(&panel, "A");
        told[1] == traffic && told[2].starts_with("answers: 2xx 2; 0 tries failed by its fault")
    });
    assert!(told[0].starts_with("A is up since ") && told[0].contains(" UTC ("), "{told:#?}");
    let vacant = backend.go_down();
    eventually("it is down", || lines(&panel, "A")[0].starts_with("A is down since "));
    let down = lines(&panel, "A");
    assert!(down[1].ends_with(", and none while it is so"), "{down:#?}");
    assert!(down.iter().any(|line| line.contains(" up: check passed")), "{down:#?}");
    panel.post("/backends/A/maint");
    let maint = lines(&panel, "A");
    assert!(maint[0].starts_with("A is in maintenance since "), "{maint:#?}");
    let before =
        |line: &&String| line.contains(" down: check failed") && line.ends_with("in a row");
    assert_eq!(maint.iter().filter(before).count(), 1, "{maint:#?}");
    let standings = why(&panel, "A")["standings"].clone();
    let words: Vec<_> = standings.as_array().unwrap().iter().map(|it| &it["standing"]).collect();
    assert_eq!(words, ["maint", "down", "up"]);
    drop(vacant);
}

#[test]
fn turns_that_were_sat_out_are_told_with_their_count_and_reason() {
    let (bad, fine, other) = (Backend::answering(500), Backend::plain(), Backend::plain());
    let settings = "balance.policy = \"scored-round-robin\"\npassive.failures = 0\n\
        scored.threshold = 10\nscored.error = 8";
    let panel = Panel::with(&[&bad, &fine, &other], settings);
    panel.proxy.no_farewell(); // it may be given to the bad one
    (0..60).for_each(|_| drop(panel.proxy.get("/")));
    let spell = &why(&panel, "A")["sat_out"][0];
    assert!(spell["turns"].as_u64() > Some(5) && spell["ended"].is_null(), "{spell}");
    let told = lines(&panel, "A");
    let sat_out = |line: &&String| line.contains(" until now sat out ");
    let line = told.iter().find(sat_out).unwrap_or_else(|| panic!("{told:#?}"));
    assert!(line.ends_with(" answers bad"), "{line}");
}

#[test]
fn a_name_is_looked_for_as_it_is_written_and_one_that_is_unknown_is_refused() {
    let backend = Backend::plain();
    let settings = "[[applications]]\nname = \"<b>&%?/\"\nip = \"127.0.0.2\"\nport = 1\n";
    let panel = Panel::with(&[&backend], settings);
    panel.proxy.no_farewell(); // nobody is at the other
    let told = panel.get("/why?of=%3Cb%3E%26%25%3F%2F");
    assert_eq!(json(&told)["name"], "<b>&%?/");
    let unknown = panel.get("/why?of=a");
    assert_eq!(unknown.status(), 404);
    assert!(error(&unknown).starts_with("there is no backend \"a\"; known: "), "{unknown:?}");
    let hostile = panel.get("/why?of=%E2%80%AE%1B%5B2J");
    assert!(hostile.body.is_ascii(), "no terminal obeys it: {}", hostile.text());
    for bad in ["/why", "/why?of=", "/why?of=A&of=A", "/why?name=A"] {
        assert_eq!(panel.get(bad).status(), 400, "{bad}");
    }
}
