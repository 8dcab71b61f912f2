//! Two balancers that do not talk to each other send one client to one application.

use crate::harness::{Message, Wire};
use crate::pair::{Balancers, ONE, PROGRAMS, TWO};
use crate::world::is_inside;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A GET at one of them, with this field.
fn asked(balancer: Ipv4Addr, field: &str) -> Message {
    let head = format!("GET / HTTP/1.1\r\nHost: web.test\r\n{field}\r\nConnection: close\r\n\r\n");
    Wire::connect((balancer, 80).into()).ask(head)
}

fn served_by(answer: &Message) -> String {
    answer.field("X-Served-By").expect("who has answered").to_owned()
}

#[test]
fn a_clients_key_leads_to_one_application_through_either() {
    if !is_inside("same::a_clients_key_leads_to_one_application_through_either", &PROGRAMS) {
        return;
    }
    let hash = "balance = { policy = \"hash\", hash_by = \"header X-User\" }\n";
    let _pair = Balancers::with(hash);
    let mut used = BTreeSet::new();
    for user in 0..60 {
        let field = format!("X-User: {user}");
        let [one, two] = [ONE, TWO].map(|balancer| served_by(&asked(balancer, &field)));
        assert_eq!(one, two, "{field}");
        used.insert(one);
    }
    assert_eq!(used.len(), 3, "all keys lead to {used:?}");
}

#[test]
fn a_sticky_cookie_of_one_is_honoured_by_the_other() {
    if !is_inside("same::a_sticky_cookie_of_one_is_honoured_by_the_other", &PROGRAMS) {
        return;
    }
    let _pair = Balancers::new();
    let mut used = BTreeSet::new();
    // Each asks one that is next in its own turn.
    for (number, (from, to)) in [(ONE, TWO), (TWO, ONE)].repeat(6).into_iter().enumerate() {
        if number % 3 == 0 {
            asked(from, "X-User: in between");
        }
        let first = asked(from, "X-User: new");
        let cookie = first.field("Set-Cookie").expect("a cookie");
        let cookie = cookie.split(';').next().unwrap();
        assert!(cookie.starts_with("BACKEND="), "{cookie}");
        for balancer in [to, from, to] {
            let next = asked(balancer, &format!("Cookie: {cookie}"));
            assert_eq!(served_by(&next), served_by(&first));
            assert_eq!(next.field("Set-Cookie"), None, "it was not known");
        }
        used.insert(served_by(&first));
    }
    assert!(used.len() > 1, "all clients stay with {used:?}");
}
