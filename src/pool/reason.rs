//! By which rule a backend was picked, for the log.
//!
//! Noted by the pick, carried by the lease. Decides nothing.

/// By which rule a backend was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The policy picked it among all that may be used.
    Policy,
    /// The client is to stay with it.
    Sticky,
    /// Others have failed the request.
    Retry,
    /// None is up but those that have just come back.
    Warming,
    /// None is up but backups.
    Backup,
    /// None is up: it may work again before its ejection ends.
    Ejected,
    /// None is up, and any may be tried: `fail_open`.
    Open,
}

impl Reason {
    /// A word for the log; `policy` is the name of the pool's.
    pub fn word(self, policy: &'static str) -> &'static str {
        match self {
            Self::Policy => policy,
            Self::Sticky => "sticky",
            Self::Retry => "retry",
            Self::Warming => "warming",
            Self::Backup => "backup",
            Self::Ejected => "last-resort",
            Self::Open => "fail-open",
        }
    }
}
