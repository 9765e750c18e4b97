//! The control that Zenoh and Modbus get: the same acts as the page's.

use std::sync::Arc;

use super::{ActError, ChangeRecipe, ReleaseLine, Service, SetThreshold, StartChallenge};
use andon_core::{Actor, CameraId, ChallengeSign, ChallengeState, Control, ControlError, RecipeState};

/// A line's control with roles and audit in front. Reading and triggers pass through.
pub struct AuditedControl {
    inner: Arc<dyn Control>,
    service: Arc<Service>,
    /// None where nobody watches what becomes of a challenge.
    challenge_parts: Option<u32>,
}

impl AuditedControl {
    /// Puts the service in front of the line's own control, which has to be the one that the service has. `challenge_parts`: known bad parts of a
    /// challenge that is asked for this way; none without a page, which is what watches one.
    pub fn new(inner: Arc<dyn Control>, service: Arc<Service>, challenge_parts: Option<u32>) -> AuditedControl {
        AuditedControl { inner, service, challenge_parts }
    }
}

fn refused(why: ActError) -> ControlError {
    match why {
        ActError::Control(why) => why,
        other => ControlError::NotAllowed(other.to_string()),
    }
}

impl Control for AuditedControl {
    fn threshold(&self, camera: CameraId) -> f32 {
        self.inner.threshold(camera)
    }

    fn set_threshold(&self, camera: CameraId, value: f32, by: &Actor, reason: &str) -> Result<(), ControlError> {
        self.service.perform(by, &SetThreshold { camera, value }, reason).map(drop).map_err(refused)
    }

    fn trigger(&self, id: Option<u64>) -> Result<(), ControlError> {
        self.inner.trigger(id)
    }

    fn release(&self, by: &Actor) -> Result<(), ControlError> {
        self.service.perform(by, &ReleaseLine, "").map(drop).map_err(refused)
    }

    fn recipe(&self) -> RecipeState {
        let Ok(models) = self.service.models() else { return RecipeState::default() };
        let (name, number) = models.recipe_in_force();
        RecipeState { name, number, changing: models.is_changing() }
    }

    fn change_recipe(&self, recipe: &str, by: &Actor) -> Result<(), ControlError> {
        self.service.perform(by, &ChangeRecipe { recipe: recipe.to_owned() }, "").map(drop).map_err(refused)
    }

    fn challenge(&self, camera: CameraId, sign: ChallengeSign) -> Result<(), ControlError> {
        self.inner.challenge(camera, sign)
    }

    fn challenge_state(&self, camera: CameraId) -> ChallengeState {
        self.service.line().map(|line| line.board.challenge_state(camera.index())).unwrap_or_default()
    }

    fn start_challenge(&self, camera: CameraId, by: &Actor) -> Result<(), ControlError> {
        let Some(parts) = self.challenge_parts else { return self.inner.start_challenge(camera, by) };
        let act = StartChallenge { camera, parts };
        self.service.perform(by, &act, "").map(drop).map_err(refused)
    }

    fn config_json(&self) -> String {
        self.inner.config_json()
    }
}
