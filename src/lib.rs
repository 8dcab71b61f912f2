//! Evenly, an HTTP load balancer small enough to read.
//!
//! A client's request comes in, is given to one of several backends, and the backend's answer goes
//! back. No connection has a thread of its own: each is a value, a *task*, that is parked while it
//! waits, and that one of a few workers moves on when there is something to do.
//!
//! # The words
//!
//! What is balanced:
//!
//! | word | meaning |
//! |---|---|
//! | application, backend | one instance of what is balanced, as the file and as the code says |
//! | client | whoever connects to Evenly |
//! | relay, proxy | to bring requests to backends and their answers back; who does so |
//! | downstream, upstream | towards the client, towards the backend |
//! | head, body | a message's first line and fields; what follows them |
//! | framing | how a body's end is found: a length, chunks, or the close |
//! | interim answer | a head of status 1xx, which comes before the final one |
//! | refusal | a request that is not passed on, with its status and a sentence |
//! | claim | a field with which a client could pose as a proxy or as somebody else |
//! | repair | what was mended of an answer, as it had one meaning |
//!
//! Who is next, in `pool`:
//!
//! | word | meaning |
//! |---|---|
//! | pool | backends that serve the same, and what decides between them |
//! | route, reading | which pool a request goes to; a way to understand its path |
//! | spec | a backend as the file has it |
//! | record | what is known of a backend and what it has done; outlives a change of the file |
//! | family | a pool and those that follow it as the file changes, with the records they share |
//! | trust | what a backend that speaks TLS must prove, and what it is shown |
//! | policy, view | the rule by which the pool picks one; the backends as that rule sees them |
//! | memory | what a policy remembers of a backend, kept in its record |
//! | ask, pick | what a request wants of a backend; to choose one for it and take a place there |
//! | lease | one request's use of one backend, from the pick to the outcome |
//! | outcome, fault | what came of a try; how the backend failed in it |
//! | course | a request's way from backend to backend: its tries, and what may follow each |
//! | attempt, setback | a try that came to nothing, as the rule sees it; what became of it |
//! | decision | what the course says then: give up, a fresh connection, another backend |
//! | permit | what a retry takes from the budget that bounds all of them together |
//! | health | whether checks and requests find a backend well |
//! | mode | what an operator wants of a backend: its use, a drain, or maintenance |
//! | standing | what mode and health come to: up, down, ejected, draining, in maintenance |
//! | row, witness | failures without a success between them; who met one, and where |
//! | change, notice | a standing that is another now; that, or a policy's words, for the log |
//! | line | those who wait for a place, first come, first served |
//! | token | what a client's sticky cookie holds: it stands for one backend |
//! | snapshot, look | what everybody shares and is replaced as a whole; one thread's sight of it |
//!
//! What moves, in `engine`:
//!
//! | word | meaning |
//! |---|---|
//! | door, doorway | where clients come in, and how many may: in all, and at one listener |
//! | keeper | the thread at a doorway, which lets clients in |
//! | place | what a client takes in the house, or a request at a backend, until it leaves |
//! | listener | an address where clients come in, as the file has it |
//! | entrance | what becomes of clients at a listener |
//! | preface | what a balancer in front says, ahead of all else, about whose connection it is |
//! | stranger | who may not connect where a preface is required |
//! | greeter | who makes a task of a client that came in |
//! | task | a client's connection as a value: it says what it waits for |
//! | step | what a worker does to a task: moves bytes until it would wait; never waits |
//! | next | what a step leaves behind: another state, park, queue, or done |
//! | Lot | the parking lot in which all waiting tasks stand, and where idle workers wait |
//! | slot, key | a registered socket's entry in the Lot's table; the name of one life of it |
//! | home | the slot of a client's socket, where its task is parked |
//! | owner | whom a socket's event wakes: the task at a home, or, of an idle connection, nobody |
//! | ready bits | what events have announced of a socket and no step has looked at yet |
//! | registry | the Lot as sockets see it: they know no task |
//! | wake | what a worker's wait brings: a socket's event, the bell, or the stop |
//! | ring | to have a task stepped: take it from its home, or mark it if it is in a step |
//! | ready queue, bell | tasks that can go on without an event; what tells a worker of them |
//! | desk, kit | what a step may use: time, buffers, a share of bytes; what the relay adds |
//! | socket, stream | a connection that does not block; the same in the clear or through TLS |
//! | outbox | bytes that wait to be written to one connection |
//!
//! What it is about, in `relay`:
//!
//! | word | meaning |
//! |---|---|
//! | server | all of one relay: its threads, from start to stop |
//! | site | a configuration as requests need it, replaced as a whole |
//! | branch | what a request needs of its pool's part of a site, and keeps to its end |
//! | ledger | counts of pools, numbers of them and of routes, names of backends: outlives a site |
//! | shared | what all threads have in common, and what outlives a site |
//! | exchange | one request and its answer on their way through |
//! | origin | who asks, and whether by https, as far as the peer is believed |
//! | affinity, ties | what binds clients to backends; what of it one request shows |
//! | direct, given | what is answered here: redirects, look-ups, readiness; such an answer |
//! | queue, ticket | the line in front of a pool; a place in it |
//! | upstream | a connection to a backend |
//! | destination | whom one is to and under which trust: equal ones stand for each other |
//! | habit | how long a backend leaves idle connections open, as far as it has said or shown |
//! | stale | of a kept connection: closed by the backend before our request came |
//! | awaited | whoever is to move next while nothing moves, and is late if it does not |
//! | trouble | why an exchange cannot go on as it is |
//! | passage | a TCP client's connection on its way to a backend |
//! | hello | what TLS begins with, read for the name that it asks for |
//! | tunnel, carried | bytes both ways, unread; what that grew out of: an exchange or a passage |
//! | lingering | reading on after the last answer, so that the close destroys nothing |
//! | room | so many places: those of the whole house, or those of one listener |
//! | cutoff, lookout | since when whoever is idle must leave a room; who says so |
//! | draining | accepting nobody, and letting requests in flight finish |
//!
//! What goes on beside it:
//!
//! | word | meaning |
//! |---|---|
//! | watch, check, probe | what asks backends how they are; one question; its connection |
//! | event, teller | what happened and may matter to an operator; the one who hears of it |
//! | complaint | an event about a backend that a request met |
//! | access line | what the log says of one request; its cause is two letters |
//! | lane | the lines that wait for the thread that writes them |
//! | session | one connection's TLS: records on the side of the socket, plain bytes on the other |
//! | acceptor, connector | what makes sessions with clients; with one backend |
//! | link | a plain client's connection to a server, with the time that it may take |
//! | call | one request of the client library's: its rounds of tries, and the rests between them |
//!
//! What operators steer:
//!
//! | word | meaning |
//! |---|---|
//! | drain, maint, ready | gets nothing new; likewise, and what is open is ended; is in use |
//! | wish, plea | who wants a backend out; that of the application, in its answer to a check |
//! | pause, resume | new requests wait in the queue; they go on |
//! | controls | what of a running relay, and of each of its pools, others may look at and steer |
//! | reload, plan, newcomer | the file is read anew; what that changes; a backend it brings |
//! | endpoint, guard, pace | where operators ask, over HTTP; who may; how much time that takes |
//! | steered | the balancer as the endpoint knows it |
//! | alert, channel, way | whom the file wants told of what; its thread; how a message goes there |
//! | incident, digest, cap | what belongs together; what is told at once; how many in an hour |
//! | letter | a message as the bytes of an email |
//! | spare | a descriptor held back for when the process has none left |
//! | reach | which running balancer a command asks |
//! | pulse, supervisor | whether a thread moves on; systemd, if that started us |
//! | tally, shard | what one thread counts for itself; its place, which no other's line shares |
//! | trace | what was decided for one request; each worker keeps its last thousand |
//! | story, shift, spell | how a backend came where it stands: one change; turns that it sat out |
//! | history, point | the last hour in numbers; two seconds of it |
//! | family, series, sample | of metrics: a name, one of its sets of labels, a value of that |
//! | orphan | a process whose parent has ended; process 1 is given it |
//! | successor | the process that takes the sockets over, and serves on |
//!
//! # The rooms
//!
//! `http` and `pool` are pure: bytes in, bytes out; facts in, decisions out; no I/O, no clock.
//! `text` turns values into words and says what of a stranger's may be shown, `blame` tells whose
//! fault an error of the system is, `dial` begins a connection, `thread` names threads. `config`
//! turns the file into what was meant. `log` writes lines without making anyone wait. `event` says
//! what may happen and how much it matters, and is the one mouth that tells it. `tls` reads
//! certificates and turns records into bytes, for whoever has a connection. `engine` moves tasks,
//! whatever they are about: it knows no HTTP. `relay` is what they are about, a client's connection
//! with all its requests. `plain` is HTTP over sockets that block, for all but the relay. `watch`
//! asks backends how they are, `lab` tries things out: a demo backend, a load generator, a
//! simulator. [`client`] is the balancing inside a program of your own: start there to use this
//! crate as a library. `admin` is where operators ask how all stands, and have it changed.
//! `notify` tells those who are not looking, by an email, a webhook or a program.
//! `balancer` wires them together, starts, reloads, replaces and stops them and tells what happens;
//! `cmd` has one thin file a command. Who may import whom is a test (`tests/tidy.rs`).
//!
//! # Reading order
//!
//! From the start of the process to the last byte of an answer, then what holds that up. Each file
//! begins with what it owns, who calls it and what it must never do; its tests stand at its end.
//!
//! 1. **The start.** `main`; [`cmd`]: `mod`, `serve`; [`config`]: `mod`, `keys`; [`balancer`]:
//!    `mod`, `build`, `signals`. [`pool`]: `snapshot`; [`relay`]: `branch`, `site`, `shared`,
//!    `server`.
//! 2. **What a connection is.** [`engine`]: `mod`, `task`, `desk`; [`relay`]: `mod`, `kit`,
//!    `client`, `task`.
//! 3. **A client comes in.** [`engine`]: `keeper`, `door`; [`relay`]: `greeter`, `head`;
//!    [`http`]: `request`, `target`, `fields`, `framing`.
//! 4. **An exchange begins.** [`pool`]: `routes`; [`relay`]: `exchange/mod`, `exchange/begin`,
//!    `origin`, `affinity`; [`http`]: `claims`, `forward`.
//! 5. **A backend is found.** [`pool`]: `mod`, `spec`, `standing`, `record`,
//!    `backend`, `family`, `ask`, `outcome`, `roster`, `lease`, `candidates`, `pick`,
//!    `policy/view`, `policy/memory`, `policy/round_robin`, `unavailable`, `retry`, `course`.
//! 6. **The request goes up.** [`relay`]: `exchange/tries`, `queue` (with the pool's `line`),
//!    `upstream` (with [`dial`]), `habit`, `idle`; [`http`]: `body`; [`relay`]: `exchange/ask`.
//! 7. **The answer comes down.** [`http`]: `response`, `repairs`; [`relay`]: `exchange/heads`,
//!    `exchange/relay`, `exchange/report`, `exchange/account`, then `head` again, or `linger`, or
//!    `tunnel` with `tunnel/way`, `tunnel/ending`.
//! 8. **Nothing moves, or something breaks.** [`relay`]: `exchange/awaited`, `exchange/patience`;
//!    [`blame`]; [`relay`]: `exchange/trouble`, `exchange/retry`, `exchange/settle`; [`pool`]:
//!    `row`, `health`, `change`.
//! 9. **What is not relayed.** [`http`]: `reply`, `location`; [`relay`]: `answer`, `direct`,
//!    `exchange/given`, `exchange/direct`.
//! 10. **What holds it all up.** [`engine`]: `sync`, `slots`, `registry`, `lot`, `socket`,
//!     `stream`, `outbox`, `worker`, `timer`, `stop`, `descriptors`; `models`, which try every
//!     interleaving of it. With a full house: `room`; [`relay`]: `lookout`.
//! 11. **With TLS.** [`tls`]: `mod`, `acceptor`, `connector`, `session`; [`relay`]: `handshake`.
//! 12. **What goes on beside it.** [`watch`]: `mod`, `schedule`, `checks`, `probe`, `names`;
//!     [`event`]: `mod`, `what`, `teller`; [`relay`]: `complaints`; [`log`]: `mod`, `access`,
//!     `lane`, `writer`; [`balancer`]: `tell`.
//!
//! 13. **How it is steered.** [`pool`]: `wish`, `steer`, `status`; [`relay`]: `controls`;
//!     [`balancer`]: `reload`, `newcomers`, `steered`, `supervisor`, `user`,
//!     `upgrade`, `succession`, `takeover`. [`admin`]: `mod`, `endpoint`,
//!     `socket`, `guard`, `route`, `status`, `steer`; [`plain`]: `handler`, `server`, `spares`.
//!     From the other side: [`admin`]: `ask`; [`cmd`]: `reach`, `status`.
//! 14. **How it is seen.** [`pool`]: `shards`, `buckets`, `tally`, `past`, `story`; [`relay`]:
//!     `totals`, `traces`; [`admin`]: `history`, `clock`, `decided`, `why`, `metrics`, `page`;
//!     [`cmd`]: `why`, `timeline`.
//! 15. **Who is called.** [`notify`]: `mod`, and on from there.
//!
//! [`client`], [`plain`] and [`lab`] stand on the same rooms; their `mod` says where to begin.

#[cfg(feature = "admin")]
pub mod admin;
pub mod balancer;
pub mod blame;
pub mod children;
#[cfg(feature = "client")]
pub mod client;
pub mod cmd;
pub mod config;
pub mod dial;
pub mod engine;
pub mod event;
pub mod hello;
pub mod http;
#[cfg(feature = "lab")]
pub mod lab;
pub mod log;
#[cfg(feature = "alerts")]
pub mod notify;
#[cfg(any(feature = "admin", feature = "alerts", feature = "client", feature = "lab"))]
pub mod plain;
pub mod pool;
pub mod preface;
pub mod relay;
pub mod text;
pub mod thread;
pub mod tls;
pub mod watch;
