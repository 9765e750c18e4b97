//! The `in-N` threads: one for each sensor and one for the encoder, waiting for the outside world. An input that cannot be
//! read is told once and tried again for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::lane::LaneInputs;
use super::status::Status;
use super::wiring::PartEvent;
use andon_core::Mono;
use andon_core::{Edge, Encoder, FieldError, Input, SharedEncoder};
use andon_core::{NamedThread, spawn};

/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);
/// Between two tries of an input that cannot be read.
const PAUSE: Duration = Duration::from_millis(100);

/// What an input's edges mean.
#[derive(Clone, Copy)]
enum Meaning {
    Trigger,
    Confirm(u8),
}

/// Starts the threads of one lane's inputs.
pub(super) fn start(
    lane: u8,
    inputs: LaneInputs,
    status: &Arc<Status>,
    stop: &Arc<AtomicBool>,
) -> std::io::Result<Vec<NamedThread>> {
    let LaneInputs { triggers, confirms, encoder } = inputs;
    let triggers = triggers.into_iter().map(|i| (Meaning::Trigger, i));
    let all = triggers.chain(confirms.into_iter().map(|(e, i)| (Meaning::Confirm(e), i)));
    let mut threads = Vec::new();
    for (who, (meaning, input)) in all.enumerate() {
        let name = input.name().to_owned();
        let wire = Wire { lane, who: who as u8, name, status: status.clone(), stop: stop.clone() };
        threads.push(spawn(&format!("in-{lane}-{who}"), move || wire.sensor(meaning, input))?);
    }
    if let Some((encoder, track)) = encoder {
        let wire = Wire { lane, who: u8::MAX, name: "encoder".to_owned(), status: status.clone(), stop: stop.clone() };
        threads.push(spawn(&format!("encoder-{lane}"), move || wire.encoder(encoder, &track))?);
    }
    Ok(threads)
}

struct Wire {
    lane: u8,
    who: u8,
    name: String,
    status: Arc<Status>,
    stop: Arc<AtomicBool>,
}

impl Wire {
    fn sensor(&self, meaning: Meaning, mut input: Box<dyn Input>) {
        let mut works = true;
        while !self.stop.load(Relaxed) {
            match input.next(Mono::now() + TICK) {
                Ok(edge) => {
                    self.health(&mut works, None);
                    if let Some(Edge { at, id }) = edge {
                        self.tell(match meaning {
                            Meaning::Trigger => PartEvent::Trigger { lane: self.lane, at, id },
                            Meaning::Confirm(ejector) => PartEvent::Confirm { lane: self.lane, ejector, at },
                        });
                    }
                }
                Err(e) => self.health(&mut works, Some(e)),
            }
        }
    }

    fn encoder(&self, mut encoder: Box<dyn Encoder>, track: &SharedEncoder) {
        let mut works = true;
        while !self.stop.load(Relaxed) {
            let read = encoder.read(track, Mono::now() + TICK);
            self.status.lanes[usize::from(self.lane)].faults.encoder(read.is_ok());
            match read {
                Ok(()) => {
                    if !std::mem::replace(&mut works, true) {
                        tracing::info!("encoder: it can be read again");
                        track.lose(false);
                    }
                }
                Err(e) => {
                    if std::mem::replace(&mut works, false) {
                        tracing::error!("encoder: {e}");
                        track.lose(true);
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn health(&self, works: &mut bool, error: Option<FieldError>) {
        if let Some(e) = &error {
            if *works {
                tracing::error!(input = self.name, "{e}");
            }
            std::thread::sleep(PAUSE);
        }
        if *works != error.is_none() {
            *works = error.is_none();
            self.tell(PartEvent::Input { lane: self.lane, who: self.who, works: *works });
        }
    }

    /// This thread may wait a little for decide: an edge that is lost would be a part that nobody knows of.
    fn tell(&self, event: PartEvent) {
        if self.status.parts.send_timeout(event, Duration::from_millis(100)).is_err() {
            self.status.shed.parts.fetch_add(1, Relaxed);
            let lane = &self.status.lanes[usize::from(self.lane)].name;
            tracing::error!(lane, input = self.name, "decide did not take an edge; a part is unknown to it");
        }
    }
}
