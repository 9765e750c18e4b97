//! What stands in for `user` in a build without the operator's page: it takes any arguments, to say what is missing.

use clap::Args;

use super::exit::{Exit, Failure};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "Who may do what on the operator's page (not in this build: needs --features page)";

/// `andon user`.
#[derive(Debug, Args)]
pub(super) struct UserCommand {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl UserCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        Err(Failure::absent("andon user", "page"))
    }
}
