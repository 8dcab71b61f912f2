//! Which balancer is asked, and what is said where there is none.

use crate::harness::{Backend, Process, Proxy, free_port};
use crate::{House, alone, failed, fine};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A balancer whose socket is where it is by default, in the house's directory.
fn by_default(house: &House, backend: &Backend) -> Proxy {
    let runtime = house.runtime();
    let limits = format!("export EVENLY_ADMIN_SOCKET=auto XDG_RUNTIME_DIR={}", runtime.display());
    Proxy::within(&limits, &[backend], "")
}

/// A command that has only the house to look in.
fn run(house: &House, line: &str) -> crate::Ended {
    let mut command = alone();
    command.args(line.split_whitespace()).env("EVENLY_ADMIN_SOCKET", "auto");
    Process::start(command.env("XDG_RUNTIME_DIR", house.runtime()), house.scratch.path()).finish()
}

#[test]
fn where_none_runs_each_socket_that_was_tried_is_named() {
    let house = House::new();
    let said = failed(house.ask("none", "status"));
    let expected =
        format!("evenly: no balancer answers at {} (no such file)", house.socket("none"));
    assert!(said.starts_with(&expected) && said.contains("evenly serve"), "{said}");
    let said = failed(run(&house, "drain A"));
    let expected = format!(
        "evenly: no balancer answers at {} (no such file)",
        house.socket("evenly-8080.sock")
    );
    assert!(said.starts_with(&expected), "{said}");
    let remedy = "and there is no applications.toml here; name the file of one with -c FILE, or \
                  its socket with --socket, or start one with evenly serve";
    assert!(said.ends_with(remedy), "{said}");
}

#[test]
fn the_only_one_that_runs_is_asked_and_of_two_the_one_of_the_file() {
    let house = House::new();
    let backend = Backend::plain();
    let first = by_default(&house, &backend);
    let (code, printed, said) = run(&house, "status");
    let socket = house.socket(&format!("evenly-{}.sock", first.address.port()));
    assert_eq!(
        (code, said),
        (Some(0), format!("warning: asking the balancer at {socket}, the only one that runs here"))
    );
    assert!(printed.starts_with("1 of 1 up"), "{printed}");
    let second = by_default(&house, &backend);
    let other = house.socket(&format!("evenly-{}.sock", second.address.port()));
    let said = failed(run(&house, "status"));
    assert!(said.contains(&socket) && said.contains(&other), "{said}");
    let printed = fine(run(&house, &format!("status -c {}", with_its_port(&second).display())));
    assert!(printed.contains(&format!("pid {}", second.process.id())), "{printed}");
}

