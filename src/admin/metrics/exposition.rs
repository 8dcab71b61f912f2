//! The text that Prometheus reads, version 0.0.4 of its format: families of samples, each with what
//! it means and its type in front, and all its samples together behind.
//!
//! Written by hand, as it is four rules: a name once, no sample twice, buckets that count up to the
//! last, and three characters that are escaped. Knows nothing of what is counted.

use std::fmt::Write;
use std::time::Duration;

use crate::text::Escaped;

/// What the text is, for the field of the answer.
pub(in crate::admin) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What one name stands for.
pub(super) struct Family {
    /// A histogram's samples have `_bucket`, `_sum` and `_count` behind it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One line, without a backslash, which would have to be escaped.
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    Gauge,
    Histogram,
}

/// The value of a sample. None is ever "not a number".
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// All digits are written: a count that is rounded would go back and forth.
    Whole(u64),
    Seconds(Duration),
    /// Of a limit that there is not: dividing by it gives 0.
    Unlimited,
}

/// The text as far as it is written.
pub(super) struct Exposition {
    text: String,
}

/// Writes the samples of one family.
pub(super) struct Samples<'e> {
    text: &'e mut String,
    name: &'static str,
}

impl Exposition {
    /// With room for so many bytes, so that a long one is not copied as it grows.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes) }
    }

    /// Begins a family: each once, or a reader refuses all of it.
    pub(super) fn family(&mut self, family: &Family) -> Samples<'_> {
        let Family { name, kind, help } = family;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.push(&["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"]);
        Samples { text: &mut self.text, name }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn push(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.text.push_str(part));
    }
}

impl Samples<'_> {
    /// A sample with these labels, by name and value.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: Value) {
        self.sample("", labels, None, value);
    }

    /// All samples of one histogram: of each bucket its upper bound, which belongs to it, and how
    /// many are in it; what is above the last bound is the last of `counts`. Their number is what
    /// the buckets come to, so that the two cannot differ.
    pub(super) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[Duration],
        counts: &[u64],
        sum: Duration,
    ) {
        let bounds = bounds.iter().map(|bound| Value::Seconds(*bound));
        let mut total = 0;
        for (bound, count) in bounds.chain([Value::Unlimited]).zip(counts) {
            total += count;
            self.sample("_bucket", labels, Some(bound), Value::Whole(total));
        }
        self.sample("_sum", labels, None, Value::Seconds(sum));
        self.sample("_count", labels, None, Value::Whole(total));
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<Value>, value: Value) {
        let text = &mut *self.text;
        text.push_str(self.name);
        text.push_str(suffix);
        let mut before = '{';
        for (name, value) in labels {
            text.push(before);
            text.push_str(name);
            text.push_str("=\"");
            label_value(text, value);
            text.push('"');
            before = ',';
        }
        if let Some(le) = le {
            text.push(before);
            text.push_str("le=\"");
            number(text, le);
            text.push('"');
            before = ',';
        }
        text.push_str(if before == '{' { " " } else { "} " });
        number(text, value);
        text.push('\n');
    }
}

/// Names of backends, files and certificates: the format would let anything stand here but three
/// characters; a terminal that shows it would obey some of the rest.
fn label_value(text: &mut String, value: &str) {
    for (index, line) in value.split('\n').enumerate() {
        text.push_str(if index == 0 { "" } else { "\\n" });
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if line.bytes().all(plain) {
            text.push_str(line);
            continue;
        }
        for char in Escaped(line).to_string().chars() {
            text.push_str(if matches!(char, '"' | '\\') { "\\" } else { "" });
            text.push(char);
        }
    }
}

