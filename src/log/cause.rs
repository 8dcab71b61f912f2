//! Why an exchange ended, as the access log says it: two letters, after HAProxy's termination state
//! (its configuration manual, section 8.5), so that an operator's eye and tools carry over.
//!
//! The first letter is whose doing it was, small for a timeout; the second is what was going on.
//!
//! | code      | cause            | meaning                                                       |
//! |-----------|------------------|---------------------------------------------------------------|
//! | `--`      | `Done`           | answered in full                                              |
//! | `CH` `CD` | `ClientGone`     | the client left: before, or in, the answer                    |
//! | `cR` `cD` | `ClientTimeout`  | the client was too slow: in its request, or taking the answer |
//! | `PR`      | `Refused`        | Evenly refused the request: malformed, too large, too late    |
//! | `PC`      | `NoBackend`      | no backend was usable                                         |
//! | `sQ`      | `QueueTimeout`   | waited in vain for a place at a backend                       |
//! | `RC`      | `Exhausted`      | Evenly ran out of descriptors, ports or memory                |
//! | `SC`      | `ConnectFailed`  | the backend refused the connection, or could not be reached   |
//! | `sC`      | `ConnectTimeout` | the backend did not take the connection in time               |
//! | `SH` `SD` | `BackendReset`   | the backend broke off: before, or in, its answer              |
//! | `sH` `sD` | `BackendTimeout` | the backend was too slow: to begin, or to go on               |
//! | `PH` `PD` | `BadAnswer`      | the backend's answer was not HTTP: its head, or its body      |
//! | `DH` `DD` | `TakenOut`       | the backend was in maintenance for longer than `drain`        |
//! | `KH` `KD` | `Stopped`        | Evenly was stopped before it was done                         |

/// Why an exchange ended. The table above has the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Answered in full.
    Done,
    /// The client left before the end of the answer.
    ClientGone,
    /// The client sent its request, or took its answer, too slowly.
    ClientTimeout,
    /// The request was malformed, too large or too late, and was answered by Evenly.
    Refused,
    /// Every backend was down, draining or already tried.
    NoBackend,
    /// Every backend was full for as long as a request may queue.
    QueueTimeout,
    /// Evenly ran out of descriptors, ports or memory: no fault of the backend.
    Exhausted,
    /// The connection to the backend was refused or unreachable.
    ConnectFailed,
    /// The connection to the backend was not made in time.
    ConnectTimeout,
    /// The backend closed or reset the connection in the middle of the exchange.
    BackendReset,
    /// The backend was silent for too long.
    BackendTimeout,
    /// The backend's answer broke the rules of HTTP.
    BadAnswer,
    /// The backend was set to maint, and the time was up for what was in flight there.
    TakenOut,
    /// The time to drain was over.
    Stopped,
}

impl Cause {
    /// All there are, in the order of their discriminants.
    pub const ALL: [Self; 14] = [
        Self::Done,
        Self::ClientGone,
        Self::ClientTimeout,
        Self::Refused,
        Self::NoBackend,
        Self::QueueTimeout,
        Self::Exhausted,
        Self::ConnectFailed,
        Self::ConnectTimeout,
        Self::BackendReset,
        Self::BackendTimeout,
        Self::BadAnswer,
        Self::TakenOut,
        Self::Stopped,
    ];

    /// What programs know it by, where the moment does not matter.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ClientGone => "client-gone",
            Self::ClientTimeout => "client-timeout",
            Self::Refused => "refused",
            Self::NoBackend => "no-backend",
            Self::QueueTimeout => "queue-timeout",
            Self::Exhausted => "exhausted",
            Self::ConnectFailed => "connect-failed",
            Self::ConnectTimeout => "connect-timeout",
            Self::BackendReset => "backend-reset",
            Self::BackendTimeout => "backend-timeout",
            Self::BadAnswer => "bad-answer",
            Self::TakenOut => "taken-out",
            Self::Stopped => "stopped",
        }
    }

    /// True if the client was failed, and not by what the application answered nor by itself.
    pub fn is_error(self) -> bool {
        use Cause::{ClientGone, ClientTimeout, Done, Refused};
        !matches!(self, Done | ClientGone | ClientTimeout | Refused)
    }

    /// The two letters; `answering`: the first byte of the answer had come.
    pub fn code(self, answering: bool) -> &'static str {
        match (self, answering) {
            (Cause::Done, _) => "--",
            (Cause::ClientGone, false) => "CH",
            (Cause::ClientGone, true) => "CD",
            (Cause::ClientTimeout, false) => "cR",
            (Cause::ClientTimeout, true) => "cD",
            (Cause::Refused, _) => "PR",
            (Cause::NoBackend, _) => "PC",
            (Cause::QueueTimeout, _) => "sQ",
            (Cause::Exhausted, _) => "RC",
            (Cause::ConnectFailed, _) => "SC",
            (Cause::ConnectTimeout, _) => "sC",
            (Cause::BackendReset, false) => "SH",
            (Cause::BackendReset, true) => "SD",
            (Cause::BackendTimeout, false) => "sH",
            (Cause::BackendTimeout, true) => "sD",
            (Cause::BadAnswer, false) => "PH",
            (Cause::BadAnswer, true) => "PD",
            (Cause::TakenOut, false) => "DH",
            (Cause::TakenOut, true) => "DD",
            (Cause::Stopped, false) => "KH",
            (Cause::Stopped, true) => "KD",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Cause;

    #[test]
    fn the_documentation_explains_each_code() {
        let page = include_str!("../../docs/log.md");
        let codes = |cause: Cause| [false, true].map(|answering| cause.code(answering));
        let codes: BTreeSet<_> = Cause::ALL.into_iter().flat_map(codes).collect();
        let (_, page) = page.split_once("## Cause codes").unwrap();
        let first = |line: &'static str| line.strip_prefix("| `")?.split(" |").next();
        let listed = page.lines().filter_map(first).flat_map(str::split_whitespace);
        let listed: BTreeSet<_> = listed.map(|code| code.trim_matches('`')).collect();
        assert_eq!(listed, codes);
    }

    #[test]
    fn all_of_them_stand_in_their_order_and_each_has_a_word_of_its_own() {
        let numbers = Cause::ALL.map(|cause| cause as usize);
        assert!(numbers.into_iter().eq(0..Cause::ALL.len()));
        let words: BTreeSet<_> = Cause::ALL.into_iter().map(Cause::word).collect();
        assert_eq!(words.len(), Cause::ALL.len());
    }
}
