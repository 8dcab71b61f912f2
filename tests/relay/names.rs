//! Applications that are named: a name has several addresses, moves, or is nowhere yet. Each test
//! is on a machine of its own, whose /etc/hosts it writes, or whose DNS it is.

mod dns;
mod strangers;

use crate::harness::{
    Backend, Hosted, Place, Process, Proxy, Scratch, SilentDns, eventually, has_own_names, names,
    timed,
};
use rustix::process::Signal;
use std::time::Duration;

/// A good server at 127.0.0.`last`.
fn living(last: u8) -> Backend {
    Backend::at(&format!("127.0.0.{last}:0")).unwrap()
}

/// The lines of /etc/hosts for app.internal at these addresses.
fn app_at(addresses: &[&str]) -> String {
    addresses.iter().map(|address| format!("{address} app.internal\n")).collect()
}

/// How the backend at 127.0.0.3 stands.
fn status(proxy: &Proxy) -> String {
    proxy.process.signal(Signal::USR2);
    proxy.process.said.wait("backend A@127.0.0.3: ")
}

#[test]
fn a_name_is_reached_at_whichever_of_its_addresses_lives() {
    if !has_own_names("names::a_name_is_reached_at_whichever_of_its_addresses_lives") {
        return;
    }
    // Nobody listens, nobody lives there, no way there, and no IPv6 at all.
    for dead in ["127.0.0.9", "192.0.2.1", "::1", "2001:db8::1"] {
        let backend = living(3);
        for order in [[dead, "127.0.0.3"], ["127.0.0.3", dead]] {
            names(&app_at(&order));
            let proxy = Proxy::over(&[&Hosted(&backend, "app.internal")]);
            for _ in 0..5 {
                assert_eq!(proxy.get("/").status(), 200, "{order:?}");
                let post = "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi";
                assert_eq!(proxy.ask(post).text(), "POST /p 2\n", "{order:?}");
            }
            assert!(status(&proxy).contains("backend A@127.0.0.3: up, "), "{order:?}");
        }
    }
}

#[test]
fn localhost_is_reached_by_ipv4_where_it_is_ipv6_first() {
    if !has_own_names("names::localhost_is_reached_by_ipv4_where_it_is_ipv6_first") {
        return;
    }
    let backend = Backend::plain();
    names("::1 localhost");
    let proxy = Proxy::with(&[&Hosted(&backend, "localhost")], "health.interval = \"100ms\"");
    for _ in 0..3 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    assert_eq!(proxy.said("->"), 0);
}

#[test]
fn each_address_is_a_backend_with_checks_and_a_standing_of_its_own() {
    if !has_own_names("names::each_address_is_a_backend_with_checks_and_a_standing_of_its_own") {
        return;
    }
    let three = living(3);
    let four = Backend::at(&format!("127.0.0.4:{}", three.port())).unwrap();
    names(&app_at(&["127.0.0.4", "192.0.2.1", "127.0.0.3", "127.0.0.9"]));
    let settings = "health.interval = \"50ms\"\nhealth.fall = 1\nserver.served_by = true";
    let proxy = Proxy::with(&[&Hosted(&three, "app.internal")], settings);
    three.wait_requests(2);
    four.wait_requests(2);
    for request in three.requests() {
        let host = format!("app.internal:{}", three.port());
        assert_eq!(request.field("host"), Some(&*host), "asked by its name");
    }
    let mut served: Vec<String> =
        (0..4).map(|_| proxy.get("/").field("x-served-by").unwrap().to_owned()).collect();
    served.sort();
    served.dedup();
    assert_eq!(served, ["A@127.0.0.3", "A@127.0.0.4"]);
    proxy.process.signal(Signal::USR2);
    proxy.process.said.wait("backend A@127.0.0.9: down: ");
    assert_eq!(proxy.said("192.0.2.1"), 0, "there is no way there from this machine");
}

#[test]
fn a_request_goes_from_one_address_to_another_by_the_rules_of_retries() {
    if !has_own_names("names::a_request_goes_from_one_address_to_another_by_the_rules_of_retries") {
        return;
    }
    names(&app_at(&["127.0.0.8", "127.0.0.9"]));
    let dead = Proxy::with(&[&Hosted(&1u16, "app.internal")], "retry.attempts = 0");
    dead.farewell(502);
    assert_eq!(dead.get("/").status(), 502);
    dead.process.said.wait("backend A@127.0.0.");
    drop(dead);
    let good = living(3);
    names(&app_at(&["127.0.0.3", "127.0.0.9"]));
    let proxy = Proxy::over(&[&Hosted(&good, "app.internal")]);
    (0..6).for_each(|_| assert_eq!(proxy.get("/").status(), 200));
}

