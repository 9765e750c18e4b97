//! `andon config`: checks, shows or describes the configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::output;
use crate::assemble::{describe, precheck};
use crate::config;

/// `andon config`.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what `andon run` would say: everything that is wrong, or what was understood.
    Check {
        #[command(flatten)]
        file: File,
        /// The file is for another machine: do not look for models, pipelines, folders, certificates and devices here.
        #[arg(long)]
        elsewhere: bool,
    },
    /// Print the configuration that would be used: defaults, file and environment merged, with `***` in place of passwords.
    Show(File),
    /// Print the JSON Schema of the file, for editors.
    Schema,
}

#[derive(Debug, Args)]
struct File {
    /// The file; without it, `andon.toml` in this folder if there is one, else the defaults and the environment alone.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Check { file, elsewhere } => {
                let file = file.or_usual();
                let checked = precheck::load(file.as_deref(), &[], elsewhere).map_err(|e| match &file {
                    Some(_) => Failure::config(e),
                    None => Failure::config(e).about("no configuration file (-c FILE, or andon.toml in this folder), so only the defaults and the environment"),
                })?;
                let c = &checked.loaded.config;
                let name = file.map_or("defaults and environment".to_owned(), |p| p.display().to_string());
                let mut counts = describe::count(c.cameras.len(), "camera");
                if !c.parts.ejectors.is_empty() {
                    counts = format!("{counts}, {}", describe::count(c.parts.ejectors.len(), "ejector"));
                }
                let looked = if elsewhere { " (this machine was not asked)" } else { "" };
                output::line(&format!("{name}: fine, {counts}{looked}"))?;
                for line in describe::summary(c, &checked.models) {
                    output::line(&format!("  {line}"))?;
                }
            }
            Action::Show(file) => {
                let loaded = config::load(file.or_usual().as_deref(), config::environment(), &[]);
                // Back into its own shape, for the order of the manual.
                let shown: config::Raw =
                    serde_json::from_value(config::masked(&loaded.map_err(Failure::config)?.raw)?)?;
                output::line(toml::to_string(&shown)?.trim_end())?;
            }
            Action::Schema => output::line(&serde_json::to_string_pretty(&config::schema())?)?,
        }
        Ok(Exit::Ok)
    }
}

impl File {
    /// The file that `run` would take.
    fn or_usual(self) -> Option<PathBuf> {
        let usual = PathBuf::from("andon.toml");
        self.config.or_else(|| usual.exists().then_some(usual))
    }
}
