//! The `andon` program: parse, call, print, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    andon::cli::main()
}
