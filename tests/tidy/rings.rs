//! Which file of the crate imports which, and the rings among them.
//!
//! A name belongs to the file that defines it, whichever module hands it on: `super::Pool` leads to
//! `pool/mod.rs`, which defines the pool, and `super::Ask` to `pool/ask.rs`, as `pool/mod.rs` only
//! hands it on. So `pub use` imports no more than what its own file uses of it.
//!
//! `mod x;` imports nothing. Nor does a module that uses the modules below it: it owns them, and
//! puts together what they are. What they take from it is an import.

use super::source::Source;
use super::text;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Further than this no name of ours is handed on; a circle of `pub use` is.
const HANDS_MAX: usize = 16;

/// A file -> the files that it imports, each with the names that it takes from there.
pub type Imports<'s> = BTreeMap<&'s str, BTreeMap<&'s str, BTreeSet<String>>>;

/// What each of the files of `src/` imports from the others.
pub fn imports(sources: &[Source]) -> Imports<'_> {
    let house = House::new(sources);
    let mut imports = Imports::new();
    for (place, module) in &house.modules {
        let from = imports.entry(module.path).or_default();
        let taken = module.uses.iter().filter(|import| import.is_needed(&module.code));
        for steps in taken.map(|import| import.steps.clone()).chain(paths(&module.code)) {
            let Some((home, name)) = house.resolve(place, &steps, HANDS_MAX) else {
                continue;
            };
            let path = house.modules[&home].path;
            if path != module.path && !home.starts_with(&below(place, "")) {
                from.entry(path).or_default().insert(name);
            }
        }
    }
    imports
}

/// For each import that is part of a ring, the shortest such ring: files in order, the first of
/// which is imported by the last. The shortest stand first.
pub fn rings<'s>(imports: &Imports<'s>) -> Vec<Vec<&'s str>> {
    let mut rings = BTreeSet::new();
    for (from, taken) in imports {
        for to in taken.keys() {
            if let Some(mut ring) = way(imports, to, from) {
                let first = (0..ring.len()).min_by_key(|index| ring[*index]).unwrap();
                ring.rotate_left(first);
                rings.insert((ring.len(), ring));
            }
        }
    }
    rings.into_iter().map(|(_, ring)| ring).collect()
}

/// The files on the shortest way from one to another, both included.
fn way<'s>(imports: &Imports<'s>, from: &'s str, to: &'s str) -> Option<Vec<&'s str>> {
    let mut before = BTreeMap::from([(from, from)]);
    let mut next = VecDeque::from([from]);
    while let Some(file) = next.pop_front().filter(|file| *file != to) {
        for other in imports[file].keys().filter(|other| imports.contains_key(*other)) {
            before.entry(other).or_insert_with(|| {
                next.push_back(other);
                file
            });
        }
    }
    let mut way = vec![to];
    while way[way.len() - 1] != from {
        way.push(before.get(way[way.len() - 1])?);
    }
    way.reverse();
    Some(way)
}

/// A ring, a line for each import: `a.rs -> b.rs: Name, Other`.
pub fn shown(ring: &[&str], imports: &Imports<'_>) -> String {
    let ends = ring.iter().zip(ring.iter().cycle().skip(1));
    let lines: Vec<_> = ends.map(|(from, to)| line(imports, from, to)).collect();
    lines.join("\n")
}

fn line(imports: &Imports<'_>, from: &str, to: &str) -> String {
    let names: Vec<_> = imports[from][to].iter().map(String::as_str).collect();
    format!("    {from} -> {to}: {}", names.join(", "))
}

/// All modules by their path below the crate; the crate itself is "".
struct House<'s> {
    modules: BTreeMap<String, Module<'s>>,
}

struct Module<'s> {
    path: &'s str,
    uses: Vec<Import>,
    /// What ships, without its `use` lines.
    code: String,
}

/// One name that a `use` brings in.
#[derive(Debug, PartialEq)]
struct Import {
    steps: Vec<String>,
    name: String,
    is_handed_on: bool,
}

