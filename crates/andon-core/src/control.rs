//! What may be asked of a running line from outside, and why it is refused.

use thiserror::Error;

use crate::{Actor, CameraId, ChallengeSign, ChallengeState, ThresholdError};

/// Why a request changed nothing.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ControlError {
    /// The camera is not on this box.
    #[error("no such camera")]
    NoSuchCamera,
    /// The threshold cannot be used.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// The threshold is too far above the model's own, and the configuration does not allow that.
    #[error("{source}; cameras.{camera}.threshold_unsafe = true in the configuration allows it")]
    Unsafe {
        /// The camera's name.
        camera: String,
        /// How far.
        source: ThresholdError,
    },
    /// Parts are announced in another way.
    #[error("parts are not announced by messages here; parts.trigger = \"message\" allows it")]
    NoTriggers,
    /// The channel to the line is full.
    #[error("the line is too busy to {0}")]
    Busy(&'static str),
    /// Whoever asks may not do that, or did not say what the act needs; or it cannot be written into the audit.
    #[error("{0}")]
    NotAllowed(String),
}

/// The recipe in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipeState {
    /// Its name, where the line judges by one.
    pub name: Option<String>,
    /// Its number; 0 if it has none.
    pub number: u16,
    /// Models are being changed.
    pub changing: bool,
}

/// What the control keys can read and change.
pub trait Control: Send + Sync {
    /// The active threshold of a camera, by its place in the configuration; NaN for a camera that is not there.
    fn threshold(&self, camera: CameraId) -> f32;

    /// Sets it until the next start. `by` asks for it, `reason` is why, in its own words; empty if it does not say.
    ///
    /// # Errors
    /// [`ControlError`]; the threshold stays as it was.
    fn set_threshold(&self, camera: CameraId, value: f32, by: &Actor, reason: &str) -> Result<(), ControlError>;

    /// A part is announced from outside. It changes nothing but what comes next, so nobody has to say who it is, and no audit has it.
    ///
    /// # Errors
    /// [`ControlError::NoTriggers`], [`ControlError::Busy`].
    fn trigger(&self, id: Option<u64>) -> Result<(), ControlError>;

    /// Takes the request to stop the line back; `by` asks for it.
    ///
    /// # Errors
    /// [`ControlError::Busy`], [`ControlError::NotAllowed`].
    fn release(&self, by: &Actor) -> Result<(), ControlError>;

    /// The recipe in force. Never waits.
    fn recipe(&self) -> RecipeState {
        RecipeState::default()
    }

    /// Changes the line over to a recipe, given by its name or by its number in figures; returns when every camera judges by it, which
    /// takes as long as its models take to load.
    ///
    /// # Errors
    /// [`ControlError::NotAllowed`]; the line judges as before.
    fn change_recipe(&self, recipe: &str, by: &Actor) -> Result<(), ControlError> {
        let (user, recipe) = (&by.user, recipe.chars().take(64).collect::<String>());
        Err(ControlError::NotAllowed(format!(
            "{user} asks for the recipe {recipe}, and models are not changed here; page.enabled = true allows it"
        )))
    }

    /// Tells everybody what became of a challenge with known bad parts: an event, and for one that failed the request to stop the line.
    ///
    /// # Errors
    /// [`ControlError::NoSuchCamera`], [`ControlError::Busy`].
    fn challenge(&self, camera: CameraId, sign: ChallengeSign) -> Result<(), ControlError>;

    /// The challenge of a camera that runs or was the last. Never waits.
    fn challenge_state(&self, _: CameraId) -> ChallengeState {
        ChallengeState::None
    }

    /// The next parts of a camera are known to be bad, as many as the configuration says.
    ///
    /// # Errors
    /// [`ControlError::NotAllowed`]; nothing begins.
    fn start_challenge(&self, _: CameraId, by: &Actor) -> Result<(), ControlError> {
        let user = &by.user;
        Err(ControlError::NotAllowed(format!(
            "{user} asks for a challenge, and nobody watches one here; page.enabled = true allows it"
        )))
    }

    /// The active configuration as JSON, without secrets.
    fn config_json(&self) -> String;
}
