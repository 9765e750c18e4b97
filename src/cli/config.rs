use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::output;
use crate::config;

/// `andon config`.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check a configuration and name everything that is wrong with it.
    Check(File),
    /// Print the configuration that would be used: defaults, file and environment merged.
    Show(File),
    /// Print the JSON Schema of the file, for editors.
    Schema,
}

#[derive(Debug, Args)]
struct File {
    /// The file; without it, the defaults and the environment alone.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Check(File { config }) => {
                let loaded = load(config.as_deref())?;
                let cameras = loaded.config.cameras.len();
                let name = config.map_or("defaults and environment".to_owned(), |p| p.display().to_string());
                output::line(&format!("{name}: fine, {cameras} camera{}", if cameras == 1 { "" } else { "s" }))?;
            }
            Action::Show(File { config }) => {
                let loaded = load(config.as_deref())?;
                output::line(toml::to_string(&loaded.raw)?.trim_end())?;
            }
            Action::Schema => output::line(&serde_json::to_string_pretty(&config::schema())?)?,
        }
        Ok(Exit::Ok)
    }
}

fn load(file: Option<&std::path::Path>) -> Result<config::Loaded, Failure> {
    config::load(file, std::env::vars(), &[]).map_err(Failure::config)
}
