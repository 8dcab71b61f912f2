//! Programs that are run to tell somebody, and that behave as programs do at night.

use crate::harness::{Process, Proxy, Scratch, eventually};
use crate::{App, OFTEN, alert_test};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn shell(script: &str, keys: &str) -> String {
    format!("{{kind = \"command\", command = [\"/bin/sh\", \"-c\", '''{script}''']{keys}}}")
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap_or_default()
}

/// True if such a process lives.
fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Of what `ls -l` lists there, the numbers.
fn numbers(list: &str) -> Vec<&str> {
    list.lines().filter_map(|line| line.split(" -> ").next()?.split(' ').next_back()).collect()
}

#[test]
fn a_program_gets_all_in_variables_and_as_json_and_nothing_else_of_ours() {
    let scratch = Scratch::new();
    let script = "cat > json; env > env; ls -l /proc/self/fd > fds; echo sent to the phone";
    let (code, said, _) = alert_test(&scratch, &shell(script, ", name = \"sms\""), &[]);
    let expected = "sms (command): delivered: exit 0: sent to the phone";
    assert_eq!((code, said.as_str()), (Some(0), expected));
    let json: Value = serde_json::from_str(&read(scratch.path(), "json")).unwrap();
    assert_eq!((&json["kind"], &json["action"]), (&"test".into(), &"trigger".into()));
    let env = read(scratch.path(), "env");
    assert!(env.contains("\nEVENLY_KIND=test\n") || env.starts_with("EVENLY_KIND=test\n"), "{env}");
    assert!(
        env.contains("EVENLY_SUBJECT=[evenly ") && !env.contains("EVENLY_ADMIN_SOCKET"),
        "{env}"
    );
    let fds = read(scratch.path(), "fds");
    // Whoever runs the tests may have left some open, which any program has then.
    let mut plain = Command::new("sh");
    plain.args(["-c", "ls -l /proc/self/fd > plain"]);
    Process::start(&mut plain, scratch.path()).finish();
    assert_eq!(numbers(&fds), numbers(&read(scratch.path(), "plain")), "{fds}");
    assert!(!fds.contains("socket:") && !fds.contains("anon_inode"), "{fds}");
}

#[test]
fn one_that_hangs_is_killed_with_its_children() {
    let scratch = Scratch::new();
    let script = "sleep 1000 & echo $! > child; echo $$ > own; echo started; wait";
    let alert = shell(script, ", timeout = \"700ms\"");
    let (code, said, _) = alert_test(&scratch, &alert, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("was not over after 700.0 ms, and was killed: started"), "{said}");
    for name in ["child", "own"] {
        let pid = read(scratch.path(), name);
        eventually("it is gone", || !lives(&pid));
    }
}

#[test]
fn one_that_hangs_when_evenly_is_stopped_is_killed_with_its_children() {
    let (app, well) = (App::new(), App::new());
    let script = "sleep 1000 & echo $! > child; echo $$ > own; wait";
    let settings = format!("{OFTEN}alerts = [{}]\n", shell(script, ", wait = \"10ms\""));
    let mut proxy = Proxy::with(&[&app.server, &well.server], &settings);
    proxy.pardon("alert command: NOT DELIVERED: evenly ends before it is; not sent: [evenly ");
    app.turn(503);
    let pid = |name: &str| read(proxy.scratch.path(), name);
    eventually("it runs", || !pid("own").is_empty());
    let pids = ["child", "own"].map(pid);
    assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.exit_code(), Some(0));
    for pid in pids {
        eventually("it is gone", || !lives(&pid));
    }
}

#[test]
fn a_child_that_keeps_the_output_open_is_not_waited_for() {
    let scratch = Scratch::new();
    let (code, said, _) = alert_test(&scratch, &shell("sleep 1000 & echo $! > child", ""), &[]);
    assert_eq!((code, said.as_str()), (Some(0), "command (command): delivered: exit 0"));
    let pid = read(scratch.path(), "child");
    eventually("it is gone", || !lives(&pid));
}

#[test]
fn one_that_prints_without_end_or_reads_nothing_is_told_by_its_end() {
    let scratch = Scratch::new();
    for (script, code, words) in [
        ("head -c 10000000 /dev/zero | tr '\\0' x; exit 3", 1, "exit 3: xxx"),
        ("exec <&-; exit 0", 0, "delivered: exit 0"),
        ("exec <&- >&- 2>&-; exit 4", 1, "exit 4"),
        ("kill -9 $$", 1, "killed by signal 9"),
        ("echo why not >&2; exit 1", 1, "exit 1: why not"),
        ("printf 'a\\033[31m\\r\\nb'; exit 1", 1, "exit 1: a\\u{1b}[31m\\r\\nb"),
    ] {
        let (ended, said, _) = alert_test(&scratch, &shell(script, ""), &[]);
        assert_eq!(ended, Some(code), "{script}: {said}");
        assert!(said.contains(words) && said.len() < 2000 && said.lines().count() == 1, "{said}");
    }
}
