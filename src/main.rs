//! Parses the command line, runs the command, and sets the exit code.

fn main() {}
