//! A message: what one person is to know of one thing, whatever way it goes.

use std::borrow::Cow;

/// A name in small letters, digits and `_`, and its value.
pub type Fact = (Cow<'static, str>, String);

/// What is to be told. Its texts are whatever backends and the system said: each channel writes
/// them so that they stay where they are put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Many lines, plain text.
    pub text: String,
    /// The same for all messages of an incident, and for none that is open at the same time:
    /// letters, digits and `-`.
    pub key: String,
    /// `down`, `up`, `all-down`, `recovered`, `flapping`, `reload-failed`, `certificate`,
    /// `exhausted`, `stuck` or `test`.
    pub kind: Cow<'static, str>,
    /// What else is known, for programs.
    pub facts: Vec<Fact>,
}

impl Message {
    /// The value of a fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        let found = self.facts.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}
