//! What happened to others with names behind their balancers, told in public; here it is tried on
//! this one. What was told is in the comment of each.

use super::dns::{Dns, Kind, OFTEN, Odd, at_one_port, has_dns, served};
use crate::harness::{Backend, Hosted, Place, Proxy, eventually};
use rustix::process::Signal;

/// All instances were replaced at once, with a moment in between in which there was none: the new
/// ones were never taken, though each answer named them, until a reload. (HAProxy 3400)
#[test]
fn all_replaced_at_once_with_a_moment_of_none_between() {
    if !has_dns("names::strangers::all_replaced_at_once_with_a_moment_of_none_between") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
    let ([two, three, four, five], _) = at_one_port([2, 3, 4, 5]);
    let settings = format!("{OFTEN}health.interval = \"100ms\"");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("answering 503");
    assert_eq!(served(&proxy).len(), 2);
    dns.at(&[]);
    proxy.process.said.wait("backend A: app.internal does not resolve: ");
    drop((two, three));
    dns.at(&["127.0.0.4", "127.0.0.5"]);
    eventually("the new ones serve", || served(&proxy) == ["A@127.0.0.4", "A@127.0.0.5"]);
    drop((four, five));
    proxy.no_farewell();
}

/// The DNS server, or the way to it, was gone for minutes: all backends went into maintenance, and
/// stayed there when it was back. (HAProxy 1286, 345; Envoy 9927)
#[test]
fn a_dns_server_that_is_gone_for_a_while_and_comes_back() {
    if !has_dns("names::strangers::a_dns_server_that_is_gone_for_a_while_and_comes_back") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let ([two, _three], _) = at_one_port([2, 3]);
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], OFTEN);
    drop(dns); // nothing listens there: the kernel refuses each question
    proxy.process.said.wait("backend A: app.internal does not resolve: ");
    assert_eq!(served(&proxy), ["A@127.0.0.2"]);
    let _dns = Dns::new(&["127.0.0.3"]);
    eventually("it follows again", || served(&proxy) == ["A@127.0.0.3"]);
    assert_eq!(proxy.said("app.internal does not resolve"), 1, "told once");
}

/// A name with rotating answers gathered every address that it had ever had, and kept them all.
/// (Envoy 41771)
#[test]
fn answers_that_are_others_each_time_gather_no_crowd() {
    if !has_dns("names::strangers::answers_that_are_others_each_time_gather_no_crowd") {
        return;
    }
    crate::harness::names("");
    let turns = (0..60).map(|turn| vec![10 + 2 * turn, 11 + 2 * turn]).collect();
    let odd = Odd::new(Kind::Turns(turns));
    let proxy = Proxy::with(&[&Hosted(&1u16, "app.internal")], OFTEN);
    proxy.no_farewell();
    eventually("many answers came", || odd.asked() > 25);
    let before = proxy.said("backend A@");
    proxy.process.signal(Signal::USR2);
    eventually("it says how all stand", || proxy.said("backend A@") >= before + 4);
    assert!(proxy.said("backend A@") - before <= 6, "those of two answers");
}

/// With addresses from DNS the balancer forgot who was ill with each answer, and half of the
/// requests went to an instance that its checks had found out. (Caddy 7036, 7037)
#[test]
fn who_is_ill_stays_so_whatever_answers_come() {
    if !has_dns("names::strangers::who_is_ill_stays_so_whatever_answers_come") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
    let two = super::living(2);
    let at = |last: u8| format!("127.0.0.{last}:{}", two.port());
    let ill = |wire: &mut crate::harness::Wire| {
        while wire.request().is_some() {
            if !wire.offer("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n") {
                return;
            }
        }
    };
    let _ill = Backend::at_with(&at(3), ill).unwrap();
    let _four = Backend::at(&at(4)).unwrap();
    let settings = format!("{OFTEN}health.interval = \"50ms\"\nhealth.fall = 1");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    proxy.process.signal(Signal::USR2);
    proxy.process.said.wait("backend A@127.0.0.3: down: ");
    for all in [&["127.0.0.2", "127.0.0.3", "127.0.0.4"][..], &["127.0.0.2", "127.0.0.3"]] {
        dns.at(all);
        let well = all.len() - 1;
        eventually("the answer is followed", || served(&proxy).len() == well);
        assert!((0..10).all(|_| proxy.get("/").status() == 200));
    }
}

