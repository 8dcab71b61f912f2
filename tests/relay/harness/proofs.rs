//! Backends behind TLS: those that prove who they are, and those that cannot.

use super::{Backend, Certs, Leaf, Pem, Proving, Wire, serve};

/// A backend that proves this on each connection and then follows `script`, which is told how many
/// came before.
pub fn proving(
    proving: Proving,
    script: impl Fn(usize, &mut Wire) + Send + Sync + 'static,
) -> Backend {
    Backend::scripted(move |visit, wire| {
        wire.secure(proving.accepted());
        if wire.handshake().is_ok() {
            script(visit, wire);
        }
    })
}

/// A good server that proves to be `leaf`.
pub fn showing(leaf: &Pem) -> Backend {
    proving(Proving::with(leaf), |_, wire| serve(wire))
}

/// The keys of an application whose authority is that of `certs`.
pub fn trusting(certs: &Certs) -> String {
    format!("tls = true\ntls_ca = {:?}\n", certs.ca)
}

/// The keys that show it this as well.
pub fn shown(own: &Pem) -> String {
    format!("tls_certificate = {:?}\ntls_key = {:?}\n", own.0, own.1)
}

/// A certificate for this name, and for no address.
pub fn only_for(certs: &Certs, name: &str) -> Pem {
    certs.leaf_of(name, &Leaf { names: &format!("DNS:{name}"), ..Leaf::default() })
}

/// Backends that are not to be believed, and what is to be said of each.
pub fn impostors(certs: &Certs, others: &Certs) -> Vec<(&'static str, Pem)> {
    let dated = |file, days| certs.leaf_of(file, &Leaf { days, ..Leaf::default() });
    vec![
        ("signed by nobody who is trusted", others.leaf("localhost")),
        ("for another name", only_for(certs, "other.test")),
        ("has expired", dated("old", (-60, -30))),
        ("not valid", dated("early", (30, 60))),
    ]
}
