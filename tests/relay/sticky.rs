//! Sticky sessions: the cookie that Evenly sets, whom it keeps where, and when it is set anew.

use crate::harness::{Backend, Gate, Keyed, Message, Proxy, Vacant, Wire, serve};
use evenly::pool::policy::Kind;

const STICKY: &str = "server.served_by = true\nsticky.cookie = \"BACKEND\"\n";
const SECRET: &str = "sticky.secret = \"a secret for the tests\"\n";

/// A request that sends these cookies, if any.
fn ask(client: &mut Wire, cookies: &str) -> Message {
    let line = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
    client.ask(format!("GET /page HTTP/1.1\r\nHost: a.test\r\n{line}\r\n"))
}

fn answerer(answer: &Message) -> &str {
    assert_eq!(answer.status(), 200);
    answer.field("x-served-by").unwrap()
}

/// The cookie that an answer sets, as the client sends it back.
fn cookie(answer: &Message) -> String {
    let set = answer.field("set-cookie").unwrap_or_else(|| panic!("no cookie in {answer:?}"));
    set.split(';').next().unwrap().to_owned()
}

/// The cookie of the backend that is called `name`.
fn cookie_of(proxy: &Proxy, name: &str) -> String {
    let mut client = proxy.connect();
    let answers = (0..8).map(|_| ask(&mut client, ""));
    let answer = answers.into_iter().find(|answer| answerer(answer) == name);
    cookie(&answer.unwrap_or_else(|| panic!("{name} answers nothing")))
}

/// That a client with this cookie is served by `name` and gets no other cookie.
fn stays(proxy: &Proxy, cookie: &str, name: &str) {
    let mut client = proxy.connect();
    for _ in 0..6 {
        let answer = ask(&mut client, cookie);
        assert_eq!((answerer(&answer), answer.field("set-cookie")), (name, None));
    }
}

#[test]
fn the_cookie_is_secure_where_a_trusted_proxy_says_that_the_client_speaks_tls() {
    let backend = Backend::plain();
    let trusted = format!("{STICKY}server.trusted_proxies = [\"127.0.0.0/8\"]\n");
    let secure = |settings: &str, fields: &str| {
        let proxy = Proxy::with(&[&backend], settings);
        proxy.no_farewell();
        let answer = proxy.ask(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"));
        answer.field("set-cookie").unwrap().contains("; Secure")
    };
    for (fields, expected) in [
        ("X-Forwarded-Proto: https\r\n", true),
        ("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https, http\r\n", true),
        ("Forwarded: for=192.0.2.7;proto=https\r\n", true),
        ("X-Forwarded-Proto: http\r\n", false),
        ("X-Forwarded-For: 192.0.2.7\r\n", false),
    ] {
        assert_eq!(secure(&trusted, fields), expected, "{fields}");
        assert!(!secure(STICKY, fields), "a stranger says {fields}");
        let redirecting = format!("{trusted}server.mode = \"redirect\"\n");
        assert_eq!(secure(&redirecting, fields), expected, "redirected: {fields}");
    }
    let host = trusted.replace("\"BACKEND\"", "\"__Host-BACKEND\"");
    assert!(secure(&host, "X-Forwarded-Proto: https\r\n"));
}

#[test]
fn the_cookie_is_set_once_and_the_client_that_sends_it_stays() {
    let [a, b, c] = [(); 3].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b, &c], STICKY);
    for _ in 0..3 {
        let first = ask(&mut proxy.connect(), "");
        let set = first.field("set-cookie").unwrap().to_owned();
        let value = set.strip_prefix("BACKEND=").unwrap();
        let (value, attributes) = value.split_at(16);
        assert!(value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{set}");
        assert_eq!(attributes, "; Path=/; HttpOnly; SameSite=Lax");
        stays(&proxy, &cookie(&first), answerer(&first));
        stays(&proxy, &format!("a=1; {}; BACKEND2=x", cookie(&first)), answerer(&first));
        stays(&proxy, &format!("BACKEND=\"{value}\""), answerer(&first));
    }
}

#[test]
fn without_the_setting_no_cookie_is_set_or_read() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let sticky = Proxy::with(&[&a, &b], &format!("{STICKY}{SECRET}"));
    let proxy = Proxy::with(&[&a, &b], "server.served_by = true");
    let cookie = cookie_of(&sticky, "A");
    let mut client = proxy.connect();
    let answers = [(); 4].map(|()| ask(&mut client, &cookie));
    assert!(answers.iter().all(|answer| answer.field("set-cookie").is_none()));
    assert_eq!(answers.each_ref().map(answerer), ["A", "B", "A", "B"]);
}

