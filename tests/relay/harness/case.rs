//! The cases in tests/wire: a file each, with what is expected above and the raw bytes below.
//!
//! ```text
//! # Why the rule is there.
//! status: 400
//! ---
//! GET / HTTP/1.1\r\n
//! Host: a.test\r\n
//! \r\n
//! ```
//!
//! Below the line, the ends of lines in the file mean nothing; `\r`, `\n`, `\t`, `\0`, `\\` and
//! `\xNN` are bytes, and `\{300*ab}` is `ab` three hundred times. The keys are explained where they
//! are read: in `wire_requests` and `wire_answers`.

use std::fs;
use std::path::Path;

/// One case.
pub struct Case {
    /// The file's name without its ending.
    pub name: String,
    keys: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Case {
    pub fn value<'c>(&'c self, key: &'c str) -> Option<&'c str> {
        self.values(key).next()
    }

    pub fn values<'c>(&'c self, key: &'c str) -> impl Iterator<Item = &'c str> {
        self.keys.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn parse(name: &str, text: &str, known: &[&str]) -> Self {
        let (above, below) = text.split_once("\n---\n").expect("a case has a line of ---");
        let written = above.lines().filter(|line| !line.starts_with('#'));
        let keys = written.map(|line| {
            let (key, value) = line.split_once(": ").expect("a key, a colon and a value");
            assert!(known.contains(&key), "{name}: unknown key {key}");
            (key.to_owned(), value.to_owned())
        });
        assert!(above.starts_with("# "), "{name}: a case says why it is there");
        Self {
            name: name.to_owned(),
            keys: keys.collect(),
            bytes: unescape(&below.replace('\n', "")),
        }
    }
}

/// The cases of a family: the folder's files in order of name. At least one.
pub fn cases(family: &str, known: &[&str]) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(family);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy();
        Case::parse(&name, &fs::read_to_string(path).unwrap(), known)
    };
    let cases: Vec<_> = paths.iter().map(read).collect();
    assert!(!cases.is_empty(), "no cases in {family}");
    cases
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "0" => bytes.push(0),
            "\\" => bytes.push(b'\\'),
            "x" => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "{" => {
                let (inside, after) = rest.split_once('}').expect("a repetition ends with }");
                let (times, what) = inside.split_once('*').expect("a count, a star and a text");
                bytes.extend(unescape(what).repeat(times.parse().unwrap()));
                rest = after;
            }
            other => panic!("unknown escape \\{other}"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
