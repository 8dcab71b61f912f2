//! What can go wrong in an exchange, whose fault it is, and what the client and the log are told of
//! it.

use super::awaited::Awaited;
use crate::blame::Blame;
use crate::config::Config;
use crate::http::Refusal;
use crate::http::response::{HEAD_TOO_LONG, TOO_MANY_FIELDS, is_http};
use crate::log::Cause;
use crate::pool::{Fault, Unavailable};
use crate::relay::answer::Answer;
use crate::relay::queue::{NO_PLACE_IN_TIME, line_is_full};
use crate::relay::tunnel::TAKEN_OUT;
use crate::text::Took;
use std::borrow::Cow;
use std::io;
use std::time::Duration;

/// Why an exchange cannot go on as it is.
pub(super) enum Trouble {
    /// The client left, or takes its answer too slowly.
    Client(Cause),
    /// The client's request turned out to be bad, too large or too late.
    Refused(Refusal, Cause),
    /// No backend can take the request.
    NoBackend(Unavailable),
    /// Every backend is full, or the pool is paused, and the line of those who wait is full.
    QueueFull { is_paused: bool },
    /// No place came free in time.
    QueueLate,
    /// A pause holds requests, and this one can wait no longer.
    Held,
    /// The backend was set to maint, and the time is up for what is in flight there.
    TakenOut,
    /// We are out of descriptors or memory (law 10): no backend's fault.
    Ours(io::Error),
    /// We are out of ports towards this backend: not its fault, and another may do.
    NoWay(io::Error),
    /// The backend failed.
    Backend { fault: Fault, cause: Cause, status: u16, reason: String },
    /// A connection that was kept turned out to be closed: nobody's fault.
    Stale,
    /// The backend answered with a status that another is asked for, which has been leased.
    Elsewhere,
    /// All the time that the request may take is over.
    Overdue(Awaited),
}

impl Trouble {
    /// The client's connection is closed or reset.
    pub(super) const CLIENT_GONE: Self = Self::Client(Cause::ClientGone);

    /// A connect, or the handshake after it, failed.
    pub(super) fn connect(error: io::Error) -> Self {
        match Blame::of(&error) {
            Blame::Ours => return Self::Ours(error),
            Blame::OurWay => return Self::NoWay(error),
            Blame::Theirs => {}
        }
        let reason = format!("connect failed: {error}");
        Self::Backend { fault: Fault::Connect, cause: Cause::ConnectFailed, status: 502, reason }
    }

    /// The backend sent what is not allowed.
    pub(super) fn bad_answer(reason: &str) -> Self {
        let key = match reason {
            HEAD_TOO_LONG => " ([limits] head_bytes)",
            TOO_MANY_FIELDS => " ([limits] headers)",
            _ => "",
        };
        let reason = format!("bad answer: {reason}{key}");
        Self::Backend { fault: Fault::BadAnswer, cause: Cause::BadAnswer, status: 502, reason }
    }

    /// What the backend sent is no head of an answer.
    pub(super) fn bad_head(sent: &[u8], reason: &str) -> Self {
        if is_http(sent) {
            return Self::bad_answer(reason);
        }
        let reason = format!("no HTTP: {reason}");
        Self::Backend { fault: Fault::NoHttp, cause: Cause::BadAnswer, status: 502, reason }
    }

    /// The backend closed or reset the connection.
    pub(super) fn reset(reason: &str) -> Self {
        let reason = reason.to_owned();
        Self::Backend { fault: Fault::Reset, cause: Cause::BackendReset, status: 502, reason }
    }

    /// What was awaited did not come within `limit`.
    pub(super) fn late(awaited: Awaited, limit: Duration, config: &Config) -> Self {
        let what = match awaited {
            Awaited::Place => return Self::QueueLate,
            Awaited::Reader => return Self::Client(awaited.cause()),
            Awaited::Body => return Self::Refused(LATE_BODY, awaited.cause()),
            Awaited::Connection => "connect timed out",
            Awaited::Handshake => "TLS handshake not done",
            Awaited::Answer => "no answer",
            Awaited::MoreAnswer => "silent, or too slow, in its answer",
            Awaited::Taker => "took the body no more, or too slowly",
        };
        let (_, key) = awaited.key(config);
        let reason = format!("{what} after {} ({key})", Took(limit));
        let fault = awaited.fault().unwrap_or(Fault::Timeout);
        Self::Backend { fault, cause: awaited.cause(), status: 504, reason }
    }

