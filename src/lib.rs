//! Evenly, an HTTP load balancer small enough to read.
//!
//! # The words
//!
//! | word | meaning |
//! |---|---|
//! | backend | one application instance that requests are given to |
//! | pool | all backends, and what decides between them |
//! | record | what is known of a backend and what it has done; it outlives a change of the file |
//! | family | a pool and those that follow it as the file changes, with the records they share |
//! | policy | the rule by which the pool picks one |
//! | lease | one request's use of one backend, from the pick to the outcome |
//! | course | a request's way from backend to backend: its tries, and what may follow each |
//! | token | what a client's sticky cookie holds: it stands for one backend |
//! | standing | whether a backend is used: up, down, ejected, draining or in maintenance |
//! | downstream, upstream | towards the client, towards the backend |
//! | exchange | one request and its answer on their way through |
//! | task | a client's connection as a value: it says what it waits for |
//! | step | what a worker does to a task: moves bytes until it would wait; never waits |
//! | Lot | the parking lot in which all waiting tasks stand, and where idle workers wait |
//! | call | one request of the client's: its rounds of tries, and the rests between them |
//! | row | failures of a backend without a success between them; a witness met one of them |
//! | habit | how long a backend leaves idle connections open, as far as it has said or shown |
//! | crowd | clients that keep a place in a full house and must leave, the longest idle first |
//! | claim | a field with which a client could pose as a proxy or as somebody else |
//! | repair | what was mended of an answer, as it had one meaning |
//! | door | the listening socket, and how many clients are in the house |
//! | event | something that happened and may matter to an operator; the teller is who hears of it |
//! | link | a plain client's connection to a server, with the time that it may take |
//! | session | one connection's TLS: records on the side of the socket, plain bytes on the other |
//!
//! # The rooms
//!
//! `http` and `pool` are pure: bytes in, bytes out; facts in, decisions out; no I/O, no clock.
//! `text` turns values into words and says what of a stranger's may be shown, `blame` tells whose
//! fault an error of the system is, `dial` begins a connection. `config` turns the file into what
//! was meant. `log` writes lines without making anyone wait. `event` says what may happen and how
//! much it matters, and is the one mouth that tells it. `tls` reads certificates and turns records
//! into bytes, for whoever has a connection. `engine` moves tasks, whatever they are about: it
//! knows no HTTP. `relay` is what they are about, a client's connection with all its requests.
//! `plain` is HTTP over sockets that block, for all but the relay. `watch` asks backends how they
//! are, `lab` tries things out: a demo backend, a load generator, a simulator. [`client`] is the
//! balancing inside a program of your own: start there to use this crate as a library. `balancer`
//! wires them together, starts and stops them and tells what happens; `cmd` has one thin file a
//! command. Who may import whom is a test (`tests/tidy.rs`).
//!
//! # Reading order
//!
//! `main`, [`cmd`]'s `serve`, [`balancer`]; then the way of a request through [`relay`]: `greeter`,
//! `task`, `head`; [`http::request`]; `exchange` with `begin`, `ask`, `heads`, `relay`, `awaited`,
//! `trouble`, `settle`, `retry` and `direct`; [`pool`] with `policy/round_robin`, `course` and
//! `row`; `upstream`, `idle`, `habit`; [`http::body`]; `linger`; and last what holds it all up, the
//! [`engine`]: `task`, `desk`, `worker`, `lot`, `slots`, `registry`, `socket`, `door`, `timer`;
//! then `crowd`; with TLS, `handshake`, `stream` and [`tls`].

pub mod balancer;
pub mod blame;
#[cfg(feature = "client")]
pub mod client;
pub mod cmd;
pub mod config;
pub mod dial;
pub mod engine;
pub mod event;
pub mod http;
pub mod lab;
pub mod log;
pub mod plain;
pub mod pool;
pub mod relay;
pub mod text;
pub mod thread;
pub mod tls;
pub mod watch;
