//! A table: its cells, and how they look on a terminal and in HTML. Pages and commands use it. It
//! knows nothing of what the cells mean: numbers come as text, with as many digits as they deserve.

use std::io::{self, Write};

use super::markup::Markup;
use crate::text::is_printable;

/// Space between two columns of text.
const GAP: usize = 2;

/// Rows under a head. The first column names the row and stands left; the others stand right, as
/// numbers do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of no rows, with the names of its columns.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Table {
        Table { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing at its end stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> &mut Table {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// Writes the table for a terminal, in columns. A character counts as one column wide; what is
    /// not printable is replaced, so that no cell can move the cursor or turn the line. Errors are
    /// those of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let lines: Vec<Vec<String>> =
            self.lines().map(|cells| cells.iter().map(|cell| printable(cell)).collect()).collect();
        let widths: Vec<usize> = (0..self.columns())
            .map(|column| lines.iter().map(|cells| width(cells, column)).max().unwrap_or(0))
            .collect();
        for cells in &lines {
            let mut line = String::new();
            for (column, width) in widths.iter().enumerate() {
                let cell = cells.get(column).map_or("", String::as_str);
                match column {
                    0 => line.push_str(&format!("{cell:<width$}")),
                    _ => line.push_str(&format!("{:GAP$}{cell:>width$}", "")),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    pub(super) fn write_html(&self, page: &mut Markup) -> io::Result<()> {
        page.open("div", &[("class", &"table")])?;
        page.open("table", &[])?;
        page.open("thead", &[])?;
        page.open("tr", &[])?;
        for column in 0..self.columns() {
            page.text("th", &[("scope", &"col")], cell(&self.head, column))?;
        }
        page.close()?;
        page.close()?;
        page.open("tbody", &[])?;
        for row in &self.rows {
            page.open("tr", &[])?;
            page.text("th", &[("scope", &"row")], cell(row, 0))?;
            for column in 1..self.columns() {
                page.text("td", &[], cell(row, column))?;
            }
            page.close()?;
        }
        page.close()?;
        page.close()?;
        page.close()
    }

    fn columns(&self) -> usize {
        self.lines().map(Vec::len).max().unwrap_or(0)
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }
}

fn cell(row: &[String], column: usize) -> &str {
    row.get(column).map_or("", String::as_str)
}

fn width(cells: &[String], column: usize) -> usize {
    cell(cells, column).chars().count()
}

fn printable(cell: &str) -> String {
    cell.chars().map(|char| if is_printable(char) { char } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: &Table) -> String {
        let mut text = Vec::new();
        table.write_text(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn names_stand_left_and_numbers_right() {
        let mut table = Table::new(["policy", "requests", "p99"]);
        table.row(["round-robin", "20,000", "41.5 ms"]).row(["hash", "7", "3 ms"]);
        assert_eq!(
            text(&table),
            "policy       requests      p99\n\
             round-robin    20,000  41.5 ms\n\
             hash                7     3 ms\n"
        );
    }

    #[test]
    fn rows_of_any_length_keep_the_columns() {
        let mut table = Table::new(["name", "a"]);
        table.row(["x"]).row(["y", "1", "more"]).row([""; 0]);
        assert_eq!(text(&table), "name  a\nx\ny     1  more\n\n");
    }

    #[test]
    fn a_character_is_one_column_whatever_its_bytes() {
        let mut table = Table::new(["n", "µs"]);
        table.row(["é", "½"]).row(["ab", "10"]);
        assert_eq!(text(&table), "n   µs\né    ½\nab  10\n");
    }

    #[test]
    fn a_cell_cannot_move_the_cursor() {
        let mut table = Table::new(["n"]);
        table.row(["a\u{1b}[2J\nb\u{202e}c"]);
        assert_eq!(text(&table), "n\na\u{fffd}[2J\u{fffd}b\u{fffd}c\n");
    }

    #[test]
    fn a_table_of_nothing_is_an_empty_line() {
        assert_eq!(text(&Table::default()), "\n");
    }
}
