//! What must hold for a key to mean something, as its line in the table of keys says it. Data
//! alone: `meaning` goes by it.

/// What another key must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// As `table.key`. One of a list is that of the same item, or to a key of a table, that of any.
    pub(super) key: &'static str,
    /// As bare text; "" is not set.
    pub(super) value: &'static str,
    /// Whether it must have this value, or must not.
    pub(super) has: bool,
    /// What will do as well.
    pub(super) or: Option<&'static Need>,
    /// Without it the key does harm.
    pub(super) grave: bool,
}

/// What the keys of a table need: all of them, and each.
pub(super) struct Needs {
    pub(super) table: &'static [Need],
    pub(super) keys: &'static [(&'static str, &'static [Need])],
}

/// `key` must have this value.
pub(super) const fn is(key: &'static str, value: &'static str) -> Need {
    Need { key, value, has: true, or: None, grave: false }
}

/// `key` must have another value.
pub(super) const fn is_not(key: &'static str, value: &'static str) -> Need {
    Need { has: false, ..is(key, value) }
}

/// `key` must be set.
pub(super) const fn is_set(key: &'static str) -> Need {
    is_not(key, "")
}

impl Need {
    /// The other one will do as well.
    pub(super) const fn or(self, other: &'static Self) -> Self {
        Self { or: Some(other), ..self }
    }

    /// Without it the key is refused.
    pub(super) const fn or_refused(self) -> Self {
        Self { grave: true, ..self }
    }
}