#[test]
fn an_answer_that_sets_it_is_for_no_shared_cache() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: public, max-age=60\r\n\
                CDN-Cache-Control: max-age=9\r\nSurrogate-Control: max-age=9\r\n\r\n";
    let backend = Backend::every(move |wire| while wire.request().is_some() && wire.offer(head) {});
    let proxy = Proxy::with(&[&backend], STICKY);
    let first = ask(&mut proxy.connect(), "");
    assert_eq!(first.all("cache-control"), ["private", "public, max-age=60"]);
    assert_eq!((first.field("cdn-cache-control"), first.field("surrogate-control")), (None, None));
    let again = ask(&mut proxy.connect(), &cookie(&first));
    assert_eq!(again.all("cache-control"), ["public, max-age=60"], "it is as good for others");
    for settings in ["server.mode = \"redirect\"", "lookup.path = \"/page\""] {
        let proxy = Proxy::with(&[&backend], &format!("{STICKY}{settings}"));
        let told = proxy.ask("GET /page HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert!(told.field("set-cookie").is_some(), "{told:?}");
        assert_eq!(told.all("cache-control"), ["no-store"]);
        proxy.no_farewell();
    }
}

#[test]
fn an_age_is_set_in_seconds() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], &format!("{STICKY}sticky.max_age = \"12h\""));
    let answer = ask(&mut proxy.connect(), "");
    assert!(answer.field("set-cookie").unwrap().ends_with("; SameSite=Lax; Max-Age=43200"));
}

#[test]
fn it_goes_before_each_policy() {
    for (name, _) in Kind::ALL {
        let [a, b, c] = [(); 3].map(|()| Backend::plain());
        let settings = format!("{STICKY}{SECRET}balance.policy = \"{name}\"");
        let proxy = Proxy::with(&[&a, &b, &c], &settings);
        let elsewhere = Proxy::with(&[&a, &b, &c], &format!("{STICKY}{SECRET}"));
        for backend in ["A", "B", "C"] {
            stays(&proxy, &cookie_of(&elsewhere, backend), backend);
        }
    }
}

#[test]
fn what_is_no_cookie_of_ours_is_ignored_and_replaced() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b], &format!("{STICKY}{SECRET}"));
    let real = cookie_of(&proxy, "A");
    let (oversized, again) = (format!("BACKEND={}", "f".repeat(8000)), format!("{real}0"));
    let upper = format!("BACKEND={}", real["BACKEND=".len()..].to_uppercase());
    let garbled = [
        "BACKEND=0000000000000000",
        "BACKEND=127.0.0.1",
        "BACKEND=A",
        "BACKEND=",
        "BACKEND",
        "BACKEND=\"",
        "BACKEND=\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        "BACKEND=%30123456789abcde",
        "=;;;=",
        &again,
        &oversized,
        &upper,
        &real.replace("BACKEND=", "backend="),
    ];
    for cookies in garbled {
        let mut client = proxy.connect();
        let answers = [(); 2].map(|()| ask(&mut client, cookies));
        assert_ne!(answerer(&answers[0]), answerer(&answers[1]), "{cookies}");
        let set = answers.each_ref().map(cookie);
        assert!(set[0] != set[1] && set.contains(&real), "{cookies}: {set:?}");
    }
    // Beside a garbled one of the same name, as another site of the domain may set it.
    stays(&proxy, &format!("BACKEND=x; {real}"), "A");
}

#[test]
fn a_dead_backend_moves_the_client_on_and_gives_it_a_new_cookie() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let proxy = Proxy::with(&[&a, &b], STICKY);
    let before = cookie_of(&proxy, "A");
    stays(&proxy, &before, "A");
    let gone = a.go_down();
    let answer = ask(&mut proxy.connect(), &before);
    assert_eq!(answerer(&answer), "B");
    let after = cookie(&answer);
    assert_ne!(after, before);
    stays(&proxy, &after, "B");
    let a = gone.open(serve);
    stays(&proxy, &after, "B");
    drop(proxy);
    assert!(a.requests().iter().all(|request| request.target() != "/page"));
}

