//! The house rules, as far as a program can hold them: layers, rings, lengths, names, dead files.
//!
//! It reads the sources as text (`tidy/text.rs`) and knows no more of Rust than braces and
//! keywords. A finding says where, which rule, and what to do about it.

#![allow(clippy::unwrap_used)]

#[path = "tidy/rings.rs"]
mod rings;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

use source::sources;
use std::collections::{BTreeMap, BTreeSet};

/// Each room, and those it may import. A room names only rooms above its own line, so no circle
/// can arise.
const ROOMS: &str = "
    text:
    preface:
    hello:
    http:    text
    pool:    text preface
    thread:
    children:
    log:     text thread
    event:   log text
    blame:
    dial:
    config:  http pool text preface
    tls:     pool config text
    plain:   http thread blame tls
    engine:  tls
    relay:   http pool log event thread blame dial config tls text engine preface hello
    watch:   http pool event thread blame dial config tls text preface
    client:  http pool event blame config tls plain watch
    notify:  children http pool log event thread config tls plain text
    admin:   text http pool thread log event config tls plain relay notify
    lab:     http pool blame config tls plain text
    balancer: children pool thread log event config tls engine relay watch notify admin text
    cmd:     children http pool config tls plain engine balancer client notify admin lab text
    main:    cmd
";

/// What may not stand in `src` outside tests: the text, the room where it is banned or `*`, and
/// what to do instead.
const BANNED: &str = "
    .unwrap()         *     return the error, or `expect` with the invariant as its text
    todo!             *     finish it, or leave it out
    unimplemented!    *     finish it, or leave it out
    dbg!              *     remove it
    print!            *     use `write!`: print panics on a closed pipe
    println!          *     use `writeln!`: println panics on a closed pipe
    eprint!           *     use `write!`: print panics on a closed pipe
    eprintln!         *     use `writeln!`: println panics on a closed pipe
    thread::sleep     *     wait for the event, with a deadline
    Instant::now      http  take `now` as an argument: the room is pure
    SystemTime::now   http  take `now` as an argument: the room is pure
    Instant::now      pool  take `now` as an argument: the room is pure
    SystemTime::now   pool  take `now` as an argument: the room is pure
";

/// Words that say nothing about the thing they name.
const EMPTY_WORDS: [&str; 5] = ["mgr", "util", "utils", "helper", "helpers"];

const LINE_COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
/// Lines that hold code: neither blank, nor comment, nor test.
const FILE_LINES_MAX: usize = 300;

/// What is longer than its limit today, its length, and why: a file as its path, a function as
/// `path::name`. An entry may only shrink.
const RATCHET: &[(&str, usize, &str)] = &[];

/// Folders whose files still import each other in rings. A folder without a ring leaves this list.
const KNOWN_RINGS: &[&str] = &[];

#[test]
fn rooms_import_only_rooms_above_them() {
    let rooms = rooms();
    let mut findings = Vec::new();
    for source in sources("src").iter().filter(|source| source.path != "src/lib.rs") {
        let room = source.room();
        let Some(allowed) = rooms.get(room) else {
            findings.push(source.finding(1, "layers: a room that ROOMS does not know; add it"));
            continue;
        };
        for (line, import) in source.imports() {
            if import != room && !allowed.contains(&import.as_str()) {
                let rule = format!("layers: `{room}` may not import `{import}`; pass it a value");
                findings.push(source.finding(line, &rule));
            }
        }
        for line in source.climbs_to_the_root() {
            findings.push(source.finding(line, "layers: write `crate::` to reach another room"));
        }
    }
    report(&findings);
}

fn rooms() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut rooms = BTreeMap::new();
    for line in ROOMS.lines().filter(|line| !line.trim().is_empty()) {
        let (room, imports) = line.trim().split_once(':').unwrap();
        let imports: Vec<_> = imports.split_whitespace().collect();
        let circle = imports.iter().find(|name| !rooms.contains_key(*name));
        assert_eq!(circle, None, "ROOMS: {room} may import only rooms above it");
        rooms.insert(room, imports);
    }
    rooms
}

#[test]
fn architecture_has_the_table_of_rooms() {
    let page = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    let (_, table) = page.split_once("| room | what it holds | may import |\n").unwrap();
    let mut shown = BTreeMap::new();
    for row in table.lines().skip(1).take_while(|row| row.starts_with('|')) {
        let cells: Vec<_> = row.split(" | ").collect();
        let names = |cell: &str| {
            let quoted = cell.split('`').skip(1).step_by(2);
            let bare = |name: &str| name.trim_end_matches(".rs").trim_end_matches('/').to_owned();
            quoted.map(bare).collect::<BTreeSet<_>>()
        };
        shown.insert(names(cells[0]).pop_first().unwrap(), names(cells[2]));
    }
    let owned = |(room, imports): (&str, Vec<&str>)| {
        (room.to_owned(), imports.into_iter().map(str::to_owned).collect())
    };
    assert_eq!(shown, rooms().into_iter().map(owned).collect(), "page (left), ROOMS (right)");
}

