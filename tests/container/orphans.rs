//! Processes whose parent has ended are given to process 1, which has to ask for their end, or the
//! kernel keeps them: at last there are no numbers left for new ones.

use crate::container::{Container, Start, may_contain};
use crate::duties::configured;
use crate::harness::{Backend, Place, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;

/// What orphans need that are left behind.
const PROGRAMS: [&str; 3] = ["/bin/sh", "/usr/bin/setsid", "/usr/bin/sleep"];

/// Ends those that sleep, of whom there is one that ends in no other way, until nothing is left.
fn end_orphans(container: &Container) {
    let mut seen = false;
    eventually("orphans are given to process 1, and reaped", || {
        let children = container.children();
        for (pid, _) in &children {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if name.trim_end() == "sleep" {
                seen = true;
                let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
                // It may have ended meanwhile.
                let _ = kill_process(pid.unwrap(), Signal::KILL);
            }
        }
        seen && children.is_empty()
    });
}

#[test]
fn what_an_alerts_program_leaves_behind_is_reaped() {
    if !may_contain("orphans::what_an_alerts_program_leaves_behind_is_reaped") {
        return;
    }
    let backend = Backend::plain();
    // One that is killed with its group, and one of a session of its own, which has begun before
    // the program ends, and is not.
    let script = "sleep 1000 & \
                  begun=$(setsid sh -c 'echo begun; exec sleep 1000 >/dev/null 2>&1' &); echo told";
    let alert = format!(
        "[[alerts]]\nname = \"night\"\nkind = \"command\"\n\
         command = [\"/bin/sh\", \"-c\", \"{script}\"]\non = [\"all-down\"]\n[health]\n\
         interval = \"100ms\"\nfall = 1\nrise = 1\n"
    );
    let folder = configured(backend.port(), &alert);
    let start = Start { programs: PROGRAMS.to_vec(), ..Start::with(folder.path()) };
    let container = start.begin();
    container.process.said.wait("listening on ");
    let vacant = backend.go_down();
    end_orphans(&container);
    // Nobody took the end of the program from who was waiting for it: that would be a failure.
    assert_eq!(container.process.said.count("night"), 0, "{:?}", container.process.said.all());
    drop(vacant);
}

#[test]
fn what_somebody_leaves_behind_who_was_let_in_is_reaped() {
    if !may_contain("orphans::what_somebody_leaves_behind_who_was_let_in_is_reaped") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "");
    let start = Start { programs: PROGRAMS.to_vec(), ..Start::with(folder.path()) };
    let mut container = start.begin();
    container.process.said.wait("listening on ");
    for _ in 0..20 {
        let leaving = "sleep 0.01 >/dev/null 2>&1 & sleep 0.02 >/dev/null 2>&1 & exit 7";
        assert_eq!(container.exec(&["/bin/sh", "-c", leaving]).0, Some(7));
        assert_eq!(container.health().0, Some(0), "who checks is nobody's orphan");
    }
    assert_eq!(container.exec(&["/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 &"]).0, Some(0));
    end_orphans(&container);
    assert_eq!(container.client().get("/").status(), 200);
    container.signal(Signal::TERM);
    assert_eq!(container.wait().code(), Some(0));
}

#[test]
fn those_who_were_there_before_are_reaped_too() {
    if !may_contain("orphans::those_who_were_there_before_are_reaped_too") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "");
    // An entry point that is a script: it starts something, and becomes the balancer.
    let init = "/bin/sh -c 'sleep 0.01 & sleep 0.5 & sleep 0.2; exec \"$@\"' sh".to_owned();
    let start = Start { programs: PROGRAMS.to_vec(), init, ..Start::with(folder.path()) };
    let container = start.begin();
    container.process.said.wait("listening on ");
    eventually("none is left", || container.children().is_empty());
}

#[test]
fn under_an_init_that_ends_with_its_child_an_upgrade_is_refused() {
    if !may_contain("orphans::under_an_init_that_ends_with_its_child_an_upgrade_is_refused") {
        return;
    }
    let backend = Backend::plain();
    let folder = configured(backend.port(), "");
    // By its name the shell is what `docker run --init` puts there, and it does as that does.
    let init = "/bin/sh -c 'echo docker-init > /proc/self/comm; \"$@\"; exit $?' sh".to_owned();
    let start = Start { programs: PROGRAMS.to_vec(), init, ..Start::with(folder.path()) };
    let container = start.begin();
    container.process.said.wait("listening on ");
    let (code, said) = container.exec(&["/evenly", "upgrade"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("docker-init has started this process, and ends its container"),
        "{said}"
    );
    assert_eq!(container.client().get("/").status(), 200);
}
