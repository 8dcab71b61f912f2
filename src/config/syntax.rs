//! What a text that is no TOML most likely was to be, in words for whoever wrote it: the parser
//! says which character it stumbled over, a person wants to know what to write. Called by `raw`.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::message::quote;
use super::{each_key, is_table};

/// Where to look (a byte of the text) and what to do, given where the parser stumbled and what it
/// said.
pub(super) fn explain(text: &str, span: Range<usize>, said: &str) -> (usize, String) {
    let at = span.start.min(text.len());
    let at = (0..=at).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let is_first = text[..start].lines().all(is_blank);
    if let Some(whose) = foreign(line).filter(|_| is_first) {
        return (start, format!("this looks like {whose}; {OURS}"));
    }
    let (at, what) = if said.contains("duplicate key") {
        (at, twice(text, start, at, span.end))
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

/// A table or key that is there already, and where the first one is, if that can be found. `start`
/// is of the second one's line.
fn twice(text: &str, start: usize, at: usize, end: usize) -> String {
    let word = text.get(at..end).unwrap_or("it");
    let before = text[start..at].trim_start();
    let heading = before.starts_with('[') && !before.contains(['{', ',', '=']);
    let ending = match heading {
        true if before.starts_with("[[") => "]]",
        true => "]",
        false => " = 0",
    };
    let place = first(&text[..at], word.trim_matches(['"', '\'']), ending)
        .map_or(String::new(), |line| format!(" at line {line}"));
    match heading {
        true => format!("[{word}] stands{place} already; write its keys there"),
        false => format!("{word} is set{place} already; remove one of the two"),
    }
}

/// No key of anybody's.
const MARK: &str = "\"here, of all places\"";

/// The line of the first one, given all that stands before the second: a mark in that one's place
/// shows which table both are in, however that is spelled. What is open behind the mark is closed
/// by the parser.
fn first(before: &str, word: &str, ending: &str) -> Option<usize> {
    let marked = format!("{before}{MARK}{ending}");
    let (root, _) = DeTable::parse_recoverable(&marked);
    let table = with_mark(root.get_ref())?;
    let (key, _) = table.get_key_value(word)?;
    Some(marked.get(..key.span().start)?.matches('\n').count() + 1)
}

fn with_mark<'t, 'i>(table: &'t DeTable<'i>) -> Option<&'t DeTable<'i>> {
    if table.contains_key(MARK.trim_matches('"')) {
        return Some(table);
    }
    table.values().find_map(|value| inside(value.get_ref()))
}

fn inside<'t, 'i>(value: &'t DeValue<'i>) -> Option<&'t DeTable<'i>> {
    match value {
        DeValue::Table(table) => with_mark(table),
        DeValue::Array(items) => items.iter().find_map(|item| inside(item.get_ref())),
        _ => None,
    }
}

type Slip = Option<(usize, String)>;

/// A value that is a text and has no quotes, or odd ones.
fn unquoted(line: &str) -> Slip {
    let (key, rest) = line.split_once('=')?;
    let column = key.len() + 1 + rest.len() - rest.trim_start().len();
    let value = rest.split(" #").next().unwrap_or_default().trim();
    let what = match value.chars().next() {
        None => {
            let key = known(key).map_or("the key", |_| key.trim());
            return Some((column, format!("{key} has no value; write one, or remove the line")));
        }
        Some(quote @ ('"' | '\'')) if value.matches(quote).count() == 1 => {
            "the text has no quote at its end"
        }
        Some('"' | '\'' | '{') => return None,
        Some('[') if !value.ends_with(']') => return None,
        Some('[') => "texts stand in quotes",
        Some(_) if DeValue::parse(value).is_ok() => return None,
        Some(_) if spell(value).starts_with('"') => "texts stand in quotes",
        Some(_) => "that is not how it is written",
    };
    Some((column, format!("{what}; {}", write(key, value))))
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

/// What to write. The only place that repeats what stands there, and only of a key that is no
/// secret: under a word that is no key, and in the middle of a list, anything may stand.
fn write(key: &str, value: &str) -> String {
    let key = key.trim();
    match known(key) {
        Some(Secrecy::Open) => format!("write {key} = {}", spell(value)),
        Some(Secrecy::Secret) if value.starts_with('[') => format!("write {key} = [\"...\"]"),
        Some(Secrecy::Secret) => format!("write {key} = \"...\""),
        None => "write KEY = \"...\"".to_string(),
    }
}

/// Whether a value may be repeated.
enum Secrecy {
    Open,
    Secret,
}

/// What the table of keys says of a key as written: alone, as it stands below a heading, it may be
/// of any table.
fn known(written: &str) -> Option<Secrecy> {
    let mut words = written.rsplit('.').map(|word| word.trim().trim_matches(['"', '\'']));
    let (word, table) = (words.next()?, words.next());
    let word = if word == "tsl" { "tls" } else { word };
    let mut known = None;
    each_key(&mut |name, key, field| {
        if key == word && table.is_none_or(|table| table == name) {
            match field.is_secret() {
                true => known = Some(Secrecy::Secret),
                false => drop(known.get_or_insert(Secrecy::Open)),
            }
        }
    });
    known.filter(|_| words.next().is_none())
}

/// What such a value was to be: a flag, a number, a text, or a list of them.
fn spell(value: &str) -> String {
    if let Some(items) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let items: Vec<_> = items.split(',').map(|item| spell(item.trim())).collect();
        return format!("[{}]", items.join(", "));
    }
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
    let name = if is_table(name) { name } else { "NAME" };
    let what = match word {
        _ if word.contains(']') && !word.starts_with("[[") || word.contains("]]") => return None,
        _ if word.starts_with("[[") => format!("write [[{name}]]"),
        _ if word.starts_with('[') => format!("write [{name}]"),
        _ => return None,
    };
    Some((column, format!("the heading is not closed; {what}")))
}
