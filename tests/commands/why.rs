//! `evenly why`: a backend's story, on a terminal and in a pipe, of one balancer or several.

use crate::harness::{Backend, eventually};
use crate::{House, failed, fine};
use serde_json::Value;

#[test]
fn it_prints_where_a_backend_stands_and_below_why() {
    let house = House::new();
    let (a, b) = (Backend::plain(), Backend::plain());
    let proxy = house.balancer("s", &[&a, &b], "");
    (0..4).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
    fine(house.ask("s", "drain B"));
    eventually("all is counted", || house.status("s")["totals"]["answered"]["2xx"] == 4);
    let printed = fine(house.ask("s", "why B"));
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].starts_with("B is draining since "), "{printed}");
    assert!(lines[0].ends_with(": set to drain by an operator"), "{printed}");
    assert!(lines[1].starts_with("  0 in flight; 2 tries since the start, 50 % of all"));
    assert!(lines[1..].iter().all(|line| line.starts_with("  ")), "{printed}");
    let json: Value = serde_json::from_str(&fine(house.ask("s", "why B --json"))).unwrap();
    assert_eq!(
        (&json["kind"], &json["standings"][0]["standing"]),
        (&"backend".into(), &"drain".into())
    );
}

#[test]
fn a_name_that_is_not_there_is_corrected() {
    let house = House::new();
    let backend = Backend::plain();
    let long = "[[applications]]\nname = \"payments\"\nip = \"127.0.0.2\"\nport = 1";
    let proxy = house.balancer("s", &[&backend], long);
    proxy.no_farewell(); // nobody is at the other
    let said = failed(house.ask("s", "why paymets"));
    assert!(said.contains("there is no backend \"paymets\""), "{said}");
    assert!(said.ends_with("did you mean payments?"), "{said}");
    let (code, _, said) = house.ask("s", "why");
    assert_eq!(code, Some(2), "{said}");
    let said = failed(house.ask("none", "why A"));
    assert!(said.starts_with("evenly: no balancer answers at "), "{said}");
}

#[test]
fn several_balancers_each_tell_their_own() {
    let house = House::new();
    let backend = Backend::plain();
    let other = Backend::plain();
    let _one = house.balancer("one", &[&backend, &other], "");
    let _two = house.balancer("two", &[&backend, &other], "");
    fine(house.ask("two", "drain A"));
    let all = format!("--all lb1={},lb2={}", house.socket("one"), house.socket("two"));
    let printed = fine(house.run(&format!("why A {all}")));
    assert!(printed.starts_with("lb1: A is up since "), "{printed}");
    assert!(printed.contains("\nlb2: A is draining since "), "{printed}");
    let json: Value =
        serde_json::from_str(&fine(house.run(&format!("why A --json {all}")))).unwrap();
    assert_eq!(json["lb2"]["name"], "A");
    let gone = format!("why A --all {},{}", house.socket("one"), house.socket("none"));
    let (code, printed, said) = house.run(&gone);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains(": A is up since ") && said.contains("no such file"),
        "{printed}{said}"
    );
}
