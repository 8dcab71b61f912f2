//! What a check asks, and what it looks for in the answer.

use super::*;
#[cfg(feature = "tls")]
use crate::pool::Trust;

/// A server whose answers have this body, and the requests that it gets.
fn asked(body: &'static str) -> (SocketAddr, Receiver<String>) {
    let (heard, requests) = unbounded();
    let address = server(move |mut stream, request| {
        let _ = heard.send(request.to_lowercase());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        // An answer to HEAD has a length, and no body.
        let body = if request.starts_with("HEAD") { "" } else { body };
        let _ = stream.write_all((head + body).as_bytes());
    });
    (address, requests)
}

fn contains(text: &str) -> Settings {
    Settings { contains: Some(text.into()), ..one_round(SOON) }
}

#[test]
fn method_host_and_headers_are_as_configured() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let (address, requests) = asked("ok");
        let headers = vec!["Authorization: Bearer 1234".into(), "X-A: 1".into(), "X-A: ".into()];
        let host = Some("api.test:8443".into());
        let settings = Settings { method, host, headers, ..one_round(SOON) };
        let watched = Bench::checked(&[address], settings);
        assert_eq!(watched.standing(0), Standing::Up);
        let request = requests.recv_timeout(SOON).unwrap();
        let start = format!("{} /health http/1.1\r\n", method.to_lowercase());
        assert!(request.starts_with(&start), "{request}");
        let lines = ["host: api.test:8443", "authorization: bearer 1234", "x-a: 1", "x-a: "];
        for line in lines.map(|line| format!("\r\n{line}\r\n")) {
            assert_eq!(request.matches(&line).count(), 1, "{line:?} in {request}");
        }
        assert_eq!(request.matches("\r\nhost:").count(), 1, "{request}");
        assert!(!request.contains("content-length") && !request.contains("transfer-"), "{request}");
    }
}

#[test]
fn any_path_that_the_file_may_hold_can_be_asked_for() {
    let (address, requests) = asked("ok");
    let signs: String = ('!'..='~').filter(|sign| !"\"#<>`".contains(*sign)).collect();
    let path = format!("/{signs}?{signs}");
    let settings = Settings { path: path.clone(), path_set: true, ..one_round(SOON) };
    let watched = Bench::checked(&[address], settings);
    assert_eq!(watched.standing(0), Standing::Up);
    let request = requests.recv_timeout(SOON).unwrap();
    assert!(request.starts_with(&format!("get {} http/1.1\r\n", path.to_lowercase())), "{request}");
}

#[test]
fn an_answer_to_head_has_no_body_whatever_its_length_says() {
    let address = says("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    let chunked = says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    // What some servers send all the same is of no interest.
    let ended = says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let whole = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let settings = Settings { method: "HEAD", ..one_round(SOON) };
    let watched = Bench::checked(&[address, chunked, ended, whole], settings);
    assert_eq!([0, 1, 2, 3].map(|index| watched.standing(index)), [Standing::Up; 4]);
}

#[test]
fn a_connection_may_be_all_that_is_asked_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [silent.local_addr().unwrap(), nobody()];
    let settings = Settings { connects_only: true, ..one_round(SOON) };
    let watched = Bench::checked(&addresses, settings);
    assert_eq!([0, 1].map(|index| watched.standing(index)), [Standing::Up, Standing::Down]);
}

#[test]
fn a_port_for_checks_is_asked_instead_and_that_of_the_backend_comes_first() {
    let (admin, requests) = asked("ok");
    let (own, own_requests) = asked("ok");
    let mut specs = specs(&[nobody(), nobody()]);
    specs[1].health_port = Some(own.port());
    let watched = Bench::start(specs, Settings { port: Some(admin.port()), ..one_round(SOON) });
    assert!(watched.watch.first_round(SOON));
    assert_eq!([0, 1].map(|index| watched.standing(index)), [Standing::Up; 2]);
    for (requests, address) in [(requests, admin), (own_requests, own)] {
        let request = requests.recv_timeout(SOON).unwrap();
        assert!(request.contains(&format!("\r\nhost: {address}\r\n")), "{request}");
        assert!(requests.is_empty());
    }
}

