//! `andon backup`: models, configuration, history and users in one file.

use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::Context;
use atomic_write_file::AtomicWriteFile;
use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use crate::assemble::backup_plan;
use crate::config;

/// The line in `andon --help`.
pub(super) const ABOUT: &str =
    "Models, configuration, history and users in one tar file with a manifest of sums; the line may run meanwhile";

/// `andon backup`.
#[derive(Debug, Args)]
pub(super) struct BackupCommand {
    /// The configuration; without it, `andon.toml` in this folder.
    #[arg(short, long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
    /// The archive. Who has it can read everything: keep it as you keep the box.
    #[arg(short, long, value_name = "FILE.tar")]
    output: PathBuf,
}

impl BackupCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        let loaded = config::load(Some(&self.config), config::environment(), &[]).map_err(Failure::config)?;
        let plan = backup_plan(&loaded, Some(&self.config)).map_err(|why| anyhow::anyhow!(why))?;
        output::writable(&self.output)?;
        let folder = self.output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
        let cannot = || format!("cannot write {}", self.output.display());
        let mut file = AtomicWriteFile::open(&self.output).with_context(cannot)?;
        let manifest = plan.write(BufWriter::new(&mut file), folder).map_err(anyhow::Error::from)?;
        file.commit().with_context(cannot)?;
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        output::line(&format!("{}: {} files, {bytes} bytes", self.output.display(), manifest.files.len()))?;
        for key in &manifest.masked {
            output::note(&format!("{key}: masked; write it again after `andon restore`"));
        }
        for what in &manifest.left_out {
            output::note(&format!("{what}: not in the archive"));
        }
        Ok(Exit::Ok)
    }
}
