//! A plot as SVG: frame, grid, lines, and names at their ends. Commands write it as a file, `page`
//! among its text; what is drawn where in values is `scale`'s business, what it looks like
//! `plot.css`'s.

use std::io::{self, Write};

use super::markup::Markup;
use super::plot::{Plot, Style, rulers, styles, thinned};
use super::scale::{Ruler, Tick};

/// Light, dark, tones and dashes; the page has it once for all its plots.
pub const SHEET: &str = include_str!("plot.css");

/// Pixels from one name at the lines' ends to the next.
const NAME_HEIGHT: f64 = 19.0;
/// The piece of line before a name, with the space around it.
const SAMPLE_WIDTH: f64 = 44.0;
/// What a character is taken to be wide; no font is at hand to be asked.
const CHARACTER_WIDTH: f64 = 7.2;
/// A longer name is cut; it stays whole in the line's title.
const NAME_CHARACTERS_MAX: usize = 26;
/// Free space at the right edge, for half a label of a tick.
const EDGE: f64 = 18.0;
/// Free space around a file's drawing.
const MARGIN: f64 = 14.0;

/// What a drawing is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    class: &'static str,
    width: f64,
    height: f64,
    /// Names stand at the lines' ends.
    named: bool,
    /// The drawing is a file: it brings its title, its background and its style sheet.
    alone: bool,
}

impl Size {
    /// The width of a page.
    pub const WIDE: Size =
        Size { class: "plot wide", width: 880.0, height: 420.0, named: true, alone: false };
    /// A telephone, or one of several side by side. The page names the lines.
    pub const SMALL: Size =
        Size { class: "plot small", width: 420.0, height: 300.0, named: false, alone: false };
    /// A file of its own.
    pub const FILE: Size =
        Size { class: "plot", width: 920.0, height: 480.0, named: true, alone: true };
}

/// A plot, and all that was decided about how to show it.
pub struct Drawing<'a> {
    pub plot: &'a Plot,
    pub size: Size,
    pub x: &'a Ruler,
    pub y: &'a Ruler,
    pub styles: &'a [Style],
}

/// The edges of what lies between the axes, in pixels.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Plot {
    /// Writes an SVG file of its own, for light and dark. Errors are those of `out`.
    pub fn write_svg(&self, out: &mut impl Write) -> io::Result<()> {
        let mut svg = Markup::new(out);
        let (x, y) = rulers(&[self]);
        let styles = styles(&[self]);
        Drawing { plot: self, size: Size::FILE, x: &x, y: &y, styles: &styles[0] }.write(&mut svg)
    }
}

