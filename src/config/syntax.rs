//! What a text that is no TOML most likely was to be, in words for whoever wrote it: the parser
//! says which character it stumbled over, a person wants to know what to write. Called by `raw`.

use toml::de::{DeTable, DeValue};

use super::message::quote;

/// Where to look (a byte of the text) and what to do, given where the parser stumbled and what it
/// said.
pub(super) fn explain(text: &str, at: usize, said: &str) -> (usize, String) {
    let at = at.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let is_first = text[..start].lines().all(is_blank);
    if let Some(whose) = foreign(line).filter(|_| is_first) {
        return (start, format!("this looks like {whose}; {OURS}"));
    }
    let (at, what) = if said.contains("duplicate key") {
        (at, twice(text, start, at))
    } else {
        let slip = unquoted(line).or_else(|| no_equals(line)).or_else(|| odd_start(line));
        match slip {
            Some((column, what)) => (start + column, what),
            None => (at, said.replace('\n', "; ")),
        }
    };
    (at, format!("not valid TOML: {what}"))
}

const OURS: &str = "Evenly's is TOML: [[applications]] and below it, a line each, \
    ip = \"10.0.0.1\" and port = 8001";

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Whose file begins with such a line.
fn foreign(line: &str) -> Option<&'static str> {
    let line = line.trim();
    let first = line.split_whitespace().next().unwrap_or_default();
    let begins = |words: &[&str]| words.contains(&first);
    Some(match line {
        _ if line.starts_with("-----BEGIN") => "a PEM file",
        _ if line.starts_with('{') => "JSON",
        _ if line.starts_with("<?xml") || line.starts_with("<!") => "XML or HTML",
        _ if line.starts_with('<') || begins(&APACHE) => "an Apache configuration",
        _ if line.starts_with(';') => "an INI file",
        _ if begins(&HAPROXY) && !line.contains(['{', ';', '=']) => "an HAProxy configuration",
        _ if line.ends_with(';') || (line.ends_with('{') && begins(&NGINX)) => {
            "an nginx configuration"
        }
        _ if line.ends_with('{') => "a Caddyfile",
        _ if line.starts_with("---") || first == "-" || first.ends_with(':') => "YAML",
        _ => return None,
    })
}

const HAPROXY: [&str; 8] =
    ["global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "resolvers"];
const NGINX: [&str; 6] = ["events", "http", "upstream", "server", "stream", "location"];
const APACHE: [&str; 7] = [
    "Listen",
    "LoadModule",
    "ServerName",
    "ServerRoot",
    "ProxyPass",
    "ProxyRequests",
    "BalancerMember",
];

/// A table or key that is there already, and where. All before the line of the second one is good,
/// and its last key of that name is the first one.
fn twice(text: &str, start: usize, at: usize) -> String {
    let rest = &text[at..];
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'');
    let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
    let mut found = None;
    if let Ok(root) = DeTable::parse(&text[..start]) {
        last_key(root.get_ref(), word.trim_matches(['"', '\'']), &mut found);
    }
    let line = found.map_or(0, |found| text[..found].matches('\n').count()) + 1;
    match text[start..].trim_start().starts_with('[') {
        true => format!("[{word}] stands at line {line} already; write its keys there"),
        false => format!("{word} is set at line {line} already; remove one of the two"),
    }
}

fn last_key(table: &DeTable<'_>, word: &str, found: &mut Option<usize>) {
    for (key, value) in table {
        if key.get_ref() == word {
            *found = (*found).max(Some(key.span().start));
        }
        match value.get_ref() {
            DeValue::Table(inner) => last_key(inner, word, found),
            DeValue::Array(items) => {
                let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                tables.for_each(|inner| last_key(inner, word, found));
            }
            _ => {}
        }
    }
}

type Slip = Option<(usize, String)>;

/// A value that is a text and has no quotes, or odd ones.
fn unquoted(line: &str) -> Slip {
    let (key, rest) = line.split_once('=')?;
    let (column, key) = (key.len() + 1 + rest.len() - rest.trim_start().len(), key.trim());
    let value = rest.split(" #").next().unwrap_or_default().trim();
    let slip = |what: String| Some((column, what));
    match value.chars().next() {
        None => slip(format!("{key} has no value; write one, or remove the line")),
        Some(quote @ ('"' | '\'')) => (value.matches(quote).count() == 1)
            .then(|| (column, format!("the text has no quote at its end; {}", write(key, value)))),
        Some('{') => None,
        Some('[') => {
            let items = value.strip_prefix('[')?.strip_suffix(']')?;
            let items: Vec<_> = items.split(',').map(|item| spell(item.trim())).collect();
            slip(format!("texts stand in quotes; write {key} = [{}]", items.join(", ")))
        }
        Some(_) if DeValue::parse(value).is_ok() => None,
        Some(_) if spell(value).starts_with('"') => {
            slip(format!("texts stand in quotes; {}", write(key, value)))
        }
        Some(_) => slip(format!("{} is not how that is written; {}", value, write(key, value))),
    }
}

/// A key and a value with something else between them.
fn no_equals(line: &str) -> Slip {
    let word = line.trim_start();
    let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')?;
    let (key, rest) = word.split_at(end);
    let value = rest.trim_start_matches([' ', '\t', ':']).split(" #").next()?.trim();
    if key.is_empty() || value.is_empty() || line.contains('=') {
        return None;
    }
    let what = format!("there is no = between key and value; {}", write(key, value));
    Some((line.len() - word.len(), what))
}

/// A secret is not repeated.
fn write(key: &str, value: &str) -> String {
    match key.ends_with("secret") {
        true => format!("write {key} = \"...\""),
        false => format!("write {key} = {}", spell(value)),
    }
}

/// What such a value was to be: a flag, a number, or a text.
fn spell(value: &str) -> String {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => "true".to_string(),
        "false" | "no" => "false".to_string(),
        number if is_number && !number.is_empty() => match number.trim_start_matches('0') {
            "" => "0".to_string(),
            number => number.to_string(),
        },
        _ => quote(value.trim_matches(['"', '\'', '“', '”', '„', '‘', '’', '`', ',', ';'])),
    }
}

/// A heading that does not end, and comments of other languages.
fn odd_start(line: &str) -> Slip {
    let word = line.trim();
    let column = line.len() - line.trim_start().len();
    if word.starts_with(';') || word.starts_with("//") {
        return Some((column, "comments begin with #".to_string()));
    }
    let name = word.trim_start_matches('[').split(['#', ' ', ']']).next()?;
    let what = match word {
        _ if word.starts_with("[[") => format!("write [[{name}]]"),
        _ if word.starts_with('[') => format!("write [{name}]"),
        _ => return None,
    };
    Some((column, format!("the heading is not closed; {what}")))
}
