//! From root to another user. Only root can try that; for others these tests say that they skip it.

use crate::harness::{Backend, Process, Proxy, Scratch};
use rustix::process::Signal;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::process::Command;

/// Who is in no file.
const STRANGER: u32 = 31_007;

fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let _ = writeln!(std::io::stderr(), "{test}: skipped: only root becomes somebody else");
    }
    is_root
}

/// The rights of each thread: what /proc says of them, in a row.
fn rights(process: &Process) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    let of_one = |status: String| {
        let is_right = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default();
            ["Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapAmb"].contains(&name)
        };
        let words = status.lines().filter(is_right).flat_map(str::split_whitespace);
        words.collect::<Vec<_>>().join(" ")
    };
    let status = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).ok();
    threads.filter_map(|thread| status(thread.unwrap())).map(of_one).collect()
}

fn of(uid: u32, gid: u32) -> String {
    format!(
        "Uid: {uid} {uid} {uid} {uid} Gid: {gid} {gid} {gid} {gid} Groups: \
         CapPrm: 0000000000000000 CapEff: 0000000000000000 CapAmb: 0000000000000000"
    )
}

#[test]
fn every_thread_gives_up_what_root_may_do() {
    if !is_root("every_thread_gives_up_what_root_may_do") {
        return;
    }
    let number = format!("server.user = \"{STRANGER}\"\nserver.group = \"{}\"", STRANGER + 1);
    for (settings, rights_left) in
        [("server.user = \"nobody\"", of(65534, 65534)), (&number, of(STRANGER, STRANGER + 1))]
    {
        let backend = Backend::plain();
        let checked = format!("{settings}\nhealth.interval = \"20ms\"");
        // With groups to lose, and a notify socket, for which there is one more thread.
        let limits = "export NOTIFY_SOCKET=@nobody-hears WATCHDOG_USEC=1000000";
        let proxy = Proxy::within(limits, &[&backend], &checked);
        assert_eq!(proxy.get("/").status(), 200);
        let rights = rights(&proxy.process);
        assert!(rights.len() > 6, "workers, timer, door, signals, log, checks: {rights:?}");
        for thread in rights {
            assert_eq!(thread, rights_left);
        }
    }
}

#[test]
fn a_port_that_is_roots_is_bound_before_and_signals_are_heard_after() {
    if !is_root("a_port_that_is_roots_is_bound_before_and_signals_are_heard_after") {
        return;
    }
    let backend = Backend::plain();
    // Nobody else is at that address.
    let listen =
        format!("127.{}.{}.7:80", std::process::id() >> 8 & 0xff, std::process::id() & 0xff);
    let settings = format!("server.listen = \"{listen}\"\nserver.user = \"nobody\"");
    let mut proxy = Proxy::with(&[&backend], &settings);
    assert_eq!(proxy.address.to_string(), listen);
    assert_eq!(proxy.get("/").status(), 200);
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn the_log_is_opened_as_the_user_and_opened_anew_as_such() {
    if !is_root("the_log_is_opened_as_the_user_and_opened_anew_as_such") {
        return;
    }
    let (scratch, backend) = (Scratch::new(), Backend::plain());
    let (theirs, log) = (scratch.path().join("log"), scratch.path().join("log/access"));
    let settings = format!(
        "log.access = \"json\"\nlog.to = {log:?}\nserver.user = \"{STRANGER}\"\n\
         server.group = \"{STRANGER}\""
    );
    fs::create_dir(&theirs).unwrap();
    let file = scratch.write(
        "a.toml",
        settings.clone()
            + "\nserver.listen = \"127.0.0.1:0\"\n[[applications]]\nip = \"::1\"\nport = 1",
    );
    let arguments = ["serve", "-c", file.to_str().unwrap()];
    let (code, _, said) = Process::evenly(&arguments, scratch.path()).finish();
    assert!(code == Some(1) && said.contains("Permission denied"), "{code:?} {said}");
    assert!(said.contains("log/access"), "{said}");

    chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
    let proxy = Proxy::with(&[&backend], &settings);
    fs::rename(&log, theirs.join("access.1")).unwrap();
    proxy.process.signal(Signal::USR1);
    proxy.process.said.wait("log/access: reopened");
    assert_eq!(proxy.get("/").status(), 200);
    assert!(log.exists());
}

#[test]
fn a_thread_that_the_log_cannot_have_is_not_the_fault_of_its_file() {
    if !is_root("a_thread_that_the_log_cannot_have_is_not_the_fault_of_its_file") {
        return;
    }
    let scratch = Scratch::new();
    // Nobody else is that user, who has two threads then: the first, and the one for signals.
    let alone = STRANGER + 7;
    let text = format!(
        "server = {{listen = \"[::1]:0\", user = \"{alone}\", group = \"{alone}\"}}\n\
         log = {{access = \"json\", to = \"/dev/null\"}}\n\
         [[applications]]\nip = \"::1\"\nport = 1\n"
    );
    scratch.write("applications.toml", text);
    let mut command = Command::new("prlimit");
    command.args(["--nproc=2", env!("CARGO_BIN_EXE_evenly"), "serve"]);
    let (code, _, said) = Process::start(&mut command, scratch.path()).finish();
    let told = "evenly: cannot start the log: no thread for access: ";
    assert!(code == Some(1) && said.starts_with(told), "{code:?} {said}");
    assert!(said.ends_with("; raise ulimit -u, or TasksMax= of systemd"), "{said}");
}

#[test]
fn who_is_not_root_stays_who_it_is_and_is_told() {
    if !is_root("who_is_not_root_stays_who_it_is_and_is_told") {
        return;
    }
    let scratch = Scratch::new();
    let application = "[[applications]]\nip = \"::1\"\nport = 1\n[server]\nlisten = \"[::1]:0\"";
    for (user, is_told) in [("root", true), ("nobody", false)] {
        let file = scratch.write("a.toml", format!("{application}\nuser = \"{user}\"\n"));
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_evenly")).args(["serve", "-c"]).arg(file);
        let mut process = Process::start(&mut command, scratch.path());
        process.said.wait("listening on ");
        let told = process.said.count("server.user: only root becomes root") > 0;
        assert_eq!(told, is_told, "{user}");
        process.ends_at_once_on(Signal::TERM);
    }
}

#[test]
fn where_other_threads_run_already_nothing_is_half_done() {
    if !is_root("where_other_threads_run_already_nothing_is_half_done") {
        return;
    }
    let scratch = Scratch::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenly"));
    command.args(["demo", "--set", "server.user=nobody", "--set", "admin.listen=off"]);
    let (code, _, said) = Process::start(&mut command, scratch.path()).finish();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot become user nobody: other threads run already"), "{said}");
}

#[cfg(feature = "admin")]
#[test]
fn the_admin_socket_is_the_users_and_gone_at_the_end() {
    use std::os::unix::fs::MetadataExt as _;
    if !is_root("the_admin_socket_is_the_users_and_gone_at_the_end") {
        return;
    }
    let (scratch, backend) = (Scratch::new(), Backend::plain());
    let socket = scratch.path().join("admin.sock");
    chown(scratch.path(), Some(65534), Some(65534)).unwrap();
    let limits = format!("export EVENLY_ADMIN_SOCKET={}", socket.display());
    let mut proxy = Proxy::within(&limits, &[&backend], "server.user = \"nobody\"");
    let found = fs::symlink_metadata(&socket).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (65534, 0o600));
    proxy.terminate();
    assert_eq!(proxy.exit_code(), Some(0));
    assert!(!socket.exists());
}
