//! Servers that take a webhook badly, or not at all: none of them holds up another, nor the end,
//! and what is not delivered is told.

use crate::harness::{Backend, Certs, Place, Proxy, Scratch, Server, Vacant, has, timed};
use crate::{App, OFTEN, alert_test, each, hook, json};
use rustix::process::Signal;
use std::time::Duration;

#[test]
fn a_real_web_server_is_reached_by_https_and_only_with_a_certificate_that_is_trusted() {
    if !has("nginx") {
        return;
    }
    let (certs, scratch) = (Certs::make(), Scratch::new());
    let leaf = certs.leaf("localhost");
    let (certificate, key) = (leaf.0.display(), leaf.1.display());
    let directives = format!(
        "ssl_certificate {certificate}; ssl_certificate_key {key}; \
         location /hook {{ return 200 \"thank you\"; }} location /away {{ return 302 /hook; }}"
    );
    let server = Server::nginx(&scratch, "ssl", &directives);
    let port = server.port();
    let authority = certs.dir().join("ca.pem");
    let alert = |path: &str, ca: &str| {
        let url = format!("https://localhost:{port}/{path}");
        format!("{{kind = \"webhook\", url = \"{url}\"{ca}}}")
    };
    let trusting = format!(", ca = \"{}\"", authority.display());
    let (code, said, _) = alert_test(&scratch, &alert("hook", &trusting), &[]);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "webhook (webhook): delivered: status 200: thank you\n\
             webhook (webhook): its end delivered: status 200: thank you"
        )
    );
    let strangers = Certs::make();
    let others = strangers.dir().join("ca.pem");
    let distrusting = format!(", ca = \"{}\"", others.display());
    for alert in [alert("hook", ""), alert("hook", &distrusting)] {
        let (code, said, _) = alert_test(&scratch, &alert, &[]);
        assert!(code == Some(1) && said.contains("NOT DELIVERED"), "{said}");
    }
    let (code, said, _) = alert_test(&scratch, &alert("away", &trusting), &[]);
    assert!(code == Some(1) && said.contains("redirects are not followed"), "{said}");
    let beat = format!("heartbeat = {{url = \"https://localhost:{port}/hook\", ca = {others:?}}}");
    let app = Backend::plain();
    let proxy = Proxy::with(&[&app], &beat);
    proxy.pardon("alert heartbeat: NOT DELIVERED");
    let line = proxy.process.said.wait("alert heartbeat: NOT DELIVERED");
    assert!(line.ends_with(" is signed by nobody who is trusted (see heartbeat.ca)"), "{line}");
}

#[test]
fn a_template_is_filled_and_headers_carry_a_secret_of_a_file() {
    let (told, scratch) = (Backend::plain(), Scratch::new());
    scratch.write("token", "s3cret\n");
    let keys = ", template = '{\"text\": \"{{subject}}\", \"n\": {{priority}}}', \
        headers = [\"Authorization: Bearer ${file:./token}\", \"X-Kind: a\"]";
    let (code, said, _) = alert_test(&scratch, &hook(&told, keys), &["webhook"]);
    assert_eq!(code, Some(0), "{said}");
    let request = &told.wait_requests(1)[0];
    assert_eq!(request.field("authorization"), Some("Bearer s3cret"));
    assert_eq!(request.field("content-type"), Some("application/json"));
    let body = json(request);
    assert!(body["text"].as_str().unwrap().ends_with("] test of the alert webhook"), "{body}");
    assert_eq!(body["n"], 3);
    assert!(!said.contains("s3cret"));
}

#[test]
fn what_will_not_do_today_is_tried_again_and_what_never_will_is_told_at_once() {
    let (a, b) = (App::new(), App::new());
    let (shy, gone) = (Vacant::new(), Backend::answering(410));
    let url = format!("http://127.0.0.1:{}/", shy.port());
    let alerts = format!(
        "{{kind = \"webhook\", name = \"shy\", url = \"{url}\", wait = \"10ms\"}}, {}",
        hook(&gone, ", name = \"gone\", wait = \"10ms\"")
    );
    let settings = format!("alerts = [{alerts}]\n{OFTEN}");
    let proxy = Proxy::with(&[&a.server, &b.server], &settings);
    proxy.pardon("alert gone: NOT DELIVERED: status 410");
    a.turn(503);
    proxy.process.said.wait("alert shy: not delivered yet: ");
    proxy.process.said.wait("alert gone: NOT DELIVERED: status 410; not sent: [evenly ");
    let told = shy.open(crate::harness::serve);
    assert_eq!(json(&told.wait_requests(1)[0])["kind"], "down");
    let line = proxy.process.said.wait("alert shy: delivered at last: status 200");
    assert!(line.contains("INFO") && line.contains(" tries); sent: [evenly "), "{line}");
    assert_eq!(gone.requests().len(), 1, "once is enough");
    drop(proxy); // before the server, which is about to answer
}

