//! `andon restore`: a backup back into a folder.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use andon_service::backup::{CONFIGURATION, restore};

/// The line in `andon --help`.
pub(super) const ABOUT: &str = "A backup back into a folder that `andon run` takes as it is; every file is checked";

/// `andon restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreCommand {
    /// The archive.
    #[arg(value_name = "FILE.tar")]
    archive: PathBuf,
    /// The folder, which must not be there yet.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

impl RestoreCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        let manifest = restore(&self.archive, &self.to).map_err(anyhow::Error::from)?;
        let files = manifest.files.len();
        output::line(&format!("{}: {files} files of {}, by andon {}", self.to.display(), manifest.at, manifest.andon))?;
        let file = self.to.join(CONFIGURATION);
        for key in &manifest.masked {
            output::note(&format!("{key} in {}: was a secret, write it again", file.display()));
        }
        for what in &manifest.left_out {
            output::note(&format!("{what}: was not in the archive, bring it yourself"));
        }
        output::note(&format!("then: andon config check -c {0} && andon run -c {0}", file.display()));
        Ok(Exit::Ok)
    }
}
