//! Durations and sizes as people write them: a whole number and a unit, "500ms" or "64KiB".
//! Called by the forms of keys; knows nothing of tables, files or limits.

use super::message::quote;

/// What is counted, and the units it is counted in.
pub(crate) struct Measure {
    /// Smallest first, in multiples of the smallest.
    units: &'static [(&'static str, u64)],
    /// The unit shown to someone who forgot it.
    usual: &'static str,
}

/// In milliseconds.
pub(crate) static TIME: Measure =
    Measure { units: &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)], usual: "s" };

/// In bytes. Powers of 1024 only: a "KB" is 1000 bytes to some readers and 1024 to others.
pub(super) static SIZE: Measure = Measure {
    units: &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)],
    usual: "B",
};

impl Measure {
    /// The amount in the smallest unit. The error is a sentence that names neither key nor place.
    pub(crate) fn read(&self, text: &str) -> Result<u64, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        if number.is_empty() || !unit.bytes().all(|b| b.is_ascii_alphabetic()) {
            let negative = text.starts_with('-');
            let what = if negative { "negative" } else { "not a whole number and a unit" };
            let (said, usual) = (quote(text), self.usual);
            return Err(format!("{said} is {what}; write for example \"5{usual}\""));
        }
        if unit.is_empty() {
            // Where 0 means none, it needs no unit; elsewhere it is too little with one.
            let number = if number.bytes().all(|digit| digit == b'0') { "5" } else { number };
            return Err(format!(
                "{text} has no unit; write for example \"{number}{}\"",
                self.usual
            ));
        }
        let Some((_, factor)) = self.units.iter().find(|(name, _)| *name == unit) else {
            return Err(self.unknown(text, number, unit));
        };
        let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        amount.ok_or_else(|| format!("{} is too large to count", quote(text)))
    }

    /// The amount in the largest unit that holds it whole.
    pub(super) fn write(&self, amount: u64) -> String {
        let whole = |&&(_, factor): &&(&str, u64)| amount.is_multiple_of(factor);
        let (unit, factor) =
            self.units.iter().rev().find(whole).expect("1 divides every whole number");
        format!("{}{unit}", amount / factor)
    }

    /// Units are too short for edit distances: what counts is how they begin ("sec", "KB", "min").
    fn unknown(&self, text: &str, number: &str, unit: &str) -> String {
        let shared = |name: &str| {
            let pairs = unit.bytes().zip(name.bytes());
            pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
        };
        let names = self.units.iter().map(|(name, _)| *name);
        let help = match names.clone().max_by_key(|name| shared(name)).filter(|n| shared(n) > 0) {
            Some(name) => format!("did you mean \"{number}{name}\"?"),
            None => format!("the units are {}", names.collect::<Vec<_>>().join(", ")),
        };
        format!("{} has an unknown unit; {help}", quote(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_every_unit() {
        let times = ["500ms", "3s", "5m", "1h"].map(|text| TIME.read(text).unwrap());
        assert_eq!(times, [500, 3_000, 300_000, 3_600_000]);
        let sizes = ["1B", "64KiB", "2MiB", "1GiB", "1TiB"].map(|text| SIZE.read(text).unwrap());
        assert_eq!(sizes, [1, 65_536, 2 << 20, 1 << 30, 1 << 40]);
    }

    #[test]
    fn amounts_are_written_in_the_largest_whole_unit() {
        let times = [500, 60_000, 90_000, 3_600_000].map(|ms| TIME.write(ms));
        assert_eq!(times, ["500ms", "1m", "90s", "1h"]);
        assert_eq!([1_000, 65_536].map(|bytes| SIZE.write(bytes)), ["1000B", "64KiB"]);
    }

    #[test]
    fn what_is_not_a_number_and_a_unit_is_refused_with_a_remedy() {
        let cases = r#"
            5 -> 5 has no unit; write for example "5s"
            0 -> 0 has no unit; write for example "5s"
            -5s -> "-5s" is negative; write for example "5s"
            1.5s -> "1.5s" is not a whole number and a unit; write for example "5s"
            5 s -> "5 s" is not a whole number and a unit; write for example "5s"
            x -> "x" is not a whole number and a unit; write for example "5s"
            5us -> "5us" has an unknown unit; the units are ms, s, m, h
            5S -> "5S" has an unknown unit; did you mean "5s"?
            5sec -> "5sec" has an unknown unit; did you mean "5s"?
            5msec -> "5msec" has an unknown unit; did you mean "5ms"?
            5min -> "5min" has an unknown unit; did you mean "5m"?
            99999999999999999999s -> "99999999999999999999s" is too large to count
            9999999999999999h -> "9999999999999999h" is too large to count
        "#;
        for (text, message) in cases.lines().filter_map(|line| line.trim().split_once(" -> ")) {
            assert_eq!(TIME.read(text), Err(message.to_string()));
        }
        for kilo in ["64KB", "64k", "64K"] {
            let message = format!("\"{kilo}\" has an unknown unit; did you mean \"64KiB\"?");
            assert_eq!(SIZE.read(kilo), Err(message));
        }
    }
}
