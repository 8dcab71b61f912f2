//! What whoever runs the container may rely on.

use crate::container::{ADDRESS, Container, Start, may_contain};
use crate::harness::{Backend, Gate, Place, Scratch, eventually};
use rustix::process::Signal;
use std::net::{TcpStream, UdpSocket};
use std::thread;

/// A folder with the file of one application, and more.
pub fn configured(port: u16, settings: &str) -> Scratch {
    let scratch = Scratch::new();
    write(&scratch, port, settings);
    scratch
}

fn write(scratch: &Scratch, port: u16, settings: &str) {
    let application =
        format!("[[applications]]\nname = \"A\"\nip = \"127.0.0.1\"\nport = {port}\n");
    scratch.write("applications.toml", format!("{settings}\n{application}"));
}

#[test]
fn it_serves_as_nobody_with_nothing_that_may_be_written() {
    if !may_contain("duties::it_serves_as_nobody_with_nothing_that_may_be_written") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "");
    let container = Container::serving(&folder);
    assert_eq!(container.client().get("/hello").status(), 200);
    assert_eq!(container.status("NSpid").split_whitespace().last(), Some("1"));
    let nobody = ["65534"; 4].join("\t");
    let rights = [container.status("Uid"), container.status("Gid"), container.status("Groups")];
    assert_eq!(rights, [nobody.clone(), nobody, String::new()]);
    assert_eq!(container.status("CapEff"), "0".repeat(16));
    let said = container.process.said.all().join("\n");
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    assert!(said.contains("admin endpoint at /run/evenly/evenly-8080.sock"), "{said}");
}

#[test]
fn the_health_check_is_0_while_clients_are_served_and_1_if_not() {
    if !may_contain("duties::the_health_check_is_0_while_clients_are_served_and_1_if_not") {
        return;
    }
    let gate = Gate::new();
    let backend = Backend::holding(&gate);
    let settings = "health.interval = \"off\"\ntimeouts.lame_duck = \"20s\"";
    let folder = configured(backend.port(), settings);
    let mut container = Container::serving(&folder);
    assert_eq!(container.health(), (Some(0), String::new()));
    // Also while the application is not well: that is not for the balancer to be restarted for.
    assert_eq!(container.exec(&["/evenly", "drain", "A", "--force"]).0, Some(0));
    assert_eq!(container.health().0, Some(0));
    container.stop();
    container.process.said.wait("not ready");
    let (code, said) = container.health();
    assert_eq!(code, Some(1), "{said}");
    container.signal(Signal::TERM);
    gate.open();
    assert_eq!(container.wait().code(), Some(0));
}

#[test]
fn one_that_has_not_begun_to_serve_is_not_well() {
    if !may_contain("duties::one_that_has_not_begun_to_serve_is_not_well") {
        return;
    }
    // A name that nobody answers for is waited for.
    let _silent = UdpSocket::bind("127.0.0.11:53").unwrap();
    let folder = Scratch::new();
    folder.write("applications.toml", "[[applications]]\nip = \"app\"\nport = 80\n");
    let docker = Some("nameserver 127.0.0.11\\noptions ndots:0\\n");
    let start = Start { resolv_conf: docker, ..Start::with(folder.path()) };
    let mut container = start.begin();
    eventually("it is there", || container.status("Name") == "evenly");
    let (code, said) = container.health();
    let is_early = container.process.said.count("listening on ") == 0;
    assert!(!is_early || code == Some(1), "{code:?} {said}");
    // It hears the end in the midst of it.
    container.stop();
    assert_eq!(container.wait().code(), Some(0));
}

#[test]
fn the_stop_signal_has_requests_finished_and_the_end_is_good() {
    if !may_contain("duties::the_stop_signal_has_requests_finished_and_the_end_is_good") {
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let gate = Gate::new();
        let backend = Backend::holding(&gate);
        let folder = configured(backend.port(), "health.interval = \"off\"");
        let mut container = Container::serving(&folder);
        let mut client = container.client();
        client.send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n");
        backend.wait_requests(1);
        container.signal(signal);
        eventually("the listener closes", || TcpStream::connect(ADDRESS).is_err());
        gate.open();
        assert_eq!(client.answer().status(), 200);
        assert_eq!(container.wait().code(), Some(0));
    }
}

#[test]
fn hup_and_a_command_have_the_file_read_again() {
    if !may_contain("duties::hup_and_a_command_have_the_file_read_again") {
        return;
    }
    let (before, after) = (Backend::answering(201), Backend::answering(202));
    let folder = configured(before.port(), "health.interval = \"off\"");
    let container = Container::serving(&folder);
    assert_eq!(container.client().get("/").status(), 201);
    write(&folder, after.port(), "health.interval = \"off\"");
    container.signal(Signal::HUP);
    container.process.said.wait("reloaded: ");
    assert_eq!(container.client().get("/").status(), 202);
    write(&folder, before.port(), "health.interval = \"off\"");
    let (code, said) = container.exec(&["/evenly", "reload"]);
    assert!(code == Some(0) && said.contains("application A"), "{code:?} {said}");
    assert_eq!(container.client().get("/").status(), 201);
}

#[test]
fn the_other_signals_are_heard_and_end_nothing() {
    if !may_contain("duties::the_other_signals_are_heard_and_end_nothing") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "log.access = \"json\"");
    let container = Container::serving(&folder);
    container.signal(Signal::USR1);
    container.signal(Signal::USR2);
    container.process.said.wait("not upgraded, this process serves on: this is process 1");
    let (code, said) = container.exec(&["/evenly", "upgrade"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("start another container instead"), "{said}");
    assert_eq!(container.client().get("/logged").status(), 200);
    // The log is the container's, as it is written.
    container.process.printed.wait("/logged");
}

#[test]
fn names_are_found_by_the_engines_resolver() {
    if !may_contain("duties::names_are_found_by_the_engines_resolver") {
        return;
    }
    let resolver = UdpSocket::bind("127.0.0.11:53").unwrap();
    thread::spawn(move || answer_names(&resolver));
    let backend = Backend::plain();
    let folder = Scratch::new();
    let application = format!("[[applications]]\nip = \"app\"\nport = {}\n", backend.port());
    folder.write("applications.toml", application);
    let docker = Some("nameserver 127.0.0.11\\noptions ndots:0\\n");
    let start = Start { resolv_conf: docker, ..Start::with(folder.path()) };
    let container = start.begin();
    container.process.said.wait("listening on ");
    assert_eq!(container.client().get("/").status(), 200);
}

/// As Docker's resolver does: an address of version 4, and of version 6 that there is none.
fn answer_names(resolver: &UdpSocket) {
    let mut question = [0; 512];
    while let Ok((length, client)) = resolver.recv_from(&mut question) {
        let name_and_type = &question[12..length];
        let name_end = 12 + name_and_type.iter().position(|byte| *byte == 0).unwrap() + 1;
        let is_a = question[name_end..name_end + 2] == [0, 1];
        let mut answer = question[..name_end + 4].to_vec();
        // An answer, without an error, with one question and none or one answer.
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
        if is_a {
            // The name of the question, type A, class IN, 600 s, four bytes.
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 2, 88, 0, 4, 127, 0, 0, 1]);
        }
        resolver.send_to(&answer, client).unwrap();
    }
}
