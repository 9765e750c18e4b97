//! What stands in for `engine` in a build without TensorRT: it takes any arguments, to say what is missing.

use clap::Args;

use super::exit::{Exit, Failure};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "Engines for this machine's NVIDIA card (not in this build: needs --features tensorrt)";

/// `andon engine`.
#[derive(Debug, Args)]
pub(super) struct EngineCommand {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl EngineCommand {
    pub fn run(self, _: Option<&str>) -> Result<Exit, Failure> {
        Err(Failure::absent("andon engine", "tensorrt"))
    }
}
