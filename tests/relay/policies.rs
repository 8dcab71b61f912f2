//! The policies, each as the configuration names it, through the program.

use crate::harness::{Backend, Gate, Keyed, Proxy, Wire, eventually, serve};
use evenly::pool::policy::Kind;
use std::collections::BTreeSet;

/// Checks as often as a test can wait for.
const OFTEN: &str = "health.interval = \"50ms\"\nhealth.rise = 2\nhealth.fall = 2\n";

fn shares(backends: &[&Backend]) -> Vec<usize> {
    let share = |backend: &&Backend| {
        backend.requests().iter().filter(|request| request.target() == "/share").count()
    };
    backends.iter().map(share).collect()
}

fn ask_times(proxy: &Proxy, times: usize) {
    for _ in 0..times {
        assert_eq!(proxy.get("/share").status(), 200);
    }
}

/// Who answers a request with this field line.
fn answerer(client: &mut Wire, field: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{field}\r\n\r\n");
    client.ask(request).field("x-served-by").unwrap().to_owned()
}

/// That `field`, once with each of many values, goes to one backend for each value, and to several
/// in all.
fn equal_values_share_a_backend(proxy: &Proxy, field: impl Fn(usize) -> String) {
    let mut client = proxy.connect();
    let mut round = || (0..40).map(|nth| answerer(&mut client, &field(nth))).collect::<Vec<_>>();
    let first = round();
    assert_eq!(round(), first);
    assert!(first.iter().collect::<BTreeSet<_>>().len() > 1, "{first:?}");
}

#[test]
fn each_relays_to_weighted_backends_and_spares_the_backup() {
    for (name, _) in Kind::ALL {
        let [heavy, light, backup] = [(); 3].map(|()| Backend::plain());
        let proxy = Proxy::with(
            &[&Keyed(&heavy, "weight = 3"), &light, &Keyed(&backup, "backup = true")],
            &format!("balance.policy = \"{name}\""),
        );
        assert_eq!(proxy.said(&format!(": 3 applications, {name}")), 1, "{name}");
        ask_times(&proxy, 12);
        let shares = shares(&[&heavy, &light, &backup]);
        assert_eq!((shares[0] + shares[1], shares[2]), (12, 0), "{name}");
    }
}

#[test]
fn under_each_a_backup_serves_when_no_other_is_up() {
    for (name, _) in Kind::ALL {
        let [main, backup] = [(); 2].map(|()| Backend::plain());
        let backends = [Keyed(&main, "alive = false"), Keyed(&backup, "backup = true")];
        let policy = format!("balance.policy = \"{name}\"");
        let proxy = Proxy::with(&[&backends[0], &backends[1]], &policy);
        ask_times(&proxy, 6);
        assert_eq!(shares(&[&main, &backup]), [0, 6], "{name}");
    }
}

#[test]
fn the_round_robins_share_by_weight() {
    for name in ["round-robin", "weighted-round-robin"] {
        let [heavy, light] = [(); 2].map(|()| Backend::plain());
        let backends = [Keyed(&heavy, "weight = 3"), Keyed(&light, "weight = 2")];
        let policy = format!("balance.policy = \"{name}\"");
        let proxy = Proxy::with(&[&backends[0], &backends[1]], &policy);
        ask_times(&proxy, 20);
        assert_eq!(shares(&[&heavy, &light]), [12, 8], "{name}");
    }
}

#[test]
fn first_alive_goes_down_the_file_and_back_up() {
    let [first, second] = [(); 2].map(|()| Backend::plain());
    let settings = format!("{OFTEN}balance.policy = \"first-alive\"");
    let proxy = Proxy::with(&[&first, &second], &settings);
    ask_times(&proxy, 5);
    assert_eq!(shares(&[&first, &second]), [5, 0]);
    let gone = first.go_down();
    proxy.process.said.wait("up -> down");
    ask_times(&proxy, 5);
    assert_eq!(shares(&[&second]), [5]);
    let first = gone.open(serve);
    proxy.process.said.wait("down -> up");
    ask_times(&proxy, 5);
    assert_eq!(shares(&[&first, &second]), [5, 5]);
}

#[test]
fn least_connections_and_two_choices_avoid_the_busy_one() {
    for name in ["least-connections", "two-choices"] {
        let gate = Gate::new();
        let backends = [(); 2].map(|()| Backend::holding(&gate));
        // One worker, which ends a request's lease before it hears of the next one.
        let settings = format!("balance.policy = \"{name}\"\nserver.workers = 1");
        let proxy = Proxy::with(&[&backends[0], &backends[1]], &settings);
        let mut holder = proxy.asking("/held");
        let busy = || backends.iter().position(|backend| !backend.requests().is_empty());
        eventually("one of them is busy", || busy().is_some());
        let busy = busy().unwrap();
        ask_times(&proxy, 10);
        assert_eq!(shares(&[&backends[busy], &backends[1 - busy]]), [0, 10], "{name}");
        gate.open();
        assert_eq!(holder.answer().status(), 200);
    }
}

