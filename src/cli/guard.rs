//! `andon guard`: the process that puts outputs to their safe levels when the line is killed. Started by `andon run`, not by people.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use crate::assemble::guard::{DONE, make_safe};
use andon_core::{Mono, real_time};
use andon_io::fieldio::IoPoint;

/// `andon guard`: started by `andon run`, not by people.
#[derive(Debug, Args)]
pub(super) struct GuardCommand {}

impl GuardCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        // Ends with its pipe, not by a signal: a service manager may send one to the whole group while the line ends.
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        drop(real_time(39));
        let mut lines = std::io::stdin().lock().lines();
        let usage = |why: &str| Failure::new(Exit::Usage, anyhow::anyhow!("{why}"));
        let Some(first) = lines.next().transpose()? else {
            return Err(usage("guard is started by `andon run`; it has nothing to guard by itself"));
        };
        let points: Vec<IoPoint> =
            serde_json::from_str(&first).map_err(|e| usage(&format!("guard is started by `andon run`: {e}")))?;
        if lines.next().transpose()?.as_deref() == Some(DONE) {
            return Ok(Exit::Ok);
        }
        let gone = Mono::now();
        let (failed, took) = make_safe(&points, gone);
        let ms = took.as_secs_f64() * 1000.0;
        match failed.is_empty() {
            true => {
                output::error(&format!("guard: the line was killed; its outputs are at their safe levels ({ms:.0} ms)"))
            }
            false => output::error(&format!(
                "guard: the line was killed, and outputs could not be reached: {}",
                failed.join("; ")
            )),
        }
        Ok(if failed.is_empty() { Exit::Ok } else { Exit::Failed })
    }
}