fn number(text: &mut String, value: Value) {
    let _ = match value {
        Value::Whole(count) => write!(text, "{count}"),
        Value::Unlimited => write!(text, "+Inf"),
        Value::Seconds(time) => {
            let _ = write!(text, "{}", time.as_secs());
            let fraction = format!(".{:09}", time.subsec_nanos());
            write!(text, "{}", fraction.trim_end_matches('0').trim_end_matches('.'))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1)];

    fn family(kind: Kind) -> Family {
        Family { name: "a", kind, help: "What it is." }
    }

    fn written(kind: Kind, write: impl FnOnce(&mut Samples)) -> String {
        let mut out = Exposition::with_room(0);
        write(&mut out.family(&family(kind)));
        out.into_text()
    }

    #[test]
    fn a_family_is_named_once_and_its_samples_follow() {
        let text = written(Kind::Counter, |samples| {
            samples.add(&[], Value::Whole(u64::MAX));
            samples.add(&[("b", "c"), ("d", "")], Value::Unlimited);
        });
        let expected = "# HELP a What it is.\n# TYPE a counter\na 18446744073709551615\n\
            a{b=\"c\",d=\"\"} +Inf\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn buckets_count_up_and_the_last_is_the_count() {
        let text = written(Kind::Histogram, |samples| {
            samples.histogram(&[("b", "c")], &BOUNDS, &[5, 0, 2], Duration::from_millis(2_050));
        });
        let lines: Vec<_> = text.lines().skip(2).collect();
        let expected = [
            "a_bucket{b=\"c\",le=\"0.001\"} 5",
            "a_bucket{b=\"c\",le=\"1\"} 5",
            "a_bucket{b=\"c\",le=\"+Inf\"} 7",
            "a_sum{b=\"c\"} 2.05",
            "a_count{b=\"c\"} 7",
        ];
        assert_eq!(lines, expected);
        let bare = written(Kind::Histogram, |it| it.histogram(&[], &[], &[0], Duration::ZERO));
        assert!(bare.ends_with("a_bucket{le=\"+Inf\"} 0\na_sum 0\na_count 0\n"), "{bare}");
    }

    #[test]
    fn a_time_is_written_to_the_nanosecond_and_no_further() {
        let shown = |nanos: u64| {
            let mut text = String::new();
            number(&mut text, Value::Seconds(Duration::from_nanos(nanos)));
            text
        };
        let cases = [0, 1, 10, 1_000_000_000, 1_050_000_000, 10_000_000_000].map(shown);
        assert_eq!(cases, ["0", "0.000000001", "0.00000001", "1", "1.05", "10"]);
        let far = Value::Seconds(Duration::from_secs(u64::MAX));
        let mut text = String::new();
        number(&mut text, far);
        assert_eq!(text, u64::MAX.to_string());
    }

    #[test]
    fn what_would_end_a_value_or_move_a_terminal_is_escaped() {
        let cases = [
            ("a\"b", r#"a\"b"#),
            ("C:\\", r"C:\\"),
            ("a\nb\n", r"a\nb\n"),
            ("\r\0\u{1b}[2J", r"\\r\\u{0}\\u{1b}[2J"),
            ("\u{202e}x\u{9b}", r"\\u{202e}x\\u{9b}"),
            ("Größe 🦀", "Größe 🦀"),
            (r"\n", r"\\n"),
            ("\\\"\n", r#"\\\"\n"#),
        ];
        for (value, expected) in cases {
            let mut text = String::new();
            label_value(&mut text, value);
            assert_eq!(text, expected, "{value:?}");
        }
    }

    /// As the format has it: a backslash and what it means.
    fn read_back(text: &str) -> String {
        let (mut out, mut chars) = (String::new(), text.chars());
        while let Some(char) = chars.next() {
            assert!(char != '"' && char != '\n', "{text:?} ends early");
            match char {
                '\\' => out.push(match chars.next().unwrap() {
                    'n' => '\n',
                    other @ ('"' | '\\') => other,
                    other => panic!("\\{other} in {text:?}"),
                }),
                other => out.push(other),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_printable_value_is_read_back_as_it_was(value in "[ -~éß汉🦀\n]{0,20}") {
            let mut text = String::new();
            label_value(&mut text, &value);
            prop_assert_eq!(read_back(&text), value);
        }

        #[test]
        fn no_value_leaves_its_quotes(value in ".{0,20}") {
            let mut text = String::new();
            label_value(&mut text, &value);
            read_back(&text);
            prop_assert!(text.chars().all(crate::text::is_printable), "{}", text);
        }
    }
}
