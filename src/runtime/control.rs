use std::sync::Arc;

use super::status::{Active, Status};
use crate::publish::Control;
use crate::types::{CameraId, Threshold};

/// What the network may read and change of a running line.
pub struct LineControl {
    /// The line's shared state.
    pub status: Arc<Status>,
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

    fn config_json(&self) -> String {
        self.config_json.clone()
    }
}
