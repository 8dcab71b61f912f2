//! Evenly.
pub mod cmd;
pub mod config;
pub mod http;
pub mod lab;
pub mod log;
pub mod pool;
pub mod proxy;
pub mod thread;
pub mod watch;