#[test]
fn a_full_backend_moves_the_client_on_instead_of_making_it_wait() {
    let gate = Gate::new();
    let narrow = Backend::holding(&gate);
    let wide = Backend::plain();
    // One worker, which ends a request's lease before it hears of the next one.
    let settings = format!("{STICKY}server.workers = 1");
    let proxy = Proxy::with(&[&Keyed(&narrow, "max_connections = 1"), &wide], &settings);
    let cookie = cookie_of(&proxy, "A");
    let before = narrow.requests().len();
    let mut holder = proxy.connect();
    holder.send(format!("GET /held HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n\r\n"));
    narrow.wait_requests(before + 1);
    let answer = ask(&mut proxy.connect(), &cookie);
    assert_eq!(answerer(&answer), "B");
    stays(&proxy, &self::cookie(&answer), "B");
    gate.open();
    assert_eq!(holder.answer().field("set-cookie"), None);
}

#[test]
fn two_with_the_same_secret_agree_and_others_do_not() {
    let [a, b] = [(); 2].map(|()| Backend::plain());
    let backends: [&dyn crate::harness::Place; 2] = [&a, &b];
    let secret = format!("{STICKY}{SECRET}");
    let [one, other] = [(); 2].map(|()| Proxy::with(&backends, &secret));
    let cookies = ["A", "B"].map(|name| cookie_of(&one, name));
    for (name, cookie) in ["A", "B"].iter().zip(&cookies) {
        stays(&other, cookie, name);
        assert_eq!(&cookie_of(&other, name), cookie);
    }
    let different = format!("{STICKY}sticky.secret = \"a secret for the test!\"");
    for settings in [different.as_str(), STICKY] {
        let stranger = Proxy::with(&backends, settings);
        let theirs = ["A", "B"].map(|name| cookie_of(&stranger, name));
        assert!(theirs.iter().all(|cookie| !cookies.contains(cookie)), "{theirs:?}");
        assert!(ask(&mut stranger.connect(), &cookies[0]).field("set-cookie").is_some());
    }
}

#[test]
fn where_a_backend_lives_changes_nothing_about_its_cookie() {
    let settings = format!("{STICKY}{SECRET}");
    let cookies = [(); 2].map(|()| {
        let [a, b] = [(); 2].map(|()| Backend::plain());
        let proxy = Proxy::with(&[&a, &b], &settings);
        ["A", "B"].map(|name| cookie_of(&proxy, name))
    });
    assert_eq!(cookies[0], cookies[1], "they tell neither address nor port");
}

#[test]
fn a_backends_own_cookies_survive() {
    let talker = Backend::every(|wire| {
        while wire.request().is_some() {
            wire.offer(
                "HTTP/1.1 200 OK\r\nSet-Cookie: id=1; Secure\r\nContent-Length: 0\r\n\
                 Set-Cookie: BACKEND=mine\r\n\r\n",
            );
        }
    });
    let proxy = Proxy::with(&[&talker], STICKY);
    let answer = ask(&mut proxy.connect(), "");
    let set = answer.all("set-cookie");
    assert_eq!(set[..2], ["id=1; Secure", "BACKEND=mine"]);
    assert!(set.len() == 3 && set[2].starts_with("BACKEND="), "{set:?}");
    let ours = set[2].split(';').next().unwrap();
    let answer = ask(&mut proxy.connect(), ours);
    assert_eq!(answer.all("set-cookie"), ["id=1; Secure", "BACKEND=mine"]);
}

#[test]
fn the_backend_gets_the_clients_cookies_as_they_came() {
    let a = Backend::plain();
    let proxy = Proxy::with(&[&a], STICKY);
    let cookies = format!("x=1; {}; y=2", cookie_of(&proxy, "A"));
    ask(&mut proxy.connect(), &cookies);
    assert_eq!(a.requests().last().unwrap().field("cookie"), Some(cookies.as_str()));
}

#[test]
fn interim_answers_carry_no_cookie_and_the_final_one_does() {
    let talker = Backend::every(|wire| {
        while wire.request().is_some() {
            wire.offer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            wire.offer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let proxy = Proxy::with(&[&talker], STICKY);
    proxy.no_farewell();
    let mut client = proxy.connect();
    let hints = ask(&mut client, "");
    assert_eq!((hints.status(), hints.field("set-cookie")), (103, None));
    let answer = client.answer();
    assert!(cookie(&answer).starts_with("BACKEND="));
}

#[test]
fn answers_of_our_own_carry_no_cookie() {
    let vacant = Vacant::new();
    let proxy = Proxy::with(&[&Keyed(&vacant, "alive = false")], STICKY);
    proxy.pardon("answering 503");
    proxy.farewell(503);
    let answer = ask(&mut proxy.connect(), "");
    assert_eq!((answer.status(), answer.field("set-cookie")), (503, None));
    let answer = proxy.ask("GET / HTTP/1.1\r\n\r\n");
    assert_eq!((answer.status(), answer.field("set-cookie")), (400, None));
}
