//! What is wanted of a backend, whatever its health: by an operator, and by its application.
//!
//! Part of its record, one byte in the line of the cache that a pick looks at. Read by every pick,
//! written under the family's `turn`. Knows who outranks whom, and nothing of other backends.
//!
//! The operator's word outranks the application's: `drain` and `maint` stay whatever checks are
//! answered, and `ready`, said while the application asks to be drained, stays until it has stopped
//! asking.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::{Mode, Standing};

/// Who wants a backend to take nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Somebody set its mode.
    Operator,
    /// It answered a check so.
    Application,
}

/// What has become of the application's wish to be drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Plea {
    /// It has none.
    #[default]
    None,
    /// It gets nothing new.
    Granted,
    /// It stays in use, for no other is up.
    Spared,
    /// It stays in use, for an operator says so.
    Overruled,
}

/// What is wanted of one backend.
#[derive(Default)]
pub(super) struct Wish {
    /// The mode in 2 bits, the plea in 2, and one for [`CUT`](Self::CUT).
    word: AtomicU8,
}

impl Wish {
    const PLEA: u8 = 2;
    /// In maintenance, and the time is up for whatever is still in flight there.
    const CUT: u8 = 1 << 4;

    /// What the operator wants.
    pub(super) fn mode(&self) -> Mode {
        mode(self.word.load(Relaxed))
    }

    /// Sets what the operator wants. Nothing is cut off any more, or not yet.
    pub(super) fn set_mode(&self, mode: Mode) {
        let is_overruled = mode == Mode::Ready && self.can_be_overruled();
        let plea = if is_overruled { Plea::Overruled } else { self.plea() };
        self.word.store(mode as u8 | (plea as u8) << Self::PLEA, Relaxed);
    }

    pub(super) fn plea(&self) -> Plea {
        plea(self.word.load(Relaxed))
    }

    pub(super) fn set_plea(&self, plea: Plea) {
        let others = self.word.load(Relaxed) & !(3 << Self::PLEA);
        self.word.store(others | (plea as u8) << Self::PLEA, Relaxed);
    }

    /// Where it stands by what is wanted; none if that is for its health to say.
    pub(super) fn standing(&self) -> Option<Standing> {
        match self.word.load(Relaxed) {
            0 => None, // as nearly always
            word => match mode(word) {
                Mode::Maint => Some(Standing::Maint),
                Mode::Drain => Some(Standing::Drain),
                Mode::Ready => (plea(word) == Plea::Granted).then_some(Standing::Drain),
            },
        }
    }

    /// Who keeps it from taking anything new, if anybody does.
    pub(super) fn asked_by(&self) -> Option<Who> {
        let word = self.word.load(Relaxed);
        match mode(word) {
            Mode::Ready => (plea(word) == Plea::Granted).then_some(Who::Application),
            Mode::Drain | Mode::Maint => Some(Who::Operator),
        }
    }

    /// True while the application asks to be drained and nobody has said no: granted or spared, it
    /// is drained as soon as another is up.
    pub(super) fn can_be_overruled(&self) -> bool {
        matches!(self.plea(), Plea::Granted | Plea::Spared)
    }

    /// Whatever is in flight there is to end now.
    pub(super) fn cut(&self) {
        self.word.fetch_or(Self::CUT, Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.word.load(Relaxed) & Self::CUT != 0
    }
}

fn mode(word: u8) -> Mode {
    match word & 3 {
        word if word == Mode::Drain as u8 => Mode::Drain,
        word if word == Mode::Maint as u8 => Mode::Maint,
        _ => Mode::Ready,
    }
}

fn plea(word: u8) -> Plea {
    match word >> Wish::PLEA & 3 {
        word if word == Plea::Granted as u8 => Plea::Granted,
        word if word == Plea::Spared as u8 => Plea::Spared,
        word if word == Plea::Overruled as u8 => Plea::Overruled,
        _ => Plea::None,
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Operator => "operator",
            Self::Application => "application",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_word_outranks_the_applications() {
        let wish = Wish::default();
        assert_eq!((wish.standing(), wish.asked_by()), (None, None));
        wish.set_plea(Plea::Granted);
        let asked = (Some(Standing::Drain), Some(Who::Application));
        assert_eq!((wish.standing(), wish.asked_by()), asked);
        wish.set_mode(Mode::Maint);
        assert_eq!((wish.standing(), wish.plea()), (Some(Standing::Maint), Plea::Granted));
        assert_eq!(wish.asked_by(), Some(Who::Operator));
        wish.set_mode(Mode::Drain);
        wish.set_plea(Plea::None);
        assert_eq!((wish.standing(), wish.mode()), (Some(Standing::Drain), Mode::Drain));
        wish.set_plea(Plea::Granted);
        wish.set_mode(Mode::Ready);
        assert_eq!((wish.standing(), wish.plea()), (None, Plea::Overruled));
    }

    #[test]
    fn what_is_cut_off_is_so_until_the_mode_is_another() {
        let wish = Wish::default();
        wish.set_mode(Mode::Maint);
        wish.cut();
        assert!(wish.is_cut());
        assert_eq!((wish.mode(), wish.standing()), (Mode::Maint, Some(Standing::Maint)));
        wish.set_mode(Mode::Drain);
        assert!(!wish.is_cut());
    }
}