const HASH: &str = "server.served_by = true\nbalance.policy = \"hash\"\n";

#[test]
fn hash_by_header_sends_equal_values_to_one_backend() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let settings = format!("{HASH}balance.hash_by = \"header X-User\"");
    let proxy = Proxy::with(&[&a, &b, &c], &settings);
    equal_values_share_a_backend(&proxy, |nth| format!("x-user: user {nth}"));
}

#[test]
fn hash_by_cookie_sends_equal_values_to_one_backend() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let settings = format!("{HASH}balance.hash_by = \"cookie SESSION\"");
    let proxy = Proxy::with(&[&a, &b, &c], &settings);
    let mut visit = 0;
    let mut client = proxy.connect();
    let mut among_others = |value: &str| {
        visit += 1;
        let field = format!("Cookie: visit={visit}; SESSION={value}; session={visit}");
        answerer(&mut client, &field)
    };
    let answerers: BTreeSet<_> = (0..10).map(|_| among_others("one")).collect();
    assert_eq!(answerers.len(), 1, "{answerers:?}");
    equal_values_share_a_backend(&proxy, |nth| format!("Cookie: SESSION=s{nth}"));
}

#[test]
fn hash_by_client_keeps_a_client_whatever_it_sends() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b, &c], HASH);
    let visit = |nth: usize| {
        answerer(&mut proxy.connect(), &format!("X-Forwarded-For: 192.0.2.{nth}\r\nX-User: {nth}"))
    };
    let answerers: BTreeSet<_> = (0..20).map(visit).collect();
    assert_eq!(answerers.len(), 1, "{answerers:?}");
}

#[test]
fn hash_by_client_behind_a_trusted_proxy_goes_by_whom_it_names() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let settings = format!("{HASH}server.trusted_proxies = [\"127.0.0.1\"]");
    let proxy = Proxy::with(&[&a, &b, &c], &settings);
    equal_values_share_a_backend(&proxy, |nth| format!("X-Forwarded-For: 192.0.2.{nth}"));
    // What the client made up stands in front, and counts for nothing.
    let mut client = proxy.connect();
    let mut made_up = |nth: usize| {
        answerer(&mut client, &format!("X-Forwarded-For: 198.51.100.{nth}, 192.0.2.1, 127.0.0.1"))
    };
    let answerers: BTreeSet<_> = (0..20).map(&mut made_up).collect();
    assert_eq!(answerers.len(), 1, "{answerers:?}");
}

#[test]
fn hash_without_anything_to_go_by_is_served_all_the_same() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let settings = format!("{HASH}balance.hash_by = \"header X-User\"");
    let proxy = Proxy::with(&[&a, &b], &settings);
    ask_times(&proxy, 10);
    assert_eq!(shares(&[&a, &b]).iter().sum::<usize>(), 10);
}

#[test]
fn the_keys_of_a_backend_that_dies_go_to_others_and_no_other_key_moves() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let settings = format!("{HASH}{OFTEN}balance.hash_by = \"header X-User\"");
    let proxy = Proxy::with(&[&a, &b, &c], &settings);
    let mut client = proxy.connect();
    let mut round = || -> Vec<String> {
        (0..40).map(|nth| answerer(&mut client, &format!("X-User: {nth}"))).collect()
    };
    let before = round();
    let _gone = b.go_down();
    proxy.process.said.wait("up -> down");
    let after = round();
    for (was, is) in before.iter().zip(&after) {
        assert!(is != "B" && (was == "B" || was == is), "{before:?}\n{after:?}");
    }
}

#[test]
fn slow_start_gives_a_backend_that_comes_back_its_share_step_by_step() {
    let [first, second] = [(); 2].map(|()| Backend::plain());
    let settings = format!("{OFTEN}balance.slow_start = \"24h\"");
    let proxy = Proxy::with(&[&first, &second], &settings);
    ask_times(&proxy, 10);
    assert_eq!(shares(&[&second]), [5], "one that was never away has its share at once");
    let gone = second.go_down();
    proxy.process.said.wait("up -> down");
    let second = gone.open(serve);
    proxy.process.said.wait("down -> up");
    ask_times(&proxy, 40);
    // In the first seconds of a day: one in thousands, not every other.
    assert!(shares(&[&second])[0] <= 2, "{:?}", shares(&[&second]));
}