#[test]
fn a_server_that_is_silent_or_trickles_holds_up_no_other_and_not_the_end() {
    let (a, b) = (App::new(), App::new());
    let silent = Backend::silent();
    let trickling = Backend::every(|wire| {
        wire.request();
        let bytes = b"HTTP/1.1 200 OK\r\nX-Long: ".iter().chain(b"a".iter().cycle());
        for byte in bytes {
            if !wire.offer([*byte]) || !wire.is_silent_for(Duration::from_millis(50)) {
                return;
            }
        }
    });
    let good = Backend::plain();
    let keys = |name: &str| format!(", name = \"{name}\", wait = \"10ms\", timeout = \"400ms\"");
    let alerts = [hook(&silent, &keys("s")), hook(&trickling, &keys("t")), hook(&good, &keys("g"))];
    let settings = format!("alerts = [{}]\n{OFTEN}", alerts.join(", "));
    let mut proxy = Proxy::with(&[&a.server, &b.server], &settings);
    proxy.pardon("NOT DELIVERED");
    a.turn(503);
    assert_eq!(json(&good.wait_requests(1)[0])["kind"], "down");
    for name in ["s", "t"] {
        let line = format!("alert {name}: not delivered yet: ");
        assert!(proxy.process.said.wait(&line).contains("no answer within 400.0 ms"));
    }
    a.turn(200);
    assert_eq!(json(&good.wait_requests(2)[1])["kind"], "recovered");
    proxy.process.signal(Signal::TERM);
    let (code, took) = timed(|| proxy.exit_code());
    assert_eq!(code, Some(0));
    assert!(took < crate::harness::DEADLINE, "{took:?}");
    for name in ["s", "t"] {
        assert!(proxy.said(&format!("alert {name}: NOT DELIVERED")) > 0, "its loss is told");
    }
}

#[test]
fn the_end_costs_no_processor_while_a_message_is_waited_for() {
    let (app, well, silent) = (App::new(), App::new(), Backend::silent());
    let settings = format!("{OFTEN}alerts = [{}]\n", hook(&silent, ", wait = \"10ms\""));
    let mut proxy = Proxy::with(&[&app.server, &well.server], &settings);
    proxy.pardon("NOT DELIVERED");
    app.turn(503);
    silent.wait_requests(1);
    let before = proxy.process.cpu_ms();
    proxy.process.signal(Signal::TERM);
    let (_, took) = timed(|| proxy.process.said.wait(" stopped"));
    let spent = Duration::from_millis(proxy.process.cpu_ms() - before);
    assert!(spent * 10 < took, "{spent:?} of {took:?}");
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn what_still_waits_when_the_process_is_stopped_is_told_at_once() {
    let (app, well, server) = (App::new(), App::new(), Backend::plain());
    let settings = format!("{OFTEN}alerts = [{}]\n", hook(&server, ", wait = \"60s\""));
    let mut proxy = Proxy::with(&[&app.server, &well.server], &settings);
    app.turn(503);
    proxy.process.said.wait("up -> down");
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.exit_code(), Some(0));
    let told = server.requests();
    assert_eq!(each(&told, "kind"), ["down"]);
    let text = &each(&told, "text")[0];
    assert!(text.contains("A down") && text.contains("evenly is being stopped"), "{text}");
}

#[test]
fn a_heartbeat_goes_out_again_and_again_and_silence_is_told_once() {
    let (good, heard) = (Backend::plain(), Backend::plain());
    let beat = |url: &str| format!("heartbeat.url = \"{url}\"\nheartbeat.interval = \"1s\"\n");
    let proxy =
        Proxy::with(&[&good], &beat(&format!("http://127.0.0.1:{}/ping?x=1", heard.port())));
    assert_eq!(heard.wait_requests(2)[1].start, "GET /ping?x=1 HTTP/1.1");
    proxy.pardon("alert heartbeat: NOT DELIVERED");
    let nobody = Vacant::new();
    proxy.reload(&[&good], &beat(&format!("http://127.0.0.1:{}/", nobody.port())));
    proxy.process.said.wait("alert heartbeat: NOT DELIVERED: ");
    let heard = nobody.open(crate::harness::serve);
    heard.wait_requests(1);
}
