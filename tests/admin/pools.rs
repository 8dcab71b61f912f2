//! Several pools at the endpoint: each is shown for itself, and held, and steered by its backends'
//! names.

use crate::harness::{Backend, Broken, Place, eventually};
use crate::metrics::counting;
use crate::panel::{Panel, error, json};
use serde_json::{Value, json};

const TWO: &str = "[[pools]]\nname = \"web\"\n<A>\n<B>\n\
                   [[pools]]\nname = \"api\"\nbalance.policy = \"first-alive\"\n<C>\n\
                   [[routes]]\nhost = \"a.test\"\npool = \"web\"\n\
                   [[routes]]\npath = \"/api\"\npool = \"api\"\n";

fn panel(backends: &[&dyn Place]) -> Panel {
    Panel::with(backends, TWO)
}

fn ask(panel: &Panel, host: &str, target: &str) -> u16 {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    panel.proxy.ask(request).status()
}

#[test]
fn each_is_shown_with_its_own_backends_and_numbers() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let panel = panel(&[&a, &b, &c]);
    for (host, target, status) in
        [("a.test", "/", 200), ("b.test", "/api", 200), ("b.test", "/", 404), ("b.test", "/", 404)]
    {
        assert_eq!(ask(&panel, host, target), status);
    }
    let metrics = counting(&panel, 4);
    let status = panel.status();
    let of = |pool: &Value| {
        let backends = pool["backends"].as_array().unwrap();
        let names: Vec<_> = backends.iter().map(|it| it["name"].clone()).collect();
        json!([pool["name"], pool["policy"], pool["usable"], pool["total"], names])
    };
    let shown: Vec<Value> = status["pools"].as_array().unwrap().iter().map(of).collect();
    assert_eq!(shown[0], json!(["web", "round-robin", 2, 2, ["A", "B"]]));
    assert_eq!(shown[1], json!(["api", "first-alive", 1, 1, ["C"]]));
    assert_eq!(status["totals"]["answered"]["4xx"], 2);
    let ends = |pool: &str, backend: &str, code: &str| {
        let labels = [("pool", pool), ("backend", backend), ("code", code)];
        metrics.value("evenly_requests_total", &labels)
    };
    assert_eq!(ends("web", "A", "2xx") + ends("web", "B", "2xx"), 1.0);
    assert_eq!([ends("api", "C", "2xx"), ends("none", "", "4xx")], [1.0, 2.0]);
    assert_eq!([ends("web", "", "4xx"), ends("api", "", "4xx")], [0.0, 0.0]);
}

#[test]
fn maintenance_ends_what_is_open_in_a_pool_that_has_left_the_file() {
    let open = Backend::every(|wire| {
        wire.send("hello");
        wire.ending();
    });
    let stays = Backend::plain();
    let tcp = "timeouts.drain = \"2s\"\n\
               [[listeners]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"\n\
               [[pools]]\nname = \"web\"\n<A>\n";
    let both = format!(
        "{tcp}[[pools]]\nname = \"db\"\n<B>\n\
         [[routes]]\nhost = \"web.test\"\npool = \"web\"\n[[routes]]\npool = \"db\"\n"
    );
    let panel = Panel::with(&[&stays, &open], &both);
    panel.proxy.no_farewell();
    let mut client = panel.proxy.connect();
    client.expect("hello");
    panel.proxy.pardon("NO BACKEND IS UP");
    assert_eq!(panel.post("/backends/B/maint?force=1").status(), 200);
    panel.proxy.reload(&[&stays], &format!("{tcp}[[routes]]\npool = \"web\"\n"));
    assert_eq!(client.ending(), (Vec::new(), Broken::Reset));
}

#[test]
fn one_is_paused_and_the_other_goes_on() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let panel = panel(&[&a, &b, &c]);
    let paused = json(&panel.post("/pause?pool=api&for=20s"));
    assert_eq!(paused["words"], "new requests of pool api wait, for 20s at most");
    let mut held = panel.proxy.connect();
    held.send("GET /api HTTP/1.1\r\nHost: b.test\r\n\r\n");
    let pool = |index: usize| panel.status()["pools"][index].clone();
    eventually("one waits", || pool(1)["queue"]["length"] == 1);
    assert_eq!((pool(0)["paused_for_s"].clone(), ask(&panel, "a.test", "/")), (Value::Null, 200));
    assert_eq!(json(&panel.post("/resume?pool=web"))["words"], "nothing was paused");
    assert_eq!(json(&panel.post("/resume?pool=api"))["words"], "requests go on");
    assert_eq!(held.answer().status(), 200);
    panel.post("/pause?pool=api&for=2s");
    held.send("GET /api HTTP/1.1\r\nHost: b.test\r\n\r\n");
    panel
        .proxy
        .process
        .said
        .wait("the pause of pool api is over by itself: 1 request that was held");
    assert_eq!(held.answer().status(), 200);
    let unknown = panel.post("/pause?pool=apo");
    assert_eq!(error(&unknown), "there is no pool \"apo\"; known: web, api");
}