/// A container that was restarted had another address, and the proxy went on to the old one until
/// it was restarted too; worse where somebody else had that address. (open-nvr 256, sentry 4492,
/// dify 40448, NPMplus 2740)
#[test]
fn a_container_that_comes_back_elsewhere_while_another_has_its_address() {
    let test = "names::strangers::\
                a_container_that_comes_back_elsewhere_while_another_has_its_address";
    if !has_dns(test) {
        return;
    }
    let dns = Dns::new(&["127.0.0.2"]);
    let two = super::living(2);
    let port = two.port();
    let settings = format!("{OFTEN}health.interval = \"100ms\"");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    proxy.pardon("NO BACKEND IS UP");
    proxy.pardon("answering 503");
    drop(two);
    let other = Backend::at(&format!("127.0.0.2:{port}")).unwrap();
    let _again = Backend::at(&format!("127.0.0.3:{port}")).unwrap();
    dns.at(&["127.0.0.3"]);
    eventually("it serves where it is now", || served(&proxy) == ["A@127.0.0.3"]);
    let heard = other.requests().len();
    assert!((0..10).all(|_| proxy.get("/").status() == 200));
    assert_eq!(other.requests().len(), heard, "the other one has its address for itself");
    proxy.no_farewell();
}

/// While many balancers reloaded, one or the other lost its backends for a moment, as it asked anew
/// for what it had known. (HAProxy 1683) Or went by a file of the state before. (620, 1061)
#[test]
fn reloads_while_the_dns_server_is_silent_lose_nobody() {
    if !has_dns("names::strangers::reloads_while_the_dns_server_is_silent_lose_nobody") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
    let ([two, _three], _) = at_one_port([2, 3]);
    let place = Hosted(&two, "app.internal");
    let proxy = Proxy::with(&[&place], OFTEN);
    dns.signal(Signal::STOP);
    for length in 10..15 {
        let settings = format!("{OFTEN}queue.length = {length}");
        let line = proxy.reload(&[&place], &settings);
        assert!(line.contains("queue.length") && !line.contains("application"), "{line}");
        assert_eq!(served(&proxy).len(), 2);
    }
    dns.signal(Signal::CONT);
    assert_eq!(proxy.said("no more"), 0);
}

/// What an operator had taken out was in the same state as what DNS had: an answer brought it back.
/// (HAProxy 486)
#[cfg(feature = "admin")]
#[test]
fn what_dns_takes_and_what_an_operator_takes_are_not_the_same() {
    if !has_dns("names::strangers::what_dns_takes_and_what_an_operator_takes_are_not_the_same") {
        return;
    }
    let dns = Dns::new(&["127.0.0.2", "127.0.0.3"]);
    let ([two, _three], _) = at_one_port([2, 3]);
    let settings = format!("{OFTEN}admin.listen = \"127.0.0.1:9900\"");
    let proxy = Proxy::with(&[&Hosted(&two, "app.internal")], &settings);
    super::dns::set("A@127.0.0.2", "maint");
    dns.at(&[]);
    proxy.process.said.wait("backend A: app.internal does not resolve: ");
    dns.at(&["127.0.0.2", "127.0.0.3"]);
    proxy.process.said.wait("backend A: app.internal resolves again");
    assert_eq!(served(&proxy), ["A@127.0.0.3"]);
    super::dns::set("A@127.0.0.2", "ready");
    assert_eq!(served(&proxy).len(), 2);
}
