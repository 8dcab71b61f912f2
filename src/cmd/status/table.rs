//! A table for a terminal: the first column names the row, and where a name is too
//! long for it the row goes on below; nothing of a name is cut off, as it is what the next command
//! is given. It knows nothing of what the cells mean.

use crate::cmd::words::{hanging, width, wrap};
use crate::text::Escaped;

/// Lines that an explanation may take.
const BELOW_MAX: usize = 3;
const GAP: usize = 2;

/// Rows under a head.
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Row>,
}

/// One row.
pub(super) struct Row {
    pub cells: Vec<String>,
    /// What stands below it, if anything.
    pub below: Vec<String>,
}

impl Table {
    /// The first two columns are of words, and the others of figures, which stand right.
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// At most so wide, as far as the figures leave it a choice.
    pub(super) fn lines(&self, columns: usize) -> Vec<String> {
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<(Vec<String>, &[String])> = std::iter::once((head, &[][..]))
            .chain(self.rows.iter().map(|row| (printable(&row.cells), &row.below[..])))
            .collect();
        let widths = self.widths(&rows, columns);
        rows.iter().flat_map(|(cells, below)| row_lines(cells, below, &widths, columns)).collect()
    }

    /// Each column is as wide as its widest cell; the first gets what room the others leave it.
    fn widths(&self, rows: &[(Vec<String>, &[String])], columns: usize) -> Vec<usize> {
        let widest =
            |column: usize| rows.iter().map(|(cells, _)| width(&cells[column])).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..self.head.len()).map(widest).collect();
        let others: usize = widths[1..].iter().map(|width| width + GAP).sum();
        widths[0] = widths[0].min(columns.saturating_sub(others).max(width(self.head[0])));
        widths
    }
}

fn printable(cells: &[String]) -> Vec<String> {
    cells.iter().map(|cell| Escaped(cell).to_string()).collect()
}

fn row_lines(cells: &[String], below: &[String], widths: &[usize], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = cells[0].clone();
    if width(&line) > widths[0] {
        lines.extend(hanging(&line, "", "  ", columns));
        line.clear();
    }
    line.push_str(&" ".repeat(widths[0].saturating_sub(width(&line))));
    for (column, cell) in cells.iter().enumerate().skip(1) {
        let pad = " ".repeat(widths[column].saturating_sub(width(cell)));
        let (left, right) = if column == 1 { ("", &*pad) } else { (&*pad, "") };
        line.push_str(&format!("{:GAP$}{left}{cell}{right}", ""));
    }
    lines.push(line.trim_end().to_owned());
    lines.extend(below.iter().flat_map(|text| wrap(text, "  ", columns, BELOW_MAX)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::words::COLUMNS;

    fn table(rows: &[[&str; 3]], below: &[&str]) -> Vec<String> {
        let mut table = Table::new(&["backend", "state", "requests"]);
        for cells in rows {
            let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
            let below = below.iter().map(|text| (*text).to_owned()).collect();
            table.push(Row { cells, below });
        }
        table.lines(COLUMNS)
    }

    #[test]
    fn words_stand_left_and_figures_right() {
        assert_eq!(
            table(&[["A", "ejected", "7"], ["a-longer-one", "up", "1,234"]], &[]),
            [
                "backend       state    requests",
                "A             ejected         7",
                "a-longer-one  up          1,234",
            ]
        );
    }

    #[test]
    fn a_name_of_any_length_is_shown_whole_and_no_line_is_too_wide() {
        for length in [1, 60, 61, 80, 81, 500] {
            let name = "n".repeat(length);
            let lines = table(&[[&name, "up", "1"]], &["why ".repeat(100).as_str()]);
            assert!(lines.iter().all(|line| width(line) <= COLUMNS), "{lines:#?}");
            assert_eq!(lines.concat().matches('n').count() - 1, length, "{lines:#?}"); // "backend"
            assert!(lines.last().is_some_and(|line| line.ends_with('…')), "{lines:#?}");
        }
    }

    #[test]
    fn what_of_a_name_has_no_room_in_a_line_stands_further_in_and_the_figures_below() {
        let lines = table(&[[&"n".repeat(88), "up", "1"]], &[]);
        let (head, tail) = ("n".repeat(78), format!("  {}", "n".repeat(10)));
        assert_eq!(lines[1..3], [head, tail]);
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["up", "1"]);
    }

    #[test]
    fn a_cell_cannot_move_the_cursor_and_wide_letters_keep_the_columns() {
        let lines = table(&[["a\u{1b}[2J\n", "up", "1"], ["汉字", "up", "10"]], &[]);
        assert_eq!(lines[1], "a\\u{1b}[2J\\n  up            1");
        assert_eq!(width(&lines[1]), width(&lines[2]));
    }
}
