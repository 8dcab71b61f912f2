//! What we have run out of is no backend's fault: law 10.

use crate::harness::{Backend, Overrun, Place, Proxy, has_few_ports};
use rustix::process::Signal;

#[test]
fn where_no_port_is_left_to_one_backend_the_others_answer_and_nobody_is_blamed() {
    if !has_few_ports(
        "shortage::where_no_port_is_left_to_one_backend_the_others_answer_and_nobody_is_blamed",
    ) {
        return;
    }
    let (mut overrun, good) = (Overrun::new(), Backend::plain());
    let proxy = Proxy::over(&[&overrun.address().port(), &good]);
    overrun.take_all_ports();
    let mut client = proxy.connect();
    let post = "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "GET / 0\n");
        // Nothing was sent, so any method may go elsewhere.
        assert_eq!(client.ask(post).text(), "POST /p 5\n");
    }
    drop(client);
    let line = proxy.process.said.wait("backend A: no way there");
    assert!(line.contains("Cannot assign requested address"), "{line}");
    proxy.process.signal(Signal::USR2);
    let line = proxy.process.said.wait("backend A: up, 0 in use, ");
    assert!(line.contains(" 0 failures"), "{line}");
    assert_eq!(proxy.said("ejected"), 0);
}

#[test]
fn where_no_port_is_left_it_is_no_try_and_the_one_that_is_free_is_found() {
    if !has_few_ports(
        "shortage::where_no_port_is_left_it_is_no_try_and_the_one_that_is_free_is_found",
    ) {
        return;
    }
    let mut overrun = [(); 4].map(|()| Overrun::new());
    let ports = overrun.each_ref().map(|one| one.address().port());
    let good = Backend::plain();
    let places: Vec<&dyn Place> = ports.iter().map(|port| port as &dyn Place).collect();
    let places = [places, vec![&good]].concat();
    let proxies = [2, 0].map(|tries| Proxy::with(&places, &format!("retry.attempts = {tries}")));
    overrun.iter_mut().for_each(Overrun::take_all_ports);
    for proxy in proxies {
        let mut client = proxy.connect();
        (0..10).for_each(|_| assert_eq!(client.get("/").text(), "GET / 0\n"));
        assert_eq!(proxy.said(" ERROR "), 0);
    }
}

#[test]
fn where_no_port_is_left_to_any_backend_the_answer_names_our_own_shortage() {
    if !has_few_ports(
        "shortage::where_no_port_is_left_to_any_backend_the_answer_names_our_own_shortage",
    ) {
        return;
    }
    let mut overrun = [Overrun::new(), Overrun::new()];
    let ports = overrun.each_ref().map(|one| one.address().port());
    let proxy = Proxy::over(&[&ports[0], &ports[1]]);
    proxy.pardon("connecting to a backend");
    proxy.farewell(503);
    overrun.iter_mut().for_each(Overrun::take_all_ports);
    let answer = proxy.get("/");
    assert_eq!((answer.status(), answer.field("retry-after")), (503, Some("1")));
    assert!(answer.text().contains("the load balancer is out of resources"), "{}", answer.text());
    proxy.process.said.wait("connecting to a backend: Cannot assign requested address");
    assert_eq!(proxy.said("ejected"), 0);
}