#[test]
fn the_warning_of_an_unknown_path_names_method_and_port() {
    let mut specs = specs(&[nobody()]);
    specs[0].health_port = Some(status(404).port());
    let port = specs[0].health_port.unwrap();
    let watched = Bench::start(specs, Settings { method: "OPTIONS", ..one_round(SOON) });
    let text = watched.next_of("unknown-path");
    let start = format!("backend a: OPTIONS /health at port {port} answered 404, which counts as");
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn a_body_must_contain_the_text_wherever_that_stands() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let far = format!("{}ok", ".".repeat(60_000));
    let addresses = [
        says("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nall ok!"),
        says("HTTP/1.1 200 OK\r\n\r\nok"),
        says(format!("{chunked}3\r\nall\r\n2\r\n o\r\n2\r\nk!\r\n0\r\n\r\n")),
        says(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{far}", far.len())),
    ];
    let watched = Bench::checked(&addresses, contains("ok"));
    for index in 0..addresses.len() {
        assert_eq!(watched.standing(index), Standing::Up, "{index}");
    }
}

#[test]
fn a_body_without_the_text_is_down_and_both_are_named() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready", 5, ""),
        ("HTTP/1.1 204 No Content\r\n\r\n", 0, ""),
        // Letters of both chunks make the word only where the framing is taken for a part of it.
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n0\r\n\r\n", 1, ""),
    ];
    for (answer, read, most) in cases {
        let change = Bench::failure(says(answer), contains("o\"k"));
        let what = format!("but the body does not contain \"o\\\"k\" ({read} bytes read{most}) (");
        assert!(change.contains(&what), "{change}");
    }
}

#[test]
fn a_text_behind_what_is_read_is_not_found_and_that_is_said() {
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}ok", ".".repeat(70_000));
    let change = Bench::failure(says(long), contains("ok"));
    let what = "but the body does not contain \"ok\" (65536 bytes read, the most) (";
    assert!(change.contains(what), "{change}");
    // Framing counts for what is read, or one check could be fed for ever.
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!("{chunked}{}2\r\nok\r\n0\r\n\r\n", "1\r\n.\r\n".repeat(20_000));
    let change = Bench::failure(says(long), contains("ok"));
    assert!(change.contains(" bytes read, the most) ("), "{change}");
}

#[test]
fn a_bad_status_is_told_rather_than_a_missing_text() {
    let change = Bench::failure(status(503), contains("nowhere"));
    assert!(change.contains("check failed: status 503 ("), "{change}");
    let change = Bench::failure(status(404), contains("OK"));
    assert!(change.contains("check failed: status 404 ("), "who says what to find knows the page");
}

#[cfg(feature = "tls")]
#[test]
fn the_host_follows_the_name_that_tls_is_to_prove() {
    let trust = |name: Option<&str>| {
        let name = name.map(str::to_owned);
        Some(Trust { verify: false, ca: None, name, certificate: None, key: None })
    };
    let (address, requests) = asked("ok");
    for (name, host, asked_for) in [
        (Some("api.test"), None, format!("api.test:{}", address.port())),
        (Some("api.test"), Some("other.test"), "other.test".into()),
        (None, None, address.to_string()),
    ] {
        let mut specs = specs(&[address]);
        specs[0].tls = trust(name);
        // In the clear, as the question alone is at stake here.
        let settings = Settings { host: host.map(str::to_owned), ..one_round(SOON) };
        let _watched = Bench::start(specs, settings);
        let request = requests.recv_timeout(SOON).unwrap();
        assert!(request.contains(&format!("\r\nhost: {asked_for}\r\n")), "{request}");
    }
}
