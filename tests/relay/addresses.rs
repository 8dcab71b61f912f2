//! Backends and listeners that are not an IPv4 address.

use crate::harness::{Backend, Hosted, Proxy};

#[test]
fn a_backend_may_be_given_by_its_host_name() {
    // Bound by name, as Evenly resolves it: that may be ::1.
    let backend = Backend::at("localhost:0").unwrap();
    let proxy = Proxy::over(&[&Hosted(&backend, "localhost")]);
    assert_eq!(proxy.get("/name").status(), 200);
    assert_eq!(backend.requests()[0].target(), "/name");
}

#[test]
fn a_backend_and_the_listener_may_have_ipv6_addresses() {
    // Some containers have no IPv6 at all.
    let Some(backend) = Backend::at("[::1]:0") else { return };
    let proxy = Proxy::with(&[&Hosted(&backend, "::1")], "server.listen = \"[::1]:0\"");
    assert_eq!(proxy.get("/six").status(), 200);
    let request = &backend.requests()[0];
    assert_eq!(request.target(), "/six");
    assert_eq!(request.field("x-forwarded-for"), Some("::1"));
}
