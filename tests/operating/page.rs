//! The page, taken apart into recipes and their steps.

/// What is to be done about one thing.
#[derive(Debug, Default)]
pub struct Recipe {
    pub title: String,
    pub steps: Vec<Step>,
}

/// A command, and what comes of it.
#[derive(Debug)]
pub struct Step {
    pub command: String,
    pub exit: i32,
    pub output: Vec<String>,
}

impl Recipe {
    /// Those of a page, in its order. What stands before the first heading is none.
    pub fn all(page: &str) -> Vec<Self> {
        let mut recipes: Vec<Self> = Vec::new();
        let mut is_console = false;
        for line in page.lines() {
            match (line, recipes.last_mut()) {
                ("```console", _) => is_console = true,
                ("```", _) => is_console = false,
                (_, Some(recipe)) if is_console => recipe.take(line),
                _ => {
                    let title = line.strip_prefix("## ").map(str::to_owned);
                    recipes.extend(title.map(|title| Self { title, ..Self::default() }));
                }
            }
        }
        recipes
    }

    fn take(&mut self, line: &str) {
        if let Some(typed) = line.strip_prefix("$ ") {
            let (command, exit) = match typed.split_once("  # exit ") {
                Some((command, code)) => (command.trim_end(), code.trim().parse().unwrap()),
                None => (typed, 0),
            };
            let command = command.to_owned();
            self.steps.push(Step { command, exit, output: Vec::new() });
        } else {
            let step = self.steps.last_mut().expect("output comes below a command");
            // A long command goes on in the next line, as in a shell.
            match step.command.ends_with('\\') {
                true => step.command.push_str(&format!("\n{line}")),
                false => step.output.push(line.to_owned()),
            }
        }
    }
}

/// True if this was printed. `...` stands for anything: as a line of its own for any lines, inside
/// of one for any part of it. A step that shows nothing does not care.
pub fn matches(expected: &[String], printed: &[String]) -> bool {
    match expected {
        [] => true,
        _ => match_lines(expected, printed),
    }
}

fn match_lines(expected: &[String], printed: &[String]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any.trim() == "..." => {
            (0..=printed.len()).any(|skipped| match_lines(rest, &printed[skipped..]))
        }
        (Some((line, rest)), Some((first, others))) => {
            match_line(line, first) && match_lines(rest, others)
        }
        _ => false,
    }
}

/// Runs of spaces count as one: columns are as wide as what they hold.
fn match_line(expected: &str, printed: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, printed) = (squeeze(expected), squeeze(printed));
    let mut parts = expected.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn a_page_is_taken_apart_and_dots_are_anything() {
    let page = "# T\n## One\n```console\n$ a \\\n  b  # exit 1\nx ... y\n```\n\
                ## Two\n```console\n$ c\n```";
    let recipes = Recipe::all(page);
    assert_eq!(recipes.len(), 2);
    assert_eq!(recipes[1].steps[0].command, "c");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&lines("a ... c"), &lines("a   b c")));
    assert!(!matches(&lines("a ... c"), &lines("a b d")));
    assert!(matches(&lines("a\n...\nz"), &lines("a\nb\nc\nz")));
    assert!(!matches(&lines("a\nb"), &lines("a")));
    assert!(matches(&[], &lines("whatever")));
}