#[test]
fn backends_are_steered_and_explained_by_name_whichever_pool_they_are_in() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let panel = panel(&[&a, &b, &c]);
    let last = panel.post("/backends/C/drain");
    assert_eq!(last.status(), 409, "it is the last of its pool: {}", last.text());
    assert_eq!(panel.post("/backends/B/drain").status(), 200);
    (0..2).for_each(|_| assert_eq!(ask(&panel, "a.test", "/"), 200));
    assert_eq!((a.requests().len(), b.requests().len()), (2, 0));
    let id = panel.proxy.ask("GET /api HTTP/1.1\r\nHost: x\r\nX-Request-Id: one-of-ours\r\n\r\n");
    assert_eq!(id.status(), 200);
    eventually("it is in the story", || {
        let story = json(&panel.get("/why?of=C"));
        story["lines"][1].as_str().unwrap().contains("100 % of all")
    });
    let unknown = error(&panel.get("/why?of=D"));
    assert!(unknown.starts_with("there is no backend \"D\"; known: A, B, C"), "{unknown}");
    for said in [panel.get("/why?of=web"), panel.post("/backends/web/drain")] {
        assert_eq!(error(&said), "web is a pool; name one of its backends: A, B");
    }
}

/// The file as it is, with each of these words in the place of another.
fn rewrite(panel: &Panel, words: &[(&str, &str)]) {
    let path = panel.proxy.scratch.path().join("applications.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    let next = words.iter().fold(file, |file, (old, new)| {
        assert!(file.contains(old), "{old}: {file}");
        file.replace(old, new)
    });
    std::fs::write(path, next).unwrap();
    assert_eq!(panel.post("/reload").status(), 200);
}

#[test]
fn who_is_held_goes_on_when_the_pool_leaves_the_file() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let panel = panel(&[&a, &b, &c]);
    panel.post("/pause?pool=api&for=30s");
    let mut held = panel.proxy.connect();
    held.send("GET /api HTTP/1.1\r\nHost: b.test\r\n\r\n");
    eventually("one waits", || panel.status()["pools"][1]["queue"]["length"] == 1);
    rewrite(&panel, &[("\"api\"", "\"apis\"")]);
    assert_eq!(held.answer().status(), 200, "at once, by the pool that it asked");
    assert_eq!(ask(&panel, "b.test", "/api"), 200, "the new one is not paused");
}

#[test]
fn one_that_is_drained_stays_so_when_it_moves_to_another_pool() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let panel = panel(&[&a, &b, &c]);
    panel.proxy.pardon("NO BACKEND IS UP");
    assert_eq!(panel.post("/backends/B/maint?force=1").status(), 200);
    rewrite(&panel, &[("name = \"web\"", "name = \"www\""), ("pool = \"web\"", "pool = \"www\"")]);
    let of = |index: usize| panel.status()["pools"][0]["backends"][index]["mode"].clone();
    assert_eq!([of(0), of(1)], ["ready", "maint"]);
    (0..2).for_each(|_| assert_eq!(ask(&panel, "a.test", "/"), 200));
    assert_eq!((a.requests().len(), b.requests().len()), (2, 0));
}

#[test]
fn one_that_a_reload_brings_stands_where_it_does_since_then() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let panel = panel(&[&a, &b, &c]);
    let asked = panel.status()["time"].clone();
    rewrite(&panel, &[("\"api\"", "\"apis\"")]);
    let since = |pool: usize| panel.status()["pools"][pool]["backends"][0]["since"].clone();
    // In UTC and of one length, so that the earlier comes first.
    let [old, new, asked] = [since(0), since(1), asked].map(|it| it.as_str().unwrap().to_owned());
    assert!(old < asked && asked <= new, "{old} {asked} {new}");
}
