//! Records as JSON lines on standard output, written by a thread of its own: a reader that stops reading holds up no other
//! sink, and what does not fit into the queue is shed here and counted.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::wire::{self, StationInfo};
use andon_core::{Accepted, NamedThread, Record, Sink, spawn};

/// Lines that wait for the reader: 17 s at 60 parts/s.
const WAITING: usize = 1024;
/// How long the reader may take to read what is left at the end.
const LAST: Duration = Duration::from_secs(2);

/// Verdicts, parts, ejections and events; no statistics and no maps.
pub struct JsonLines {
    names: StationInfo,
    to: Option<Sender<Vec<u8>>>,
    writer: Option<NamedThread>,
    stuck: Arc<AtomicBool>,
}

impl JsonLines {
    /// Starts the writing thread. `stuck` becomes true when the reader has not taken everything two seconds after the end.
    ///
    /// # Errors
    /// No room for a thread.
    pub fn start(names: StationInfo, stuck: Arc<AtomicBool>) -> std::io::Result<JsonLines> {
        let (to, lines) = bounded::<Vec<u8>>(WAITING);
        let writer = spawn("stdout", move || {
            for line in lines {
                if std::io::stdout().lock().write_all(&line).is_err() {
                    return;
                }
            }
        })?;
        Ok(JsonLines { names, to: Some(to), writer: Some(writer), stuck })
    }
}

impl Sink for JsonLines {
    fn name(&self) -> &'static str {
        "json"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        if matches!(record, Record::Stats(_)) {
            return Accepted::Ignored;
        }
        let Some(to) = &self.to else { return Accepted::Ignored };
        let Some((_, mut line)) = wire::json(&self.names, record) else { return Accepted::Ignored };
        line.push(b'\n');
        if to.try_send(line).is_ok() { Accepted::Taken } else { Accepted::Shed }
    }

    fn close(&mut self) {
        self.to = None;
        if let Some(writer) = self.writer.take() {
            self.stuck.store(!writer.join_within(LAST), Relaxed);
        }
    }
}
