//! One HTML page: a title, what to know, sections with tables and plots. Commands build it. It must
//! need nothing but itself, and say the same with every reader: wide, narrow, dark, on paper.

use std::io::{self, Write};

use super::draw::{Drawing, SHEET, Size};
use super::markup::Markup;
use super::plot::{Plot, rulers, styles};
use super::table::Table;

/// From so many sections on, the page begins with a list of them.
const CONTENTS_MIN: usize = 4;

/// A page under way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    title: String,
    lead: String,
    sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq)]
struct Section {
    heading: String,
    text: String,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Table(Table),
    Plot(Plot),
    Plots(Vec<Plot>),
}

impl Page {
    /// A page of no sections. `lead` says what was done; an empty line in it, or in the text of a
    /// section, begins a new paragraph.
    pub fn new(title: impl Into<String>, lead: impl Into<String>) -> Page {
        Page { title: title.into(), lead: lead.into(), sections: Vec::new() }
    }

    /// Adds a section with a table; its heading and text may be empty.
    pub fn table(
        &mut self,
        heading: impl Into<String>,
        text: impl Into<String>,
        table: Table,
    ) -> &mut Page {
        self.section(heading.into(), text.into(), Body::Table(table))
    }

    /// Adds a section with a plot as wide as the page.
    pub fn plot(
        &mut self,
        heading: impl Into<String>,
        text: impl Into<String>,
        plot: Plot,
    ) -> &mut Page {
        self.section(heading.into(), text.into(), Body::Plot(plot))
    }

    /// Adds a section with small plots side by side, to be compared: they share the ends of their
    /// axes and the scales of the first, and the same name means the same line.
    pub fn plots(
        &mut self,
        heading: impl Into<String>,
        text: impl Into<String>,
        plots: Vec<Plot>,
    ) -> &mut Page {
        self.section(heading.into(), text.into(), Body::Plots(plots))
    }

    fn section(&mut self, heading: String, text: String, body: Body) -> &mut Page {
        self.sections.push(Section { heading, text, body });
        self
    }

    /// Writes the page. Errors are those of `out`.
    pub fn write_html(&self, out: &mut impl Write) -> io::Result<()> {
        let mut page = Markup::new(out);
        page.doctype()?;
        page.open("html", &[("lang", &"en")])?;
        page.open("head", &[])?;
        page.empty("meta", &[("charset", &"utf-8")])?;
        let fitting = "width=device-width, initial-scale=1";
        page.empty("meta", &[("name", &"viewport"), ("content", &fitting)])?;
        page.text("title", &[], &self.title)?;
        page.style(&[include_str!("page.css"), SHEET])?;
        page.close()?;
        page.open("body", &[])?;
        page.open("main", &[])?;
        page.open("header", &[])?;
        page.text("h1", &[], &self.title)?;
        write_paragraphs(&mut page, &self.lead)?;
        page.close()?;
        self.write_contents(&mut page)?;
        for (number, section) in (1..).zip(&self.sections) {
            section.write(&mut page, number)?;
        }
        page.close()?;
        page.close()?;
        page.close()
    }

    fn write_contents(&self, page: &mut Markup) -> io::Result<()> {
        if self.sections.len() < CONTENTS_MIN {
            return Ok(());
        }
        page.open("nav", &[("aria-label", &"Sections")])?;
        page.open("ul", &[])?;
        let sections = (1..).zip(&self.sections);
        for (number, section) in sections.filter(|(_, section)| !section.heading.is_empty()) {
            page.open("li", &[])?;
            page.text("a", &[("href", &format!("#section-{number}"))], &section.heading)?;
            page.close()?;
        }
        page.close()?;
        page.close()
    }
}

impl Section {
    fn write(&self, page: &mut Markup, number: usize) -> io::Result<()> {
        page.open("section", &[("id", &format!("section-{number}"))])?;
        if !self.heading.is_empty() {
            page.text("h2", &[], &self.heading)?;
        }
        write_paragraphs(page, &self.text)?;
        match &self.body {
            Body::Table(table) => table.write_html(page)?,
            Body::Plot(plot) => self.write_plot(page, plot)?,
            Body::Plots(plots) => write_plots(page, plots)?,
        }
        page.close()
    }

    /// Twice, for a wide and for a narrow page: text that shrinks with its drawing is not read.
    fn write_plot(&self, page: &mut Markup, plot: &Plot) -> io::Result<()> {
        let (x, y) = rulers(&[plot]);
        let styles = styles(&[plot]).remove(0);
        page.open("figure", &[])?;
        if plot.title != self.heading {
            write_caption(page, plot)?;
        }
        Drawing { plot, size: Size::WIDE, x: &x, y: &y, styles: &styles }.write(page)?;
        page.open("div", &[("class", &"narrow")])?;
        write_legend(page, &[plot])?;
        Drawing { plot, size: Size::SMALL, x: &x, y: &y, styles: &styles }.write(page)?;
        page.close()?;
        page.close()
    }
}

fn write_plots(page: &mut Markup, plots: &[Plot]) -> io::Result<()> {
    let plots: Vec<&Plot> = plots.iter().collect();
    let (x, y) = rulers(&plots);
    let titled = |plot: &&Plot| matches!(&plot.series[..], [only] if only.name == plot.title);
    if !plots.iter().all(titled) {
        write_legend(page, &plots)?;
    }
    page.open("div", &[("class", &"plots")])?;
    for (plot, styles) in plots.iter().zip(styles(&plots)) {
        page.open("figure", &[])?;
        write_caption(page, plot)?;
        Drawing { plot, size: Size::SMALL, x: &x, y: &y, styles: &styles }.write(page)?;
        page.close()?;
    }
    page.close()
}

fn write_caption(page: &mut Markup, plot: &Plot) -> io::Result<()> {
    match plot.title.is_empty() {
        true => Ok(()),
        false => page.text("figcaption", &[], &plot.title),
    }
}

/// The names of all lines, each with a piece of its line.
fn write_legend(page: &mut Markup, plots: &[&Plot]) -> io::Result<()> {
    let styles = styles(plots);
    let series = plots.iter().flat_map(|plot| &plot.series).zip(styles.iter().flatten());
    let mut seen = Vec::new();
    page.open("ul", &[("class", &"legend")])?;
    for (series, style) in series {
        if seen.contains(&(&series.name, style)) {
            continue;
        }
        seen.push((&series.name, style));
        page.open("li", &[])?;
        page.open(
            "svg",
            &[("class", &"plot sample"), ("viewBox", &"0 0 24 8"), ("aria-hidden", &"true")],
        )?;
        page.open("g", &[("class", &format!("tone{} dash{}", style.tone, style.dash))])?;
        page.empty("path", &[("class", &"line"), ("d", &"M0 4h24")])?;
        page.close()?;
        page.close()?;
        page.text("span", &[], &series.name)?;
        page.close()?;
    }
    page.close()
}

fn write_paragraphs(page: &mut Markup, text: &str) -> io::Result<()> {
    for paragraph in text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        page.text("p", &[], paragraph)?;
    }
    Ok(())
}
