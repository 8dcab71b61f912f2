//! The user and the group that the process becomes once it has bound its address: names as in
//! /etc/passwd and /etc/group, or numbers. Read when the configuration is read, so that a wrong one
//! is told with its place. (libc would ask directories over the network too; a static binary has
//! none of that.)

use std::fmt;
use std::fs;

use super::message::quote;

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As written.
    name: String,
    /// What the kernel knows it by.
    pub id: u32,
    /// The group of a user that /etc/passwd knows.
    pub group: Option<u32>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A user, by name or number.
pub(super) fn user(text: &str) -> Result<Account, String> {
    account(text, "user", USERS)
}

/// A group, by name or number.
pub(super) fn group(text: &str) -> Result<Account, String> {
    let group = account(text, "group", GROUPS)?;
    Ok(Account { group: None, ..group })
}

/// Both files have the name first and the number third (passwd(5), group(5)); behind a user's
/// stands its group.
fn account(text: &str, noun: &str, path: &str) -> Result<Account, String> {
    // A full name may be in another encoding.
    let known = fs::read(path).unwrap_or_default();
    let known = String::from_utf8_lossy(&known);
    let is_it = |line: &&str| line.split(':').step_by(2).take(2).any(|field| field == text);
    let mut numbers =
        known.lines().find(is_it).into_iter().flat_map(|line| {
            line.split(':').skip(2).take(2).map(|number| number.parse::<u32>().ok())
        });
    // The highest number means "as before" to the system calls that change one.
    let own = || text.parse().ok().filter(|id| *id != u32::MAX);
    match numbers.next().flatten().or_else(own) {
        Some(id) => Ok(Account { name: text.to_owned(), id, group: numbers.next().flatten() }),
        None => {
            let said = quote(text);
            Err(format!("{said} is no {noun} in {path}; write one that is there, or a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_known_by_name_and_by_number() {
        let root = Account { name: "root".into(), id: 0, group: Some(0) };
        assert_eq!(user("root"), Ok(root.clone()));
        assert_eq!(user("0"), Ok(Account { name: "0".into(), ..root.clone() }));
        assert_eq!(group("root"), Ok(Account { group: None, ..root }));
        let unknown = Account { name: "123456789".into(), id: 123_456_789, group: None };
        assert_eq!(user("123456789"), Ok(unknown.clone()));
        assert_eq!(group("123456789"), Ok(unknown));
    }

    #[test]
    fn a_full_name_in_latin_1_hides_nobody() {
        let path = std::env::temp_dir().join(format!("evenly-passwd-{}", std::process::id()));
        fs::write(&path, b"jos:x:7:8:Jos\xe9:/:/bin/sh\nweb:x:33:34::/:/bin/sh\n").unwrap();
        let web = account("web", "user", &path.display().to_string()).unwrap();
        assert_eq!((web.id, web.group), (33, Some(34)));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_no_file_knows_and_no_number_is_is_refused() {
        for text in ["", "nobody-of-this-name", "x", "4294967295", "-1", "0:0", "/root"] {
            assert!(user(text).is_err() && group(text).is_err(), "{text}");
        }
    }
}