#[test]
fn no_circle_of_files() {
    let sources = sources("src");
    let imports = rings::imports(&sources);
    let rings = rings::rings(&imports);
    let is_known = |ring: &Vec<&str>, folder| ring.iter().all(|file| file.starts_with(folder));
    let mut findings = Vec::new();
    for ring in rings.iter().filter(|ring| !KNOWN_RINGS.iter().any(|it| is_known(ring, it))) {
        let shown = rings::shown(ring, &imports);
        findings.push(format!("ring: {} files; let one do without the next\n{shown}", ring.len()));
    }
    for folder in KNOWN_RINGS.iter().filter(|it| !rings.iter().any(|ring| is_known(ring, it))) {
        findings.push(format!("tests/tidy.rs: KNOWN_RINGS: {folder} has none; drop it"));
    }
    report(&findings);
}

#[test]
fn functions_and_files_stay_short() {
    let mut sizes = BTreeMap::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        if source.path.starts_with("src/") {
            sizes.insert(source.path.clone(), (1, source.code_lines(), FILE_LINES_MAX));
        }
        for (name, line, lines) in text::functions(&source.code) {
            let size = (line, lines, FUNCTION_LINES_MAX);
            let longest = sizes.entry(format!("{}::{name}", source.path)).or_insert(size);
            if longest.1 < lines {
                *longest = size;
            }
        }
    }
    let mut findings = Vec::new();
    for (key, (line, lines, limit)) in &sizes {
        let (path, what) = key.split_once("::").unwrap_or((key, "the file"));
        let entry = RATCHET.iter().find(|(name, ..)| name == key).map(|(_, lines, _)| lines);
        let remedy = match entry {
            None if lines > limit => format!("at most {limit} are allowed; split it"),
            Some(entry) if lines > entry => format!("{entry} in RATCHET; split it"),
            Some(_) if lines <= limit => "drop it from RATCHET".to_owned(),
            Some(entry) if lines < entry => format!("lower it in RATCHET to {lines}"),
            _ => continue,
        };
        findings.push(format!("{path}:{line}: length: {what} has {lines} lines; {remedy}"));
    }
    for (key, ..) in RATCHET.iter().filter(|(key, ..)| !sizes.contains_key(*key)) {
        findings.push(format!("tests/tidy.rs: RATCHET: there is no {key}; drop it"));
    }
    report(&findings);
}

#[test]
fn lines_fit_the_page() {
    let mut findings = Vec::new();
    for source in ["src", "tests", "benches", "fuzz/fuzz_targets"].into_iter().flat_map(sources) {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                let rule = format!("width: {columns} columns, at most {LINE_COLUMNS_MAX}; wrap it");
                findings.push(source.finding(index + 1, &rule));
            }
        }
    }
    report(&findings);
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let files = sources("src").into_iter().filter(|source| !source.is_test);
    let mute = files.filter(|source| !source.text.starts_with("//!"));
    let rule = "module doc: open with `//!`: what the file owns, who calls it";
    report(&mute.map(|source| source.finding(1, rule)).collect::<Vec<_>>());
}

#[test]
fn names_say_what_a_thing_is() {
    let mut findings = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        for (line, keyword, name) in source.definitions() {
            let empty = text::words(&name).iter().any(|word| EMPTY_WORDS.contains(&word.as_str()));
            let shared = keyword == "mod" && name == "common";
            let got = keyword == "fn" && name.starts_with("get_");
            if empty || shared || got {
                let rule = format!("name: `{name}` says nothing; name the thing, or the act");
                findings.push(source.finding(line, &rule));
            }
        }
    }
    report(&findings);
}

#[test]
fn nothing_panics_prints_or_sleeps_outside_tests() {
    let mut findings = Vec::new();
    for source in sources("src") {
        for banned in BANNED.lines().filter(|line| !line.trim().is_empty()) {
            let (text, rest) = banned.trim().split_once(' ').unwrap();
            let (room, remedy) = rest.trim().split_once(' ').unwrap();
            if room != "*" && room != source.room() {
                continue;
            }
            for (index, line) in source.shipped.lines().enumerate() {
                if text::has_word(line, text) {
                    let rule = format!("banned: `{text}`; {}", remedy.trim());
                    findings.push(source.finding(index + 1, &rule));
                }
            }
        }
    }
    report(&findings);
}

#[test]
fn every_file_is_part_of_the_crate() {
    let all = sources("src");
    let mut reached: BTreeSet<String> = ["src/lib.rs", "src/main.rs"].map(String::from).into();
    let mut known = 0;
    while known < reached.len() {
        known = reached.len();
        let parents: Vec<_> = all.iter().filter(|s| reached.contains(&s.path)).collect();
        reached.extend(parents.iter().flat_map(|parent| parent.children()));
    }
    let dead = all.iter().filter(|source| !reached.contains(&source.path));
    let rule = "dead file: no `mod` leads here; declare it or delete it";
    report(&dead.map(|source| source.finding(1, rule)).collect::<Vec<_>>());
}

/// Fails with one line a finding.
fn report(findings: &[String]) {
    assert!(findings.is_empty(), "{} to put in order\n{}\n", findings.len(), findings.join("\n"));
}