impl Drawing<'_> {
    pub fn write(&self, svg: &mut Markup) -> io::Result<()> {
        let lines: Vec<Vec<(f64, f64)>> = self.lines();
        let frame = self.frame();
        let (width, height) = (self.size.width, frame.bottom + 48.0);
        let title = &self.plot.title;
        let view = format!("0 0 {width} {height}");
        svg.open(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("class", &self.size.class),
                ("viewBox", &view),
                ("role", &"img"),
                ("aria-label", title),
            ],
        )?;
        svg.text("desc", &[], &self.description())?;
        if self.size.alone {
            svg.text("title", &[], title)?;
            svg.style(&[SHEET])?;
            svg.empty("rect", &[("class", &"paper"), ("width", &width), ("height", &height)])?;
            svg.text("text", &[("class", &"title"), ("x", &MARGIN), ("y", &28)], title)?;
        }
        self.write_grid(svg, &frame)?;
        self.write_lines(svg, &frame, &lines)?;
        if self.size.named {
            self.write_names(svg, &frame, &lines)?;
        }
        svg.close()
    }

    /// The points to draw, as fractions of the axes.
    fn lines(&self) -> Vec<Vec<(f64, f64)>> {
        let place = |(x, y): &(f64, f64)| Some((self.x.position(*x)?, self.y.position(*y)?));
        let series = self.plot.series.iter();
        series
            .map(|line| thinned(&line.points.iter().filter_map(place).collect::<Vec<_>>()))
            .collect()
    }

    fn frame(&self) -> Frame {
        let labels = self.y.ticks.iter().map(|tick| text_width(&tick.label));
        let left = self.margin() + labels.fold(16.0, f64::max) + 8.0;
        let names = self.plot.series.iter().map(|series| text_width(&short(&series.name)));
        let right = match self.size.named {
            true => names.fold(0.0, f64::max) + SAMPLE_WIDTH,
            false => EDGE,
        };
        let top = if self.size.alone { 74.0 } else { 34.0 };
        let names_height =
            if self.size.named { self.plot.series.len() as f64 * NAME_HEIGHT } else { 0.0 };
        let height = (self.size.height - top - 48.0).max(names_height);
        Frame { left, right: self.size.width - self.margin() - right, top, bottom: top + height }
    }

    /// Drawings on a page begin where its text begins.
    fn margin(&self) -> f64 {
        if self.size.alone { MARGIN } else { 0.0 }
    }

    /// For those who do not see the plot.
    fn description(&self) -> String {
        let names: Vec<_> = self.plot.series.iter().map(|series| series.name.as_str()).collect();
        let (x, y) = (&self.plot.x.label, &self.plot.y.label);
        format!("Line plot of {y} over {x}. Lines: {}.", names.join(", "))
    }

    fn write_grid(&self, svg: &mut Markup, frame: &Frame) -> io::Result<()> {
        let (left, right, bottom) = (px(frame.left), px(frame.right), px(frame.bottom));
        let mut grid = String::new();
        for tick in &self.y.ticks {
            grid += &format!("M{left} {}H{right}", px(frame.y(tick.at)));
        }
        for tick in &self.x.ticks {
            grid += &format!("M{} {}V{bottom}", px(frame.x(tick.at)), px(frame.top));
        }
        svg.empty("path", &[("class", &"grid"), ("d", &grid)])?;
        svg.empty("path", &[("class", &"axis"), ("d", &format!("M{left} {bottom}H{right}"))])?;
        for tick in spaced(&self.y.ticks, |tick| (-frame.y(tick.at), 16.0)) {
            let (x, y) = (px(frame.left - 8.0), px(frame.y(tick.at) + 4.0));
            let place: [(&str, &dyn std::fmt::Display); 3] =
                [("class", &"tick y"), ("x", &x), ("y", &y)];
            svg.text("text", &place, &tick.label)?;
        }
        for tick in spaced(&self.x.ticks, |tick| (frame.x(tick.at), text_width(&tick.label) + 8.0))
        {
            let (x, y) = (px(frame.x(tick.at)), px(frame.bottom + 19.0));
            svg.text("text", &[("class", &"tick x"), ("x", &x), ("y", &y)], &tick.label)?;
        }
        let (above, below) = (px(frame.top - 16.0), px(frame.bottom + 39.0));
        svg.text(
            "text",
            &[("class", &"label"), ("x", &self.margin()), ("y", &above)],
            &self.plot.y.label,
        )?;
        svg.text(
            "text",
            &[("class", &"label end"), ("x", &right), ("y", &below)],
            &self.plot.x.label,
        )
    }

    fn write_lines(
        &self,
        svg: &mut Markup,
        frame: &Frame,
        lines: &[Vec<(f64, f64)>],
    ) -> io::Result<()> {
        if lines.iter().all(Vec::is_empty) {
            let (x, y) = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0);
            return svg.text(
                "text",
                &[("class", &"nothing"), ("x", &px(x)), ("y", &px(y))],
                "no data",
            );
        }
        for ((series, style), line) in self.plot.series.iter().zip(self.styles).zip(lines) {
            svg.open("g", &[("class", &format!("tone{} dash{}", style.tone, style.dash))])?;
            svg.text("title", &[], &series.name)?;
            match line[..] {
                [] => {}
                [(x, y)] => {
                    let (x, y) = (px(frame.x(x)), px(frame.y(y)));
                    svg.empty("circle", &[("cx", &x), ("cy", &y), ("r", &4)])?;
                }
                _ => svg.empty("path", &[("class", &"line"), ("d", &frame.path(line))])?,
            }
            svg.close()?;
        }
        Ok(())
    }

    /// Each name stands as near to its line's end as the others leave room; a hair leads there.
    fn write_names(
        &self,
        svg: &mut Markup,
        frame: &Frame,
        lines: &[Vec<(f64, f64)>],
    ) -> io::Result<()> {
        let ends: Vec<_> = lines.iter().map(|line| line.last().copied()).collect();
        let wanted: Vec<f64> =
            ends.iter().map(|end| end.map_or(frame.bottom, |(_, y)| frame.y(y))).collect();
        let heights = apart(&wanted, frame.top, frame.bottom);
        for (index, (series, style)) in self.plot.series.iter().zip(self.styles).enumerate() {
            let (height, from) = (heights[index], frame.right + 12.0);
            if let Some((x, y)) = ends[index].filter(|(x, _)| *x > 0.97) {
                let hair = format!(
                    "M{} {}L{} {}",
                    px(frame.x(x) + 2.0),
                    px(frame.y(y)),
                    px(from),
                    px(height)
                );
                svg.empty("path", &[("class", &"hair"), ("d", &hair)])?;
            }
            svg.open("g", &[("class", &format!("tone{} dash{}", style.tone, style.dash))])?;
            let sample = format!("M{} {}h24", px(from), px(height));
            svg.empty("path", &[("class", &"line"), ("d", &sample)])?;
            let (x, y) = (px(from + 30.0), px(height + 4.5));
            svg.text("text", &[("class", &"name"), ("x", &x), ("y", &y)], &short(&series.name))?;
            svg.close()?;
        }
        Ok(())
    }
}

