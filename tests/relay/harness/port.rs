//! Ports for programs that cannot tell which one they were given.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Below those that the kernel gives to whoever asks for any (`ip_local_port_range`, from 32,768):
/// else a connection of some other test may take one before its program has bound it.
const PORTS: Range<u16> = 10_000..32_768;

/// One that nobody listens at, and that this process is not told again.
pub fn free_port() -> u16 {
    // Each process begins somewhere else, so that several can stand side by side.
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(())));
    let next = || NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len() as u64;
    let mut ports = PORTS.map(|_| PORTS.start + next() as u16);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("of so many ports one is free")
}
