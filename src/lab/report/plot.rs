//! A plot as values: axes, series, and which of their points are drawn. Commands fill it, `draw`
//! draws it, `page` shows it.

use super::scale::{Fit, Ruler, Scale};

/// Points that are drawn of a series. Of more, the lowest and the highest of each equal part of the
/// axis are kept, in their order, so that no peak is lost.
pub const POINTS_MAX: usize = 400;

/// Tones and dashes, each; `plot.css` has them.
const STYLES: usize = 8;

/// Lines over two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What is shown.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From the bottom up.
    pub y: Axis,
    /// One line each, told apart by tone, dash and name.
    pub series: Vec<Series>,
}

/// What an axis measures, and how values lie on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The quantity and its unit: `latency (ms)`.
    pub label: String,
    /// How values lie on it.
    pub scale: Scale,
}

/// A line. Points are joined in the order given; a point that has no place on an axis, such as NaN,
/// is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the line is called.
    pub name: String,
    /// x and y, in the units that the axes name.
    pub points: Vec<(f64, f64)>,
}

impl Plot {
    /// The points that have a place on both axes.
    fn shown(&self) -> impl Iterator<Item = (f64, f64)> {
        let points = self.series.iter().flat_map(|series| &series.points).copied();
        points.filter(|(x, y)| self.x.scale.shows(*x) && self.y.scale.shows(*y))
    }
}

/// The axes that the plots share; the first one's scales hold.
pub fn rulers(plots: &[&Plot]) -> (Ruler, Ruler) {
    let scale = |axis: fn(&Plot) -> &Axis| plots.first().map_or(Scale::Linear, |p| axis(p).scale);
    let points = || plots.iter().flat_map(|plot| plot.shown());
    (
        Ruler::new(scale(|plot| &plot.x), Fit::Snug, points().map(|(x, _)| x)),
        Ruler::new(scale(|plot| &plot.y), Fit::Roomy, points().map(|(_, y)| y)),
    )
}

/// How a line looks: numbers of a tone and of a dash. No two of the first 64 are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub tone: usize,
    pub dash: usize,
}

/// The style of each series of each plot. Plots side by side give the same name the same style;
/// two series of one plot never share one, whatever they are called.
pub fn styles(plots: &[&Plot]) -> Vec<Vec<Style>> {
    let names = names(plots);
    let number = |index: usize, name: &str| match plots {
        [_] => index,
        _ => names.iter().position(|known| *known == name).unwrap_or(index),
    };
    let style =
        |number: usize| Style { tone: number % STYLES, dash: (number + number / STYLES) % STYLES };
    let styles = |plot: &&Plot| {
        let series = plot.series.iter().enumerate();
        series.map(|(index, series)| style(number(index, &series.name))).collect()
    };
    plots.iter().map(styles).collect()
}

/// The names of all series, each once, as they first appear.
fn names<'a>(plots: &[&'a Plot]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for series in plots.iter().flat_map(|plot| &plot.series) {
        if !names.contains(&series.name.as_str()) {
            names.push(series.name.as_str());
        }
    }
    names
}

/// At most `POINTS_MAX` of the points, the first and the last among them. The way along x, whatever
/// its direction, is cut into equal parts; so where points lie dense, as at the low percentiles,
/// they do not take the room of those that lie far apart.
pub fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let [first, inner @ .., last] = points else {
        return points.to_vec();
    };
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let way: f64 = points.windows(2).map(|pair| (pair[1].0 - pair[0].0).abs()).sum();
    let parts = POINTS_MAX / 2 - 1;
    let mut gone = 0.0;
    let mut numbered = Vec::new();
    for pair in points.windows(2).take(inner.len()) {
        gone += (pair[1].0 - pair[0].0).abs();
        numbered.push(((gone / way * parts as f64) as usize, pair[1]));
    }
    let mut kept = vec![*first];
    for part in numbered.chunk_by(|a, b| a.0.min(parts - 1) == b.0.min(parts - 1)) {
        kept.extend(low_and_high(part));
    }
    kept.push(*last);
    kept
}

/// The lowest and the highest point, in their order.
fn low_and_high(part: &[(usize, (f64, f64))]) -> Vec<(f64, f64)> {
    let y = |index: &usize| part[*index].1.1;
    let low = (0..part.len()).min_by(|a, b| y(a).total_cmp(&y(b))).unwrap_or(0);
    let high = (0..part.len()).max_by(|a, b| y(a).total_cmp(&y(b))).unwrap_or(0);
    let mut both = vec![low.min(high), low.max(high)];
    both.dedup();
    both.into_iter().map(|index| part[index].1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_among_many_points_is_kept() {
        let mut points: Vec<_> = (0..100_000).map(|n| (f64::from(n), f64::from(n % 7))).collect();
        points[51_234].1 = 1000.0;
        points[77_777].1 = -1000.0;
        let kept = thinned(&points);
        assert!(kept.len() <= POINTS_MAX, "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[99_999]));
        assert!(kept.contains(&points[51_234]) && kept.contains(&points[77_777]));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(kept, thinned(&points));
    }

    #[test]
    fn a_long_tail_keeps_its_points() {
        let mut points: Vec<_> = (0..100_000).map(|n| (f64::from(n) / 1e6, 0.0)).collect();
        points.extend((1..=100).map(|n| (f64::from(n), f64::from(n))));
        let kept = thinned(&points);
        assert!(kept.len() <= POINTS_MAX, "{}", kept.len());
        assert!(points[100_000..].iter().all(|point| kept.contains(point)));
    }

    #[test]
    fn points_in_any_order_are_thinned() {
        let zigzag = |n: i32| (f64::from(n % 2), f64::from(n));
        for points in [(0..9999).map(zigzag).collect::<Vec<_>>(), vec![(1.0, 1.0); 9999]] {
            let kept = thinned(&points);
            assert!((2..=POINTS_MAX).contains(&kept.len()), "{}", kept.len());
        }
    }

    #[test]
    fn few_points_are_all_kept() {
        for count in [0, 1, 2, POINTS_MAX] {
            let points: Vec<_> = (0..count).map(|n| (n as f64, 1.0)).collect();
            assert_eq!(thinned(&points), points);
        }
        let points: Vec<_> = (0..=POINTS_MAX).map(|n| (n as f64, 1.0)).collect();
        assert!(thinned(&points).len() < points.len());
    }

    #[test]
    fn the_first_64_lines_of_a_plot_all_look_different() {
        let series = |n: usize| Series { name: format!("{}", n % 3), points: Vec::new() };
        let axis = || Axis { label: String::new(), scale: Scale::Linear };
        let series = (0..64).map(series).collect();
        let plot = Plot { title: String::new(), x: axis(), y: axis(), series };
        let styles = styles(&[&plot]).remove(0);
        for (index, style) in styles.iter().enumerate() {
            assert!(!styles[..index].contains(style), "{index}");
        }
    }
}
