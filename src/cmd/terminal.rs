//! How wide a command may write: for people at a terminal, or for whatever reads a pipe.

use std::env;
use std::io::{self, IsTerminal};

use super::words::COLUMNS;

/// Narrower than that nothing is readable.
const COLUMNS_MIN: usize = 40;

/// The columns of a line on standard output. Of a terminal as many as it has, at most 80. In a pipe
/// or a file nothing is cut, so that `grep` finds what belongs together on one line; unless COLUMNS
/// says how wide it is shown in the end, as watch(1) does.
pub(super) fn columns() -> usize {
    if !io::stdout().is_terminal() {
        let said = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        return said.map_or(usize::MAX, |columns: usize| columns.max(COLUMNS_MIN));
    }
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col).clamp(COLUMNS_MIN, COLUMNS),
        _ => COLUMNS,
    }
}
