//! Where the endpoint is, and what may be in its way.

use crate::harness::{Backend, Place, Process, Proxy, Scratch};
use crate::panel::{Panel, open};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Command;

const APPLICATION: &str = "[[applications]]\nip = \"127.0.0.1\"\nport = 1\n";

/// What comes of a start, or of `check`, with these settings, and this in the environment.
fn outcome(command: &str, variables: &str, settings: &str) -> (Option<i32>, String) {
    let scratch = Scratch::new();
    let text = format!("server.listen = \"127.0.0.1:0\"\n{settings}\n{APPLICATION}");
    let file = scratch.write("a.toml", text);
    let mut shell = Command::new("sh");
    let script = format!("unset EVENLY_ADMIN_SOCKET; {variables}\nexec \"$0\" {command} -c \"$1\"");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_evenly")]).arg(file);
    let (code, _, said) = Process::start(&mut shell, scratch.path()).finish();
    (code, said)
}

#[test]
fn the_socket_is_open_to_its_user_alone() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let metadata = fs::symlink_metadata(panel.socket()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
}

#[test]
fn whatever_the_umask_the_socket_is_open_to_its_user_alone() {
    let backend = Backend::plain();
    let panel = Panel::within("umask 0", &[&backend], "");
    let mode = fs::symlink_metadata(panel.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn by_default_it_is_in_the_runtime_directory_and_named_after_the_port() {
    let backend = Backend::plain();
    for variable in ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"] {
        let scratch = Scratch::new();
        let folder = scratch.path().display();
        let first = if variable == "RUNTIME_DIRECTORY" { ":/elsewhere" } else { "" };
        let variables = format!("unset EVENLY_ADMIN_SOCKET; export {variable}={folder}{first}");
        let proxy = Proxy::within(&variables, &[&backend], "");
        let path = scratch.path().join(format!("evenly-{}.sock", proxy.address.port()));
        let answer = open(&path).ask("GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answer.status(), 200, "{variable}");
    }
}

#[test]
fn check_tries_the_places_for_operators_and_takes_none() {
    let check = |settings: &str| outcome("check", "", settings);
    let (code, said) = check("admin.socket = \"./none/a.sock\"");
    let why = "a.toml:2:16: admin.socket: ./none/a.sock: its directory: No such file";
    assert!(code == Some(1) && said.contains(why), "{said}");
    let (code, said) = check("admin.socket = \"/dev/null\"");
    assert!(code == Some(1) && said.contains("there is something else at this path"), "{said}");
    let (code, said) = check("admin.socket = \"off\"\nadmin.listen = \"127.77.1.1:0\"");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let settings = format!(
        "admin.socket = \"off\"\nadmin.listen = \"192.0.2.1:80\"\nadmin.token = \"{}\"",
        "a".repeat(16)
    );
    let (code, said) = check(&settings);
    let why = "a.toml:3:16: admin.listen: cannot listen on 192.0.2.1:80: ";
    assert!(code == Some(1) && said.contains(why), "{said}");

    let scratch = Scratch::new();
    let path = scratch.path().join("a.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let at = format!("admin.socket = \"{}\"", path.display());
    let (code, said) = check(&at);
    let why = format!("a.toml:2:16: admin.socket: {} is in use; if not by", path.display());
    assert!(code == Some(0) && said.contains(&why), "{said}");
    drop(listener);
    assert_eq!(check(&at), (Some(0), String::new()), "nobody has it");
    assert!(path.exists(), "and it was left");

    let backend = Backend::plain();
    let taken = format!("127.0.0.1:{}", backend.port());
    let (code, said) = check(&format!("admin.socket = \"off\"\nadmin.listen = \"{taken}\""));
    let why = format!("a.toml:3:16: admin.listen: {taken} is in use; if not by");
    assert!(code == Some(0) && said.contains(&why), "{said}");
}

#[test]
fn check_beside_its_own_balancer_finds_nothing_in_its_way() {
    let backend = Backend::plain();
    let panel = Panel::over(&[&backend]);
    let (listen, admin) = (panel.proxy.address, panel.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
    command.args(["check", "--set", &format!("server.listen={listen}")]);
    command.args(["--set", &format!("admin.listen={admin}"), "--set", "admin.socket=./admin.sock"]);
    let (code, printed, said) = Process::start(&mut command, panel.proxy.scratch.path()).finish();
    assert_eq!((code, said.as_str()), (Some(0), ""), "{printed}");
    assert!(printed.contains("where its balancer serves already"), "{printed}");
}

#[test]
fn a_dead_socket_is_replaced_and_a_live_one_is_left_alone() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let path = scratch.path().join("a.sock");
    drop(UnixListener::bind(&path).unwrap());
    let variables = format!("export EVENLY_ADMIN_SOCKET={}", path.display());
    let proxy = Proxy::within(&variables, &[&backend], "");
    let ask = || open(&path).ask("GET /live HTTP/1.1\r\nHost: a\r\n\r\n").status();
    assert_eq!(ask(), 200);
    let settings = format!("admin.socket = \"{}\"", path.display());
    let (code, said) = outcome("serve", "", &settings);
    assert!(code == Some(1) && said.contains("a.toml:2:16: admin.socket: "), "{said}");
    assert!(
        said.contains("a balancer that runs has it; end that one, or choose another"),
        "{said}"
    );
    assert_eq!(ask(), 200, "the first one still has it");
    drop(proxy);
    assert!(!path.exists());
}

#[test]
fn what_is_in_the_way_is_never_removed_and_said() {
    let scratch = Scratch::new();
    let file = scratch.write("precious", "text");
    let cases = [
        (file.display().to_string(), "there is something else at this path"),
        (format!("{}/missing/a.sock", scratch.path().display()), "its directory: No such file"),
        (format!("/tmp/{}", "x".repeat(120)), "too long a path for a socket; 107 are possible"),
    ];
    for (path, remedy) in cases {
        let (code, said) = outcome("serve", "", &format!("admin.socket = \"{path}\""));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(remedy), "{said}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "text");
}

#[test]
fn one_that_everybody_could_use_is_refused_at_the_start_and_by_check() {
    for command in ["serve", "check"] {
        let (code, said) = outcome(command, "", "admin.listen = \"0.0.0.0:0\"");
        assert_ne!(code, Some(0), "{command}");
        assert!(said.contains("can be reached from elsewhere: set a token"), "{command}: {said}");
    }
}

#[test]
fn where_there_is_no_directory_for_it_that_is_said_and_clients_are_served() {
    let backend = Backend::plain();
    let proxy = Proxy::within(
        "unset EVENLY_ADMIN_SOCKET; export XDG_RUNTIME_DIR=/nowhere/at/all",
        &[&backend],
        "",
    );
    proxy.process.said.wait("no admin socket; set [admin] socket to a path, or to \"off\"");
    assert_eq!(proxy.get("/").status(), 200);
}
