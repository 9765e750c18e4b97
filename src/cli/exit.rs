//! Exit codes, and errors on their way to the terminal.

use std::fmt;
use std::process::ExitCode;

use crate::assemble::BuildError;
use andon_io::NotBuilt;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Fine.
    Ok = 0,
    /// The input, the machine or the line failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// `inspect --fail-on-reject` found parts that do not pass.
    Rejected = 3,
    /// The configuration is refused; a service manager should not restart.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error on its way to the terminal, with the exit code that it means.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit, error: error.into() }
    }

    /// A command or an option that was not compiled in.
    #[cfg_attr(
        all(feature = "tensorrt", feature = "page"),
        allow(dead_code, reason = "builds with everything lack nothing")
    )]
    pub fn absent(what: &str, feature: &'static str) -> Failure {
        Failure::new(Exit::Usage, NotBuilt::new(what, feature))
    }

    /// A line that was not built.
    pub fn build(error: BuildError) -> Failure {
        let exit = if error.is_refusal() { Exit::Config } else { Exit::Failed };
        Failure::new(exit, error)
    }

    /// A refused configuration.
    pub fn config(error: impl Into<anyhow::Error>) -> Failure {
        Failure::new(Exit::Config, error)
    }

    /// The same failure with a word about what it speaks of.
    pub fn about(self, what: &str) -> Failure {
        Failure { exit: self.exit, error: anyhow::anyhow!("{what}: {}", self.message()) }
    }

    /// The whole chain in one line, without repeating what a cause already said.
    pub fn message(&self) -> String {
        let mut text = self.error.to_string();
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        text
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(Exit::Failed, error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}
