//! Which characters may be shown as they are. Asked by all that shows what a stranger wrote: the
//! log, reports, reasons. Knows of no format: who asks says what stands for the others.

use std::fmt::{self, Write};

/// False for what changes how the text around it is shown or split: control characters (C1 among
/// them, which terminals obey too), the marks that turn the direction of writing ("Trojan Source",
/// CVE-2021-42574), and the two separators that some readers take for line ends.
pub fn is_printable(char: char) -> bool {
    !matches!(char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        && !char.is_control()
}

/// Displays a text with all that is not printable escaped as Rust does: `\n`, `\u{9b}`.
pub struct Escaped<'t>(pub &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|char| !is_printable(char)) {
            f.write_str(&rest[..at])?;
            let mut odd = rest[at..].chars();
            odd.next().into_iter().try_for_each(|char| write!(f, "{}", char.escape_default()))?;
            rest = odd.as_str();
        }
        f.write_str(rest)
    }
}

/// JSON in which all that is not printable is escaped (RFC 8259 section 7). It can stand in strings
/// only.
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match is_printable(char) {
            true => safe.push(char),
            // All of them are in the basic plane: four digits do.
            false => drop(write!(safe, "\\u{:04x}", u32::from(char))),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_script_are_printable_and_what_turns_them_is_not() {
        for char in "aé汉ع🦀 ~".chars() {
            assert!(is_printable(char), "{char:?}");
        }
        for char in "\0\n\u{7f}\u{85}\u{9b}\u{200e}\u{2028}\u{202a}\u{202e}\u{2069}".chars() {
            assert!(!is_printable(char), "{char:?}");
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped_and_the_rest_stays() {
        let text = "a\r\n\u{9b}31mé\u{202e}";
        assert_eq!(Escaped(text).to_string(), "a\\r\\n\\u{9b}31mé\\u{202e}");
        assert_eq!(json(text), "a\\u000d\\u000a\\u009b31mé\\u202e");
    }
}
