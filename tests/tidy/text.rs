//! Rust as text: what is code and what is comment, where an item ends, which words stand where.

/// Replaces comments and literals by spaces. Bytes and lines keep their places.
pub fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    while code.len() < text.len() {
        let rest = &text[code.len()..];
        let length = match opaque(rest, code.ends_with(is_word)) {
            0 => rest.chars().next().map_or(1, char::len_utf8),
            length => {
                let bytes = rest.bytes().take(length);
                code.extend(bytes.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
                continue;
            }
        };
        code.push_str(&rest[..length]);
    }
    code
}

/// Bytes of the comment or literal that starts here; 0 if none does.
fn opaque(text: &str, within_word: bool) -> usize {
    match text.as_bytes() {
        [b'/', b'/', ..] => text.find('\n').unwrap_or(text.len()),
        [b'/', b'*', ..] => comment(text),
        [b'"', ..] => quoted(text),
        // A lifetime has no second quote where the end of a character would be.
        [b'\'', b'\\', ..] => quoted(text),
        [b'\'', ..] if text.chars().nth(2) == Some('\'') => quoted(text),
        [b'r', ..] if !within_word => raw(text, 1),
        [b'b', b'r', ..] if !within_word => raw(text, 2),
        _ => 0,
    }
}

/// Block comments nest.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if text.starts_with(c) => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw(text: &str, prefix: usize) -> usize {
    let hashes = text[prefix..].bytes().take_while(|byte| *byte == b'#').count();
    let start = prefix + hashes + 1;
    if text.as_bytes().get(start - 1) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[start..].find(&close).map_or(text.len(), |end| start + end + close.len())
}

/// The code of the items that are compiled for tests or models only; all else is blank.
pub fn tests(code: &str) -> String {
    let mut tests = erased(code);
    for range in test_items(code) {
        tests.replace_range(range.clone(), &code[range]);
    }
    tests
}

/// The code without those items.
pub fn without_tests(code: &str) -> String {
    let mut shipped = code.to_owned();
    for range in test_items(code) {
        shipped.replace_range(range.clone(), &erased(&code[range]));
    }
    shipped
}

fn erased(code: &str) -> String {
    code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut items = Vec::new();
    for at in places(code, "#[cfg(") {
        let condition = code[at..].split(']').next().unwrap_or_default();
        let only = has_word(condition, "test") || has_word(condition, "loom");
        if only && !condition.contains("not(") {
            let start = at + condition.len() + 1;
            items.extend(item(&code[start..]).map(|end| at..start + end));
        }
    }
    items
}

/// Where the item that starts here ends: behind its closing brace, or its semicolon.
fn item(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 && matches!(c, '}' | ';') {
            return Some(at + 1);
        }
    }
    None
}

/// Name, line and length in lines of every function that has a body.
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, name) in named(code, "fn") {
        let body = item(&code[at..]).map_or("", |end| &code[at..at + end]);
        if body.ends_with('}') {
            found.push((name, line(code, at), body.lines().count()));
        }
    }
    found
}

/// Every `keyword name`: the place of the keyword, and the name.
pub fn named(code: &str, keyword: &str) -> Vec<(usize, String)> {
    let keyword = format!("{keyword} ");
    let all = places(code, &keyword).into_iter();
    let names = all.map(|at| (at, word(&code[at + keyword.len()..])));
    names.filter(|(_, name)| !name.is_empty()).collect()
}

/// The first name of each path in `a::b` or `{a::b, c::{d, e}}`.
pub fn first_steps(paths: &str) -> Vec<String> {
    match paths.strip_prefix('{') {
        None => vec![word(paths)],
        Some(group) => branches(group).into_iter().map(word).collect(),
    }
}

/// The parts of `a::b, c::{d, e}}`, in which commas part, up to the brace that closes it.
pub fn branches(group: &str) -> Vec<&str> {
    let mut branches = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        if depth == 0 && matches!(c, ',' | '}') {
            branches.push(group[start..at].trim());
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    branches.retain(|branch| !branch.is_empty());
    branches
}

/// The line of a place, from 1.
pub fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Where `text` stands and is not the end of a longer word.
pub fn places(code: &str, text: &str) -> Vec<usize> {
    let within = |at: usize| text.starts_with(is_word) && code[..at].ends_with(is_word);
    code.match_indices(text).map(|(at, _)| at).filter(|at| !within(*at)).collect()
}

/// Whether `text` stands there as a word of its own.
pub fn has_word(code: &str, text: &str) -> bool {
    let within = |at| text.ends_with(is_word) && code[at + text.len()..].starts_with(is_word);
    places(code, text).into_iter().any(|at| !within(at))
}

/// `HealthCheck_of` is health, check, of.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        let last = words.last_mut().unwrap();
        last.extend(c.to_lowercase().filter(|c| *c != '_'));
    }
    words
}

fn word(code: &str) -> String {
    code.chars().take_while(|c| is_word(*c)).collect()
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn comments_and_literals_are_blank_and_the_rest_keeps_its_place() {
    let cases = [
        ("a \"{\\\"\" b // }\nc", "a b c"),
        ("a '{' '\\'' &'b c b'x'", "a &'b c b"),
        ("a /* { /* \n */ } */ b", "a b"),
        ("r#\"a\"b\"# for br\"\\\" r\u{e9}", "for r\u{e9}"),
    ];
    for (text, expected) in cases {
        let code = blank(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected);
        assert_eq!((code.len(), line(&code, code.len())), (text.len(), line(text, text.len())));
    }
}

#[test]
fn functions_are_measured_to_their_closing_brace() {
    let code = "trait T { fn a(x: [u8; 4]);\n fn b() {\n if x { }\n }\n}\nfn c() -> [u8; 2] { }";
    assert_eq!(functions(code), [("b".to_owned(), 2, 3), ("c".to_owned(), 6, 1)]);
}

#[test]
fn what_is_for_tests_is_told_from_what_ships() {
    let code = "fn a() {}\n#[cfg(not(test))]\nfn b() {}\n#[cfg(test)]\nmod tests { fn c() {} }";
    assert_eq!(functions(&without_tests(code)).len(), 2);
    assert_eq!(functions(&tests(code)), [("c".to_owned(), 5, 1)]);
}

#[test]
fn the_first_steps_of_imports_are_found_in_groups() {
    assert_eq!(first_steps("pool::Pool;"), ["pool"]);
    assert_eq!(first_steps("{http::{self, body}, pool::Pool};"), ["http", "pool"]);
    assert_eq!(first_steps("{\n    http,\n    log::Log,\n};"), ["http", "log"]);
}

#[test]
fn words_are_told_apart() {
    assert_eq!(words("health_util"), ["health", "util"]);
    assert_eq!(words("LotMgr"), ["", "lot", "mgr"]);
}
