//! A camera behind a GStreamer pipeline, supervised.
//!
//! ```text
//!             build, play           first frame
//!  Starting ──────────────► (wait) ─────────────► Running
//!     ▲                        │ error, end, silence │
//!     │ backoff 0.1 .. 5 s     ▼                     ▼
//!     └───────────────────── Down ◄──────────────────┘        end, if the recording may end ─► Ended
//! ```
//! The whole pipeline is thrown away and parsed anew: one that failed once often does not play again. Three things bring
//! it down: an error on the bus, the end of the stream, and silence.

use std::time::Duration;

use super::feed::{Feed, Feeding};
use super::live::{Heard, Live};
use super::{CameraState, CaptureError, Next, PipelineSpec, Source};
use crate::types::Mono;

/// How a camera is supervised.
#[derive(Clone, Debug)]
pub struct GstOptions {
    /// Elements allowed besides the built-in list.
    pub allow_elements: Vec<String>,
    /// Whether the end of the stream ends the source instead of restarting it.
    pub end_at_eos: bool,
    /// Silence longer than three frame periods, and at least this, is a fault.
    pub silence: Duration,
    /// The same before the first frame: cameras take seconds to start.
    pub first_frame: Duration,
    /// First pause before a rebuild; doubles up to `max_backoff`.
    pub min_backoff: Duration,
    /// Longest pause before a rebuild.
    pub max_backoff: Duration,
}

impl Default for GstOptions {
    fn default() -> Self {
        GstOptions {
            allow_elements: Vec::new(),
            end_at_eos: false,
            silence: Duration::from_millis(250),
            first_frame: Duration::from_secs(10),
            min_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
        }
    }
}

/// The supervised source.
pub struct GstSource {
    spec: PipelineSpec,
    options: GstOptions,
    feed: Option<Feed>,
    feeding: Option<Feeding>,
    live: Option<Live>,
    state: CameraState,
    restarts: u64,
    problem: Option<String>,
    /// When to build, while there is no pipeline.
    retry_at: Mono,
    backoff: Duration,
    /// When silence becomes a fault.
    silent_at: Mono,
    /// A frame that waits behind the gap that was found with it.
    held: Option<crate::types::Frame>,
}

impl GstSource {
    /// A camera behind this pipeline. Parses once, so that a text that can never work is refused here.
    ///
    /// # Errors
    /// [`CaptureError`]: refused or missing elements, no sink, syntax.
    pub fn new(spec: PipelineSpec, options: GstOptions) -> Result<GstSource, CaptureError> {
        Live::build(&spec, &options.allow_elements)?.tear_down();
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
            silent_at: retry_at,
            held: None,
        })
    }

    /// Feeds the pipeline's `appsrc name=src` with pictures of the program (simulator, tests).
    pub fn with_feed(mut self, feed: Feed) -> GstSource {
        self.feed = Some(feed);
        self
    }

    fn build(&mut self, now: Mono) -> Result<(), CaptureError> {
        self.state = CameraState::Starting;
        let live = Live::build(&self.spec, &self.options.allow_elements)?;
        if let Some(feed) = &self.feed {
            let why = |why| CaptureError::Parse { origin: self.spec.origin.clone(), why };
            self.feeding = Some(feed.attach(&live.pipeline).map_err(why)?);
        }
        let played = live.play();
        self.live = Some(live);
        self.silent_at = now + self.options.first_frame;
        if let Err(why) = played {
            self.bring_down(why);
        }
        Ok(())
    }

    fn bring_down(&mut self, why: String) {
        self.discard();
        let now = Mono::now();
        self.state = CameraState::Down;
        // A fifth more or less, so that cameras that failed together do not come back together.
        let jitter = 0.8 + 0.4 * (now.0 % 1000) as f64 / 1000.0;
        self.retry_at = now + self.backoff.mul_f64(jitter);
        tracing::warn!(pipeline = self.spec.origin, retry_in = ?self.backoff, "camera down: {why}");
        self.backoff = (self.backoff * 2).min(self.options.max_backoff);
        self.restarts += 1;
        self.problem = Some(why);
    }

    fn discard(&mut self) {
        if let Some(live) = self.live.take() {
            // A feeder may be blocked in a push; stopping the pipeline wakes it, so it is joined afterwards.
            live.tear_down();
        }
        self.feeding = None;
    }

    fn running(&mut self, now: Mono) {
        if self.state != CameraState::Running {
            tracing::info!(pipeline = self.spec.origin, "camera running");
            self.state = CameraState::Running;
            self.backoff = self.options.min_backoff;
        }
        let period = self.live.as_ref().and_then(Live::period).unwrap_or_default();
        self.silent_at = now + self.options.silence.max(period * 3);
    }
}

impl Source for GstSource {
    fn next(&mut self, until: Mono) -> Result<Next, CaptureError> {
        if let Some(frame) = self.held.take() {
            return Ok(Next::Frame(frame));
        }
        loop {
            let now = Mono::now();
            let Some(live) = &mut self.live else {
                if self.state == CameraState::Ended {
                    return Ok(Next::End);
                }
                if now < self.retry_at {
                    std::thread::sleep(self.retry_at.min(until).since(now));
                    if Mono::now() < self.retry_at {
                        return Ok(Next::Idle);
                    }
                }
                self.build(Mono::now())?;
                continue;
            };
            if let Heard::Error(why) = live.listen() {
                self.bring_down(why);
                continue;
            }
            if let Some(sample) = live.pull(self.silent_at.min(until).since(now)) {
                let now = Mono::now();
                let (missed, frame) = live.frame_of(&sample, now);
                self.running(now);
                if missed == 0 {
                    return Ok(Next::Frame(frame));
                }
                self.held = Some(frame);
                return Ok(Next::Gap { missed, at: now });
            }
            let now = Mono::now();
            if live.is_eos() {
                if self.options.end_at_eos {
                    self.discard();
                    self.state = CameraState::Ended;
                    return Ok(Next::End);
                }
                // An error that ends the stream is on the bus behind it.
                let why = match live.listen() {
                    Heard::Error(why) => why,
                    Heard::Nothing | Heard::Eos => "the stream ended".to_owned(),
                };
                self.bring_down(why);
            } else if now >= self.silent_at {
                let what = if self.state == CameraState::Running { "no frame" } else { "no first frame" };
                self.bring_down(format!("{what} in time; the camera is silent"));
            } else if now >= until {
                return Ok(Next::Idle);
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
}

impl Drop for GstSource {
    fn drop(&mut self) {
        self.discard();
    }
}
