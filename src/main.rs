//! Arguments to a command, errors to an exit code.
fn main() {}
