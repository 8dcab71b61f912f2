//! Round robin: equal shares, whoever is missing.

use crate::harness::{Backend, Gate, Keyed, Proxy, Vacant, Wire};
use std::thread;
use std::time::Duration;

fn shares(backends: &[&Backend]) -> Vec<usize> {
    let target = |backend: &&Backend| {
        backend.requests().iter().filter(|request| request.target() == "/share").count()
    };
    backends.iter().map(target).collect()
}

#[test]
fn shares_are_equal_to_within_one() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = Proxy::over(&[&a, &b, &c]);
    let mut client = proxy.connect();
    for count in 1..=31 {
        client.get("/share");
        let shares = shares(&[&a, &b, &c]);
        assert!(shares.iter().all(|share| share.abs_diff(count / 3) <= 1), "{shares:?}");
    }
}

#[test]
fn concurrent_clients_get_equal_shares() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b, &c], "server.workers = 4");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Wire::connect(proxy.address);
                for _ in 0..50 {
                    assert_eq!(client.get("/share").status(), 200);
                }
            });
        }
    });
    let shares = shares(&[&a, &b, &c]);
    assert_eq!(shares.iter().sum::<usize>(), 400);
    assert!(shares.iter().all(|share| (133..=134).contains(share)), "{shares:?}");
}

#[test]
fn a_backend_that_is_down_is_skipped_and_the_others_share_equally() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = Proxy::over(&[&a, &Keyed(&b, "alive = false"), &c]);
    let mut client = proxy.connect();
    for _ in 0..40 {
        client.get("/share");
    }
    assert_eq!(shares(&[&a, &b, &c]), [20, 0, 20]);
}

#[test]
fn a_backup_serves_only_when_no_other_can() {
    let [main, backup] = [(); 2].map(|()| Backend::plain());
    let proxy = Proxy::over(&[&main, &Keyed(&backup, "backup = true")]);
    for _ in 0..10 {
        proxy.get("/share");
    }
    assert_eq!(shares(&[&main, &backup]), [10, 0]);
    let alone = Proxy::over(&[&Keyed(&main, "alive = false"), &Keyed(&backup, "backup = true")]);
    for _ in 0..10 {
        assert_eq!(alone.get("/share").status(), 200);
    }
    assert_eq!(shares(&[&main, &backup]), [10, 10]);
}

#[test]
fn a_backend_that_is_full_is_skipped() {
    let gate = Gate::new();
    let narrow = Backend::held(&gate, "");
    let wide = Backend::plain();
    let proxy = Proxy::over(&[&Keyed(&narrow, "max_connections = 1"), &wide]);
    let mut first = proxy.asking("/share");
    narrow.wait_requests(1);
    for _ in 0..10 {
        assert_eq!(proxy.get("/share").status(), 200);
    }
    assert_eq!(shares(&[&narrow, &wide]), [1, 10]);
    gate.open();
    assert_eq!(first.answer().status(), 200);
}

#[test]
fn a_request_for_a_full_pool_waits_for_its_turn() {
    let gate = Gate::new();
    let narrow = Backend::held(&gate, "");
    let proxy = Proxy::over(&[&Keyed(&narrow, "max_connections = 1")]);
    let mut clients = [(); 5].map(|()| proxy.asking("/share"));
    narrow.wait_requests(1);
    assert!(clients.iter_mut().all(|client| client.is_silent_for(Duration::from_millis(30))));
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn when_every_backend_is_down_the_answer_is_503_with_a_time_to_come_back() {
    let [a, b] = [Vacant::new(), Vacant::new()];
    let proxy = Proxy::over(&[&Keyed(&a, "alive = false"), &Keyed(&b, "alive = false")]);
    proxy.pardon("answering 503");
    proxy.farewell(503);
    let mut client = proxy.connect();
    let answer = client.get("/");
    assert_eq!(answer.status(), 503);
    assert!(answer.field("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert_eq!(client.get("/again").status(), 503);
    proxy.process.said.wait("answering 503");
    assert_eq!(proxy.said("answering 503"), 1, "once a second at most");
}
