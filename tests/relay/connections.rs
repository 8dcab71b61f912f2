//! Connections on both sides: kept, shared, pipelined, and closed when they should be.

use crate::harness::{Backend, Gate, Proxy, Wire, eventually, serve, timed};
use std::thread;
use std::time::Duration;

const KEPT: &str = "timeouts.upstream_keep_alive = \"1s\"";

#[test]
fn many_requests_share_one_connection_on_either_side() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    for number in 0..100 {
        assert_eq!(client.get(&format!("/{number}")).text(), format!("GET /{number} 0\n"));
    }
    assert_eq!(backend.visits(), 1);
}

#[test]
fn another_clients_request_reuses_the_backends_connection() {
    let backend = Backend::plain();
    // With two, one may take the next request before the other has put the connection by.
    let proxy = Proxy::with(&[&backend], &format!("{KEPT}\nserver.workers = 1"));
    for _ in 0..20 {
        assert_eq!(proxy.connect().get("/").status(), 200);
    }
    assert_eq!(backend.visits(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gate = Gate::new();
    let slow = Backend::held(&gate, "slow");
    let fast = Backend::plain();
    let proxy = Proxy::over(&[&slow, &fast]);
    let mut client = proxy.connect();
    let requests: Vec<_> =
        (1..=20).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a.test\r\n\r\n")).collect();
    client.send(requests.concat());
    slow.wait_requests(1);
    gate.open();
    assert_eq!(client.answer().text(), "slow");
    for number in 2..=20 {
        assert_eq!(client.answer().text(), format!("GET /{number} 0\n"));
    }
}

#[test]
fn pipelined_bodies_are_told_apart() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send(
        "POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 27\r\n\r\nGET /not-a-request HTTP/1.1\
         POST /2 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
         GET /3 HTTP/1.1\r\nHost: a.test\r\n\r\n",
    );
    let bodies = [(); 3].map(|()| client.answer().text());
    assert_eq!(bodies, ["POST /1 27\n", "POST /2 2\n", "GET /3 0\n"]);
}

#[test]
fn a_client_that_says_close_is_closed_after_its_answer() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Close\r\n\r\n");
    assert_eq!(answer.field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answer() {
    let gate = Gate::new();
    let backend = Backend::held(&gate, "hi");
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.finish();
    backend.wait_requests(1);
    gate.open();
    assert_eq!(client.answer().text(), "hi");
    client.expect_end();
}

#[test]
fn an_http_1_0_client_is_kept_only_where_it_asks() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    let kept = client.ask("GET /1 HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(kept.field("connection"), Some("keep-alive"));
    let last = client.ask("GET /2 HTTP/1.0\r\nHost: a.test\r\n\r\n");
    assert_eq!(last.text(), "GET /2 0\n");
    client.expect_end();
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "limits.requests_per_connection = 3");
    let mut client = proxy.connect();
    assert_eq!(client.get("/1").field("connection"), None);
    assert_eq!(client.get("/2").field("connection"), None);
    assert_eq!(client.get("/3").field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn an_idle_client_is_closed_without_a_word() {
    let backend = Backend::plain();
    let settings = "timeouts.keep_alive = \"1s\"\ntimeouts.request_head = \"1s\"";
    let proxy = Proxy::with(&[&backend], settings);
    let mut silent = proxy.connect();
    let mut client = proxy.connect();
    client.get("/");
    client.expect_end();
    silent.expect_end();
}

#[test]
fn keep_alive_0_closes_after_each_answer() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.keep_alive = 0");
    let mut client = proxy.connect();
    assert_eq!(client.get("/").field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn an_idle_connection_to_a_backend_is_closed_in_time() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    proxy.get("/");
    eventually("the backend is left alone", || backend.connections() == 0);
}

#[test]
fn a_backend_that_would_keep_them_for_longer_changes_nothing() {
    let backend = enduring("timeout=60");
    let proxy = Proxy::over(&[&backend]);
    proxy.get("/");
    eventually("the backend is left alone", || backend.connections() == 0);
}

/// A backend that says this of each connection.
fn enduring(keep_alive: &str) -> Backend {
    let head = format!("HTTP/1.1 200 OK\r\nKeep-Alive: {keep_alive}\r\n");
    Backend::every(move |wire| {
        while wire.request().is_some() && wire.offer(format!("{head}Content-Length: 0\r\n\r\n")) {}
    })
}

#[test]
fn a_connection_is_idle_for_no_longer_than_the_backend_says() {
    let backend = enduring("Timeout = 1 , max=50");
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = \"8s\"");
    let mut client = proxy.connect();
    assert_eq!(client.get("/").field("keep-alive"), None);
    client.get("/");
    assert_eq!(backend.visits(), 1);
    let closed = || eventually("the connection is closed", || backend.connections() == 0);
    assert!(timed(closed).1 < Duration::from_secs(5));
}

#[test]
fn a_connection_that_carries_no_more_requests_is_closed() {
    let backend = enduring("timeout=5, max=1");
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").status(), 200);
    }
    assert_eq!(backend.visits(), 5);
}

fn post(client: &mut Wire) -> u16 {
    client.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi").status()
}

#[test]
fn what_may_not_be_sent_twice_takes_no_old_connection_of_an_unknown_backend() {
    let backend = Backend::plain();
    let settings = "timeouts.upstream_keep_alive = \"4s\"\nserver.workers = 1";
    let proxy = Proxy::with(&[&backend], settings);
    let mut client = proxy.connect();
    let mut ages = |request: &str| {
        assert!(client.is_silent_for(Duration::from_millis(1200)));
        assert_eq!(client.ask(request).status(), 200);
        backend.visits()
    };
    assert_eq!(ages("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), 1);
    assert_eq!(ages("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), 1);
    let put = |bytes: usize| {
        let head = "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ";
        format!("{head}{bytes}\r\n\r\n{}", "x".repeat(bytes))
    };
    assert_eq!(ages(&put(2)), 1);
    assert_eq!(ages(&put(200_000)), 2, "more than is held to be sent again");
    assert_eq!(ages("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx"), 3);
    assert_eq!(post(&mut client), 200);
    assert_eq!(backend.visits(), 3, "the last one is young");
}

/// When the backend of the next test closes an idle connection.
const CLOSES_MS: u64 = 300;

#[test]
fn no_post_is_lost_to_a_backend_that_closes_idle_connections() {
    let backend = Backend::every(|wire| {
        while !wire.is_silent_for(Duration::from_millis(CLOSES_MS)) && wire.request().is_some() {
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = \"4s\"");
    let mut clients: Vec<_> = (0..8).map(|_| proxy.connect()).collect();
    // One end alone may be a restart, and those of a second count as one.
    assert_eq!(clients[0].get("/").status(), 200);
    clients[0].is_silent_for(Duration::from_millis(1100));
    assert_eq!(clients[0].get("/").status(), 200);
    proxy.process.said.wait("backend A closes connections that were idle for");
    for round in 0..12 {
        for client in &mut clients {
            client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
        }
        for client in &mut clients {
            assert_eq!(client.answer().status(), 200);
        }
        clients[0].is_silent_for(Duration::from_millis(CLOSES_MS - 6 + round));
    }
    assert_eq!(proxy.said("closes connections"), 1, "it is said once");
}

#[test]
fn what_is_no_idle_close_teaches_nothing() {
    // One ends its bodies with a late empty line, the other crashes at one path.
    let talkative = Backend::every(|wire| {
        while wire.request().is_some() {
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            wire.is_silent_for(Duration::from_millis(10));
            wire.offer("\r\n");
        }
    });
    let crashing = Backend::every(|wire| {
        while let Some(request) = wire.request() {
            if request.target() == "/crash" {
                return;
            }
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    for (backend, target, status) in [(&talkative, "/", 200), (&crashing, "/crash", 502)] {
        let proxy = Proxy::with(&[backend], KEPT);
        for _ in 0..10 {
            assert_eq!(proxy.get("/fine").status(), 200);
            assert_eq!(proxy.get(target).status(), status);
            thread::park_timeout(Duration::from_millis(15));
        }
        assert_eq!(proxy.said("closes connections"), 0, "{target}");
    }
}

#[test]
fn an_empty_line_before_a_close_is_no_answer_that_broke() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        wire.request();
        wire.offer("\r\n");
    });
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    client.get("/1");
    assert_eq!(client.get("/2").text(), "GET /2 0\n");
    assert_eq!(proxy.said("backend A: "), 0);
}

#[test]
fn after_a_backends_restart_posts_share_connections_again() {
    let restart = Gate::new();
    let restarts = restart.clone();
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        restarts.pass();
    });
    let settings = "timeouts.upstream_keep_alive = \"500ms\"\nserver.workers = 1";
    let proxy = Proxy::with(&[&backend], settings);
    assert_eq!(post(&mut proxy.connect()), 200);
    restart.open();
    eventually("the connection is closed", || backend.connections() == 0);
    let visits_of_two = || {
        let (mut client, before) = (proxy.connect(), backend.visits());
        let answers = [post(&mut client), post(&mut client)];
        assert_eq!(answers, [200, 200]);
        backend.visits() - before
    };
    assert_eq!(visits_of_two(), 2);
    eventually("they share", || visits_of_two() < 2);
}

#[test]
fn upstream_keep_alive_0_keeps_no_connection() {
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], "timeouts.upstream_keep_alive = 0");
    let mut client = proxy.connect();
    for _ in 0..5 {
        client.get("/");
    }
    assert_eq!(backend.visits(), 5);
}

#[test]
fn a_backend_that_says_close_is_not_asked_again_on_that_connection() {
    let backend = Backend::every(|wire| {
        while wire.request().is_some() {
            wire.offer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").status(), 200);
    }
    assert_eq!(backend.visits(), 5);
}

#[test]
fn an_idle_connection_that_the_backend_closes_fails_no_request() {
    let backend = Backend::every(|wire| {
        wire.request();
        wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    for _ in 0..30 {
        assert_eq!(client.get("/").status(), 200);
    }
    // Not even a POST, which may be sent only once: the connection is seen to be closed first.
    eventually("the backend has closed", || backend.connections() == 0);
    let answer = client.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(answer.status(), 200);
}

#[test]
fn an_idle_connection_on_which_the_backend_speaks_is_dropped() {
    let gate = Gate::new();
    let speak = gate.clone();
    let backend = Backend::first(move |wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        speak.pass();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
        wire.ending();
    });
    let proxy = Proxy::with(&[&backend], KEPT);
    let mut client = proxy.connect();
    client.get("/1");
    gate.open();
    eventually("the connection is dropped", || backend.connections() == 0);
    assert_eq!(client.get("/2").text(), "GET /2 0\n");
}

#[test]
fn a_client_that_leaves_frees_the_backend() {
    let backend = Backend::first(|wire| {
        wire.request();
        wire.ending();
    });
    let proxy = Proxy::over(&[&backend]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    backend.wait_requests(1);
    client.reset();
    eventually("the backend is left alone", || backend.connections() == 0);
}

#[test]
fn connections_that_say_nothing_cost_the_others_nothing() {
    let backend = Backend::plain();
    let proxy = Proxy::over(&[&backend]);
    let idle: Vec<_> = (0..200).map(|_| proxy.connect()).collect();
    assert_eq!(proxy.get("/").status(), 200);
    drop(idle);
}

#[test]
fn a_hundred_clients_at_once_each_get_their_own_answer() {
    let backend = Backend::every(serve);
    let proxy = Proxy::over(&[&backend]);
    let mut clients: Vec<_> = (0..100).map(|_| proxy.connect()).collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("GET /{round}/{number} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.answer().text(), format!("GET /{round}/{number} 0\n"));
        }
    }
    assert!(clients[0].is_silent_for(Duration::from_millis(20)));
}
