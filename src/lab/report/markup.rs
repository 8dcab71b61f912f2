//! Elements of HTML and SVG, written so that every one is closed and all text is escaped. The rest
//! of the report writes through it; it must never let text through as it came.

use std::fmt::Display;
use std::io::{self, Write};

use crate::text::is_printable;

/// Names and values; the values are escaped.
pub type Attributes<'a> = &'a [(&'a str, &'a dyn Display)];

/// A document under way. It is well-formed XML, which HTML reads as well.
pub struct Markup<'a> {
    out: &'a mut dyn Write,
    open: Vec<&'static str>,
}

impl<'a> Markup<'a> {
    pub fn new(out: &'a mut dyn Write) -> Markup<'a> {
        Markup { out, open: Vec::new() }
    }

    pub fn doctype(&mut self) -> io::Result<()> {
        self.out.write_all(b"<!doctype html>\n")
    }

    /// Begins an element; the next `close` that is not taken by an inner one ends it.
    pub fn open(&mut self, name: &'static str, attributes: Attributes) -> io::Result<()> {
        self.tag(name, attributes, ">\n")?;
        self.open.push(name);
        Ok(())
    }

    /// Ends the element that was opened last.
    pub fn close(&mut self) -> io::Result<()> {
        match self.open.pop() {
            Some(name) => writeln!(self.out, "</{name}>"),
            None => Ok(()),
        }
    }

    /// An element with text in it and nothing else.
    pub fn text(
        &mut self,
        name: &'static str,
        attributes: Attributes,
        text: &str,
    ) -> io::Result<()> {
        self.tag(name, attributes, ">")?;
        writeln!(self.out, "{}</{name}>", escaped(text))
    }

    /// An element with nothing in it.
    pub fn empty(&mut self, name: &'static str, attributes: Attributes) -> io::Result<()> {
        self.tag(name, attributes, "/>\n")
    }

    /// Our own style sheets. They hold neither `<` nor `&`, which HTML and XML read differently.
    pub fn style(&mut self, sheets: &[&'static str]) -> io::Result<()> {
        self.out.write_all(b"<style>\n")?;
        for sheet in sheets {
            self.out.write_all(sheet.as_bytes())?;
        }
        self.out.write_all(b"</style>\n")
    }

    fn tag(&mut self, name: &str, attributes: Attributes, end: &str) -> io::Result<()> {
        write!(self.out, "<{name}")?;
        for (name, value) in attributes {
            write!(self.out, " {name}=\"{}\"", escaped(&value.to_string()))?;
        }
        self.out.write_all(end.as_bytes())
    }
}

/// XML 1.0 allows no control characters besides tab and line ends, not even as references
/// (section 2.2), nor U+FFFE and U+FFFF. What else is not printable would show a name as another.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' => safe.push(char),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ if is_printable(char) => safe.push(char),
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}
