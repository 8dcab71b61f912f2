//! What keys of `[[alerts]]` offer to choose from.

use std::fmt;

/// What may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A backend is out, and others are up.
    Down,
    /// A backend is back, and others are still out.
    Up,
    /// No backend is up.
    AllDown,
    /// What was told of is over.
    Recovered,
    /// A backend comes and goes.
    Flapping,
    /// The file was read again and will not do.
    ReloadFailed,
    /// A certificate expires, has expired, or cannot be renewed.
    Certificate,
    /// Descriptors, ports or memory have run out.
    Exhausted,
    /// A thread of the balancer does not go on.
    Stuck,
}

/// How a connection to a mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins in the clear, and nothing is said before it is TLS (RFC 3207). Port 587.
    StartTls,
    /// It is TLS from the start (RFC 8314). Port 465.
    Tls,
    /// It is in the clear. Port 25.
    None,
}

/// What the body of a webhook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `text/plain; charset=utf-8`
    Text,
}

/// Which of the kinds, without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Way {
    Email,
    Webhook,
    Command,
}

impl Occasion {
    /// All there are, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Down,
        Self::Up,
        Self::AllDown,
        Self::Recovered,
        Self::Flapping,
        Self::ReloadFailed,
        Self::Certificate,
        Self::Exhausted,
        Self::Stuck,
    ];

    /// As in the file and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::AllDown => "all-down",
            Self::Recovered => "recovered",
            Self::Flapping => "flapping",
            Self::ReloadFailed => "reload-failed",
            Self::Certificate => "certificate",
            Self::Exhausted => "exhausted",
            Self::Stuck => "stuck",
        }
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Way {
    pub(in crate::config) const ALL: [Self; 3] = [Self::Email, Self::Webhook, Self::Command];

    pub(in crate::config) fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Security {
    /// The port where this is usual.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}
