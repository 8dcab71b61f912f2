//! Figures and sentences as commands show them: short, and never wider than they are given room.
//! They know nothing of what they are about.

use crate::text::Escaped;

/// As wide as a terminal is everywhere.
pub(super) const COLUMNS: usize = 80;

/// A length of time in few characters: `40s`, `3m`, `2h`, `4d`.
pub(super) fn short(seconds: f64) -> String {
    let (count, unit) = largest(seconds);
    format!("{count}{unit}")
}

/// The same in a sentence: `40 s`.
pub(super) fn spoken(seconds: f64) -> String {
    let (count, unit) = largest(seconds);
    format!("{count} {unit}")
}

fn largest(seconds: f64) -> (u64, &'static str) {
    // A float beyond u64 becomes the largest, and one that is no number 0.
    match seconds as u64 {
        seconds @ 0..60 => (seconds, "s"),
        seconds @ 60..3600 => (seconds / 60, "m"),
        seconds @ 3600..86_400 => (seconds / 3600, "h"),
        seconds => (seconds / 86_400, "d"),
    }
}

/// A latency in at most five characters: `0.4ms`, `41ms`, `1.2s`, `12s`.
pub(super) fn latency(ms: f64) -> String {
    match ms {
        ms if ms < 9.95 => format!("{ms:.1}ms"),
        ms if ms < 999.5 => format!("{ms:.0}ms"),
        ms if ms < 9950.0 => format!("{:.1}s", ms / 1000.0),
        ms => format!("{:.0}s", ms / 1000.0),
    }
}

/// A count in at most seven characters: `999,999`, `1.2M`.
pub(super) fn count(count: u64) -> String {
    let in_units = |unit: f64, sign| format!("{:.1}{sign}", count as f64 / unit);
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => format!("{},{:03}", count / 1000, count % 1000),
        1_000_000..1_000_000_000 => in_units(1e6, "M"),
        1_000_000_000..1_000_000_000_000 => in_units(1e9, "G"),
        _ => in_units(1e12, "T"),
    }
}

/// `part` of `whole` in percent.
pub(super) fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        _ => format!("{:.0}%", 100.0 * part as f64 / whole as f64),
    }
}

/// `1 day`, `2 days`
pub(super) fn plural(many: u64, noun: &str) -> String {
    let ending = if many == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(many))
}

/// How many columns of a terminal a text takes. East Asian letters and pictures take two, marks
/// that sit on another letter none (UAX 11, by its large blocks).
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(char: char) -> usize {
    match u32::from(char) {
        0x300..=0x36f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The text as lines of at most `columns`, split at blanks where there are any. Each begins with
/// `indent`; what goes beyond `lines_max` of them is left out behind an ellipsis.
pub(super) fn wrap(text: &str, indent: &str, columns: usize, lines_max: usize) -> Vec<String> {
    let text = Escaped(text).to_string();
    let room = columns.saturating_sub(width(indent)).max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest = word;
        loop {
            let line = lines.last_mut().expect("there is always one");
            let gap = usize::from(!line.is_empty());
            if width(line) + gap + width(rest) <= room {
                line.push_str(&" "[..gap]);
                line.push_str(rest);
                break;
            }
            if line.is_empty() {
                let (head, tail) = rest.split_at(fitting(rest, room));
                line.push_str(head);
                rest = tail;
            }
            lines.push(String::new());
        }
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        let last = lines.last_mut().expect("at least one line is allowed");
        last.truncate(fitting(last, room - 1));
        last.push('…');
    }
    lines.iter().map(|line| format!("{indent}{line}")).collect()
}

/// The text as lines of at most `columns`, all of it: the first begins with `first`, each other
/// with `rest`, which is not shorter.
pub(super) fn hanging(text: &str, first: &str, rest: &str, columns: usize) -> Vec<String> {
    let mut lines = wrap(text, rest, columns, usize::MAX);
    if let Some(line) = lines.first_mut() {
        line.replace_range(..rest.len(), first);
    }
    lines
}

/// The bytes of as many letters as fit, at least one.
fn fitting(text: &str, room: usize) -> usize {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        taken += char_width(char);
        if taken > room && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stay_short() {
        let times = [0.9, 59.9, 60.0, 3599.0, 3600.0, 86_399.0, 86_400.0, 4e7, f64::NAN];
        let shown = ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "462d", "0s"];
        assert_eq!(times.map(short), shown);
        let latencies = [0.04, 9.94, 9.96, 41.2, 999.4, 999.6, 9949.0, 12_345.0];
        let shown = ["0.0ms", "9.9ms", "10ms", "41ms", "999ms", "1.0s", "9.9s", "12s"];
        assert_eq!(latencies.map(latency), shown);
        let counts = [0, 999, 1000, 999_999, 1_250_000, 7_000_000_000];
        assert_eq!(counts.map(count), ["0", "999", "1,000", "999,999", "1.2M", "7.0G"]);
        assert!(count(u64::MAX).len() <= 11 && short(f64::MAX).len() < 20);
        assert_eq!([share(1, 3), share(0, 0), share(3, 3)], ["33%", "", "100%"]);
    }

    #[test]
    fn a_letter_is_as_wide_as_a_terminal_shows_it() {
        assert_eq!(
            ["abc", "é", "e\u{301}", "汉字", "한", "🦀", ""].map(width),
            [3, 1, 1, 4, 2, 2, 0]
        );
    }

    #[test]
    fn a_text_is_split_at_blanks_and_where_there_are_none_in_words() {
        assert_eq!(wrap("one two three", "  ", 9, 9), ["  one two", "  three"]);
        assert_eq!(wrap("abcdefgh ij", "", 5, 9), ["abcde", "fgh", "ij"]);
        assert_eq!(wrap("汉字汉字", "", 5, 9), ["汉字", "汉字"]);
        assert_eq!(wrap("", "-", 5, 9), ["-"]);
        assert_eq!(wrap("a\u{1b}[2Jb", "", 80, 1), ["a\\u{1b}[2Jb"]);
    }

    #[test]
    fn a_text_may_hang_from_what_stands_before_its_first_line() {
        assert_eq!(hanging("one two three", "a ", "  ", 9), ["a one two", "  three"]);
        assert_eq!(hanging("one two", "a ", "  ", usize::MAX), ["a one two"]);
    }

    #[test]
    fn what_is_too_long_ends_with_an_ellipsis() {
        assert_eq!(wrap("one two three four", "", 9, 1), ["one two…"]);
        assert_eq!(wrap("one two34 three", "", 9, 1), ["one two3…"]);
    }
}
