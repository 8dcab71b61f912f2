//! The dashboard: one page that is part of the program, for whoever opens the port in a browser.
//!
//! The files in `page/` are served as they stand, but for what only their readers need (`lean`).
//! `script.js` asks the same paths as everybody else; nothing of a balancer is in the page itself,
//! so it needs no token. It must stay small and load nothing from elsewhere; the policy in `answer`
//! holds it to that.

use std::sync::LazyLock;

use super::answer;
use crate::plain::handler::Handled;

/// What the page is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Html,
    Style,
    Script,
}

/// `GET /` and what it loads.
pub(super) fn part(part: Part) -> Handled<'static> {
    static HTML: LazyLock<String> = LazyLock::new(|| lean(include_str!("page/index.html")));
    static STYLE: LazyLock<String> = LazyLock::new(|| lean(include_str!("page/style.css")));
    static SCRIPT: LazyLock<String> = LazyLock::new(|| lean(include_str!("page/script.js")));
    match part {
        Part::Html => answer::page("text/html; charset=utf-8", &HTML),
        Part::Style => answer::page("text/css; charset=utf-8", &STYLE),
        Part::Script => answer::page("text/javascript; charset=utf-8", &SCRIPT),
    }
}

/// Without indentation, and with an empty line for each that is a comment: what a browser says of a
/// line is true of the file. A comment has its lines for itself.
fn lean(source: &str) -> String {
    const COMMENTS: [(&str, &str); 3] = [("//", ""), ("/*", "*/"), ("<!--", "-->")];
    let mut out = String::with_capacity(source.len());
    let mut until = None;
    for line in source.lines().map(str::trim_start) {
        let begun = COMMENTS.iter().find(|(start, _)| line.starts_with(start));
        until = until.or(begun.map(|(_, end)| *end));
        match until {
            Some(end) if line.contains(end) => until = None,
            Some(_) => {}
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_has_neither_indentation_nor_comments() {
        let source = "a\n  // one\n  b // c\n/* two\n * three\n */\n* d\n<!-- four -->\n<e>\n";
        assert_eq!(lean(source), "a\n\nb // c\n\n\n\n* d\n\n<e>\n");
    }

    #[test]
    fn the_page_is_small() {
        let all = [Part::Html, Part::Style, Part::Script].map(|it| part(it).body.len());
        assert!(all.iter().sum::<usize>() <= 60_000, "{all:?}");
    }
}
