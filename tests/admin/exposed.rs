//! A strict reader of Prometheus' text format 0.0.4, written apart from what writes it: it refuses
//! what any reader may refuse, and whatever would be odd.

use std::collections::{BTreeMap, HashSet};

/// All families of one answer, in their order.
pub struct Exposed {
    pub families: Vec<Family>,
}

pub struct Family {
    pub name: String,
    pub kind: String,
    pub samples: Vec<Sample>,
}

/// Of one histogram, by its other labels.
#[derive(Default)]
struct Buckets {
    bounds: Vec<(f64, f64)>,
    count: Option<f64>,
}

/// One series and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// With `_bucket` and the like.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Exposed {
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "each line ends with a LF");
        let (mut families, mut names, mut series) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = described("# HELP ", line);
            let (typed, kind) = described("# TYPE ", lines.next().unwrap_or_default());
            assert_eq!(name, typed, "HELP and TYPE stand together");
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            let mut samples = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let sample = Sample::read(line);
                assert!(series.insert((sample.name.clone(), sample.labels.clone())), "two: {line}");
                samples.push(sample);
            }
            assert!(help.ends_with('.'), "{name}: {help:?} is no sentence");
            let [name, kind] = [name, kind].map(str::to_owned);
            let family = Family { name, kind, samples };
            family.check();
            families.push(family);
        }
        Self { families }
    }

    /// The values of a family's series by what this label says, of those that have these labels.
    pub fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let all = self.families.iter().flat_map(|family| &family.samples);
        let has = |sample: &&Sample| {
            let label = |name: &str| sample.labels.get(name).map_or("", String::as_str);
            sample.name == name && labels.iter().all(|(name, value)| label(name) == *value)
        };
        all.filter(has).map(|sample| sample.value).collect()
    }

    /// The one value there is.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.values(name, labels)[..] {
            [value] => value,
            ref other => panic!("{name} {labels:?}: {other:?}"),
        }
    }

    pub fn series(&self) -> usize {
        self.families.iter().map(|family| family.samples.len()).sum()
    }

    /// Each value of each label.
    pub fn words(&self) -> HashSet<&str> {
        let samples = self.families.iter().flat_map(|family| &family.samples);
        samples.flat_map(|sample| sample.labels.values().map(String::as_str)).collect()
    }
}

impl Family {
    fn check(&self) {
        let Self { name, kind, samples, .. } = self;
        for sample in samples {
            assert!(!sample.value.is_nan(), "{sample:?}");
            let suffix = sample.name.strip_prefix(name.as_str());
            match kind.as_str() {
                "counter" => assert!(suffix == Some("") && name.ends_with("_total"), "{sample:?}"),
                "gauge" => assert!(suffix == Some("") && !name.ends_with("_total"), "{sample:?}"),
                "histogram" => {
                    let known = ["_bucket", "_sum", "_count"].map(Some).contains(&suffix);
                    assert!(known, "{sample:?}");
                }
                other => panic!("{name} is a {other}"),
            }
            let whole = sample.value.fract() == 0.0 && sample.value >= 0.0;
            let seconds = name.ends_with("_seconds") || name.ends_with("_seconds_total");
            assert!(whole || seconds || sample.value.is_infinite(), "{sample:?}");
        }
        if kind == "histogram" {
            self.check_buckets();
        }
    }

    /// They count up, the last has no end, and what it says is the count.
    fn check_buckets(&self) {
        let mut all: BTreeMap<Vec<_>, Buckets> = BTreeMap::new();
        for sample in &self.samples {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").map(|bound| number(&bound));
            let one = all.entry(labels.into_iter().collect()).or_default();
            match (bound, sample.name.ends_with("_count")) {
                (Some(bound), false) => one.bounds.push((bound, sample.value)),
                (None, true) => one.count = Some(sample.value),
                (None, false) => assert!(sample.name.ends_with("_sum"), "{sample:?}"),
                (Some(_), true) => panic!("{sample:?}"),
            }
        }
        for (labels, Buckets { bounds, count }) in all {
            let up = |pair: &[(f64, f64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
            assert!(bounds.windows(2).all(up), "{labels:?}: {bounds:?}");
            assert_eq!(bounds.last().map(|it| (it.0, Some(it.1))), Some((f64::INFINITY, count)));
        }
    }
}

impl Sample {
    fn read(line: &str) -> Self {
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line:?}"));
        let (name, mut rest) = line.split_at(end);
        let mut labels = BTreeMap::new();
        let mut opening = '{';
        while let Some(behind) = rest.strip_prefix(opening) {
            let (label, behind) = behind.split_once("=\"").unwrap();
            let (value, behind) = unquoted(behind);
            let plain = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(plain && labels.insert(label.to_owned(), value).is_none(), "{line}");
            (rest, opening) = (behind, ',');
        }
        let rest = if labels.is_empty() { rest } else { rest.strip_prefix('}').unwrap() };
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line:?}"));
        Self { name: name.to_owned(), labels, value: number(value) }
    }
}

fn described<'l>(what: &str, line: &'l str) -> (&'l str, &'l str) {
    let rest = line.strip_prefix(what).unwrap_or_else(|| panic!("no {what}in {line:?}"));
    rest.split_once(' ').unwrap_or_else(|| panic!("{line:?}"))
}

/// What stands before the next quote, and what behind it.
fn unquoted(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next().expect("a value ends") {
            '"' => return (value, chars.as_str()),
            '\\' => value.push(match chars.next().expect("something is escaped") {
                'n' => '\n',
                char @ ('"' | '\\') => char,
                other => panic!("\\{other} in {text:?}"),
            }),
            char => value.push(char),
        }
    }
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        digits => digits.parse().unwrap_or_else(|_| panic!("no number: {digits:?}")),
    }
}
