//! Whether the container, if this is in one, ends with this process: then none can succeed it.

use std::fs;

use rustix::process::{Pid, getppid};

use crate::children;

/// Who starts one process in a container and ends with it, as Linux calls them: at most 15 bytes.
const ENDING_WITH_THEIR_CHILD: [&str; 8] = [
    "catatonit",
    "conmon",
    "containerd-shim",
    "docker-init",
    "dumb-init",
    "podman-init",
    "tini",
    "tini-static",
];

/// Why it does, in words; none where that does not show.
pub(super) fn ends_with_us() -> Option<String> {
    match (children::is_first(), getppid()) {
        (true, _) => Some("this is process 1, with which its container ends".to_owned()),
        // Where several containers of a pod see each other's processes.
        (_, None) => {
            Some("this was started from outside of its container, which ends with it".into())
        }
        (_, Some(parent)) => init(parent),
    }
}

fn init(parent: Pid) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{}/comm", parent.as_raw_nonzero())).ok()?;
    let name = ENDING_WITH_THEIR_CHILD.iter().find(|known| **known == name.trim_end())?;
    Some(format!("{name} has started this process, and ends its container with it"))
}
