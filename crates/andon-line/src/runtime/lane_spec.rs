//! What a lane is made of: its cameras, its belt, what announces its parts and what takes them off.

use std::sync::Arc;
use std::time::Duration;

use crate::act::{AlarmSpec, EjectorSpec};
use crate::decide::Matching;
use andon_core::{BeltSource, ClockBelt, Encoder, Input, Output, SharedEncoder};
use andon_core::{CameraId, EventKind, ReviewBand};

/// An ejector with its wires.
pub struct EjectorLine {
    /// Name in the configuration.
    pub name: String,
    /// When it acts.
    pub spec: EjectorSpec,
    /// What switches it.
    pub output: Box<dyn Output>,
    /// The sensor that sees what it ejected.
    pub confirm: Option<Box<dyn Input>>,
}

/// A lane: the cameras that look at each of its parts, what announces the parts, and what is done about them.
pub struct LaneSpec {
    /// Its cameras, at least one.
    pub cameras: Vec<CameraId>,
    /// Those of them that take pictures all the time, not only of parts.
    pub continuous: Vec<CameraId>,
    /// How frames find their parts.
    pub matching: Matching,
    /// Trigger to outcome at most.
    pub budget: Duration,
    /// The band below the threshold in which nothing passes.
    pub review: Option<ReviewBand>,
    /// Ticks between two parts at least.
    pub min_pitch: i64,
    /// A PASS has to be there so long before the first ejector has to act.
    pub margin: Duration,
    /// Where the belt is.
    pub belt: Arc<dyn BeltSource>,
    /// What reads the belt's encoder into its track, if it has one.
    pub encoder: Option<(Box<dyn Encoder>, Arc<SharedEncoder>)>,
    /// The belt's ticks are counts, not time.
    pub has_encoder: bool,
    /// What announces parts besides messages.
    pub triggers: Vec<Box<dyn Input>>,
    /// In the order of their names.
    pub ejectors: Vec<EjectorLine>,
    /// On while the line is asked to stop.
    pub line_stop: Option<Box<dyn Output>>,
    /// Toggles while this program decides.
    pub heartbeat: Option<Box<dyn Output>>,
    /// When many rejects are one fault.
    pub alarms: AlarmSpec,
    /// Notices that do not ask the line to stop although they would.
    pub tolerated: Vec<EventKind>,
}

impl LaneSpec {
    /// A camera by itself: every frame is a part, and nothing is ejected here.
    pub fn free(camera: CameraId, budget: Duration) -> LaneSpec {
        LaneSpec {
            cameras: vec![camera],
            continuous: Vec::new(),
            matching: Matching::Free,
            budget,
            review: None,
            min_pitch: 1,
            margin: Duration::ZERO,
            belt: Arc::new(ClockBelt),
            encoder: None,
            has_encoder: false,
            triggers: Vec::new(),
            ejectors: Vec::new(),
            line_stop: None,
            heartbeat: None,
            alarms: AlarmSpec::default(),
            tolerated: Vec::new(),
        }
    }
    /// Its outputs and what each is for, in the order of their numbers: ejectors, line stop, heartbeat.
    pub fn outputs(&self) -> Vec<(String, String)> {
        let wire = |name: &str, purpose: String| (name.to_owned(), purpose);
        let ejectors = self.ejectors.iter().map(|e| wire(e.output.name(), format!("ejector `{}`", e.name)));
        let stop = self.line_stop.iter().map(|o| wire(o.name(), "line stop".to_owned()));
        let heartbeat = self.heartbeat.iter().map(|o| wire(o.name(), "heartbeat".to_owned()));
        ejectors.chain(stop).chain(heartbeat).collect()
    }

    /// Its inputs and what each is for, in the order of their numbers: triggers, then the sensors behind ejectors.
    pub fn inputs(&self) -> Vec<(String, String)> {
        let triggers = self.triggers.iter().map(|i| (i.name().to_owned(), "trigger sensor".to_owned()));
        let confirms = self.ejectors.iter().filter_map(|e| {
            let input = e.confirm.as_ref()?;
            Some((input.name().to_owned(), format!("confirmation of ejector `{}`", e.name)))
        });
        triggers.chain(confirms).collect()
    }
}
