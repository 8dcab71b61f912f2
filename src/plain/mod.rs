//! Plain HTTP over sockets that block, written once. For those who have few connections and a
//! thread for each; the relay has an engine of its own.
//!
//! It knows no pool and no configuration: whoever calls says how long and how much.
//!
//! Reading order: `handler`, `server`, `spares`, `connection`, `ahead`; `client`, `url`.

mod ahead;
pub mod client;
mod connection;
pub mod handler;
pub mod server;
mod spares;
#[cfg(test)]
mod tests;
pub mod url;
