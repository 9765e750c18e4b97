//! The `andon` program: parse, call, print, exit code.
fn main() {}
