//! Where the access log leads: what cannot be opened is named with a remedy, what can be written is
//! written, and a pipe that nobody reads keeps nobody waiting.

use crate::harness::{Backend, Place, Process, Proxy, Scratch, Wire, eventually, timed};
use rustix::process::{Signal, geteuid};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A configuration in `scratch` that logs to `to`.
fn logging(scratch: &Scratch, backend: &dyn Place, to: &str) -> String {
    let text = format!(
        "server.listen = \"127.0.0.1:0\"\nhealth.interval = \"off\"\n\
         log.access = \"common\"\nlog.to = {to:?}\n\
         [[applications]]\nip = \"127.0.0.1\"\nport = {}\n",
        backend.port()
    );
    scratch.write("a.toml", text).to_str().unwrap().to_owned()
}

/// What it says when it cannot start so.
fn refusal(scratch: &Scratch, to: &str) -> String {
    let file = logging(scratch, &1u16, to);
    let (code, _, said) = Process::evenly(&["serve", "-c", &file], scratch.path()).finish();
    assert_eq!(code, Some(1), "{said}");
    said
}

/// Where it listens, once it does.
fn address(process: &Process) -> String {
    let line = process.said.wait("listening on ");
    line.split("listening on ").nth(1).unwrap().split(':').take(2).collect::<Vec<_>>().join(":")
}

fn ask(address: &str, target: &str) {
    let mut wire = Wire::connect(address.parse().unwrap());
    assert_eq!(wire.get(target).status(), 200);
}

/// Asks until so many lines wait to be read that others are dropped.
fn overflow(address: SocketAddr, process: &Process) {
    let mut client = Wire::connect(address);
    let long = "x".repeat(7000);
    for number in 0..4000 {
        assert_eq!(client.get(&format!("/{number}/{long}")).status(), 200);
        if number % 50 == 0 && process.said.count("lines dropped") > 0 {
            break;
        }
    }
    drop(client);
    process.said.wait("lines dropped");
}

fn make_pipe(scratch: &Scratch) -> String {
    let path = scratch.path().join("log.fifo").to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn a_log_that_cannot_be_opened_is_named_with_its_key_and_a_remedy() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("file"), "").unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let mut cases = vec![
        (
            at("missing/access.log"),
            "No such file or directory",
            "create its folder, or name another",
        ),
        (at("folder"), "Is a directory", "name a file in it"),
        (at("file/access.log"), "Not a directory", "a part of its path is a file"),
        (at("socket"), "No such device or address", "name a file or a pipe"),
        ("/proc/access.log".to_owned(), "", "; "),
    ];
    if !geteuid().is_root() {
        fs::set_permissions(at("file"), fs::Permissions::from_mode(0o400)).unwrap();
        cases.push((at("file"), "Permission denied", "let the user that runs evenly write there"));
    }
    for (path, error, remedy) in cases {
        let said = refusal(&scratch, &path);
        let begin = format!("a.toml:4:10: log.to: cannot open the log {path}: ");
        assert!(said.contains(&begin) && said.contains(error) && said.contains(remedy), "{said}");
    }
}

#[test]
fn what_the_process_was_started_with_is_written_whatever_it_is() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let link = scratch.path().join("access.log");
    symlink("/dev/stdout", &link).unwrap();
    for to in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", link.to_str().unwrap()] {
        let file = logging(&scratch, &backend, to);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
        command.args(["serve", "-c", &file]);
        let theirs = OwnedFd::from(theirs);
        let mut process = Process::between(&mut command, scratch.path(), Stdio::null(), theirs);
        drop(command); // with its copy of the socket
        ask(&address(&process), "/socket");
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0));
        let mut text = String::new();
        BufReader::new(ours).read_line(&mut text).unwrap();
        assert!(text.contains("\"GET /socket HTTP/1.1\" 200"), "{to}: {text}");
    }
}

#[test]
fn a_descriptor_that_a_shell_gave_is_written_by_its_number() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    // A socket as number 5: its path cannot be opened.
    let file = logging(&scratch, &backend, "/dev/fd/5");
    let mut command = Command::new("sh");
    let script = "exec 5>&1 >/dev/null; exec \"$0\" serve -c \"$1\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_evenly"), &file]);
    let theirs = OwnedFd::from(theirs);
    let process = Process::between(&mut command, scratch.path(), Stdio::null(), theirs);
    drop(command);
    ask(&address(&process), "/five");
    let mut text = String::new();
    BufReader::new(ours).read_line(&mut text).unwrap();
    assert!(text.contains("GET /five"), "{text}");
}

#[test]
fn a_pipe_without_a_reader_delays_nothing_and_gives_its_lines_to_whoever_comes() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let pipe = make_pipe(&scratch);
    let file = logging(&scratch, &backend, &pipe);
    let mut process = Process::evenly(&["serve", "-c", &file], scratch.path());
    let address = address(&process);
    for target in ["/first", "/second"] {
        ask(&address, target);
        let mut lines = BufReader::new(File::open(&pipe).unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.contains(target), "{line}");
        drop(lines); // the reader leaves; another comes
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_pipe_that_stays_unread_drops_lines_counts_them_and_can_be_opened_anew() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let pipe = make_pipe(&scratch);
    let settings = format!("log.access = \"json\"\nlog.to = {pipe:?}");
    let proxy = Proxy::with(&[&backend], &settings);
    proxy.pardon("lines lost");
    overflow(proxy.address, &proxy.process);
    // The writer waits for a reader all the while. A file takes the pipe's place.
    fs::rename(&pipe, format!("{pipe}.old")).unwrap();
    proxy.process.signal(Signal::USR1);
    proxy.process.said.wait("reopened");
    proxy.get("/last");
    eventually("lines go on", || fs::read_to_string(&pipe).is_ok_and(|it| it.contains("/last")));
}

#[test]
fn a_signal_ends_it_whoever_reads_its_pipe() {
    let scratch = Scratch::new();
    let pipe = make_pipe(&scratch);
    let file = logging(&scratch, &1u16, &pipe);
    let mut process = Process::evenly(&["serve", "-c", &file], scratch.path());
    address(&process);
    let (status, took) = timed(|| {
        process.signal(Signal::TERM);
        process.wait()
    });
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_reader_that_is_stuck_keeps_neither_the_end_waiting_nor_the_last_words() {
    let backend = Backend::plain();
    let scratch = Scratch::new();
    let file = logging(&scratch, &backend, "stdout");
    let (unread, output) = std::io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
    command.args(["serve", "-c", &file]);
    let mut process = Process::between(&mut command, scratch.path(), Stdio::null(), output);
    drop(command);
    // From then on the writer is in a write that does not return.
    overflow(address(&process).parse().unwrap(), &process);
    let (status, took) = timed(|| {
        process.signal(Signal::TERM);
        process.wait()
    });
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(process.said.complete().iter().filter(|it| it.ends_with(" stopped")).count(), 1);
    drop(unread);
}