    /// What the access log says.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Client(cause) | Self::Refused(_, cause) | Self::Backend { cause, .. } => *cause,
            Self::NoBackend(_) | Self::QueueFull { .. } => Cause::NoBackend,
            Self::QueueLate | Self::Held => Cause::QueueTimeout,
            Self::TakenOut => Cause::TakenOut,
            Self::Ours(_) | Self::NoWay(_) => Cause::Exhausted,
            Self::Stale | Self::Elsewhere => Cause::BackendReset,
            Self::Overdue(awaited) => awaited.cause(),
        }
    }

    /// The same in words; none where nothing went wrong, or where the cause says it all.
    pub(super) fn reason(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Refused(refusal, _) => refusal.reason,
            Self::Backend { reason, .. } => reason,
            Self::NoBackend(none) => return Cow::Owned(none.to_string()),
            Self::Client(Cause::ClientTimeout) => {
                "the client took its answer no more, or too slowly ([timeouts] client_write)"
            }
            Self::Client(_) => "the client left",
            Self::QueueFull { is_paused } => line_is_full(*is_paused),
            Self::QueueLate => NO_PLACE_IN_TIME,
            Self::Held => "requests are held by a pause, and this one could wait no longer",
            Self::TakenOut => TAKEN_OUT,
            Self::Overdue(_) => "the request took longer than [timeouts] request",
            Self::Stale | Self::Elsewhere => "",
            Self::Ours(_) | Self::NoWay(_) => self.answer().reason,
        })
    }

    /// What the client is told, if it has not been told anything yet.
    pub(super) fn answer(&self) -> Answer<'_> {
        match self {
            Self::Refused(refusal, _) => Answer::refusal(refusal),
            Self::NoBackend(none) => Answer {
                retry_after_s: Some(none.retry_after_s()),
                ..Answer::new(503, UNAVAILABLE)
            },
            Self::Held | Self::QueueFull { is_paused: true } => {
                Answer { retry_after_s: Some(HELD_RETRY_AFTER_S), ..Answer::new(503, HELD) }
            }
            Self::QueueFull { .. } | Self::QueueLate | Self::Overdue(Awaited::Place) => {
                Answer { retry_after_s: Some(RETRY_AFTER_S), ..Answer::new(503, BUSY) }
            }
            Self::TakenOut => Answer {
                retry_after_s: Some(RETRY_AFTER_S),
                ..Answer::new(503, "the backend was taken out of service")
            },
            Self::Ours(_) | Self::NoWay(_) => Answer {
                retry_after_s: Some(RETRY_AFTER_S),
                ..Answer::new(503, "the load balancer is out of resources")
            },
            Self::Backend { status: 504, .. } => {
                Answer::new(504, "the backend did not answer in time")
            }
            Self::Overdue(Awaited::Body) => Answer::new(408, "the request took too long"),
            Self::Overdue(_) => Answer::new(504, "the request took too long"),
            Self::Client(_) | Self::Stale | Self::Elsewhere | Self::Backend { .. } => {
                Answer::new(502, "the backend gave no valid answer")
            }
        }
    }
}

const LATE_BODY: Refusal = Refusal {
    status: 408,
    reason: "the request body came no more, or too slowly ([timeouts] client_body)",
};

/// What a 503 says where no backend is up.
pub(super) const UNAVAILABLE: &str = "no backend can take the request now";
/// What it says where all that are up are full.
pub(super) const BUSY: &str = "every backend is busy";
/// What it says during a pause.
pub(super) const HELD: &str = "requests are held for a moment";
/// What it suggests then.
pub(super) const HELD_RETRY_AFTER_S: u64 = 5;
/// What a 503 suggests when it is we who are short of something.
pub(super) const RETRY_AFTER_S: u64 = 1;
