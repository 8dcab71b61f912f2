//! `evenly status --watch`: the same again and again until Ctrl-C, in place on a terminal. It
//! outlasts the balancer: one that is gone is said to be so, with what was last known, until it is
//! back.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::{Shape, Shown, ask, show};
use crate::balancer::Signals;
use crate::cmd::Failure;
use crate::cmd::reach::Balancer;
use crate::cmd::terminal::columns;
use crate::cmd::words::{spoken, wrap};

/// A balancer that takes longer is as good as gone, and Ctrl-C is heard after that.
const WITHIN: Duration = Duration::from_secs(2);

/// Shows it until a signal says to end. Fails at once if there is nothing to be seen at first.
pub(super) fn watch(balancers: &[Balancer], shape: Shape, every: Duration) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    signals.start_is_over();
    let mut last = Last { text: String::new(), at: Instant::now() };
    let first = show(&ask(balancers, WITHIN), shape);
    if let (Some(why), true) = (&first.failed, first.text.is_empty()) {
        return Err(Failure::Run(why.clone()));
    }
    let mut frame = last.frame(first);
    let mut screen = Screen::open()?;
    loop {
        screen.draw(&frame)?;
        let until = Instant::now() + every;
        if signals.next(Some(until)).is_some() {
            return screen.close(&frame);
        }
        frame = last.frame(show(&ask(balancers, WITHIN), shape));
    }
}

/// What was seen last.
struct Last {
    text: String,
    at: Instant,
}

impl Last {
    /// What to show: what is seen now, or why nothing is, above what was seen before.
    fn frame(&mut self, shown: Shown) -> String {
        match shown.failed {
            Some(why) if shown.text.is_empty() => {
                let gone = spoken(self.at.elapsed().as_secs_f64());
                let what = format!("gone for {gone}: {why}");
                let lines = wrap(&what, "", columns(), 4).join("\n");
                match self.text.is_empty() {
                    true => format!("{lines}\n"),
                    false => format!("{lines}\n\nbefore that:\n{}", self.text),
                }
            }
            _ => {
                *self = Last { text: shown.text.clone(), at: Instant::now() };
                shown.text
            }
        }
    }
}

/// Where it is shown.
enum Screen {
    /// A terminal's second screen, so that what was on the first is there again in the end.
    Terminal,
    /// Anything else gets one after the other.
    Paper { is_begun: bool },
}

/// To the second screen, where long lines end at the edge (one that wrapped would move all below).
const OPEN: &str = "\x1b[?1049h\x1b[?7l";
const CLOSE: &str = "\x1b[?7h\x1b[?1049l";
/// To the top; to the end of the line, of the screen, all that stands there goes. Nothing is wiped
/// before it is written anew, or it would flicker.
const HOME: &str = "\x1b[H";
const LINE_END: &str = "\x1b[K\r\n";
const SCREEN_END: &str = "\x1b[J";

impl Screen {
    fn open() -> io::Result<Self> {
        let is_dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if is_dumb || !io::stdout().is_terminal() {
            return Ok(Self::Paper { is_begun: false });
        }
        write(OPEN)?;
        Ok(Self::Terminal)
    }

    fn draw(&mut self, frame: &str) -> io::Result<()> {
        match self {
            Self::Terminal => {
                let rows = rows();
                let lines: Vec<_> = frame.lines().take(rows).collect();
                let mut out = format!("{HOME}{}", lines.join(LINE_END));
                out.push_str("\x1b[K");
                out.push_str(SCREEN_END);
                write(&out)
            }
            Self::Paper { is_begun } => {
                let gap = if *is_begun { "\n" } else { "" };
                *is_begun = true;
                write(&format!("{gap}{frame}"))
            }
        }
    }

    /// Leaves what was seen last on the first screen.
    fn close(self, frame: &str) -> Result<(), Failure> {
        let is_terminal = matches!(self, Self::Terminal);
        drop(self);
        if is_terminal {
            write(frame)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self, Self::Terminal) {
            let _ = write(CLOSE); // a terminal that is gone needs nothing
        }
    }
}

/// Each frame in one write, so that nobody sees half of it.
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The lines of the terminal, as it is now: it may have been drawn larger.
fn rows() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 => usize::from(size.ws_row),
        _ => 24,
    }
}
