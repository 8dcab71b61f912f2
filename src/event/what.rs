//! What may happen, and the one table of how much each matters and whether it may come in floods.
//!
//! An event borrows everything and is formed only if it is told: one that is left out costs no
//! words. The sentences are in `words.rs`.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::log::{Level, OwnEvent};
use crate::text::Traffic;

/// Words that are formed only if they are needed.
type Words<'e> = &'e dyn Display;

/// Something that happened. Displayed, it is one line of the log.
#[derive(Clone, Copy)]
pub enum Event<'e> {
    /// A backend's standing changed: by a check, a request, or an operator who set its mode.
    Standing {
        /// The backend's name.
        backend: &'e str,
        /// That of its pool, where there are several.
        pool: Option<&'e str>,
        /// For better or worse.
        shift: Shift,
        /// Who made it so.
        by: By,
        /// Checks or requests find it bad: it is not merely taken out.
        is_fault: bool,
        /// What made it so, in words that may quote the backend.
        why: &'e str,
        /// The whole line.
        words: Words<'e>,
    },
    /// A backend is seen in another light, and its standing stays as it was.
    Judged {
        /// The backend's name.
        backend: &'e str,
        /// It fails, and stays in for want of others.
        is_grave: bool,
        /// The whole line.
        words: Words<'e>,
    },
    /// A backend did badly by one request.
    Complaint {
        /// The backend's name.
        backend: &'e str,
        /// In what way.
        about: About,
        /// What it did, and at which request.
        what: Words<'e>,
    },
    /// It was learnt for how long a backend leaves idle connections open.
    Habit {
        /// The backend's name.
        backend: &'e str,
        /// What was learnt, with the backend as its subject.
        learnt: Words<'e>,
    },
    /// An application's name leads elsewhere, and its backends are others now.
    Moved {
        /// The name of the application, or of the backend.
        backend: &'e str,
        /// From where to where.
        what: Words<'e>,
    },
    /// An application's name leads nowhere.
    Unresolved {
        /// The name of the application.
        backend: &'e str,
        /// Why, and what follows from it.
        why: Words<'e>,
    },
    /// The path that checks ask a backend for is unknown there, and nobody chose it.
    UnknownPath {
        /// The backend's name.
        backend: &'e str,
        /// What was asked and answered, and what to do.
        what: Words<'e>,
    },
    /// At the start, the name of no backend leads anywhere.
    NoneFound {
        /// The pool's name, where there are several.
        pool: Option<&'e str>,
    },
    /// The file was read again, and nothing that it names is up.
    NoneLeft {
        /// The pool's name, where there are several.
        pool: Option<&'e str>,
        /// Checks or requests find one of it bad: they are not merely taken out.
        is_fault: bool,
    },
    /// No backend can take a request.
    Unavailable {
        /// The pool's name, where there are several.
        pool: Option<&'e str>,
        /// How they stand.
        none: Words<'e>,
        /// How whoever is turned away is told so: "answering 503".
        how: &'e str,
        /// The request that is refused.
        request: Words<'e>,
    },
    /// A request has waited in vain for a place, or found the line full.
    Busy {
        /// The pool's name, where there are several.
        pool: Option<&'e str>,
        /// What it waited for.
        why: &'e str,
        /// As above.
        how: &'e str,
        /// The request that is refused.
        request: Words<'e>,
    },
    /// An operator has requests held.
    Paused {
        /// Of this pool alone, or of all.
        pool: Option<&'e str>,
        /// What is held.
        traffic: Traffic,
        /// The pause ends by itself after so long.
        at_most: Duration,
    },
    /// An operator lets them go.
    Resumed {
        /// Of this pool alone, or of all.
        pool: Option<&'e str>,
        /// What was held.
        traffic: Traffic,
        /// How many.
        held: usize,
    },
    /// A pause has ended by itself.
    PauseOver {
        /// Of this pool alone, or of all.
        pool: Option<&'e str>,
        /// What was held.
        traffic: Traffic,
        /// How many.
        held: usize,
    },
    /// A client's TLS handshake failed.
    Unshaken {
        /// Where it came from.
        client: IpAddr,
        /// Why.
        why: Words<'e>,
    },
    /// Somebody who may not connects where the PROXY protocol is required.
    Stranger {
        /// From where.
        peer: IpAddr,
    },
    /// A connection of somebody who may begins with no preface of the PROXY protocol.
    Unprefaced {
        /// From where.
        peer: IpAddr,
        /// What was seen.
        why: Words<'e>,
    },
    /// Every place for clients is taken.
    Full {
        /// The listener that has no other; none if nobody can come in anywhere.
        listener: Option<&'e str>,
        /// `max_connections`.
        limit: usize,
    },
    /// Idle clients are closed to make room for new ones.
    Crowded {
        /// Places taken.
        taken: usize,
        /// `max_connections`.
        limit: usize,
        /// Clients that must leave now.
        leaving: usize,
    },
    /// Descriptors, ports or memory have run out.
    Exhausted {
        /// What could not be done.
        doing: &'e str,
        /// As the system says it.
        error: Words<'e>,
    },
    /// Fewer clients are let in than the configuration asks for, as descriptors are limited.
    Lowered(&'e str),
    /// Checks wait, for want of descriptors, ports or room.
    ChecksShort(&'e str),
    /// A message to whoever is to know did not reach them yet, and is tried again.
    Delayed {
        /// The alert's name.
        alert: &'e str,
        /// What was seen, and for how long it is tried.
        why: &'e str,
    },
    /// It did reach them after that.
    Delivered {
        /// The alert's name.
        alert: &'e str,
        /// How often it was tried, and what the other side said.
        how: &'e str,
    },
    /// It will not reach them any more.
    Undelivered {
        /// The alert's name.
        alert: &'e str,
        /// What was seen, and what to do.
        why: &'e str,
    },
    /// The log has lost lines, or has opened its file anew.
    Log(&'e OwnEvent<'e>),
    /// The configuration may not say what was meant.
    Configuration(&'e str),
    /// A certificate expires or has expired, or its key is for others to read.
    Certificate(&'e str),
    /// The file was read again, and serves from now on: what it changes.
    Reloaded(&'e str),
    /// The file was read again, and why all stays as it was.
    NotReloaded(&'e str),
    /// The endpoint for operators has something to say.
    Admin {
        /// What about.
        visit: Visit,
        /// The whole line.
        words: &'e str,
    },
    /// Files of certificates, keys or authorities have changed, and new connections go by them.
    Renewed(&'e str),
    /// They have changed and will not do: the ones before go on.
    NotRenewed(&'e str),
    /// Clients are served from now on.
    Listening {
        /// Where.
        address: SocketAddr,
        /// What is served.
        summary: &'e str,
    },
    /// The end has begun: balancers in front are to send no more.
    Unready {
        /// For so long it goes on as before.
        lame_duck: Duration,
    },
    /// No new clients are taken.
    Stopping {
        /// Connections that are open.
        connections: usize,
        /// How long they may take to finish.
        patience: Duration,
    },
    /// Time is up for connections that are still open.
    CutOff {
        /// How many there are.
        connections: usize,
    },
    /// All is over.
    Stopped,
    /// A step panicked.
    Panicked,
    /// Another process of the same program serves at the same address from now on.
    Upgraded(&'e str),
    /// None does, and this one serves on.
    NotUpgraded(&'e str),
    /// A thread has been at one piece of work for so long that it will not end.
    Stuck {
        /// The thread's name.
        thread: &'e str,
    },
    /// A thread panicked whose work nobody else does.
    Died {
        /// The thread's name.
        thread: &'e str,
    },
}

/// Where a change of standing leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// The backend takes requests.
    Up,
    /// It does not, and others do.
    Out,
    /// It does not, and no other is up.
    LastOut,
}

/// Who made a backend stand where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// What checks, requests and look-ups have seen of it, or the file.
    Sight,
    /// Somebody who asked for it just now.
    Operator,
}

/// In what way a backend did badly by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// It took no connection.
    Connect,
    /// It broke the connection off.
    Reset,
    /// It was too slow.
    Timeout,
    /// Its answer was no HTTP.
    NoHttp,
    /// Its answer could be read in two ways.
    BadAnswer,
    /// Its answer has a status that counts as a failure.
    Status,
    /// Bytes came behind the end of its answer.
    Surplus,
    /// Its answer broke a rule and was mended.
    Repaired,
    /// No local port was left for a connection to it. That is ours, and not held against it.
    NoPort,
}

/// What the endpoint for operators tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Where it is.
    Open,
    /// Somebody asks for a change.
    Asked,
    /// Somebody is refused who may not ask.
    Refused,
}

/// What is the same for all events of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// What programs know it by.
    pub word: &'static str,
    /// How much it matters.
    pub level: Level,
    /// It may come in floods: of each backend once a second is enough.
    pub may_flood: bool,
}

impl<'e> Event<'e> {
    /// The one table: how each event is called, how much it matters, and whether it may flood.
    pub fn class(&self) -> Class {
        use Level::{Error, Info, Warn};
        match self {
            Self::Standing { shift: Shift::Up, .. } => each("up", Info),
            Self::Standing { shift: Shift::Out, .. } => each("out", Warn),
            Self::Standing { shift: Shift::LastOut, .. } => each("last-out", Error),
            Self::Judged { is_grave: true, .. } => some("spared", Warn),
            Self::Judged { is_grave: false, .. } => some("judged", Info),
            Self::Complaint { about, .. } => some(about.word(), Warn),
            Self::Habit { .. } => some("habit", Info),
            Self::Moved { .. } => each("moved", Info),
            Self::Unresolved { .. } => each("unresolved", Warn),
            Self::UnknownPath { .. } => each("unknown-path", Warn),
            Self::NoneFound { .. } => each("none-found", Error),
            Self::NoneLeft { .. } => each("none-left", Error),
            Self::Unavailable { .. } => some("unavailable", Error),
            Self::Busy { .. } => some("busy", Warn),
            Self::Paused { .. } => each("paused", Warn),
            Self::Resumed { .. } => each("resumed", Info),
            Self::PauseOver { .. } => each("pause-over", Warn),
            Self::Unshaken { .. } => some("handshake", Info),
            Self::Stranger { .. } => some("stranger", Warn),
            Self::Unprefaced { .. } => some("preface", Warn),
            Self::Full { .. } => some("full", Warn),
            Self::Crowded { .. } => some("crowded", Warn),
            Self::Exhausted { .. } => some("exhausted", Error),
            Self::Lowered(_) => each("lowered", Warn),
            Self::ChecksShort(_) => each("checks-short", Warn),
            Self::Delayed { .. } => each("alert-delayed", Warn),
            Self::Delivered { .. } => each("alert-delivered", Info),
            Self::Undelivered { .. } => each("alert-undelivered", Error),
            Self::Log(own) => each(own.word(), own.level()),
            Self::Configuration(_) => each("configuration", Warn),
            Self::Certificate(_) => each("certificate", Warn),
            Self::Reloaded(_) => each("reloaded", Info),
            Self::NotReloaded(_) => each("not-reloaded", Error),
            Self::Admin { visit: Visit::Open, .. } => each("admin", Info),
            Self::Admin { visit: Visit::Asked, .. } => each("asked", Info),
            Self::Admin { visit: Visit::Refused, .. } => some("refused", Warn),
            Self::Renewed(_) => each("renewed", Info),
            Self::NotRenewed(_) => each("not-renewed", Warn),
            Self::Listening { .. } => each("listening", Info),
            Self::Unready { .. } => each("unready", Info),
            Self::Stopping { .. } => each("stopping", Info),
            Self::CutOff { .. } => each("cut-off", Warn),
            Self::Stopped => each("stopped", Info),
            Self::Panicked => each("panicked", Error),
            Self::Upgraded(_) => each("upgraded", Info),
            Self::NotUpgraded(_) => each("not-upgraded", Error),
            Self::Stuck { .. } => each("stuck", Error),
            Self::Died { .. } => each("died", Error),
        }
    }

    /// What it is about, for the throttle: one that floods hides nothing that is told of another.
    pub(super) fn subject(&self) -> Option<&'e str> {
        match *self {
            Self::Full { listener, .. } => listener,
            _ => self.backend().or(self.pool()),
        }
    }

    /// The name of the backend that it is about, if it is about one.
    pub fn backend(&self) -> Option<&'e str> {
        match *self {
            Self::Standing { backend, .. }
            | Self::Judged { backend, .. }
            | Self::Complaint { backend, .. }
            | Self::Habit { backend, .. }
            | Self::Moved { backend, .. }
            | Self::Unresolved { backend, .. }
            | Self::UnknownPath { backend, .. } => Some(backend),
            _ => None,
        }
    }

    /// The name of the pool that it is about, if it is about one of several.
    pub fn pool(&self) -> Option<&'e str> {
        match *self {
            Self::Standing { pool, .. }
            | Self::NoneFound { pool }
            | Self::NoneLeft { pool, .. }
            | Self::Unavailable { pool, .. }
            | Self::Busy { pool, .. }
            | Self::Paused { pool, .. }
            | Self::Resumed { pool, .. }
            | Self::PauseOver { pool, .. } => pool,
            _ => None,
        }
    }
}

impl About {
    fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::NoHttp => "no-http",
            Self::BadAnswer => "bad-answer",
            Self::Status => "status",
            Self::Surplus => "surplus",
            Self::Repaired => "repaired",
            Self::NoPort => "no-port",
        }
    }
}

/// Each one is told.
fn each(word: &'static str, level: Level) -> Class {
    Class { word, level, may_flood: false }
}

/// In a flood, some are told.
fn some(word: &'static str, level: Level) -> Class {
    Class { word, level, may_flood: true }
}
