//! Arguments to a command, errors to an exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use evenly::cmd;

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let help = cmd::args::help_for(&args);
    match cmd::args::parse(args, env::vars_os()).and_then(cmd::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let words = failure.words(&help);
            if !words.is_empty() {
                // A closed stderr is no reason to hide the exit code.
                let _ = writeln!(io::stderr(), "{words}");
            }
            failure.exit_code()
        }
    }
}