impl<'s> House<'s> {
    fn new(sources: &'s [Source]) -> Self {
        let shipped = sources.iter().filter(|source| !source.is_test);
        let module = |source: &'s Source| {
            let (uses, code) = uses(&source.shipped);
            (place(&source.path), Module { path: &source.path, uses, code })
        };
        Self { modules: shipped.map(module).collect() }
    }

    /// The module and the name that a path leads to, as seen from `place`. None for what is not in
    /// the crate, and for a module as such.
    fn resolve(&self, place: &str, steps: &[String], hands: usize) -> Option<(String, String)> {
        let (first, rest) = steps.split_first()?;
        match first.as_str() {
            "crate" | "evenly" => self.find("", rest, hands),
            "self" => self.find(place, rest, hands),
            "super" => {
                let above = place.rsplit_once("::").map_or("", |(above, _)| above);
                match rest.first().is_some_and(|step| step == "super") {
                    true => self.resolve(above, rest, hands),
                    false => self.find(above, rest, hands),
                }
            }
            name if self.modules.contains_key(&below(place, name)) => {
                self.find(place, steps, hands)
            }
            name => {
                let import = self.modules[place].import(name)?;
                let steps = [&import.steps, rest].concat();
                self.resolve(place, &steps, hands.checked_sub(1)?)
            }
        }
    }

    /// What `steps` are in a module: in a module below it, handed on by it, or its own.
    fn find(&self, place: &str, steps: &[String], hands: usize) -> Option<(String, String)> {
        let (first, rest) = steps.split_first()?;
        let child = below(place, first);
        if self.modules.contains_key(&child) {
            return self.find(&child, rest, hands);
        }
        match self.modules[place].import(first) {
            Some(import) => {
                let steps = [&import.steps, rest].concat();
                self.resolve(place, &steps, hands.checked_sub(1)?)
            }
            None => Some((place.to_owned(), first.clone())),
        }
    }
}

impl Module<'_> {
    /// The `use` of a name; one that only says who may see it (`pub(super) use table;`) is none.
    fn import(&self, name: &str) -> Option<&Import> {
        self.uses.iter().find(|import| import.name == name && import.steps != [name])
    }
}

impl Import {
    fn is_needed(&self, code: &str) -> bool {
        !self.is_handed_on || text::has_word(code, &self.name)
    }
}

/// `src/pool/policy/mod.rs` and `src/pool/policy.rs` are `pool::policy`.
fn place(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { String::new() } else { path.replace('/', "::") }
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}::{name}") }
}

/// What the code's `use` lines bring in, and the code without them.
fn uses(code: &str) -> (Vec<Import>, String) {
    let (mut uses, mut rest) = (Vec::new(), code.to_owned());
    for at in text::places(code, "use ") {
        let tree = code[at + "use ".len()..].split(';').next().unwrap_or_default();
        let is_handed_on = code[..at].trim_end().ends_with(['b', ')']);
        grow(&mut uses, &[], tree, is_handed_on);
        let end = at + "use ".len() + tree.len();
        rest.replace_range(at..end, &" ".repeat(end - at));
    }
    (uses, rest)
}

/// Adds each name of a tree such as `a::{self, b::C, d::{E as F}}`.
fn grow(uses: &mut Vec<Import>, trunk: &[String], tree: &str, is_handed_on: bool) {
    let tree = tree.trim();
    let (path, group) =
        tree.split_once('{').map_or((tree, None), |(path, group)| (path, Some(group)));
    let (path, alias) =
        path.split_once(" as ").map_or((path, None), |(path, as_)| (path, Some(as_)));
    let named = path.split("::").map(str::trim).filter(|step| !step.is_empty());
    let mut steps = [trunk, &named.map(str::to_owned).collect::<Vec<_>>()].concat();
    if let Some(group) = group {
        text::branches(group).iter().for_each(|tree| grow(uses, &steps, tree, is_handed_on));
        return;
    }
    if !trunk.is_empty() {
        steps.pop_if(|last| last == "self");
    }
    if let Some(last) = steps.last().cloned() {
        let name = alias.map_or(last, |alias| alias.trim().to_owned());
        uses.push(Import { steps, name, is_handed_on });
    }
}

/// The paths of more than one step that stand in the code: `super::head::X`, `grammar::name`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for chain in code.split(|c: char| !text::is_word(c) && c != ':') {
        let steps: Vec<_> = chain.split("::").map(str::to_owned).collect();
        if steps.len() > 1 && steps.iter().all(|step| step.chars().all(text::is_word)) {
            paths.push(steps);
        }
    }
    paths
}

fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::of(path, (*text).to_owned())).collect()
}

/// What the first of the files imports; the others are there to be imported.
fn taken(text: &str) -> String {
    let sources = sources(&[
        ("src/a/b.rs", text),
        ("src/a/mod.rs", "mod b;\nmod c;\npub use c::{C, D as E};\nuse c::F;\npub struct A(F);"),
        ("src/a/c.rs", ""),
        ("src/z/mod.rs", "pub mod y;\npub use crate::a::E as Z;"),
        ("src/z/y.rs", ""),
        ("src/lib.rs", "pub mod a;\npub mod z;"),
    ]);
    let imports = imports(&sources);
    let lines = imports["src/a/b.rs"].keys().map(|to| line(&imports, "src/a/b.rs", to));
    lines.map(|line| line.trim().replace("src/a/b.rs -> src/", "")).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_name_belongs_to_the_file_that_defines_it() {
    let cases = [
        ("use super::A;", "a/mod.rs: A"),
        ("use super::C;", "a/c.rs: C"),
        ("use super::{A, C};", "a/c.rs: C; a/mod.rs: A"),
        ("use super::E;", "a/c.rs: D"),
        ("use super::F;", "a/c.rs: F"),
        ("use crate::z::Z;", "a/c.rs: D"),
        ("use crate::{a::{self}, z::{y::{G as H, I::{self, J}}, Z}};", "a/c.rs: D; z/y.rs: G, I"),
        ("use crate::z::{self, y};\nfn f() -> y::G { z::h(y::i) }", "z/mod.rs: h; z/y.rs: G, i"),
        ("fn f(c: super::C) -> Vec<super::c::G> {}", "a/c.rs: C, G"),
        ("fn f() { use super::super::z; z::y::g::<u8>() }", "z/y.rs: g"),
        ("use evenly::z::y::*;", "z/y.rs: *"),
        ("use super::c::G as K; impl K { fn l() { K::m() } }", "a/c.rs: G"),
    ];
    for (text, expected) in cases {
        assert_eq!(taken(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_import_is_none() {
    for text in [
        "use std::fmt;\nuse toml::de;\nfn f() -> fmt::Result { de::g() }",
        "// super::C\nfn f() { super_::c(\"super::C\") }",
        "#[cfg(test)]\nmod tests { use super::super::C; }",
        "pub(in crate::z) fn f() {}",
        "pub use super::C;",
        "use super::c;",
        "use self::b::B; fn f() { Self::g() }",
    ] {
        assert_eq!(taken(text), "", "{text}");
    }
}

#[test]
fn a_module_owns_what_is_below_it() {
    let owner = ("src/a.rs", "mod b;\nuse b::B;\nuse crate::z::Z;\npub struct A(B, Z);");
    let owned = ("src/a/b.rs", "use super::A;\npub struct B(Box<A>);");
    let without = sources(&[owner, owned, ("src/z.rs", "")]);
    assert!(rings(&imports(&without)).is_empty());
    let through_another = sources(&[owner, owned, ("src/z.rs", "use crate::a::b::B;")]);
    let rings = rings(&imports(&through_another));
    assert_eq!(rings, [["src/a.rs", "src/z.rs", "src/a/b.rs"]]);
}

#[test]
fn rings_are_shown_the_shortest_first_with_what_ties_them() {
    let sources = sources(&[
        ("src/a.rs", "use crate::b::{B, b};\nuse crate::d::D;"),
        ("src/b.rs", "use crate::c::C;"),
        ("src/c.rs", "fn c() { crate::a::A }"),
        ("src/d.rs", "use crate::a::A;\nuse crate::e::E;"),
        ("src/e.rs", ""),
    ]);
    let imports = imports(&sources);
    let shown: Vec<_> = rings(&imports).iter().map(|ring| shown(ring, &imports)).collect();
    let short = "    src/a.rs -> src/d.rs: D\n    src/d.rs -> src/a.rs: A";
    let long =
        "    src/a.rs -> src/b.rs: B, b\n    src/b.rs -> src/c.rs: C\n    src/c.rs -> src/a.rs: A";
    assert_eq!(shown, [short, long]);
}
