//! From root to `server.user`: once, when the address is bound and the certificates are read.
//!
//! Linux keeps a user for each thread, and the kernel changes that of the caller alone. So it is
//! done while there is one thread beside the caller's, the one that hears signals, and that is
//! replaced by one that begins afterwards: every thread inherits what its maker has.

use super::CannotStart;
use super::signals::Signals;
use crate::config::Server;
use rustix::process::geteuid;
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::fs;

/// The caller, and the one that hears signals.
const THREADS: usize = 2;

/// The user and the group that this process is to become; none if it stays who it is.
pub(super) fn chosen(server: &Server) -> Option<(u32, u32)> {
    let user = server.user.as_ref().filter(|_| geteuid().is_root())?;
    Some((user.id, server.group.as_ref().map(|group| group.id).or(user.group)?))
}

/// Becomes the user that the configuration names, for good, with its one group and no capability.
/// A sentence if that is not for this process to do.
pub(super) fn become_user(
    server: &Server,
    signals: &mut Signals,
) -> Result<Option<String>, CannotStart> {
    let Some(user) = &server.user else { return Ok(None) };
    let Some((uid, gid)) = chosen(server) else {
        let is_already = geteuid().as_raw() == user.id;
        let words = || format!("server.user: only root becomes {user}; serving as who started it");
        return Ok((!is_already).then(words));
    };
    let cannot = |what: &str| CannotStart::System(format!("cannot become user {user}: {what}"));
    if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > THREADS) {
        return Err(cannot("other threads run already; start `evenly serve`"));
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    // The user last: who is not root any more may not change the groups.
    let changed = set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid));
    changed.map_err(|error| cannot(&error.to_string()))?;
    if !uid.is_root() && set_thread_res_uid(Uid::ROOT, None, None).is_ok() {
        return Err(cannot("root's rights come back"));
    }
    signals.renew()?;
    Ok(None)
}
