//! TLS: what the listener proves to clients, whom backends must prove to be, and the bytes of one
//! connection.
//!
//! Called by whoever starts things, to read the files, and by whoever has a connection. It opens
//! no socket: a [`Session`] is told how to read and write one.

#[cfg(not(feature = "tls"))]
mod absent;

#[cfg(not(feature = "tls"))]
pub use absent::Tls;