impl Frame {
    fn x(&self, fraction: f64) -> f64 {
        self.left + fraction * (self.right - self.left)
    }

    fn y(&self, fraction: f64) -> f64 {
        self.bottom - fraction * (self.bottom - self.top)
    }

    fn path(&self, line: &[(f64, f64)]) -> String {
        let points = line.iter().map(|(x, y)| format!("{} {}", px(self.x(*x)), px(self.y(*y))));
        format!("M{}", points.collect::<Vec<_>>().join("L"))
    }
}

/// Those ticks whose labels do not touch; the last one is always among them. `place` gives the
/// middle of a label and its length, ascending.
fn spaced(ticks: &[Tick], place: impl Fn(&Tick) -> (f64, f64)) -> Vec<&Tick> {
    let mut kept: Vec<&Tick> = Vec::new();
    let free = |kept: Option<&&Tick>, tick: &Tick| {
        kept.is_none_or(|kept| {
            let ((before, long), (at, wide)) = (place(kept), place(tick));
            at - before >= (long + wide) / 2.0
        })
    };
    for (index, tick) in ticks.iter().enumerate() {
        if index + 1 == ticks.len() {
            while kept.len() > 1 && !free(kept.last(), tick) {
                kept.pop();
            }
        }
        if free(kept.last(), tick) {
            kept.push(tick);
        }
    }
    kept
}

/// The heights, moved until each name has its place: names that would touch stand together around
/// the middle of where they want to be. The frame has room for all.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]).then(a.cmp(b)));
    // How many stand together, and where the first of them does.
    let mut groups: Vec<(usize, f64)> = Vec::new();
    for index in order.iter().copied() {
        let (mut count, mut first) = (1, wanted[index].clamp(top, bottom));
        while let Some((above, start)) = groups.pop_if(|group| below(*group) > first) {
            let (ours, theirs) = (first - above as f64 * NAME_HEIGHT, start);
            let both = (count + above) as f64;
            first = (ours * count as f64 + theirs * above as f64) / both;
            count += above;
            first = first.clamp(top, (bottom - (both - 1.0) * NAME_HEIGHT).max(top));
        }
        groups.push((count, first));
    }
    let places = groups
        .iter()
        .flat_map(|(count, first)| (0..*count).map(move |n| first + n as f64 * NAME_HEIGHT));
    let mut heights = wanted.to_vec();
    for (index, place) in order.into_iter().zip(places) {
        heights[index] = place;
    }
    heights
}

/// Where the next name may stand.
fn below((count, first): (usize, f64)) -> f64 {
    first + count as f64 * NAME_HEIGHT
}

fn short(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARACTERS_MAX) {
        Some(_) => name.chars().take(NAME_CHARACTERS_MAX - 1).chain(['…']).collect(),
        None => name.into(),
    }
}

fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER_WIDTH
}

/// A tenth of a pixel is as exact as a drawing needs to be.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lines_that_end_together_stand_around_their_end() {
        assert_eq!(apart(&[50.0, 200.0], 0.0, 300.0), [50.0, 200.0]);
        assert_eq!(apart(&[100.0, 100.0, 100.0], 0.0, 300.0), [81.0, 100.0, 119.0]);
        assert_eq!(apart(&[102.0, 100.0, 300.0], 0.0, 300.0), [110.5, 91.5, 300.0]);
        assert_eq!(apart(&[0.0, 0.0], 0.0, 300.0), [0.0, 19.0]);
        assert_eq!(apart(&[300.0, 300.0], 0.0, 300.0), [281.0, 300.0]);
    }

    #[test]
    fn names_never_touch_nor_leave_the_frame() {
        for seed in 0_u32..200 {
            let wanted: Vec<f64> =
                (0..12).map(|n| f64::from((seed * 7919 + n * n * 104_729) % 300)).collect();
            let mut heights = apart(&wanted, 20.0, 20.0 + 13.0 * NAME_HEIGHT);
            heights.sort_by(f64::total_cmp);
            assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > NAME_HEIGHT - 0.01));
            assert!(heights[0] >= 20.0 && heights[11] <= 20.01 + 13.0 * NAME_HEIGHT, "{seed}");
        }
    }
}
