//! `--all`: several balancers at once, and where they disagree.

use crate::harness::{Backend, eventually};
use crate::{House, failed, fine};
use serde_json::Value;

#[test]
fn tables_are_merged_and_differences_are_named() {
    let house = House::new();
    let (a, b) = (Backend::plain(), Backend::plain());
    let one = house.balancer("one", &[&a, &b], "");
    let _two = house.balancer("two", &[&a, &b], "");
    (0..4).for_each(|_| assert_eq!(one.get("/").status(), 200));
    let all = format!("--all lb1={},lb2={}", house.socket("one"), house.socket("two"));
    let printed = fine(house.run(&format!("status {all}")));
    assert!(printed.starts_with("lb1: 2 of 2 up\nlb2: 2 of 2 up\n"), "{printed}");
    assert!(!printed.contains("disagree"), "{printed}");
    fine(house.ask("two", "drain B"));
    let printed = fine(house.run(&format!("status {all}")));
    assert!(printed.contains("They disagree:\n  B: up at lb1, drain at lb2\n"), "{printed}");
    assert!(printed.contains("  B mode: ready at lb1, drain at lb2"), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
    // Steered together they are alike again.
    let printed = fine(house.run(&format!("ready B {all}")));
    assert!(printed.contains("lb1: ") && printed.contains("lb2: "), "{printed}");
    assert!(!fine(house.run(&format!("status {all}"))).contains("disagree"));
    let json: Value =
        serde_json::from_str(&fine(house.run(&format!("status --json {all}")))).unwrap();
    assert_eq!(json["lb2"]["version"], 1);
}

#[test]
fn shares_are_of_the_backends_own_pool_and_each_pool_has_its_table() {
    let house = House::new();
    let (a, b) = (Backend::plain(), Backend::plain());
    let pools = "[[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                 [[routes]]\npath = \"/api\"\npool = \"api\"\n[[routes]]\npool = \"web\"\n";
    let one = house.balancer("one", &[&a, &b], pools);
    let two = house.balancer("two", &[&a, &b], pools);
    two.pardon("NO BACKEND IS UP");
    for path in ["/", "/", "/", "/api"] {
        assert_eq!(one.get(path).status(), 200);
    }
    let all = format!("--all lb1={},lb2={}", house.socket("one"), house.socket("two"));
    eventually("all is counted", || house.status("one")["totals"]["answered"]["2xx"] == 4);
    let printed = fine(house.run(&format!("status {all}")));
    let below = |heading: &str| {
        let mut lines = printed.lines().skip_while(move |line| *line != heading).skip(2);
        lines.next().unwrap_or_default().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(below("pool web: round-robin")[3..5], ["3", "100%"], "{printed}");
    assert_eq!(below("pool api: round-robin")[3..5], ["1", "100%"], "{printed}");
    fine(house.ask("two", "drain B --force"));
    let printed = fine(house.run(&format!("status {all}")));
    assert!(printed.contains("  B in pool api: up at lb1, drain at lb2\n"), "{printed}");
    fine(house.ask("two", "ready B"));
}

#[test]
fn one_that_is_gone_or_silent_fails_and_keeps_nobody_from_the_others() {
    let house = House::new();
    let (a, b) = (Backend::plain(), Backend::plain());
    let _proxy = house.balancer("one", &[&a, &b], "");
    let _silent = std::os::unix::net::UnixListener::bind(house.socket("silent")).unwrap();
    let sockets = ["one", "none", "silent"].map(|name| house.socket(name)).join(",");
    let (code, printed, _) = house.run(&format!("status --all {sockets}"));
    assert_eq!(code, Some(1));
    assert!(printed.contains(": 2 of 2 up"), "{printed}");
    assert!(printed.replace('\n', " ").contains("(no such file)"), "{printed}");
    assert!(printed.replace('\n', " ").contains("did not answer within 5.0 s"), "{printed}");
    let two = ["one", "none"].map(|name| house.socket(name)).join(",");
    let (code, printed, said) = house.run(&format!("drain B --all {two} --wait 60s"));
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("B has nothing in flight"), "{printed}");
    assert!(said.contains("none: no balancer answers at"), "{said}");
    let said = failed(house.run(&format!("resume --all {two}")));
    assert_eq!(said.lines().count(), 1, "{said}");
}
