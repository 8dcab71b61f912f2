//! Where a value stands on an axis, and where its ticks are. Drawing asks it; it knows nothing of
//! pixels: positions are fractions of the axis.

/// Ticks that are asked for when nothing speaks for more or fewer.
const TICKS: f64 = 5.0;
/// So many powers of ten get a tick each; above, some are left out.
const DECADES_MAX: i32 = 7;
/// With fewer, 2 and 5 of each get one as well.
const DECADES_IN_DETAIL: i32 = 3;
/// The largest value that is shown. Sums and differences of such values are finite.
const VALUE_MAX: f64 = 1e300;
/// A range smaller than this part of its values cannot be told from rounding.
const RANGE_MIN: f64 = 1e-9;
/// So many nines a percentile axis goes to: 99.9999 %.
const NINES_MAX: f64 = 6.0;
/// How far behind the last percentile the maximum stands, in nines.
const BEFORE_MAXIMUM: f64 = 0.4;

/// How values are laid along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Equal factors. Values of 0 and below are left out.
    Log,
    /// Percent from 0 to 100, each nine as far from the next: 0, 90, 99, 99.9. The position is
    /// `-log10(1 - p / 100)`, as HdrHistogram plots latencies. 100 stands at the end as `max`;
    /// values outside are left out.
    Percentile,
}

impl Scale {
    /// Whether the value has a place on such an axis. Infinity and NaN have none.
    pub(super) fn shows(self, value: f64) -> bool {
        let bounded = value.abs() <= VALUE_MAX;
        match self {
            Scale::Linear => bounded,
            Scale::Log => bounded && value >= 1.0 / VALUE_MAX,
            Scale::Percentile => (0.0..=100.0).contains(&value),
        }
    }
}

/// How far an axis goes beyond its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It ends with them.
    Snug,
    /// It ends at a tick.
    Roomy,
}

/// A place with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// A fraction of the axis, 0 to 1.
    pub at: f64,
    pub label: String,
}

/// An axis for certain values.
pub struct Ruler {
    scale: Scale,
    /// The ends, and in `Percentile` the last place before `max`: as `place` gives them.
    from: f64,
    to: f64,
    last: f64,
    pub ticks: Vec<Tick>,
}

impl Ruler {
    /// A ruler on which all of `values` stand that the scale shows.
    pub fn new(scale: Scale, fit: Fit, values: impl Iterator<Item = f64>) -> Ruler {
        let shown: Vec<f64> = values.filter(|value| scale.shows(*value)).collect();
        let low = shown.iter().copied().reduce(f64::min);
        let high = shown.iter().copied().reduce(f64::max);
        match scale {
            Scale::Linear => Ruler::linear(fit, low.unwrap_or(0.0), high.unwrap_or(1.0)),
            Scale::Log => Ruler::log(fit, low.unwrap_or(1.0), high.unwrap_or(10.0)),
            Scale::Percentile => Ruler::percentile(&shown),
        }
    }

    /// Where a value stands, as a fraction of the axis; None where it has no place.
    pub fn position(&self, value: f64) -> Option<f64> {
        if !self.scale.shows(value) {
            return None;
        }
        let place = match self.scale {
            Scale::Percentile if value >= 100.0 => self.to,
            Scale::Percentile => place(self.scale, value).min(self.last),
            _ => place(self.scale, value),
        };
        Some(self.fraction(place))
    }

    fn linear(fit: Fit, low: f64, high: f64) -> Ruler {
        let (mut low, mut high) = room(low, high);
        let step = Step::within(high - low);
        let (first, last) = match fit {
            Fit::Snug => ((low / step.size()).ceil(), (high / step.size()).floor()),
            Fit::Roomy => ((low / step.size()).floor(), (high / step.size()).ceil()),
        };
        if fit == Fit::Roomy {
            (low, high) = (first * step.size(), last * step.size());
        }
        let ticks = (first as i64..=last as i64).map(|count| step.tick(count)).collect();
        Ruler::with_ticks(Scale::Linear, low, high, ticks)
    }

    fn log(fit: Fit, low: f64, high: f64) -> Ruler {
        let (low, high) = if high / low < 1.01 { (low / 2.0, high * 2.0) } else { (low, high) };
        let mut values = powers(low, high);
        let (mut from, mut to) = (low, high);
        if fit == Fit::Roomy {
            from = values.iter().copied().rev().find(|value| *value <= low).unwrap_or(low);
            to = values.iter().copied().find(|value| *value >= high).unwrap_or(high);
        }
        values.retain(|value| (from..=to).contains(value));
        if values.len() < 2 {
            values = between(from, to);
        }
        let ticks = values.into_iter().map(|value| (value, plain(value))).collect();
        Ruler::with_ticks(Scale::Log, from, to, ticks)
    }

