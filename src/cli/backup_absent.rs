//! What stands in for `backup` in a build without the operator's page: it takes any arguments, to say what is missing.

use clap::Args;

use super::exit::{Exit, Failure};

/// The line in `andon --help`.
pub(super) const ABOUT: &str =
    "Models, configuration, history and users in one file (not in this build: needs --features page)";

/// `andon backup`.
#[derive(Debug, Args)]
pub(super) struct BackupCommand {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl BackupCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        Err(Failure::absent("andon backup", "page"))
    }
}