/// Its own file, which says now which port it is.
fn with_its_port(proxy: &Proxy) -> PathBuf {
    let file = proxy.scratch.path().join("applications.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("127.0.0.1:0", &proxy.address.to_string())).unwrap();
    file
}

#[test]
fn one_that_serves_by_another_file_is_shown_with_a_warning_and_never_steered() {
    let (house, backend) = (House::new(), Backend::plain());
    let other = by_default(&house, &backend);
    let (file, pid) = (with_its_port(&other), other.process.id());
    let own = house.scratch.path().join("applications.toml");
    fs::copy(&file, &own).unwrap();
    let socket = house.socket(&format!("evenly-{}.sock", other.address.port()));
    let whose = format!(
        "the balancer at {socket} is process {pid}, which serves by {0}, not by {1}; ask it with \
         -c {0}, or give {1} another [server] listen",
        file.display(),
        fs::canonicalize(&own).unwrap().display()
    );
    for line in ["reload", "diff", "upgrade", "drain A --force", "pause", "resume"] {
        assert_eq!(failed(run(&house, line)), format!("evenly: {whose}"), "{line}");
    }
    for line in ["status", "why A", "timeline"] {
        let (code, printed, said) = run(&house, line);
        assert_eq!((code, said), (Some(0), format!("warning: {whose}")), "{printed}");
    }
    let (code, printed, said) = run(&house, "check");
    let warned = format!(
        "applications.toml:1:17: server.listen: {} is in use by process {pid}, which serves by {}; \
         choose another",
        other.address,
        file.display()
    );
    assert!(code == Some(0) && !printed.contains("serves already"), "{printed}");
    assert!(said.contains(&warned), "{said}");
    // Whoever names it means it, and so does whoever has another path to its file.
    fine(run(&house, &format!("diff --socket {socket}")));
    fine(run(&house, "healthcheck"));
    let link = house.scratch.path().join("link.toml");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    fine(run(&house, "diff -c link.toml"));
    // Its own is found beside the other, wherever it listens by now.
    let mine = by_default(&house, &backend);
    let (file, text) = (mine.scratch.path().join("applications.toml"), fs::read(&own).unwrap());
    fs::write(&file, text).unwrap();
    let printed = fine(run(&house, &format!("status -c {}", file.display())));
    assert!(printed.contains(&format!("pid {}", mine.process.id())), "{printed}");
}

#[test]
fn where_there_is_no_file_variables_say_whom_to_ask() {
    let (house, backend) = (House::new(), Backend::plain());
    let _other = by_default(&house, &backend);
    let proxy = house.balancer("own", &[&backend], "");
    let ask = |socket: &str| {
        let mut command = alone();
        command.arg("status").env("EVENLY_ADMIN_SOCKET", house.socket(socket));
        command.env("XDG_RUNTIME_DIR", house.runtime());
        Process::start(&mut command, house.scratch.path()).finish()
    };
    let printed = fine(ask("own"));
    assert!(printed.contains(&format!("pid {}", proxy.process.id())), "{printed}");
    let said = failed(ask("none"));
    let expected = format!("evenly: no balancer answers at {}", house.socket("none"));
    assert!(said.starts_with(&expected), "nobody else is asked: {said}");
}

#[test]
fn a_file_that_was_changed_or_spoilt_still_finds_its_own_balancer_and_no_other() {
    let house = House::new();
    let backend = Backend::plain();
    let (first, other) = (by_default(&house, &backend), by_default(&house, &backend));
    // Where one is whose file says nothing of a port.
    let _stranger = house.balancer("evenly-8080.sock", &[&backend], "");
    let file = first.scratch.path().join("applications.toml");
    let text = fs::read_to_string(&file).unwrap();
    let status = format!("status -c {}", file.display());
    for text in [text.replace("127.0.0.1:0", "127.0.0.1:7"), "nonsense".to_owned()] {
        fs::write(&file, text).unwrap();
        let printed = fine(run(&house, &status));
        assert!(printed.contains(&format!("pid {}", first.process.id())), "{printed}");
    }
    // As a mounted configuration is: a link to the one that counts.
    let target = file.with_file_name("mounted.toml");
    fs::rename(&file, &target).unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    let printed = fine(run(&house, &status));
    assert!(printed.contains(&format!("pid {}", first.process.id())), "{printed}");
    house.scratch.write("spoilt.toml", "nonsense");
    let said = failed(run(&house, "drain A -c spoilt.toml"));
    assert!(said.contains("no balancer at the usual places was started with it"), "{said}");
    // A file that none of them was started with is not taken for theirs.
    house.scratch.write("applications.toml", text);
    drop(other);
    let said = failed(run(&house, "drain A"));
    assert!(said.starts_with("evenly: no balancer answers at "), "{said}");
}

#[test]
fn the_socket_that_a_file_names_is_asked_though_the_file_has_a_slip_elsewhere() {
    let (house, backend) = (House::new(), Backend::plain());
    let settings = format!("admin.socket = \"{}\"", house.socket("own"));
    let proxy = Proxy::within("unset EVENLY_ADMIN_SOCKET", &[&backend], &settings);
    let file = proxy.scratch.path().join("applications.toml");
    let text = fs::read_to_string(&file).unwrap();
    // The harness sets a variable, which beats the file.
    let ask = |file: &Path| {
        let mut command = Command::new("sh");
        let script = "unset EVENLY_ADMIN_SOCKET; exec \"$0\" status -c \"$1\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_evenly")]).arg(file);
        Process::start(&mut command, &house.runtime()).finish()
    };
    for slip in ["[helth]\nfall = 1\n", "[server]\nlisten = 5\n", "[health\nfall = \n"] {
        fs::write(&file, format!("{text}\n{slip}")).unwrap();
        let printed = fine(ask(&file));
        assert!(printed.contains(&format!("pid {}", proxy.process.id())), "{slip}: {printed}");
    }
    let lost = format!("admin.socket = \"{}\"\n[helth]\n", house.socket("none"));
    let said = failed(ask(&house.scratch.write("lost.toml", lost)));
    let expected = format!("evenly: no balancer answers at {}", house.socket("none"));
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn an_address_in_the_network_is_asked_with_the_token_of_the_variable() {
    let (house, backend) = (House::new(), Backend::plain());
    let port = free_port();
    let token = "0123456789abcdef0123";
    let settings = format!("admin.listen = \"127.0.0.1:{port}\"\nadmin.token = \"{token}\"");
    let _proxy = house.balancer("s", &[&backend], &settings);
    let line = format!("status --url http://127.0.0.1:{port}");
    let said = failed(house.run(&line));
    let expected =
        format!("evenly: http://127.0.0.1:{port} wants its token; put it into EVENLY_ADMIN_TOKEN");
    assert_eq!(said, expected);
    let with = |token: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        command.args(line.split(' ')).env("EVENLY_ADMIN_TOKEN", token);
        Process::start(&mut command, &house.runtime()).finish()
    };
    let said = failed(with("0123456789abcdef0124"));
    assert!(said.contains(" was sent a token that is not its own; put that of its "), "{said}");
    fine(with(token));
}

#[test]
fn a_file_that_turns_the_socket_off_says_whom_to_ask_instead() {
    let house = House::new();
    let backend = Backend::plain();
    let port = crate::harness::Place::port(&backend);
    let table = format!("[[applications]]\nip = \"127.0.0.1\"\nport = {port}\n");
    house.scratch.write("applications.toml", format!("admin.socket = \"off\"\n{table}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
    let said = failed(Process::start(command.arg("status"), &house.runtime()).finish());
    assert!(said.contains("[admin] socket = \"off\""), "{said}");
}