    fn percentile(shown: &[f64]) -> Ruler {
        let below = shown.iter().copied().filter(|value| *value < 100.0);
        let highest = below.map(|value| place(Scale::Percentile, value)).fold(1.0, f64::max);
        let last = highest.min(NINES_MAX);
        let has_maximum = shown.iter().any(|value| *value >= 100.0);
        let to = if has_maximum { last + BEFORE_MAXIMUM } else { last };
        let mut ruler = Ruler { scale: Scale::Percentile, from: 0.0, to, last, ticks: Vec::new() };
        for (value, label) in PERCENTILES {
            let place = place(Scale::Percentile, value);
            // A nine that rounding put behind the end is still the end's tick.
            if place <= last + 1e-6 {
                ruler.ticks.push(Tick { at: ruler.fraction(place), label: label.into() });
            }
        }
        if has_maximum {
            ruler.ticks.push(Tick { at: 1.0, label: "max".into() });
        }
        ruler
    }

    fn with_ticks(scale: Scale, low: f64, high: f64, ticks: Vec<(f64, String)>) -> Ruler {
        let (from, to) = (place(scale, low), place(scale, high));
        let mut ruler = Ruler { scale, from, to, last: to, ticks: Vec::new() };
        for (value, label) in ticks {
            ruler.ticks.push(Tick { at: ruler.fraction(place(scale, value)), label });
        }
        ruler
    }

