//! Who is kept out of the endpoint at its port. All the rules are in the table of `guard.rs`; here
//! each is met by bytes, and nothing changes.

use crate::harness::Backend;
use crate::panel::{Panel, error, post};

const TOKEN: &str = "a-token-of-ours-16";

#[test]
fn a_strange_host_is_misdirected_whatever_it_asks() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let port = panel.address.port();
    for host in ["evil.test".to_owned(), format!("evil.test:{port}"), "127.0.0.1".to_owned()] {
        let get = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = panel.connect().ask(get);
        assert_eq!(answer.status(), 421, "{host}");
        assert!(error(&answer).contains("[admin] hosts"));
        let origin = format!("Origin: http://{host}\r\nX-Evenly: 1\r\n");
        let answer = panel.connect().ask(post("/backends/A/drain", &host, &origin));
        assert_eq!(answer.status(), 421, "{host}");
    }
    let get = format!("GET /status HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    assert_eq!(panel.connect().ask(get).status(), 200);
    panel.proxy.process.said.wait("is refused with 421: this Host is not ours");
    assert_eq!(panel.mode(), "ready");
}

#[test]
fn a_host_that_is_listed_is_answered() {
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], "admin.hosts = [\"lb1.example.org\"]");
    let get = "GET /status HTTP/1.1\r\nHost: LB1.example.org\r\n\r\n";
    assert_eq!(panel.connect().ask(get).status(), 200);
}

#[test]
fn without_the_token_nothing_is_told_but_that_it_lives() {
    let backend = Backend::plain();
    let panel = Panel::with(&[&backend], &format!("admin.token = \"{TOKEN}\""));
    let host = format!("localhost:{}", panel.address.port());
    let get = |target: &str, fields: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        panel.connect().ask(head)
    };
    assert_eq!([get("/live", "").status(), get("/ready", "").status()], [200, 200]);
    for fields in ["", "Authorization: Bearer a-token-of-ours-17\r\n"] {
        let answer = get("/status", fields);
        assert_eq!((answer.status(), answer.field("www-authenticate")), (401, Some("Bearer")));
        assert!(!answer.text().contains(TOKEN));
        let change = post("/backends/A/drain", &host, &format!("X-Evenly: 1\r\n{fields}"));
        assert_eq!(panel.connect().ask(change).status(), 401);
    }
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(get("/status", &right).status(), 200);
    assert_eq!(panel.get("/status").status(), 200, "the socket of our own user needs none");
    assert_eq!(panel.mode(), "ready");
    panel.proxy.process.said.wait("is refused with 401");
    assert_eq!(panel.proxy.said(TOKEN), 0);
}

#[test]
fn a_change_is_said_to_be_one() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let host = panel.address.to_string();
    let ask = |fields: &str| panel.connect().ask(post("/backends/A/drain", &host, fields)).status();
    assert_eq!(ask(""), 403);
    assert_eq!(ask("X-Evenly: 1\r\nSec-Fetch-Site: same-site\r\n"), 403);
    assert_eq!(ask("X-Evenly: 1\r\nOrigin: http://127.0.0.1:1\r\n"), 403);
    let by_socket = panel.open().ask(post("/backends/A/drain", "a", ""));
    assert_eq!(by_socket.status(), 403, "on the socket too");
    assert_eq!(panel.mode(), "ready");
    assert_eq!(ask("X-Evenly: 1\r\n"), 200);
    assert_eq!(panel.mode(), "drain");
}

#[test]
fn no_path_changes_anything_by_get_or_before_the_guard_has_spoken() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    let host = panel.address.to_string();
    let changes =
        ["/backends/A/drain", "/backends/A/maint", "/pause", "/resume", "/reload", "/upgrade"];
    for target in changes {
        let ask = |method: &str| {
            panel.connect().ask(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
        };
        assert_eq!([ask("GET").status(), ask("OPTIONS").status()], [405, 405], "{target}");
        assert_eq!(panel.connect().ask(post(target, &host, "")).status(), 403, "{target}");
        let foreign = post(target, "evil.test", "X-Evenly: 1\r\n");
        assert_eq!(panel.connect().ask(foreign).status(), 421, "{target}");
    }
    let nowhere = post("/quitquitquit", &host, "");
    assert_eq!(panel.connect().ask(nowhere).status(), 403, "be the path there or not");
    assert_eq!(panel.mode(), "ready");
    assert_eq!(panel.proxy.said(" asks: "), 0);
}
