//! A camera behind a GStreamer pipeline, supervised.
//!
//! ```text
//!             build, play           first frame
//!  Starting ──────────────► (wait) ─────────────► Running
//!     ▲                        │ error, end, silence │
//!     │ backoff 0.1 .. 5 s     ▼                     ▼
//!     └───────────────────── Down ◄──────────────────┘        end, if the recording may end ─► Ended
//! ```
//! The whole pipeline is thrown away and parsed anew: one that failed once often does not play again. Four things bring
//! it down: an error on the bus, the end of the stream, silence, and a start that hangs.
//!
//! A recording (`end_at_eos`) is played once: whatever brings it down ends it, and unless that was its end, it is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::feed::{Feed, Feeding};
use super::instance::{BusMessage, PipelineInstance};
use crate::capture::{CaptureError, GstOptions, PipelineSpec};
use andon_core::{CameraState, Next, Source, SourceError};
use andon_core::{Frame, Mono};

/// Starts and stops that hang in a driver at a time, at most; each holds a thread and perhaps a device.
const HANGING: usize = 8;
/// The end of a stream is announced on the bus so soon after the last frame, and an error that caused it before.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The supervised source.
pub struct GstSource {
    spec: PipelineSpec,
    options: GstOptions,
    feed: Option<Feed>,
    feeding: Option<Feeding>,
    live: Option<PipelineInstance>,
    state: CameraState,
    restarts: u64,
    problem: Option<String>,
    /// When to build, while there is no pipeline.
    retry_at: Mono,
    backoff: Duration,
    /// When a start that has not ended hangs.
    start_by: Option<Mono>,
    /// When silence becomes a fault.
    silent_at: Option<Mono>,
    /// A frame that waits behind the gap that was found with it.
    held: Option<Frame>,
    /// Frames that were lost and not yet told of.
    lost: u64,
    /// Frames that came, lost ones included.
    frames: u64,
    /// Starts and stops that have not ended, of this camera.
    hanging: Arc<AtomicUsize>,
    /// Why the recording ended before its end.
    broken: Option<String>,
    /// When lost frames may be named again, and how many were not.
    quiet: (Mono, u64),
}

impl GstSource {
    /// A camera behind this pipeline. Parses once, so that a text that can never work is refused here.
    ///
    /// # Errors
    /// [`CaptureError`]: refused or missing elements, no sink, syntax.
    pub fn new(spec: PipelineSpec, options: GstOptions) -> Result<GstSource, CaptureError> {
        PipelineInstance::build(&spec, &options.allow_elements, false)?.tear_down(&Arc::default());
        let (retry_at, backoff) = (Mono::now(), options.min_backoff);
        Ok(GstSource {
            spec,
            options,
            feed: None,
            feeding: None,
            live: None,
            state: CameraState::Starting,
            restarts: 0,
            problem: None,
            retry_at,
            backoff,
            start_by: None,
            silent_at: None,
            held: None,
            lost: 0,
            frames: 0,
            hanging: Arc::default(),
            broken: None,
            quiet: (retry_at, 0),
        })
    }

    /// Feeds the pipeline's `appsrc name=src` with pictures of the program (simulator, tests).
    pub fn with_feed(mut self, feed: Feed) -> GstSource {
        self.feed = Some(feed);
        self
    }

    fn build(&mut self) -> Result<(), CaptureError> {
        if self.hanging.load(Relaxed) >= HANGING {
            let why =
                format!("{HANGING} starts or stops hang in the driver; the next one waits until one of them ends");
            self.bring_down(why);
            return Ok(());
        }
        self.state = CameraState::Starting;
        let mut live = PipelineInstance::build(&self.spec, &self.options.allow_elements, self.is_recording())?;
        if let Some(feed) = &self.feed {
            let why = |why| CaptureError::Parse { origin: self.spec.origin.clone(), why };
            self.feeding = Some(feed.attach(&live.pipeline).map_err(why)?);
        }
        let begun = live.play(self.hanging.clone());
        self.live = Some(live);
        self.start_by = Some(Mono::now() + self.options.first_frame);
        if let Err(why) = begun {
            self.bring_down(why);
        }
        Ok(())
    }

    /// Waits until `until` for the start to end; true once it has, well or not.
    fn started(&mut self, until: Mono) -> bool {
        let (Some(by), Some(live)) = (self.start_by, &mut self.live) else { return true };
        match live.started(until.min(by)) {
            None if Mono::now() < by => return false,
            None => {
                let why = match live.listen(Duration::ZERO) {
                    BusMessage::Error(why) => format!(": {why}"),
                    BusMessage::Nothing | BusMessage::Eos => String::new(),
                };
                self.bring_down(format!("it does not start within {} s{why}", self.options.first_frame.as_secs_f32()));
            }
            Some(Err(why)) => self.bring_down(why),
            Some(Ok(())) => {
                let watched = self.options.end_at_eos || self.options.silence.is_some();
                self.silent_at = watched.then(|| Mono::now() + self.options.first_frame);
            }
        }
        self.start_by = None;
        true
    }

    /// Ends a recording; of a camera, plans the next start.
    fn bring_down(&mut self, why: String) {
        self.discard();
        self.restarts += 1;
        self.start_by = None;
        let camera = self.options.name.as_str();
        if self.options.end_at_eos {
            self.state = CameraState::Ended;
            self.broken = Some(why.clone());
        } else {
            let now = Mono::now();
            self.state = CameraState::Down;
            // A fifth more or less, so that cameras that failed together do not come back together.
            let jitter = 0.8 + 0.4 * (now.0 % 1000) as f64 / 1000.0;
            self.retry_at = now + self.backoff.mul_f64(jitter);
            tracing::warn!(camera, pipeline = self.spec.origin, retry_in = ?self.backoff, "camera down: {why}");
            self.backoff = (self.backoff * 2).min(self.options.max_backoff);
        }
        self.problem = Some(why);
    }

