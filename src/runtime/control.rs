use std::sync::Arc;

use super::status::{Active, Status};
use super::wiring::PartEvent;
use crate::publish::Control;
use crate::types::{CameraId, Mono, Threshold};

/// What the network may read and change of a running line.
pub struct LineControl {
    /// The line's shared state.
    pub status: Arc<Status>,
    /// Parts may be announced by messages.
    pub takes_triggers: bool,
    /// The active configuration.
    pub config_json: String,
}

impl Control for LineControl {
    fn threshold(&self, camera: CameraId) -> f32 {
        self.status.cameras.get(camera.index()).map_or(f32::NAN, |c| c.active.load().threshold.get())
    }

    fn set_threshold(&self, camera: CameraId, value: f32) -> Result<(), String> {
        let threshold =
            Threshold::new(value).ok_or_else(|| format!("the threshold {value} is not a finite number above 0"))?;
        let camera = self.status.cameras.get(camera.index()).ok_or("no such camera")?;
        camera.active.rcu(|active| Active { threshold, ..Active::clone(active) });
        Ok(())
    }

    fn trigger(&self, id: Option<u64>) -> Result<(), String> {
        if !self.takes_triggers {
            return Err("parts are not announced by messages here; parts.trigger = \"message\" allows it".to_owned());
        }
        // The lane that is triggered from outside is the only one.
        let event = PartEvent::Trigger { lane: 0, at: Mono::now(), id };
        self.status.parts.try_send(event).map_err(|_| "the line is too busy to take a trigger".to_owned())
    }

    fn release(&self) -> Result<(), String> {
        self.status.parts.try_send(PartEvent::Release).map_err(|_| "the line is too busy to be released".to_owned())
    }

    fn config_json(&self) -> String {
        self.config_json.clone()
    }
}
