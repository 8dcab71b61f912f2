//! The first round: whom it asks, where each stands when it is over, and when it is given up.

use super::*;

#[test]
fn a_backend_that_answers_comes_up_before_the_first_round_is_over() {
    let (heard, requests) = unbounded();
    let address = server(move |mut stream, request| {
        heard.send(request).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let mut specs = specs(&[address]);
    specs[0].alive = false;
    let watched = Bench::start(specs, one_round(SOON));
    assert!(watched.watch.first_round(SOON));
    assert_eq!(watched.standing(0), Standing::Up);
    let change = watched.next_change();
    assert!(change.starts_with("backend a: check passed: status 204 ("), "{change}");
    assert!(change.ends_with("; down -> up; 1 of 1 up, the first"), "{change}");
    let request = requests.recv_timeout(SOON).unwrap().to_lowercase();
    assert!(request.starts_with("get /health http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nhost: {address}\r\n")), "{request}");
}

#[test]
fn a_backend_by_name_is_asked_at_its_address_under_its_name() {
    let (heard, requests) = unbounded();
    let address = server(move |_, request| heard.send(request).unwrap());
    let mut specs = specs(&[address]);
    (specs[0].host, specs[0].found) = ("app.invalid".into(), Some(Ok(address)));
    let _watched = Bench::start(specs, one_round(SOON));
    let request = requests.recv_timeout(SOON).unwrap().to_lowercase();
    let host = format!("\r\nhost: app.invalid:{}\r\n", address.port());
    assert!(request.contains(&host), "{request}");
}

#[test]
fn a_backend_that_nobody_runs_is_down_after_the_first_round() {
    let change = Bench::failure(nobody(), one_round(SOON));
    assert!(change.contains("check failed: Connection refused (os error 111) ("), "{change}");
    assert!(
        change.ends_with("up -> down; 0 of 1 left: NO BACKEND IS UP; out: a (down)"),
        "{change}"
    );
}

#[test]
fn a_silent_backend_is_down_when_the_time_is_up() {
    let began = Instant::now();
    let change = Bench::failure(silent(), one_round(ms(200)));
    let what = "check failed: no answer within 200ms of the check's start (";
    assert!(change.contains(what), "{change}");
    assert!(began.elapsed() >= ms(200));
}

#[test]
fn a_black_hole_is_down_when_the_time_is_up() {
    let hole = black_hole();
    let change = Bench::failure(hole.address, one_round(ms(300)));
    assert!(change.contains("check failed: connect timed out after 300ms ("), "{change}");
}

#[test]
fn a_slow_round_is_given_up_at_the_deadline() {
    let watched = Bench::start(specs(&[silent()]), one_round(SOON));
    let began = Instant::now();
    assert!(!watched.watch.first_round(ms(50)));
    assert!(began.elapsed() < SOON / 4);
    assert_eq!(watched.standing(0), Standing::Up, "the file's word holds");
    watched.watch.stop();
}

#[test]
fn checks_that_are_off_ask_nobody() {
    let (heard, requests) = unbounded();
    let address = server(move |_, request| heard.send(request).unwrap());
    let settings = Settings { interval: None, ..Settings::default() };
    let watched = Bench::start(specs(&[address]), settings);
    assert!(watched.watch.first_round(SOON));
    watched.watch.stop();
    assert!(requests.is_empty());
    assert!(watched.events.is_empty());
}

#[test]
fn the_environments_proxy_is_ignored() {
    let proxies = ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"];
    let proxies = proxies.map(|name| (name, "http://127.0.0.1:1"));
    alone("first_round::alone_a_backend_that_answers_is_up", &proxies);
}

#[test]
#[ignore = "run by the_environments_proxy_is_ignored"]
fn alone_a_backend_that_answers_is_up() {
    let watched = Bench::checked(&[status(200)], one_round(SOON));
    assert_eq!(watched.standing(0), Standing::Up);
}
