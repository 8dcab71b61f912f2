//! Why a request went as it did, asked by the id that the application was told.

use crate::harness::{Backend, Vacant, Wire, eventually};
use crate::panel::{Panel, error, json};
use serde_json::Value;

const RETRIED: &str = "retry.on = [\"connect\"]\npassive.failures = 100\n";

/// The id of the newest request that this one has got.
fn id(backend: &Backend) -> String {
    let requests = backend.requests();
    requests.last().unwrap().field("x-request-id").unwrap().to_owned()
}

/// What is told of it; a worker remembers a request when the client has its answer already.
fn why(panel: &Panel, of: &str) -> Value {
    let mut told = Value::Null;
    eventually("it is remembered", || {
        let answer = panel.get(&format!("/why?of={of}"));
        told = json(&answer);
        answer.status() == 200
    });
    told
}

fn lines(told: &Value) -> Vec<String> {
    let lines = told["lines"].as_array().unwrap().iter();
    lines.map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Asks until a request has been with the one that takes no connection first.
fn retried(panel: &Panel, path: &str, backend: &Backend) -> Value {
    let mut told = Value::Null;
    eventually("one was retried", || {
        assert_eq!(panel.proxy.get(path).status(), 200);
        told = why(panel, &id(backend));
        told["requests"][0]["tries"].as_array().is_some_and(|tries| tries.len() == 2)
    });
    told
}

#[test]
fn a_request_is_told_with_each_try_and_what_came_of_it() {
    let (vacant, backend) = (Vacant::new(), Backend::plain());
    let panel = Panel::with(&[&vacant, &backend], RETRIED);
    let told = retried(&panel, "/orders?secret=1", &backend);
    assert_eq!((&told["kind"], &told["name"]), (&"request".into(), &id(&backend).into()));
    let one = &told["requests"][0];
    assert_eq!((&one["asked"], &one["client"]), (&"GET /orders".into(), &"127.0.0.1".into()));
    assert_eq!((&one["status"], &one["cause"]), (&200.into(), &"done".into()));
    let tries = ["backend", "reason", "outcome"].map(|key| {
        let tries = one["tries"].as_array().unwrap().iter();
        tries.map(|tried| tried[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    let expected = [["A", "B"], ["round-robin", "retry"], ["connect failed", "status 200"]];
    assert_eq!(tries, expected.map(|both| both.map(str::to_owned).to_vec()));
    let lines = lines(&told);
    assert!(lines[0].contains("GET /orders, from 127.0.0.1"), "{lines:?}");
    assert!(lines[1].starts_with("answered 200 in "), "{lines:?}");
    assert!(lines[2].contains("to A, picked by round-robin: connect failed after "), "{lines:?}");
    assert!(lines[3].contains("to B, picked by round-robin among those not tried"), "{lines:?}");
    assert!(!told.to_string().contains("secret"), "what a query holds is nobody's business");
}

#[test]
fn who_was_out_then_is_told_though_it_is_back_by_now() {
    let backends = [Backend::plain(), Backend::plain()];
    let panel = Panel::over(&[&backends[0], &backends[1]]);
    panel.post("/backends/A/drain");
    panel.proxy.get("/");
    panel.post("/backends/A/ready");
    panel.proxy.get("/");
    let told = why(&panel, &id(&backends[1]));
    let then = if told["requests"][0]["out"].as_array().unwrap().is_empty() {
        // The second was B's, too; the first is the one that is wanted.
        let first = backends[1].requests()[0].field("x-request-id").unwrap().to_owned();
        why(&panel, &first)
    } else {
        told
    };
    let out = &then["requests"][0]["out"][0];
    assert_eq!((&out["backend"], &out["standing"]), (&"A".into(), &"drain".into()), "{then}");
    let said = lines(&then).pop().unwrap();
    assert!(said.starts_with("out then: A (drain since ") && said.contains("operator"), "{said}");
}

#[test]
fn the_story_of_a_backend_names_the_requests_that_went_badly_there() {
    let backend = Backend::answering(500);
    let panel = Panel::over(&[&backend]);
    assert_eq!(panel.proxy.get("/broken").status(), 500);
    panel.proxy.farewell(500);
    let expected = format!(" status 500: GET /broken, request {}", id(&backend));
    let last = || lines(&why(&panel, "A")).pop().unwrap();
    eventually("it is named", || last().ends_with(&expected));
}

#[test]
fn one_that_stood_in_line_is_told_how_long() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    panel.post("/pause?for=20s");
    let mut waiting = panel.proxy.asking("/held");
    eventually("it waits", || panel.status()["pools"][0]["queue"]["length"] == 1);
    panel.post("/resume");
    assert_eq!(waiting.answer().status(), 200);
    let told = why(&panel, &id(&backend));
    let one = &told["requests"][0];
    assert!(one["held"] == true && one["queued_ms"].as_f64().unwrap() > 0.0, "{told}");
    assert!(one["waited_ms"].as_f64() >= one["queued_ms"].as_f64(), "{told}");
    let lines = lines(&told);
    assert_eq!(lines[2], "a pause held it");
    assert!(lines[3].starts_with("stood in line for a place for "), "{lines:?}");
}

#[test]
fn one_that_nobody_took_is_told_with_its_cause() {
    let vacant = Vacant::new();
    let panel = Panel::with(&[&vacant], "server.request_id = true\n");
    panel.proxy.farewell(502);
    let answer = panel.proxy.get("/");
    let told = why(&panel, answer.field("x-request-id").unwrap());
    let one = &told["requests"][0];
    assert_eq!((&one["status"], &one["cause"]), (&502.into(), &"connect-failed".into()), "{told}");
    assert!(lines(&told)[1].starts_with("ended with status 502 after "), "{told}");
}

#[test]
fn one_that_was_refused_is_told_with_the_reason_that_the_log_has() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let pools = "server.request_id = true\nlimits.target_bytes = \"64B\"\n\
                 [[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                 [[routes]]\nhost = \"a.test\"\npool = \"web\"\n\
                 [[routes]]\nhost = \"a.test\"\npath = \"/api\"\npool = \"api\"\n";
    let panel = Panel::with(&[&a, &b], pools);
    panel.post("/backends/A/drain?force=1");
    panel.proxy.pardon("NO BACKEND IS UP");
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.test\r\n\r\n", "a".repeat(80));
    let two_ways = "GET /api/../x HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let chunked = "POST /api HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let api = ", for a.test, in pool api by route a.test/api";
    let no_route = "no route is for this host";
    for (request, status, asked, reason, place) in [
        ("GET /x?y HTTP/1.1\r\nHost: b.test\r\n\r\n", 404, "GET /x", no_route, ", for b.test"),
        ("GET /x?y HTTP/1.1\r\n\r\n", 400, "GET /x", "Host", ""),
        ("GET /x HTTP/1.1\r\nHost: a.test\r\nA B: c\r\n\r\n", 400, "GET /x", "name", ""),
        (two_ways, 400, "GET /api/../x", "in two ways", ", for a.test"),
        ("TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n", 405, "TRACE /", "not relayed", ""),
        (chunked, 400, "POST /api", "chunk", api),
        (&long, 414, "GET /aaaa", "limits", ""),
    ] {
        let answer = panel.proxy.ask(request);
        assert_eq!(answer.status(), status, "{request}");
        let told = why(&panel, answer.field("x-request-id").unwrap());
        let one = &told["requests"][0];
        assert_eq!((&one["status"], &one["cause"]), (&status.into(), &"refused".into()), "{told}");
        assert!(one["asked"].as_str().unwrap().starts_with(asked), "{told}");
        let why = one["why"].as_str().unwrap();
        assert!(why.contains(reason), "{told}");
        let lines = lines(&told);
        assert!(lines[0].ends_with(&format!(", from 127.0.0.1{place}")), "{lines:?}");
        assert!(lines[1].ends_with(&format!(": refused: {why}")), "{lines:?}");
        assert!(!lines.iter().any(|line| line.starts_with("out then")), "{lines:?}");
    }
    panel.post("/backends/A/ready");
}

#[test]
fn one_that_is_sent_to_https_was_led_to_no_pool_and_needed_nobody() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let settings = "server.request_id = true\n\
                    [[listeners]]\nname = \"one\"\nlisten = \"127.0.0.1:0\"\n\
                    [[listeners]]\nname = \"two\"\nlisten = \"127.0.0.1:0\"\n\
                    mode = \"redirect-to-https\"\n\
                    [[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                    [[routes]]\npool = \"web\"\n[[routes]]\npath = \"/api\"\npool = \"api\"\n";
    let panel = Panel::with(&[&a, &b], settings);
    panel.proxy.pardon("NO BACKEND IS UP");
    panel.post("/backends/B/drain?force=1");
    let answer = Wire::connect(panel.proxy.listener(2)).get("/api/x");
    assert_eq!(answer.status(), 308);
    let told = why(&panel, answer.field("x-request-id").unwrap());
    let one = &told["requests"][0];
    assert_eq!([&one["pool"], &one["route"]], [&Value::Null; 2], "{told}");
    let lines = lines(&told);
    assert!(lines[0].ends_with(": GET /api/x, from 127.0.0.1"), "{lines:?}");
    assert!(lines[1].starts_with("answered 308 in ") && lines.len() == 2, "{lines:?}");
}

#[test]
fn one_that_no_backend_of_its_pool_could_take_is_told_why() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let pools = "server.request_id = true\nlookup.path = \"/next\"\n\
                 [[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                 [[routes]]\npool = \"web\"\n[[routes]]\npath = \"/api\"\npool = \"api\"\n";
    let panel = Panel::with(&[&a, &b], pools);
    panel.proxy.pardon("NO BACKEND IS UP");
    panel.proxy.pardon("no backend is usable");
    panel.post("/backends/A/drain?force=1");
    panel.post("/backends/B/drain?force=1");
    for (path, reason, pool, own, others) in [
        ("/api/x", "no backend is usable: 1 drained", "api", "B (drain since ", "A ("),
        ("/next", "no backend is usable: 1 drained", "web", "A (drain since ", "B ("),
    ] {
        let answer = panel.proxy.get(path);
        assert_eq!(answer.status(), 503);
        let told = why(&panel, answer.field("x-request-id").unwrap());
        assert_eq!(told["requests"][0]["pool"], pool, "{told}");
        let lines = lines(&told);
        assert!(lines[1].ends_with(&format!(": no-backend: {reason}")), "{lines:?}");
        let out = lines.last().unwrap().strip_prefix("out then: ").unwrap();
        assert!(out.starts_with(own) && !out.contains(others), "{lines:?}");
    }
    panel.post("/backends/A/ready");
    panel.post("/backends/B/ready");
}

#[test]
fn a_backend_that_has_left_the_file_is_called_as_it_was() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let panel = Panel::over(&[&a, &b]);
    (0..2).for_each(|_| assert_eq!(panel.proxy.get("/").status(), 200));
    panel.proxy.reload(&[&a], "");
    let told = why(&panel, &id(&b));
    assert_eq!(told["requests"][0]["tries"][0]["backend"], "B", "{told}");
    assert!(lines(&told)[2].contains(" to B, picked by its policy: status 200 "), "{told}");
}

#[test]
fn what_is_neither_a_backend_nor_a_request_is_said_to_be_so() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let answer = panel.get("/why?of=0123456789abcdef0123456789abcdef");
    assert_eq!(answer.status(), 404);
    let words = error(&answer);
    assert!(words.contains("no backend") && words.contains("id of a request"), "{words}");
}