    fn discard(&mut self) {
        if let Some(live) = self.live.take() {
            live.decoders.give_up();
            self.lost += live.decoders.take_lost();
            // A feeder may be blocked in a push; stopping the pipeline wakes it, so it is joined afterwards.
            live.tear_down(&self.hanging);
        }
        self.feeding = None;
    }

    fn running(&mut self, now: Mono) {
        if self.state != CameraState::Running {
            tracing::info!(camera = self.options.name, pipeline = self.spec.origin, "camera running");
            self.state = CameraState::Running;
            self.backoff = self.options.min_backoff;
        }
        let period = self.live.as_ref().and_then(PipelineInstance::period).unwrap_or_default();
        let limit = if self.options.end_at_eos { Some(self.options.first_frame) } else { self.options.silence };
        self.silent_at = limit.map(|limit| now + limit.max(period * 3));
    }

    /// What decoders lost while none of their frames came out.
    fn gap_without_frames(&mut self) -> Option<Next> {
        let lost = self.live.as_ref().map_or(0, |live| live.decoders.take_lost());
        self.gap(lost)
    }

    /// Frames that decoders lost, as a gap in front of what came after them.
    fn gap(&mut self, missed: u64) -> Option<Next> {
        self.lost += missed;
        if self.lost == 0 {
            return None;
        }
        let (now, missed) = (Mono::now(), std::mem::take(&mut self.lost));
        self.frames += missed;
        self.quiet.1 += missed;
        if now >= self.quiet.0 {
            let (camera, missing) = (self.options.name.as_str(), std::mem::take(&mut self.quiet.1));
            tracing::warn!(
                camera,
                missing,
                "frames did not arrive, or could not be decoded; each is a part without a frame"
            );
            self.quiet.0 = now + Duration::from_secs(10);
        }
        Some(Next::Gap { missed, at: now })
    }
}

impl Source for GstSource {
    fn next(&mut self, until: Mono) -> Result<Next, SourceError> {
        loop {
            let now = Mono::now();
            let Some(live) = &mut self.live else {
                if let Some(gap) = self.gap(0) {
                    return Ok(gap);
                }
                if let Some(frame) = self.held.take() {
                    return Ok(Next::Frame(frame));
                }
                if self.state == CameraState::Ended {
                    return Ok(Next::End);
                }
                if now < self.retry_at {
                    std::thread::sleep(self.retry_at.min(until).since(now));
                    if Mono::now() < self.retry_at {
                        return Ok(Next::Idle);
                    }
                }
                self.build()?;
                continue;
            };
            if let Some(frame) = self.held.take() {
                return Ok(Next::Frame(frame));
            }
            if self.start_by.is_some() {
                if !self.started(until) {
                    return Ok(Next::Idle);
                }
                continue;
            }
            // A recording gives all frames that were decoded before it broke: its errors are heard after its last frame.
            if !self.options.end_at_eos
                && let BusMessage::Error(why) = live.listen(Duration::ZERO)
            {
                self.bring_down(why);
                continue;
            }
            if let Some(sample) = live.pull(self.silent_at.unwrap_or(until).min(until).since(now)) {
                let now = Mono::now();
                let (missed, frame) = live.frame_of(&sample, now);
                let missed = missed + live.decoders.take_lost();
                self.running(now);
                let gap = self.gap(missed);
                self.frames += 1;
                if let Some(gap) = gap {
                    self.held = Some(frame);
                    return Ok(gap);
                }
                return Ok(Next::Frame(frame));
            }
            let now = Mono::now();
            if live.is_eos() {
                // An error that ends the stream is on the bus.
                match live.listen(LAST_WORDS) {
                    BusMessage::Error(why) => self.bring_down(why),
                    BusMessage::Nothing | BusMessage::Eos if self.options.end_at_eos => {
                        self.discard();
                        self.state = CameraState::Ended;
                        if self.frames + self.lost == 0 {
                            self.broken = Some("it holds no frame that could be read".to_owned());
                        }
                    }
                    BusMessage::Nothing | BusMessage::Eos => self.bring_down("the stream ended".to_owned()),
                }
            } else if self.silent_at.is_some_and(|at| now >= at) {
                let why = match live.listen(Duration::ZERO) {
                    BusMessage::Error(why) => why,
                    BusMessage::Nothing | BusMessage::Eos if self.state == CameraState::Running => {
                        "no frame within silence_ms (0 is for a camera that gives frames only when a part comes)"
                            .to_owned()
                    }
                    BusMessage::Nothing | BusMessage::Eos => "no first frame within start_timeout_ms".to_owned(),
                };
                self.bring_down(why);
            } else if now >= until {
                return Ok(self.gap_without_frames().unwrap_or(Next::Idle));
            }
        }
    }

    fn state(&self) -> CameraState {
        self.state
    }

    fn restarts(&self) -> u64 {
        self.restarts
    }

    fn last_problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn is_recording(&self) -> bool {
        self.options.end_at_eos && self.feed.is_none()
    }

    fn broken(&mut self) -> Option<SourceError> {
        let why = self.broken.take()?;
        Some(SourceError::Broken { origin: self.spec.origin.clone(), frames: self.frames, why })
    }
}

impl Drop for GstSource {
    fn drop(&mut self) {
        self.discard();
    }
}
