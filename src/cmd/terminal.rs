//! How wide a command may write: for people at a terminal, or for whatever reads a pipe.

use std::io::{self, IsTerminal};

use super::words::COLUMNS;

/// Narrower than that nothing is readable.
const COLUMNS_MIN: usize = 40;

/// The columns of a line on standard output: those of the terminal, at most 80; as many as there
/// are if it is none, so that `grep` finds what belongs together on one line.
pub(super) fn columns() -> usize {
    if !io::stdout().is_terminal() {
        return usize::MAX;
    }
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col).clamp(COLUMNS_MIN, COLUMNS),
        _ => COLUMNS,
    }
}
