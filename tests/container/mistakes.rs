//! What goes wrong on the first evening with a container, as people have reported it of others, and
//! what one is told then.

use crate::container::{Container, Start, may_contain};
use crate::duties::configured;
use crate::harness::{Backend, Place, Scratch, Wire};
#[cfg(feature = "lab")]
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// What a container says that does not start, and its exit code.
fn refused(folder: &Scratch) -> (Option<i32>, String) {
    let mut container = Start::with(folder.path()).begin();
    let code = container.wait().code();
    (code, container.process.said.complete().join("\n"))
}

#[test]
fn a_file_that_is_missing_or_not_for_this_user_is_named() {
    if !may_contain("mistakes::a_file_that_is_missing_or_not_for_this_user_is_named") {
        return;
    }
    let (missing, made, others) = (Scratch::new(), Scratch::new(), configured(1, ""));
    // The engine makes it, where it is to mount a file that is not there.
    fs::create_dir(made.path().join("applications.toml")).unwrap();
    fs::set_permissions(others.path().join("applications.toml"), Permissions::from_mode(0o600))
        .unwrap();
    for (folder, words) in [
        (missing, "applications.toml: no such file; name it with -c FILE"),
        (made, "applications.toml: is a directory; name the file in it (or, in a container, mount"),
        (others, "applications.toml: not readable by user 65534; check its permissions"),
    ] {
        let (code, said) = refused(&folder);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.starts_with(words), "{said}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn without_authorities_https_to_an_application_is_refused_with_what_to_set() {
    if !may_contain(
        "mistakes::without_authorities_https_to_an_application_is_refused_with_what_to_set",
    ) {
        return;
    }
    let folder = Scratch::new();
    let application = "[[applications]]\nip = \"127.0.0.1\"\nport = 443\ntls = true\n";
    folder.write("applications.toml", application);
    let (code, said) = refused(&folder);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("tls_ca: the system trusts nobody"), "{said}");
}

#[test]
fn no_user_has_a_name_in_there() {
    if !may_contain("mistakes::no_user_has_a_name_in_there") {
        return;
    }
    let (code, said) = refused(&configured(1, "server.user = \"nobody\""));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("no user in /etc/passwd; write one that is there, or a number"),
        "{said}"
    );
}

#[test]
fn where_nothing_may_be_written_it_serves_and_says_what_to_mount() {
    if !may_contain("mistakes::where_nothing_may_be_written_it_serves_and_says_what_to_mount") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "");
    let start = Start { is_socket_writable: false, ..Start::with(folder.path()) };
    let container = start.begin();
    container.process.said.wait("Read-only file system (os error 30); mount a tmpfs");
    container.process.said.wait("listening on ");
    assert_eq!(container.client().get("/").status(), 200);
    let (code, said) = container.health();
    assert_eq!(code, Some(1));
    assert!(said.contains("no balancer answers at /run/evenly/evenly-8080.sock"), "{said}");
}

#[test]
fn port_80_is_for_whoever_the_engine_lets() {
    if !may_contain("mistakes::port_80_is_for_whoever_the_engine_lets") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "server.listen = \"0.0.0.0:80\"");
    let (code, said) = refused(&folder);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ports below 1024 need CAP_NET_BIND_SERVICE"), "{said}");
    // As Docker does in each network that it makes.
    fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0").unwrap();
    let container = Container::serving(&folder);
    assert_eq!(Wire::connect(([127, 0, 0, 1], 80).into()).get("/").status(), 200);
    assert_eq!(container.health().0, Some(0));
}

#[cfg(feature = "lab")]
#[test]
fn another_command_as_process_1_can_be_interrupted() {
    if !may_contain("mistakes::another_command_as_process_1_can_be_interrupted") {
        return;
    }
    let folder = Scratch::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let command = ["backend", "--listen", "127.0.0.1:8080"].map(str::to_owned).to_vec();
        let mut container = Start { command, ..Start::with(folder.path()) }.begin();
        crate::harness::eventually("it serves", || {
            std::net::TcpStream::connect(crate::container::ADDRESS).is_ok()
        });
        container.signal(signal);
        assert_eq!(container.wait().code(), Some(code));
    }
}
