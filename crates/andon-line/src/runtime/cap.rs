//! The `cap-N` stage: numbers what the camera gives, announces it to decide, hands it to the inspector. Never waits for either.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::pictures::PictureTap;
use super::presence::Presence;
use super::status::Status;
use super::wiring::PartEvent;
use andon_core::{CameraId, Frame, FrameNo, Mono};
use andon_core::{CameraState, Next, Source, SourceError};
use andon_core::{EvictOldest, RefuseNewest};

/// How often the stop flag is looked at while the camera is silent.
const TICK: Duration = Duration::from_millis(50);

pub(super) struct Cap {
    pub camera: CameraId,
    pub source: Box<dyn Source>,
    pub frames: EvictOldest<Frame>,
    pub parts: RefuseNewest<PartEvent>,
    pub status: Arc<Status>,
    pub stop: Arc<AtomicBool>,
    pub pictures: PictureTap,
    /// Frames without a part in them are no parts.
    pub presence: Option<Presence>,
}

impl Cap {
    /// Runs until the stop flag, the end of the source, or what no retry can mend.
    pub fn run(mut self) -> Result<(), SourceError> {
        let mut number = FrameNo(0);
        // Parts that decide could not be told of because its channel was full; told as missing as soon as there is room.
        let mut owed = 0u64;
        let mut there = false;
        loop {
            let next = if self.stop.load(Relaxed) { Next::End } else { self.source.next(Mono::now() + TICK)? };
            let camera = &self.status.cameras[self.camera.index()];
            camera.set_state(self.source.state());
            camera.camera_restarts.store(self.source.restarts(), Relaxed);
            let now = Mono::now();
            if owed > 0 && self.tell(PartEvent::Missing { camera: self.camera, count: owed, at: now }) {
                owed = 0;
            }
            match next {
                Next::Frame(frame) if !self.comes(&frame, &mut there) => {}
                // With a presence gate, gaps in frame numbers do not become parts: nobody knows whether one was in them.
                Next::Gap { .. } if self.presence.is_some() => {}
                Next::Frame(frame) if owed == 0 => self.admit(frame, &mut number, &mut owed),
                Next::Frame(_) => {
                    number.0 += 1;
                    owed += 1;
                }
                Next::Gap { missed, at } => {
                    number.0 += missed;
                    if owed > 0 || !self.tell(PartEvent::Missing { camera: self.camera, count: missed, at }) {
                        owed += missed;
                    }
                }
                Next::Idle => {}
                Next::End => break,
            }
        }
        if owed > 0 {
            // The last word may wait: the line is stopping and decide still drains.
            let event = PartEvent::Missing { camera: self.camera, count: owed, at: Mono::now() };
            if self.parts.send_timeout(event, Duration::from_secs(1)).is_err() {
                let camera = &self.status.cameras[self.camera.index()].name;
                tracing::error!(camera, owed, "decide did not take the last parts; they are missing from the counts");
            }
        }
        self.status.cameras[self.camera.index()].set_state(CameraState::Ended);
        self.source.broken().map_or(Ok(()), Err)
    }

    /// Whether the frame is offered: a part has just come into the band. A frame that cannot be read may hold one.
    fn comes(&self, frame: &Frame, there: &mut bool) -> bool {
        let (Some(presence), Some(view)) = (&self.presence, frame.view()) else { return true };
        let before = std::mem::replace(there, presence.sees(&view, *there));
        *there && !before
    }

    fn admit(&mut self, mut frame: Frame, number: &mut FrameNo, owed: &mut u64) {
        // A recording can wait for the inspector, a camera cannot.
        while self.source.is_recording() && !self.frames.has_room() && !self.stop.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.source.is_recording() {
            frame.t_capture = Mono::now();
        }
        frame.number = *number;
        number.0 += 1;
        let announced = self.tell(PartEvent::Frame {
            camera: self.camera,
            frame: frame.number,
            t_capture: frame.t_capture,
            source_index: frame.source_index,
        });
        if !announced {
            *owed += 1;
            return;
        }
        if let Some(oldest) = self.frames.push(frame) {
            let (camera, frame) = (self.camera, oldest.number);
            let wanted = self.pictures.wanted(oldest.view());
            // If this is refused, the part ends at its deadline instead.
            self.tell(PartEvent::Evicted { camera, frame, picture_follows: wanted.is_some() });
            if let Some(view) = wanted {
                self.tell(PartEvent::Picture { camera, frame, picture: self.pictures.copy(&view, None) });
            }
        }
    }

    fn tell(&self, event: PartEvent) -> bool {
        let told = self.parts.try_send(event).is_ok();
        if !told {
            self.status.shed.parts.fetch_add(1, Relaxed);
        }
        told
    }
}
