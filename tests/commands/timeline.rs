//! `evenly timeline`: what happened and what was counted, from real balancers.

use crate::harness::{Backend, eventually};
use crate::{House, failed, fine};
use serde_json::Value;

const CHECKED: &str = "health.interval = \"50ms\"\nhealth.fall = 1\nhealth.rise = 1";

fn entries(house: &House, line: &str) -> Vec<Value> {
    let printed = fine(house.run(line));
    let told: Value = serde_json::from_str(&printed).unwrap();
    told["entries"].as_array().unwrap().clone()
}

/// What was counted in all of these, of that name.
fn counted(entries: &[Value], name: &str) -> u64 {
    let counters = entries.iter().filter(|it| it["entry"] == "counters");
    counters.map(|it| it[name].as_u64().unwrap()).sum()
}

#[test]
fn a_night_is_told_as_it_was() {
    let house = House::new();
    let (a, b) = (Backend::plain(), Backend::plain());
    let proxy = house.balancer("s", &[&a, &b], &format!("{CHECKED}\nretry.attempts = 1"));
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("answering 503");
    proxy.farewell(503);
    (0..6).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    let vacant = b.go_down();
    proxy.process.said.wait("up -> down");
    fine(house.ask("s", "maint A --force"));
    assert_eq!(proxy.get("/").status(), 503);
    let socket = house.socket("s");
    eventually("all is counted", || {
        let all = entries(&house, &format!("timeline --json --socket {socket}"));
        counted(&all, "errors_ours") == 1 && counted(&all, "requests") == 7
    });
    let printed = fine(house.ask("s", "timeline --since 10m"));
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].ends_with(" UTC, the newest last"), "{printed}");
    assert!(printed.contains("\nours: "), "{printed}");
    let at = |what: &str| {
        let place = lines.iter().position(|line| line.contains(what));
        place.unwrap_or_else(|| panic!("{what}: {printed}"))
    };
    let (start, out, maint) = (at("listening on "), at("up -> down"), at("set to maint"));
    assert!(start < out && out < maint, "{printed}");
    let trouble = lines.iter().find(|line| line.contains(" errors (1 ours), ")).unwrap();
    assert!(lines[out].starts_with("!  ") && trouble.starts_with("!"), "{printed}");
    assert!(lines[maint].starts_with("!! ") && lines[start].starts_with("   "), "{printed}");
    // In a pipe each entry is one line, however long.
    assert!(lines[out].len() > 80 && lines[out].contains("1 of 2 left: A"), "{printed}");
    drop(vacant);
}

#[test]
fn a_terminal_is_given_lines_that_fit_it() {
    let house = House::new();
    let backend = Backend::plain();
    let proxy = house.balancer("s", &[&backend], "");
    proxy.pardon("NO BACKEND IS UP");
    fine(house.ask("s", "drain A --force"));
    for (columns, widest) in [(200, 80), (80, 80), (50, 50), (10, 40)] {
        for line in ["timeline", "why A"] {
            let lines = house.on_terminal(columns, "s", line);
            let text = |line: &String| line.trim_end().chars().count();
            assert!(lines.iter().map(text).max() <= Some(widest), "{columns}: {lines:#?}");
            assert!(lines.concat().contains("set to"), "{lines:#?}");
        }
    }
    fine(house.ask("s", "ready A"));
}

#[test]
fn nothing_from_before_is_shown() {
    let house = House::new();
    let backend = Backend::plain();
    let other = Backend::plain();
    let _proxy = house.balancer("s", &[&backend, &other], "");
    let socket = house.socket("s");
    fine(house.ask("s", "drain A"));
    let all = entries(&house, &format!("timeline --json --socket {socket}"));
    let drained = all.iter().find(|it| it["text"].to_string().contains("set to drain")).unwrap();
    let since = drained["at"].as_str().unwrap();
    let printed = fine(house.ask("s", &format!("timeline --since {since}")));
    assert!(printed.contains("set to drain") && !printed.contains("listening on "), "{printed}");
    let tomorrow = since.replace("T", " ").replace("202", "209");
    let tomorrow = format!("timeline --since={}", tomorrow.replace(' ', "T"));
    let (code, printed, said) = house.ask("s", &tomorrow);
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    assert!(said.contains("--since: 209") && said.contains(" is still to come, as "), "{said}");
    for beyond in ["@4000000000", "@18446744073709551"] {
        let (code, _, said) = house.ask("s", &format!("timeline --since={beyond}"));
        assert_eq!(code, Some(2), "{said}");
    }
    let (code, _, said) = house.ask("s", "timeline --since noon");
    assert_eq!(code, Some(2));
    assert!(said.contains("--since: \"noon\" is not a whole number and a unit"), "{said}");
}

#[test]
fn several_balancers_are_one_list_and_one_that_is_gone_is_named() {
    let house = House::new();
    let (a, b) = (Backend::plain(), Backend::plain());
    let one = house.balancer("one", &[&a, &b], "");
    let two = house.balancer("two", &[&a, &b], "");
    let all = format!("--all lb1={},lb2={}", house.socket("one"), house.socket("two"));
    for proxy in [&one, &two] {
        (0..3).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    }
    fine(house.ask("two", "drain A"));
    eventually("both have counted", || {
        counted(&entries(&house, &format!("timeline --json {all}")), "requests") == 6
    });
    let printed = fine(house.run(&format!("timeline {all}")));
    assert!(printed.contains("  lb1: listening on "), "{printed}");
    assert!(printed.contains("  lb2: backend A: set to drain by an operator"), "{printed}");
    let gone = format!("{all},lb3={}", house.socket("none"));
    let (code, printed, _) = house.run(&format!("timeline {gone}"));
    assert_eq!(code, Some(1));
    assert!(
        printed.lines().nth(1).unwrap().starts_with("!! lb3: no balancer answers at "),
        "{printed}"
    );
    let said = failed(house.ask("none", "timeline"));
    assert!(said.starts_with("evenly: no balancer answers at "), "{said}");
}
