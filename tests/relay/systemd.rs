//! What systemd hears of the process: a socket of the test's own stands for it.

use crate::harness::{Backend, DEADLINE, Proxy, Scratch, eventually};
use std::io::ErrorKind;
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

/// What listens at NOTIFY_SOCKET.
struct Systemd {
    socket: UnixDatagram,
    /// As the variable has it.
    name: String,
    /// Of the socket's file.
    _scratch: Scratch,
}

impl Systemd {
    fn at_a_path() -> Self {
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        Self::of(UnixDatagram::bind(&path).unwrap(), path.display().to_string(), scratch)
    }

    fn at_an_abstract_name() -> Self {
        let scratch = Scratch::new();
        let name = format!("{}/notify", scratch.path().display());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::of(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"), scratch)
    }

    fn of(socket: UnixDatagram, name: String, scratch: Scratch) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { socket, name, _scratch: scratch }
    }

    /// The variables of a service of `Type=notify`, and others, for a shell to export.
    fn variables(&self, more: &str) -> String {
        format!("export NOTIFY_SOCKET={} {more}", self.name)
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut message = [0; 4096];
        let length = loop {
            match self.socket.recv(&mut message) {
                // A wait that may end in time is not begun anew by the system (signal(7)).
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                length => break length.expect("a message in time"),
            }
        };
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The next message with this in it.
    fn hear_of(&self, what: &str) -> String {
        loop {
            let message = self.hear();
            if message.contains(what) {
                return message;
            }
        }
    }
}

/// Checked often, and believed at once.
const CHECKED: &str = "health.interval = \"20ms\"\nhealth.rise = 1\nhealth.fall = 1\n";

#[test]
fn systemd_hears_of_readiness_after_the_first_checks_and_of_the_end() {
    for systemd in [Systemd::at_a_path(), Systemd::at_an_abstract_name()] {
        let backend = Backend::plain();
        let settings = format!("{CHECKED}timeouts.drain = \"3s\"\ntimeouts.lame_duck = \"1s\"");
        let mut proxy = Proxy::within(&systemd.variables(""), &[&backend], &settings);
        assert_eq!(systemd.hear(), "READY=1");
        assert!(backend.visits() > 0, "it was checked before");
        assert_eq!(systemd.hear(), "STATUS=1 of 1 applications up");
        proxy.terminate();
        // Lame duck and drain, and a little for what comes after.
        assert!(systemd.hear_of("STOPPING=1").contains("\nEXTEND_TIMEOUT_USEC=9000000\n"));
        assert_eq!(proxy.exit_code(), Some(0));
    }
}

#[test]
fn the_status_says_when_an_application_falls_and_rises() {
    let systemd = Systemd::at_a_path();
    let [good, bad] = [Backend::plain(), Backend::plain()];
    let proxy = Proxy::within(&systemd.variables(""), &[&good, &bad], CHECKED);
    systemd.hear_of("STATUS=2 of 2 applications up");
    let _vacant = bad.go_down();
    systemd.hear_of("STATUS=1 of 2 applications up");
    drop(proxy);
}

#[test]
fn the_watchdog_is_fed_at_half_its_time_while_clients_are_served() {
    let systemd = Systemd::at_a_path();
    let backend = Backend::plain();
    let variables = systemd.variables("WATCHDOG_USEC=200000 WATCHDOG_PID=$$");
    let proxy = Proxy::within(&variables, &[&backend], "");
    for _ in 0..20 {
        systemd.hear_of("WATCHDOG=1");
        assert_eq!(proxy.get("/").status(), 200);
    }
}

#[test]
fn a_watchdog_that_waits_for_another_process_is_not_fed() {
    let systemd = Systemd::at_a_path();
    let backend = Backend::plain();
    let variables = systemd.variables("WATCHDOG_USEC=20000 WATCHDOG_PID=1");
    let mut proxy = Proxy::within(&variables, &[&backend], "");
    systemd.hear_of("STATUS=");
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
    systemd.socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut left = Vec::new();
    let mut message = [0; 4096];
    while let Ok(length) = systemd.socket.recv(&mut message) {
        left.push(String::from_utf8_lossy(&message[..length]).into_owned());
    }
    assert!(left.iter().all(|message| !message.contains("WATCHDOG=")), "{left:?}");
}

#[test]
fn a_socket_that_nobody_listens_at_keeps_nobody_from_being_served() {
    for name in ["/nowhere/notify", "@nobody-is-here", "", "vsock:2:1234"] {
        let backend = Backend::plain();
        let variables = format!("export NOTIFY_SOCKET={name} WATCHDOG_USEC=0");
        let proxy = Proxy::within(&variables, &[&backend], "");
        eventually("it serves", || proxy.get("/").status() == 200);
    }
}

#[test]
fn the_unit_has_the_rights_that_it_needs_and_hardly_any_other() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/evenly.service");
    let mut command = Command::new("systemd-analyze");
    // The threshold is in tenths: 2.0.
    command.args(["security", "--offline=true", "--threshold=20", "--no-pager", unit]);
    let Ok(judged) = command.output() else {
        let _ = writeln!(std::io::stderr(), "skipped: there is no systemd-analyze here");
        return;
    };
    let report = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{report}");
}
