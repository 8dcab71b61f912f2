//! Fields with which a client could pose as a proxy in front of the application: whose address is
//! the real one, whether TLS was spoken, which path was meant, who has logged in.
//!
//! `forward` asks about every field that it is about to pass on. Which they are is the operator's
//! to say; those that Evenly itself writes are none of them: `fields` knows these.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::likeness::{Likeness, likeness};

/// The names that are kept to trusted peers unless the operator names others. A `*` at the end
/// stands for one character or more.
pub const USUAL: [&str; 14] = [
    // What Evenly does not write itself of this family: -Port, -Server, -Prefix, -User, -Ssl.
    "X-Forwarded-*",
    // The client's address, as nginx, Apache, Akamai, Cloudflare, Fastly and others pass it on.
    "X-Real-IP",
    "X-Client-IP",
    "Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-Cluster-Client-IP",
    // Whether TLS was spoken.
    "X-Scheme",
    "Front-End-Https",
    // Another path than the one that access was granted to: Symfony and IIS take it for the
    // request's (CVE-2018-14773).
    "X-Original-URL",
    "X-Rewrite-URL",
    // Who has been let in, by certificate or by password.
    "X-SSL-Client-*",
    "Remote-User",
];

/// A set of such names, made once and asked about every field.
#[derive(Debug)]
pub struct Claims {
    /// By the first letter's low five bits, which are the same in either case: for most fields
    /// there is nothing to compare.
    by_letter: [Vec<Entry>; 32],
}

#[derive(Debug)]
struct Entry {
    /// In lower case, without the `*`.
    name: Box<[u8]>,
    /// Longer names that start so are meant.
    open: bool,
}

impl Claims {
    /// The set of `names`, in any case, each a token; the last character may be a `*`.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut by_letter: [Vec<Entry>; 32] = std::array::from_fn(|_| Vec::new());
        for name in names {
            let bare = name.strip_suffix('*').unwrap_or(name).to_ascii_lowercase();
            let entry = Entry { open: bare.len() < name.len(), name: bare.into_bytes().into() };
            if let Some(first) = entry.name.first() {
                by_letter[letter(*first)].push(entry);
            }
        }
        Claims { by_letter }
    }

    /// Whether a field of this name is in the set, or poses as one that is.
    pub(super) fn likeness(&self, name: &[u8]) -> Likeness {
        let Some(first) = name.first() else {
            return Likeness::Different;
        };
        for entry in &self.by_letter[letter(*first)] {
            match entry.likeness(name) {
                Likeness::Different => {}
                found => return found,
            }
        }
        Likeness::Different
    }
}

impl Claims {
    /// Trailers, as rendered lines, without those that pose as one of these fields.
    #[must_use]
    pub fn without<'t>(&self, trailers: &'t [u8]) -> Cow<'t, [u8]> {
        let lines = || trailers.split_inclusive(|byte| *byte == b'\n');
        let poses = |line: &&[u8]| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            self.likeness(name) != Likeness::Different
        };
        match lines().any(|line| poses(&line)) {
            false => trailers.into(),
            true => lines().filter(|line| !poses(line)).collect::<Vec<_>>().concat().into(),
        }
    }
}

impl Entry {
    fn likeness(&self, name: &[u8]) -> Likeness {
        let length = self.name.len();
        let fits = if self.open { name.len() > length } else { name.len() == length };
        if fits { likeness(&name[..length], &self.name) } else { Likeness::Different }
    }
}

fn letter(byte: u8) -> usize {
    usize::from(byte & 31)
}

/// Whether the name is one of [`USUAL`], in disguise or not: no trailer may carry it, whoever sends
/// it.
pub(super) fn is_usual(name: &[u8]) -> bool {
    static CLAIMS: LazyLock<Claims> = LazyLock::new(|| Claims::new(USUAL));
    CLAIMS.likeness(name) != Likeness::Different
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case_and_in_disguise() {
        let claims = Claims::new(["X-Real-IP", "remote-user"]);
        for name in ["X-Real-IP", "x-real-ip", "REMOTE-USER"] {
            assert_eq!(claims.likeness(name.as_bytes()), Likeness::Same, "{name}");
        }
        for name in ["X_Real_IP", "x.real-ip", "Remote_User"] {
            assert_eq!(claims.likeness(name.as_bytes()), Likeness::Disguised, "{name}");
        }
        for name in ["", "x", "X-Real-IPs", "X-Real-I", "XxReal-IP", "Remote-Users", "\u{1f}"] {
            assert_eq!(claims.likeness(name.as_bytes()), Likeness::Different, "{name}");
        }
    }

    #[test]
    fn a_star_stands_for_one_character_or_more() {
        let claims = Claims::new(["X-SSL-Client-*"]);
        assert_eq!(claims.likeness(b"x-ssl-client-s_dn"), Likeness::Same);
        assert_eq!(claims.likeness(b"X_SSL_Client_Verify"), Likeness::Disguised);
        for name in ["X-SSL-Client-", "X-SSL-Client", "X-SSL-Clients-A"] {
            assert_eq!(claims.likeness(name.as_bytes()), Likeness::Different, "{name}");
        }
    }

    #[test]
    fn an_empty_set_knows_no_name() {
        let claims = Claims::new([]);
        assert_eq!(claims.likeness(b"X-Real-IP"), Likeness::Different);
    }

    #[test]
    fn usual_names_are_told_from_others() {
        for name in USUAL {
            assert!(is_usual(name.replace('*', "A").as_bytes()), "{name}");
        }
        for name in ["Accept", "Cookie", "X-Requested-With", "X-Forwarded", "Client", "Forwarded"] {
            assert!(!is_usual(name.as_bytes()), "{name}");
        }
    }
}
