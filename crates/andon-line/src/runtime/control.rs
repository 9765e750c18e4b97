//! What may be read and changed of a running line from outside. It knows of no roles and keeps no audit: whoever lets people or the network
//! at it puts a keeper of both in front.

use std::sync::Arc;

use super::status::Status;
use super::wiring::PartEvent;
use crate::controller::Active;
use andon_core::{Actor, CameraId, ChallengeSign, Control, ControlError, Mono, Threshold, ThresholdError};

/// What the network may read and change of a running line.
pub struct LineControl {
    /// The line's shared state.
    pub status: Arc<Status>,
    /// By camera: the threshold may be set far above the model's own.
    pub threshold_unsafe: Vec<bool>,
    /// Parts may be announced by messages.
    pub takes_triggers: bool,
    /// The active configuration.
    pub config_json: String,
}

impl Control for LineControl {
    fn threshold(&self, camera: CameraId) -> f32 {
        self.status.cameras.get(camera.index()).map_or(f32::NAN, |c| c.active.load().threshold.get())
    }

    fn set_threshold(&self, camera: CameraId, value: f32, _: &Actor, _: &str) -> Result<(), ControlError> {
        let threshold = Threshold::new(value).ok_or(ThresholdError::NotUsable(value))?;
        let n = camera.index();
        let camera = self.status.cameras.get(n).ok_or(ControlError::NoSuchCamera)?;
        let active = camera.active.load_full();
        if let Some(own) = Threshold::new(active.model.threshold)
            && !self.threshold_unsafe.get(n).copied().unwrap_or(false)
        {
            threshold.near(own).map_err(|source| ControlError::Unsafe { camera: camera.name.clone(), source })?;
        }
        let new = Arc::new(Active { threshold, ..Active::clone(&active) });
        // Scores of another model have another scale: what was compared with the one of a moment ago is not set for the next.
        let found = camera.active.compare_and_swap(&active, new);
        if !Arc::ptr_eq(&found, &active) {
            return Err(ControlError::Busy("take a threshold: model or engine are being changed"));
        }
        Ok(())
    }

    fn trigger(&self, id: Option<u64>) -> Result<(), ControlError> {
        if !self.takes_triggers {
            return Err(ControlError::NoTriggers);
        }
        // The lane that is triggered from outside is the only one.
        let event = PartEvent::Trigger { lane: 0, at: Mono::now(), id };
        self.status.parts.try_send(event).map_err(|_| ControlError::Busy("take a trigger"))
    }

    fn release(&self, _: &Actor) -> Result<(), ControlError> {
        self.status.parts.try_send(PartEvent::Release).map_err(|_| ControlError::Busy("be released"))
    }

    fn challenge(&self, camera: CameraId, sign: ChallengeSign) -> Result<(), ControlError> {
        if camera.index() >= self.status.cameras.len() {
            return Err(ControlError::NoSuchCamera);
        }
        let event = PartEvent::Challenge { camera, sign };
        self.status.parts.try_send(event).map_err(|_| ControlError::Busy("tell of a challenge"))
    }

    fn config_json(&self) -> String {
        self.config_json.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::{ModelTag, Role, Via};

    #[test]
    fn a_threshold_far_above_the_models_own_is_set_only_where_the_configuration_allows_it() {
        let model = ModelTag {
            name: "m".into(),
            blake3: String::new(),
            engine: "rten".into(),
            threshold: 10.0,
            baseline: 0.0,
            picture_size: [0; 2],
            sources: Vec::new(),
            recipe: None,
        };
        let active = Active {
            threshold: Threshold::new(10.0).unwrap(),
            model: Arc::new(model),
            degraded: false,
            number: 0,
            recipe: 0,
        };
        let cameras = [("top".to_owned(), active.clone()), ("side".to_owned(), active)];
        let control = LineControl {
            status: Status::new(cameras, ["top".to_owned(), "side".to_owned()]).0,
            threshold_unsafe: vec![false, true],
            takes_triggers: false,
            config_json: String::new(),
        };
        let by = Actor { user: "ana".into(), role: Role::Quality, via: Via::Page };
        let why = control.set_threshold(CameraId(0), 20.0, &by, "").unwrap_err().to_string();
        assert!(why.contains("200 %") && why.contains("cameras.top.threshold_unsafe = true"), "{why}");
        assert_eq!(control.threshold(CameraId(0)), 10.0);
        assert_eq!(control.set_threshold(CameraId(0), 14.0, &by, ""), Ok(()));
        assert_eq!(control.set_threshold(CameraId(1), 20.0, &by, ""), Ok(()));
        assert_eq!((control.threshold(CameraId(0)), control.threshold(CameraId(1))), (14.0, 20.0));
    }
}
