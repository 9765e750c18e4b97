//! What stands in for `restore` in a build without the operator's page: it takes any arguments, to say what is missing.

use clap::Args;

use super::exit::{Exit, Failure};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "A backup back into a folder (not in this build: needs --features page)";

/// `andon restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreCommand {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl RestoreCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        Err(Failure::absent("andon restore", "page"))
    }
}
