//! Evenly as the one process of a container: no shell, no files of a system, another user, nothing
//! that may be written, and the duties of process 1.
//!
//! No container engine is needed. The Dockerfile says who runs what where, `make image-rootfs` lays
//! out the files, and `unshare` and a changed root do what an engine does with that. Unless
//! EVENLY_TEST_STATIC names the static binary (`make container`), the tests' own binary is put in,
//! and its shared libraries beside it: another build of all crates would take longer than these
//! tests do.

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, unused_imports, reason = "the relay's tests use the rest of it")]
#[path = "../relay/harness/mod.rs"]
mod harness;

mod container;
mod duties;
mod image;
mod manifests;
mod mistakes;
mod orphans;
