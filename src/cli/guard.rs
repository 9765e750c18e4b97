//! What is left when this program is killed: a second process that sleeps on a pipe. When the pipe breaks, it puts every output
//! to its safe level. It cannot help when the whole machine dies: that is what watchdogs of I/O modules and the heartbeat are for.

use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::{output, wires};
use crate::config::{Parts, Place, Wire};
use andon_core::Mono;
use andon_core::real_time;

/// The watched side. When it is dropped in good order, the guard goes home without touching anything.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
}

/// What the guard is told at the end.
const DONE: &str = "done";

impl Guard {
    /// Starts the second process if there are outputs to guard. Without it the line runs all the same, and the log says so.
    pub fn start(parts: &Parts) -> Option<Guard> {
        let ejectors = parts.ejectors.iter().map(|e| &e.output);
        let wires: Vec<&Wire> = ejectors
            .chain(&parts.line_stop)
            .chain(&parts.heartbeat)
            .filter(|w| !matches!(w.place, Place::DryRun))
            .collect();
        if wires.is_empty() {
            return None;
        }
        let started = Guard::spawn(&wires);
        if let Err(e) = &started {
            tracing::error!(
                "no guard process ({e}): when this program is killed, outputs stay until their watchdog falls"
            );
        }
        started.ok()
    }

    fn spawn(wires: &[&Wire]) -> std::io::Result<Guard> {
        // In a process group of its own: Ctrl-C in a terminal is for the line, which then ends in good order.
        let child = Command::new(std::env::current_exe()?)
            .arg("guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut guard = Guard { child };
        let wires = serde_json::to_string(wires)?;
        guard.tell(&wires)?;
        Ok(guard)
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        self.child.stdin.as_mut().map_or(Ok(()), |to| writeln!(to, "{line}"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A guard that was killed has nothing more to say.
        drop(self.tell(DONE));
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// `andon guard`: started by `andon run`, not by people.
#[derive(Debug, Args)]
pub(super) struct GuardCommand {}

/// How long an output that cannot be reached is tried again.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the safe level is held, for what the dead program had still sent.
const HOLD: Duration = Duration::from_millis(300);

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
        let wires: Vec<Wire> =
            serde_json::from_str(&first).map_err(|e| usage(&format!("guard is started by `andon run`: {e}")))?;
        if lines.next().transpose()?.as_deref() == Some(DONE) {
            return Ok(Exit::Ok);
        }
        let gone = Mono::now();
        let (failed, took) = make_safe(&wires, gone);
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

/// Opens every output, which puts it to its safe level, and holds it for a moment. Returns those that could not be reached, and
/// how long it took.
fn make_safe(wires: &[Wire], gone: Mono) -> (Vec<String>, Duration) {
    let mut devices = wires::Devices::default();
    let (mut held, mut failed) = (Vec::new(), Vec::new());
    let mut waiting: Vec<&Wire> = wires.iter().collect();
    while !waiting.is_empty() {
        let late = Mono::now().since(gone) > LIMIT;
        waiting.retain(|wire| match devices.output(wire) {
            Ok(output) => {
                held.push(output);
                false
            }
            // The kernel takes a moment to take the line back from the dead.
            Err(e) if late => {
                failed.push(e.to_string());
                false
            }
            Err(_) => true,
        });
        std::thread::sleep(Duration::from_millis(u64::from(!waiting.is_empty())));
    }
    while held.iter().any(|o| o.fault().is_some()) && Mono::now().since(gone) < LIMIT {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = Mono::now().since(gone);
    failed.extend(held.iter().filter_map(|o| Some(format!("{}: {}", o.name(), o.fault()?))));
    std::thread::sleep(HOLD);
    (failed, took)
}
