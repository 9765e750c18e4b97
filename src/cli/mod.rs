//! The commands: one file each. Parses, calls the library, prints, maps the result to an exit code.

mod adapt;
#[cfg_attr(not(feature = "page"), path = "backup_absent.rs")]
mod backup;
mod bench;
mod claim;
mod collect;
#[cfg_attr(not(feature = "cuda"), path = "gpu_check_absent.rs")]
mod gpu_check;
mod config;
mod demo;
mod distill;
mod doctor;
#[cfg_attr(not(feature = "tensorrt"), path = "engine_absent.rs")]
mod engine;
mod eval;
mod exit;
mod first_run;
mod fit;
mod fit_args;
mod fit_auto;
mod fit_groups;
mod fit_methods;
mod fit_output;
mod fit_train;
mod guard;
mod heatmaps;
#[cfg_attr(not(feature = "store"), path = "history_absent.rs")]
mod history;
#[cfg(feature = "store")]
mod history_table;
mod import;
mod import_output;
mod info;
mod inspect;
mod limits;
mod output;
mod parity;
mod plan;
mod plc_check;
mod progress;
#[cfg_attr(not(feature = "page"), path = "restore_absent.rs")]
mod restore;
mod run;
mod setup;
mod show;
mod sim;
mod threshold;
mod units;
#[cfg_attr(not(feature = "page"), path = "user_absent.rs")]
mod user;
pub mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::exit::Exit;
use crate::config::check_filter;

/// Watches a conveyor and stops bad parts: learns from good images, gives every part exactly one verdict.
///
/// Exit codes: 0 fine; 1 failed; 2 wrong usage; 3 rejected parts were found (inspect --fail-on-reject);
/// 78 configuration refused; 130, 143, 129 ended by SIGINT, SIGTERM, SIGHUP, with nothing half-written
/// (`run` and `demo` end their line in order and return 0).
#[derive(Debug, Parser)]
#[command(name = "andon", version, max_term_width = 110)]
struct Cli {
    /// Log level on standard error: error, warn, info, debug, trace, off, or a filter (info,andon::capture=debug).
    #[arg(long, global = true, value_name = "LEVEL", env = "ANDON_LOG", value_parser = log_filter)]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A simulated line, learned and running in under a minute.
    Demo(demo::Demo),
    /// Take pictures to learn from, by the camera that will judge; shows sharpness, exposure and near-copies.
    Collect(collect::Collect),
    /// Learn a model from a folder of good images.
    Fit(Box<fit::FitCommand>),
    /// Teach a finished model more good pictures, or make it forget some.
    Adapt(adapt::Adapt),
    /// Show or change what a finished model rejects: milliseconds, nothing is learned.
    Threshold(threshold::ThresholdCommand),
    /// What a model file holds: pictures, method, threshold and what it promises, who chose it.
    Info(info::Info),
    /// Teach a small network what a large one makes of many pictures: a teacher for EfficientAD, made once.
    Distill(Box<distill::Distill>),
    /// Bring a network in that was trained elsewhere: an ONNX file that gives an anomaly map or a score.
    Import(Box<import::Import>),
    /// Compare a network that was brought in with the program that it was trained by, step by step.
    Parity(parity::Parity),
    /// Measure a model on pictures whose truth is known, or two side by side.
    Eval(eval::Eval),
    /// Judge images: one line each.
    Inspect(inspect::Inspect),
    /// The service: cameras in, verdicts out, until it is told to stop.
    Run(run::Run),
    /// Latency percentiles and throughput of a model on this machine, stage by stage.
    Bench(bench::Bench),
    /// Whether belt, ejector and model fit together: latency budget, parts in flight, highest safe speed.
    Plan(plan::PlanCommand),
    /// A line in a simulated clock: does every part go where it belongs when things go wrong?
    Sim(sim::SimCommand),
    /// For the PLC programmer: the Modbus map, and a walk through every wire.
    PlcCheck(plc_check::PlcCheck),
    #[command(about = history::ABOUT)]
    History(Box<history::HistoryCommand>),
    #[command(about = engine::ABOUT)]
    Engine(engine::EngineCommand),
    #[command(about = user::ABOUT)]
    User(user::UserCommand),
    #[command(about = backup::ABOUT)]
    Backup(backup::BackupCommand),
    #[command(about = restore::ABOUT)]
    Restore(restore::RestoreCommand),
    /// Check, show or describe the configuration.
    Config(config::ConfigCommand),
    /// What is here, what is missing, and how to get it.
    Doctor(doctor::Doctor),
    #[command(hide = true)]
    Guard(guard::GuardCommand),
}

/// A log filter that names something, from `--log` or `ANDON_LOG`.
fn log_filter(text: &str) -> Result<String, String> {
    check_filter(text).map(|()| text.to_owned())
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let usage = e.use_stderr();
            // Nothing can be done when the terminal is gone.
            drop(e.print());
            return if usage { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let log = cli.log.as_deref();
    let result = match cli.command {
        Command::Demo(c) => c.run(log),
        Command::Collect(c) => c.run(log),
        Command::Fit(c) => c.run(log),
        Command::Adapt(c) => c.run(log),
        Command::Threshold(c) => c.run(log),
        Command::Info(c) => c.run(),
        Command::Distill(c) => c.run(log),
        Command::Import(c) => c.run(log),
        Command::Parity(c) => c.run(),
        Command::Eval(c) => c.run(log),
        Command::Inspect(c) => c.run(log),
        Command::Run(c) => c.run(log),
        Command::Bench(c) => c.run(log),
        Command::Plan(c) => c.run(log),
        Command::Sim(c) => c.run(),
        Command::PlcCheck(c) => c.run(log),
        Command::History(c) => c.run(),
        Command::Engine(c) => c.run(log),
        Command::User(c) => c.run(),
        Command::Backup(c) => c.run(),
        Command::Restore(c) => c.run(),
        Command::Config(c) => c.run(),
        Command::Doctor(c) => c.run(log),
        Command::Guard(c) => c.run(),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::error(&failure.message());
            failure.exit.into()
        }
    }
}
