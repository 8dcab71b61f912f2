//! The lab's commands, through the real binary.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
