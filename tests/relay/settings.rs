//! The configuration through the program: a bad one starts nothing and says what to do.

use crate::harness::{Backend, Place, Process, Proxy, Scratch};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

/// Runs a command on this text and returns the exit code, stdout and stderr.
fn run(command: &str, text: &str) -> (Option<i32>, String, String) {
    let scratch = Scratch::new();
    scratch.write("applications.toml", text);
    Process::evenly(&[command, "-c", "applications.toml"], scratch.path()).finish()
}

const ONE: &str = "[[applications]]\nip = \"127.0.0.1\"\nport = \"8001\"\n";

#[test]
fn the_file_of_the_contract_is_enough() {
    let text = "[[applications]]\nalive = true\nip = \"127.0.0.1\"\nport = \"8001\"\n\
                tsl = false\n\n\
                [[applications]]\nalive = false\nip = \"127.0.0.1\"\nport = \"8002\"\n\
                tsl = false\n";
    let (code, printed, said) = run("check", text);
    assert_eq!(code, Some(0), "{said}");
    for part in ["127.0.0.1:8001", "8002", "round-robin", "/health", "\"4s\"", "\"16KiB\""] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
}

#[test]
fn what_check_prints_is_a_configuration_that_means_the_same() {
    let (_, printed, _) = run("check", ONE);
    let (code, again, said) = run("check", &printed);
    assert_eq!((code, again), (Some(0), printed), "{said}");
}

#[test]
fn a_secret_is_not_shown_and_a_file_of_it_that_others_may_read_is_told() {
    const SECRET: &str = "sticky.secret = \"nobody is to see this\"\n";
    let exposed = "everybody may read it (mode 0644), and it holds sticky.secret; chmod o=";
    for (secret, mode, warned) in
        [(SECRET, 0o644, true), (SECRET, 0o640, false), ("", 0o644, false)]
    {
        let scratch = Scratch::new();
        let file = scratch.write("applications.toml", format!("{secret}{ONE}"));
        set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let (code, printed, said) = Process::evenly(&["check"], scratch.path()).finish();
        assert_eq!((code, said.contains(exposed)), (Some(0), warned), "{said}");
        assert!(!printed.contains("nobody is to see") && !said.contains("nobody is to see"));
        let shown = if secret.is_empty() { "\"\"" } else { "\"(hidden)\"" };
        assert!(printed.contains(&format!("\nsecret = {shown}\n")), "{printed}");
    }
    let backend = Backend::plain();
    let proxy = Proxy::with(&[&backend], SECRET);
    let line = proxy.process.said.wait(" WARN ");
    assert!(line.contains("applications.toml: everybody may read it"), "{line}");
}

#[test]
fn each_mistake_is_refused_with_its_place_and_a_remedy() {
    let cases = [
        ("", "applications"),
        ("[server]\nlisen = \"127.0.0.1:0\"\n", "listen"),
        ("[sever]\n", "server"),
        ("[balance]\npolicy = \"round-robbin\"\n", "round-robin"),
        ("[timeouts]\nconnect = 3\n", "unit"),
        ("[timeouts]\nconnect = \"-3s\"\n", "connect"),
        ("[limits]\nhead_bytes = \"much\"\n", "head_bytes"),
        ("[server]\nworkers = \"two\"\n", "workers"),
        ("[server\n", ":1:"),
        ("[[applications]]\nip = \"127.0.0.1\"\nport = \"0\"\n", "port"),
        ("[[applications]]\nip = \"127.0.0.1\"\nport = \"80\"\ntls_ca = \"a.pem\"\n", "tls = true"),
        ("[[applications]]\nip = \"127.0.0.1\"\nport = \"8001\"\n", "8001"),
        ("[[applications]]\nip = \"127.0.0.1\"\n", "port"),
    ];
    for (text, part) in cases {
        let whole = if text.is_empty() { String::new() } else { format!("{text}{ONE}") };
        for command in ["check", "serve"] {
            let (code, printed, said) = run(command, &whole);
            assert_eq!((code, printed.as_str()), (Some(2), ""), "{text}: {said}");
            assert!(said.contains("applications.toml") && said.contains(part), "{text}: {said}");
            assert!(!said.contains("panicked") && !said.contains("listening"), "{text}: {said}");
        }
    }
}

#[test]
fn a_mistake_is_told_with_line_and_column() {
    let (_, _, said) = run("check", &format!("\n[server]\n  workerz = 2\n{ONE}"));
    assert!(said.starts_with("applications.toml:3:3: "), "{said}");
    assert!(said.contains("workers"), "{said}");
}

#[test]
fn a_missing_file_and_a_wrong_word_are_usage() {
    let scratch = Scratch::new();
    let lines: [&[&str]; 5] =
        [&[], &["serve"], &["check", "-c", "nowhere.toml"], &["sevre"], &["serve", "--colour"]];
    for arguments in lines {
        let (code, printed, said) = Process::evenly(arguments, scratch.path()).finish();
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{arguments:?}: {said}");
        assert!(!said.is_empty() && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn help_and_version_are_answered_on_stdout() {
    let scratch = Scratch::new();
    for (argument, part) in [("--help", "serve"), ("--version", "evenly ")] {
        let (code, printed, said) = Process::evenly(&[argument], scratch.path()).finish();
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert!(printed.contains(part), "{printed}");
    }
}

#[test]
fn evenly_alone_serves_the_file_in_the_working_directory_and_flags_beat_it() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let port = backend.port();
    let application = format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n");
    scratch
        .write("applications.toml", format!("[server]\nlisten = \"192.0.2.1:1\"\n{application}"));
    let arguments = ["--listen", "127.0.0.1:0", "--set", "health.interval=off"];
    let process = Process::evenly(&arguments, scratch.path());
    let line = process.said.wait("listening on 127.0.0.1:");
    let address = line
        .split("listening on ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .trim_end_matches(':');
    let mut client = crate::harness::Wire::connect(address.parse().unwrap());
    assert_eq!(client.get("/").text(), "GET / 0\n");
}