    fn fraction(&self, place: f64) -> f64 {
        ((place - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

const PERCENTILES: [(f64, &str); 8] = [
    (0.0, "0"),
    (50.0, "50"),
    (90.0, "90"),
    (99.0, "99"),
    (99.9, "99.9"),
    (99.99, "99.99"),
    (99.999, "99.999"),
    (99.9999, "99.9999"),
];

/// Where a value stands on an axis without ends. `libm`, since the logarithms of the standard
/// library are those of the platform.
fn place(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => libm::log10(value),
        Scale::Percentile => -libm::log10(1.0 - value / 100.0),
    }
}

/// The ends of a linear axis: 0 is on it unless the values are far from it, and it has a length.
fn room(low: f64, high: f64) -> (f64, f64) {
    let low = if low > 0.0 && (low <= high / 2.0 || low == high) { 0.0 } else { low };
    let magnitude = low.abs().max(high.abs());
    if magnitude < 1.0 / VALUE_MAX {
        return (0.0, 1.0);
    }
    if high - low > magnitude * RANGE_MIN {
        return (low, high);
    }
    (low - magnitude / 10.0, high + magnitude / 10.0)
}

/// The distance of two ticks: 1, 2 or 5 times a power of ten.
struct Step {
    mantissa: i64,
    decade: i32,
}

impl Step {
    /// The smallest step that makes at most `TICKS` of the range.
    fn within(range: f64) -> Step {
        let least = range / TICKS;
        let decade = floor(least);
        let fitting = [1, 2, 5].into_iter().find(|mantissa| decimal(*mantissa, decade) >= least);
        match fitting {
            Some(mantissa) => Step { mantissa, decade },
            None => Step { mantissa: 1, decade: decade + 1 },
        }
    }

    fn size(&self) -> f64 {
        decimal(self.mantissa, self.decade)
    }

    /// The tick `count` steps away from 0, with as many decimals as its neighbours.
    fn tick(&self, count: i64) -> (f64, String) {
        let value = decimal(count.saturating_mul(self.mantissa), self.decade);
        let label = match self.decade {
            -6..=-1 => format!("{value:.*}", self.decade.unsigned_abs() as usize),
            _ => plain(value),
        };
        (value, label)
    }
}

/// The power of ten at or below a value above 0.
fn floor(value: f64) -> i32 {
    libm::floor(libm::log10(value)) as i32
}

/// `digits * 10^decade`, exactly rounded, which no multiplication promises.
fn decimal(digits: i64, decade: i32) -> f64 {
    format!("{digits}e{decade}").parse().expect("digits and an exponent are a number")
}

/// Ticks of a log axis, and some beyond its ends: 1, 2 and 5 in every power of ten on a short one,
/// or the powers of ten, or some of them.
fn powers(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (floor(low), floor(high));
    let short = last - first < DECADES_IN_DETAIL;
    let mantissas: &[i64] = if short { &[1, 2, 5] } else { &[1] };
    let every = (last - first - 1).max(0) / DECADES_MAX + 1;
    (first - every..=last + every)
        .filter(|decade| decade.rem_euclid(every) == 0)
        .flat_map(|decade| mantissas.iter().map(move |mantissa| decimal(*mantissa, decade)))
        .filter(|value| value.is_normal())
        .collect()
}

/// Ticks of a log axis too short for powers of ten.
fn between(low: f64, high: f64) -> Vec<f64> {
    let step = Step::within(high - low);
    let first = (low / step.size()).ceil() as i64;
    let last = (high / step.size()).floor() as i64;
    (first..=last).map(|count| step.tick(count).0).collect()
}

/// A number as one reads it: 0.5, 20,000; with a power of ten where it would be long.
fn plain(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
        return format!("{value:e}");
    }
    let text = format!("{value}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruler(scale: Scale, fit: Fit, values: &[f64]) -> Ruler {
        Ruler::new(scale, fit, values.iter().copied())
    }

    fn labels(scale: Scale, fit: Fit, values: &[f64]) -> Vec<String> {
        ruler(scale, fit, values).ticks.into_iter().map(|tick| tick.label).collect()
    }

    fn near(seen: Option<f64>, expected: f64) -> bool {
        seen.is_some_and(|seen| (seen - expected).abs() < 1e-6)
    }

    #[test]
    fn a_linear_axis_counts_by_1_2_or_5() {
        let roomy = |values: &[f64]| labels(Scale::Linear, Fit::Roomy, values).join(" ");
        assert_eq!(roomy(&[0.0, 10.0]), "0 2 4 6 8 10");
        assert_eq!(roomy(&[3.0, 42.0]), "0 10 20 30 40 50");
        assert_eq!(roomy(&[0.0, 0.31]), "0.0 0.1 0.2 0.3 0.4");
        assert_eq!(roomy(&[95.0, 101.0]), "94 96 98 100 102");
        assert_eq!(roomy(&[-3.0, 4.0]), "-4 -2 0 2 4");
        assert_eq!(roomy(&[0.0, 20_000.0]), "0 5,000 10,000 15,000 20,000");
        assert_eq!(roomy(&[0.0, 4e12]), "0 1e12 2e12 3e12 4e12");
        assert_eq!(labels(Scale::Linear, Fit::Snug, &[0.0, 11.0]).join(" "), "0 5 10");
    }

    #[test]
    fn a_linear_axis_has_a_length_whatever_its_values() {
        for values in [&[][..], &[0.0], &[7.0, 7.0], &[-7.0], &[1e15, 1e15 + 1.0], &[1e-320]] {
            let ruler = ruler(Scale::Linear, Fit::Roomy, values);
            assert!((2..=13).contains(&ruler.ticks.len()), "{values:?}: {:?}", ruler.ticks);
            assert!(values.iter().all(|value| ruler.position(*value).is_some()), "{values:?}");
        }
    }

    #[test]
    fn values_stand_where_the_scale_puts_them() {
        let linear = ruler(Scale::Linear, Fit::Snug, &[0.0, 200.0]);
        assert!(near(linear.position(50.0), 0.25));
        let log = ruler(Scale::Log, Fit::Snug, &[1.0, 10_000.0]);
        assert!(near(log.position(10.0), 0.25) && near(log.position(1000.0), 0.75));
        let percentile = ruler(Scale::Percentile, Fit::Snug, &[0.0, 99.99]);
        for (percent, place) in [(0.0, 0.0), (90.0, 0.25), (99.0, 0.5), (99.9, 0.75), (99.99, 1.0)]
        {
            assert!(near(percentile.position(percent), place), "{percent}");
        }
    }

    #[test]
    fn a_log_axis_shows_powers_of_ten_or_what_lies_between() {
        let roomy = |values: &[f64]| labels(Scale::Log, Fit::Roomy, values).join(" ");
        assert_eq!(roomy(&[1.0, 10_000.0]), "1 10 100 1,000 10,000");
        assert_eq!(roomy(&[3.0, 42.0]), "2 5 10 20 50");
        assert_eq!(roomy(&[0.02, 0.7]), "0.02 0.05 0.1 0.2 0.5 1");
        assert_eq!(labels(Scale::Log, Fit::Snug, &[21.0, 43.0]).join(" "), "25 30 35 40");
        assert_eq!(roomy(&[1e-3, 1e18]), "0.001 1 1,000 1,000,000 1e9 1e12 1e15 1e18");
    }

    #[test]
    fn a_log_axis_leaves_out_0_and_below() {
        let ruler = ruler(Scale::Log, Fit::Roomy, &[0.0, -5.0, 10.0, 100.0]);
        assert_eq!(ruler.position(0.0), None);
        assert_eq!(ruler.position(-5.0), None);
        assert!(near(ruler.position(10.0), 0.0) && near(ruler.position(100.0), 1.0));
    }

    #[test]
    fn a_percentile_axis_ends_with_its_last_nine_or_the_maximum() {
        let snug = |values: &[f64]| labels(Scale::Percentile, Fit::Snug, values).join(" ");
        assert_eq!(snug(&[0.0, 99.9]), "0 50 90 99 99.9");
        assert_eq!(snug(&[50.0, 100.0]), "0 50 90 max");
        assert_eq!(snug(&[99.99999999]), "0 50 90 99 99.9 99.99 99.999 99.9999");
        let ruler = ruler(Scale::Percentile, Fit::Snug, &[99.0, 100.0, 101.0, f64::NAN]);
        assert!(near(ruler.position(100.0), 1.0));
        assert!(near(ruler.position(99.0), 2.0 / 2.4));
        assert_eq!((ruler.position(101.0), ruler.position(f64::NAN)), (None, None));
    }

    #[test]
    fn what_is_no_number_has_no_place() {
        for scale in [Scale::Linear, Scale::Log, Scale::Percentile] {
            let ruler = ruler(scale, Fit::Roomy, &[1.0, 2.0, f64::NAN, f64::INFINITY]);
            assert_eq!(ruler.position(f64::NAN), None);
            assert_eq!(ruler.position(f64::INFINITY), None);
            assert!(ruler.position(1.5).is_some());
        }
    }
}
