//! A source file and its place in the crate: its room, its imports, the files it declares.

use super::text;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file, and what the rules look at.
pub struct Source {
    /// From the top of the repository.
    pub path: String,
    pub text: String,
    /// The text with comments and literals blanked out, byte for byte.
    pub code: String,
    /// The code that ships: what is compiled for tests only is blank as well.
    pub shipped: String,
    /// Whether the whole file is compiled for tests only.
    pub is_test: bool,
}

/// All `.rs` files below a folder.
pub fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join(folder), &mut paths);
    let mut sources: Vec<_> = paths.iter().map(|path| Source::read(root, path)).collect();
    // Parents stand before their children, so that one pass finds whole trees of test files.
    sources.sort_by_key(|source| (source.path.matches('/').count(), source.path.clone()));
    let mut tests = BTreeSet::new();
    for source in &mut sources {
        source.is_test |= tests.contains(&source.path);
        let declared = if source.is_test { source.code.clone() } else { text::tests(&source.code) };
        tests.extend(source.children_in(&declared));
        if source.is_test {
            source.shipped.clear();
        }
    }
    sources
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        Source::of(path.strip_prefix(root).unwrap().to_str().unwrap(), text)
    }

    /// A file as it would stand there.
    pub fn of(path: &str, text: String) -> Self {
        let path = path.to_owned();
        let code = text::blank(&text);
        let shipped = text::without_tests(&code);
        let is_test = path.starts_with("tests/");
        Source { path, text, code, shipped, is_test }
    }

    /// `path:line: rule`, as editors like it.
    pub fn finding(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }

    /// The first step below `src`.
    pub fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    pub fn code_lines(&self) -> usize {
        self.shipped.lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// The rooms that follow `crate::`, or the crate's name in `main.rs`, each with its line.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let mut imports = Vec::new();
        for root in ["crate::", "evenly::"] {
            for at in text::places(&self.code, root) {
                let steps = text::first_steps(&self.code[at + root.len()..]).into_iter();
                imports.extend(steps.map(|step| (text::line(&self.code, at), step)));
            }
        }
        imports
    }

    /// Lines with so many `super::` that they leave the room.
    pub fn climbs_to_the_root(&self) -> Vec<usize> {
        let depth = self.path.matches('/').count() - usize::from(self.path.ends_with("/mod.rs"));
        let chains = text::places(&self.shipped, &"super::".repeat(depth)).into_iter();
        chains.map(|at| text::line(&self.shipped, at)).collect()
    }

    /// Line, keyword and name of all that the file defines, itself included.
    pub fn definitions(&self) -> Vec<(usize, &'static str, String)> {
        let stem = Path::new(&self.path).file_stem().unwrap().to_str().unwrap();
        let mut found = vec![(1, "mod", stem.to_owned())];
        for keyword in ["fn", "mod", "struct", "enum", "trait", "type", "const", "static"] {
            let names = text::named(&self.code, keyword).into_iter();
            found.extend(names.map(|(at, name)| (text::line(&self.code, at), keyword, name)));
        }
        found
    }

    /// The files that `mod name;` leads to. Both places where one may be are named.
    pub fn children(&self) -> Vec<String> {
        self.children_in(&self.code)
    }

    fn children_in(&self, code: &str) -> Vec<String> {
        let (folder, name) = self.path.rsplit_once('/').unwrap();
        let folder = match name {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let mut children = Vec::new();
        for (at, name) in text::named(code, "mod") {
            if code[at + "mod ".len() + name.len()..].starts_with(';') {
                children.push(format!("{folder}/{name}.rs"));
                children.push(format!("{folder}/{name}/mod.rs"));
            }
        }
        children
    }
}
