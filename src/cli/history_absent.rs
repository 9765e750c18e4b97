//! What stands in for `history` in a build without a store: it takes any arguments, to say what is missing.

use clap::Args;

use super::exit::{Exit, Failure};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "What the history holds (not in this build: needs --features store)";

/// `andon history`.
#[derive(Debug, Args)]
pub(super) struct HistoryCommand {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl HistoryCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        Err(Failure::absent("andon history", "store"))
    }
}