#[test]
fn where_clients_come_in_is_no_backend_whatever_a_name_says() {
    if !has_own_names("names::where_clients_come_in_is_no_backend_whatever_a_name_says") {
        return;
    }
    let backend = living(3);
    let port = backend.port();
    names(&app_at(&["127.0.0.1", "127.0.0.3"]));
    let settings = format!("server.listen = \"127.0.0.1:{port}\"\nserver.served_by = true");
    let proxy = Proxy::with(&[&Hosted(&backend, "app.internal")], &settings);
    proxy.process.said.wait(&format!("app.internal leads to 127.0.0.1:{port}, where clients come"));
    (0..4).for_each(|_| {
        assert_eq!(proxy.get("/").field("x-served-by"), Some("A@127.0.0.3"));
    });
}

#[test]
fn a_name_that_moved_is_found_soon_after_it_failed() {
    if !has_own_names("names::a_name_that_moved_is_found_soon_after_it_failed") {
        return;
    }
    // Once by what requests meet, once by what checks do.
    for interval in ["off", "100ms"] {
        let (before, after) = (living(2), living(3));
        let port = before.port();
        names(&app_at(&["127.0.0.2"]));
        let proxy = Proxy::with(
            &[&Hosted(&before, "app.internal")],
            &format!("health.interval = \"{interval}\"\npassive.failures = 0"),
        );
        proxy.pardon("answering 503");
        proxy.pardon("NO BACKEND IS UP");
        assert_eq!(proxy.get("/").status(), 200);
        drop((before, after));
        let after = Backend::at(&format!("127.0.0.3:{port}")).unwrap();
        names(&app_at(&["127.0.0.3"]));
        eventually("it is found where it is now", || proxy.get("/").status() == 200);
        assert!(!after.requests().is_empty());
        proxy.process.said.wait("backend A: app.internal leads to 127.0.0.3 now");
        eventually("where it was is left", || {
            proxy.get("/");
            proxy.said("backend A: app.internal leads to 127.0.0.2 no more") == 1
        });
        drop(proxy);
    }
}

#[test]
fn one_name_that_is_nowhere_is_down_until_it_is_found() {
    if !has_own_names("names::one_name_that_is_nowhere_is_down_until_it_is_found") {
        return;
    }
    for interval in ["off", "100ms"] {
        let (late, good) = (living(3), Backend::plain());
        names("");
        let proxy = Proxy::with(
            &[&Hosted(&late, "app.internal"), &good],
            &format!("health.interval = \"{interval}\"\nserver.served_by = true"),
        );
        proxy.process.said.wait("WARN  backend A: app.internal does not resolve: ");
        (0..4).for_each(|_| assert_eq!(proxy.get("/").field("x-served-by"), Some("B")));
        proxy.process.signal(Signal::USR2);
        proxy.process.said.wait("backend A: down: app.internal does not resolve: ");
        names(&app_at(&["127.0.0.3"]));
        let served = || proxy.get("/").field("x-served-by") == Some("A@127.0.0.3");
        eventually("it is used", served);
        proxy.process.said.wait("backend A: app.internal leads to 127.0.0.3 now");
        if interval != "off" {
            assert_eq!(late.requests()[0].target(), "/health", "checked first");
        }
    }
}

#[test]
fn where_no_name_is_found_it_says_so_and_serves_once_one_is() {
    if !has_own_names("names::where_no_name_is_found_it_says_so_and_serves_once_one_is") {
        return;
    }
    let backend = living(3);
    names("");
    let proxy = Proxy::over(&[&Hosted(&backend, "app.internal")]);
    proxy.pardon("NO BACKEND IS FOUND");
    proxy.pardon("answering 503");
    proxy.process.said.wait(" ERROR NO BACKEND IS FOUND");
    assert_eq!(proxy.get("/").status(), 503);
    names(&app_at(&["127.0.0.3"]));
    eventually("it serves", || proxy.get("/").status() == 200);
}

