//! The start: what it waits for can be cut short, and what it lacks is said.

use crate::harness::{Backend, Process, Proxy, Scratch, eventually};
use rustix::process::Signal;
use std::process::Command;

fn said_within(command: &str, limit: &str, settings: &str) -> (Option<i32>, String) {
    let scratch = Scratch::new();
    let application = "[[applications]]\nip = \"127.0.0.1\"\nport = 1\n";
    let text = format!("server.listen = \"127.0.0.1:0\"\n{settings}\n{application}");
    let file = scratch.write("a.toml", text);
    let mut shell = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$0\" {command} -c \"$1\"");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_evenly")]).arg(file);
    let (code, _, said) = Process::start(&mut shell, scratch.path()).finish();
    (code, said)
}

#[test]
fn too_few_open_files_are_refused_with_how_many_are_needed() {
    for (limit, settings, needed) in [
        (
            "64",
            "",
            "at least 128 are needed: 64 for logs, checks and look-ups, and 2 for each of 32",
        ),
        ("127", "", "at least 128 are needed"),
        ("20", "server.max_connections = 1", "at least 66 are needed"),
    ] {
        for command in ["serve", "check"] {
            let (code, said) = said_within(command, &format!("-n {limit}"), settings);
            assert_eq!(code, Some(1), "{command}: {said}");
            let begin = format!("evenly: open files are limited to {limit}, and {needed}");
            assert!(said.starts_with(&begin), "{command}: {said}");
            assert!(said.contains("ulimit -n") && said.contains("LimitNOFILE="), "{said}");
        }
    }
}

#[test]
fn check_tells_how_many_clients_there_would_be_room_for() {
    let (code, said) = said_within("check", "-n 128", "");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("warning: max_connections lowered from 10000 to 64: "), "{said}");
}

#[test]
fn with_few_open_files_idle_clients_do_not_keep_others_out() {
    let backend = Backend::plain();
    let proxy = Proxy::within("ulimit -n 128", &[&backend], "");
    let line = proxy.process.said.wait("max_connections lowered from 10000 to 64: ");
    assert!(line.contains("open files are limited to 128, and 20064 are needed"), "{line}");
    let idle: Vec<_> = (0..40).map(|_| proxy.connect()).collect();
    let mut clients: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status(), 200);
    }
    drop(idle);
}

#[test]
fn a_soft_limit_below_the_hard_one_is_raised() {
    let backend = Backend::plain();
    let proxy = Proxy::within("ulimit -Sn 64", &[&backend], "server.max_connections = 300");
    assert_eq!(proxy.said("lowered"), 0);
    assert_eq!(proxy.process.limit_descriptors(Some(664)), Some(664));
}

#[test]
fn a_signal_ends_it_while_it_reads_a_file_that_never_ends() {
    let scratch = Scratch::new();
    let pipe = scratch.path().join("pipe.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for signal in [Signal::TERM, Signal::INT] {
        let arguments = ["serve", "-c", pipe.to_str().unwrap()];
        let mut process = Process::evenly(&arguments, scratch.path());
        let tasks = format!("/proc/{}/task", process.id());
        let threads = || std::fs::read_dir(&tasks).map_or(0, Iterator::count);
        eventually("it listens to signals", || threads() == 2);
        process.ends_at_once_on(signal);
    }
}

#[test]
fn a_port_in_use_is_named_by_the_demo_backend_with_a_remedy() {
    let taken = Backend::plain();
    let address = format!("127.0.0.1:{}", crate::harness::Place::port(&taken));
    let scratch = Scratch::new();
    let arguments = ["backend", "--listen", &address];
    let (code, _, said) = Process::evenly(&arguments, scratch.path()).finish();
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&format!("cannot listen on {address}: Address already in use")),
        "{said}"
    );
    assert!(said.contains("end the program that uses it"), "{said}");
}

#[test]
fn words_that_cannot_be_written_are_said_to_be_so() {
    let scratch = Scratch::new();
    for arguments in [&["--help"][..], &["--version"], &["bench", "--help"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        let input = std::process::Stdio::null();
        let mut process = Process::between(command.args(arguments), scratch.path(), input, full);
        let (code, said) = (process.wait().code(), process.said.complete().join("\n"));
        let expected = "evenly: cannot write to standard output: No space left on device";
        assert!(code == Some(1) && said.starts_with(expected), "{code:?} {said}");
    }
}
