//! The guard: a second process (`andon guard`) that reads the other end of a pipe. When this program is killed the pipe breaks, and
//! the guard opens every output, which puts it to its safe level. It cannot help when the whole machine dies: that is what watchdogs of I/O
//! modules and the heartbeat are for.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::config::Parts;
use andon_core::Mono;
use andon_io::fieldio::{Devices, IoPoint};

/// The watched side. When it is dropped in good order, the guard exits without switching outputs.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

/// The line by which the guard learns of a good end; the first line holds the outputs, as JSON.
pub const DONE: &str = "done";

impl Guard {
    /// Starts the second process, `program guard`, if there are outputs to guard. Without it the line runs all the same, and the log says
    /// so.
    pub fn start(parts: &Parts, program: &Path) -> Option<Guard> {
        let ejectors = parts.ejectors.iter().map(|e| &e.output);
        let points: Vec<&IoPoint> =
            ejectors.chain(&parts.line_stop).chain(&parts.heartbeat).filter(|point| !point.is_nowhere()).collect();
        if points.is_empty() {
            return None;
        }
        let started = Guard::spawn(program, &points);
        if let Err(e) = &started {
            tracing::error!(
                "no guard process ({e}): when this program is killed, outputs stay until their watchdog falls"
            );
        }
        started.ok()
    }

    fn spawn(program: &Path, points: &[&IoPoint]) -> std::io::Result<Guard> {
        // In a process group of its own: Ctrl-C in a terminal is for the line, which then ends in good order.
        let child =
            Command::new(program).arg("guard").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn()?;
        let mut guard = Guard { child };
        let points = serde_json::to_string(points)?;
        guard.tell(&points)?;
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

/// How long an output that cannot be reached is tried again.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the safe level is held, for what the dead program had still sent.
const HOLD: Duration = Duration::from_millis(300);

/// Opens every output, which puts it to its safe level, and holds it for a moment. Returns those that could not be reached, and
/// how long it took.
pub fn make_safe(points: &[IoPoint], gone: Mono) -> (Vec<String>, Duration) {
    let mut devices = Devices::default();
    let (mut held, mut failed) = (Vec::new(), Vec::new());
    let mut waiting: Vec<&IoPoint> = points.iter().collect();
    while !waiting.is_empty() {
        let late = Mono::now().since(gone) > LIMIT;
        waiting.retain(|point| match devices.output(point) {
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
