//! What a backend's state is called.

use std::fmt;
use std::str::FromStr;

/// Where a backend stands: its mode if that keeps it out, else its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Takes requests.
    Up,
    /// Checks fail, or the file says `alive = false` and no check has spoken yet.
    Down,
    /// Out for a while after failures in a row.
    Ejected,
    /// Finishes what it has and takes nothing new; an operator said so, or the application asked
    /// for it.
    Drain,
    /// Out of service; an operator said so.
    Maint,
}

/// What an operator wants of a backend. Kept apart from its health, which goes on being watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Takes requests while it is healthy.
    #[default]
    Ready,
    /// Takes no new requests.
    Drain,
    /// Takes no requests, not even when nothing else is up.
    Maint,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Ejected => "ejected",
            Self::Drain => "drain",
            Self::Maint => "maint",
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        })
    }
}

impl FromStr for Standing {
    type Err = ();

    /// From the word that it is displayed as.
    fn from_str(word: &str) -> Result<Self, ()> {
        let all = [Self::Up, Self::Down, Self::Ejected, Self::Drain, Self::Maint];
        all.into_iter().find(|standing| standing.to_string() == word).ok_or(())
    }
}

impl FromStr for Mode {
    type Err = ();

    /// From the word that it is displayed as.
    fn from_str(word: &str) -> Result<Self, ()> {
        let modes = [Self::Ready, Self::Drain, Self::Maint];
        modes.into_iter().find(|mode| mode.to_string() == word).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings_and_modes_are_named_as_operators_type_them() {
        let standings =
            [Standing::Up, Standing::Down, Standing::Ejected, Standing::Drain, Standing::Maint];
        let names: Vec<String> = standings.iter().map(Standing::to_string).collect();
        assert_eq!(names, ["up", "down", "ejected", "drain", "maint"]);
        let read: Vec<Standing> = names.iter().map(|word| word.parse().unwrap()).collect();
        assert_eq!(read, standings);
        let modes: Vec<String> =
            [Mode::Ready, Mode::Drain, Mode::Maint].iter().map(Mode::to_string).collect();
        assert_eq!(modes, ["ready", "drain", "maint"]);
        let read: Vec<_> = modes.iter().map(|word| word.parse()).collect();
        assert_eq!(read, [Ok(Mode::Ready), Ok(Mode::Drain), Ok(Mode::Maint)]);
        assert_eq!("up".parse::<Mode>(), Err(()));
    }
}