#[test]
fn a_pool_of_which_no_name_is_found_is_told_aloud_beside_one_that_serves() {
    let test = "names::a_pool_of_which_no_name_is_found_is_told_aloud_beside_one_that_serves";
    if !has_own_names(test) {
        return;
    }
    let backend = living(3);
    names(&app_at(&["127.0.0.3"]));
    let pools = "[[pools]]\nname = \"web\"\n<A>\n[[pools]]\nname = \"api\"\n<B>\n\
                 [[routes]]\npool = \"web\"\n[[routes]]\npath = \"/api\"\npool = \"api\"\n";
    let both = [Hosted(&backend, "app.internal"), Hosted(&backend, "none.internal")];
    let proxy = Proxy::with(&[&both[0], &both[1]], pools);
    proxy.pardon("NO BACKEND IS FOUND");
    let line = proxy.process.said.wait("NO BACKEND IS FOUND in pool api: no name resolves");
    assert!(line.contains(" ERROR "), "{line}");
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn a_dns_server_that_is_silent_holds_up_neither_the_start_for_long_nor_its_end() {
    if !has_own_names(
        "names::a_dns_server_that_is_silent_holds_up_neither_the_start_for_long_nor_its_end",
    ) {
        return;
    }
    let _dns = SilentDns::new();
    let backend = Backend::plain();
    names("");
    let places: [&dyn Place; 3] =
        [&Hosted(&backend, "one.internal"), &Hosted(&backend, "two.internal"), &backend];
    let (proxy, took) = timed(|| Proxy::with(&places, "server.served_by = true"));
    assert!(took < Duration::from_secs(5), "3 s for all names: {took:?}");
    proxy.process.said.wait("one.internal does not resolve: no answer within 3.0 s");
    assert_eq!(proxy.get("/").field("x-served-by"), Some("C"));
    names("127.0.0.1 one.internal\n127.0.0.1 two.internal");
    let (mut proxy, took) = timed(move || {
        proxy.terminate();
        proxy
    });
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_signal_ends_it_while_it_waits_for_names() {
    if !has_own_names("names::a_signal_ends_it_while_it_waits_for_names") {
        return;
    }
    let _dns = SilentDns::new();
    names("");
    let scratch = Scratch::new();
    let file = scratch.write("a.toml", "[[applications]]\nip = \"app.internal\"\nport = 1\n");
    for signal in [Signal::TERM, Signal::INT] {
        let mut process = Process::evenly(&["serve", "-c", file.to_str().unwrap()], scratch.path());
        eventually("it looks the name up", || {
            std::fs::read_dir(format!("/proc/{}/task", process.id())).is_ok_and(|it| it.count() > 2)
        });
        process.ends_at_once_on(signal);
    }
}

#[test]
fn nobody_is_sent_to_a_name_that_is_nowhere() {
    if !has_own_names("names::nobody_is_sent_to_a_name_that_is_nowhere") {
        return;
    }
    let good = Backend::plain();
    names("");
    let settings = "server.mode = \"redirect\"\nlookup.path = \"/next\"";
    let proxy = Proxy::with(&[&Hosted(&1u16, "app.internal"), &good], settings);
    proxy.farewell(307);
    for _ in 0..4 {
        let answer = proxy.get("/");
        assert!(answer.field("location").unwrap().starts_with("http://127.0.0.1:"));
        assert!(proxy.get("/next").text().contains("127.0.0.1"));
    }
}

#[test]
fn a_client_goes_on_to_the_address_that_lives_and_past_a_name_that_is_nowhere() {
    if !has_own_names(
        "names::a_client_goes_on_to_the_address_that_lives_and_past_a_name_that_is_nowhere",
    ) {
        return;
    }
    let backend = living(3);
    let port = backend.port();
    names(&app_at(&["127.0.0.9", "127.0.0.3"]));
    let scratch = Scratch::new();
    let file = scratch.write(
        "a.toml",
        format!(
            "health.interval = \"off\"\n\
             [[applications]]\nname = \"lost\"\nip = \"lost.internal\"\nport = 1\n\
             [[applications]]\nname = \"app\"\nip = \"app.internal\"\nport = {port}\n"
        ),
    );
    let arguments = ["get", "/x", "--verbose", "-c", file.to_str().unwrap()];
    let (code, printed, said) = Process::evenly(&arguments, scratch.path()).finish();
    assert_eq!((code, printed.as_str()), (Some(0), "GET /x 0"), "{said}");
    assert!(said.contains("Skipped endpoint: lost: lost.internal does not resolve: "), "{said}");
    let url = format!("http://app.internal:{port}/");
    let arguments = ["bench", &url, "--requests", "20", "--workers", "2"];
    let (code, printed, said) = Process::evenly(&arguments, scratch.path()).finish();
    assert_eq!(code, Some(0), "{printed}{said}");
}

#[test]
fn a_check_says_to_how_many_addresses_names_lead() {
    if !has_own_names("names::a_check_says_to_how_many_addresses_names_lead") {
        return;
    }
    names(&app_at(&["127.0.0.3", "127.0.0.4"]));
    let scratch = Scratch::new();
    let table =
        |host: &str, port: u16| format!("[[applications]]\nip = \"{host}\"\nport = {port}\n");
    let text = table("app.internal", 80) + &table("localhost", 81) + &table("127.0.0.1", 82);
    let file = scratch.write("a.toml", text);
    let check =
        || Process::evenly(&["check", "-c", file.to_str().unwrap()], scratch.path()).finish();
    let (code, printed, said) = check();
    assert_eq!(code, Some(0), "{said}");
    let led = "\n# Names:\n# application app.internal:80: app.internal has 2 addresses, each of \
               which is a backend";
    assert!(printed.ends_with(led), "{printed}");
    names("");
    let (code, _, said) = check();
    assert_eq!(code, Some(1));
    assert!(said.contains("application app.internal:80: app.internal does not resolve"), "{said}");
}
