//! What people may change about the models of a running line, as the acts and the page ask for it. Who builds the line answers
//! ([`LineModels`]): this crate knows neither model files nor detectors.

mod error;
mod lesson;
mod trial;

use std::path::PathBuf;
use std::sync::Arc;

pub use error::{ModelError, SECONDS};
pub use lesson::{COUNTS, LearnedModel, Lesson, LessonKind, LessonState, Lessons, ScoredPicture};
pub use trial::{KnownPart, OutcomeChange, Remedy, Trial, TrialResult, TrialState};

/// A model in use.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInUse {
    /// The cameras that judge by it, by name.
    pub cameras: Vec<String>,
    /// Its name.
    pub name: String,
    /// Its hash, hexadecimal.
    pub blake3: String,
    /// Its file; none if it was made in memory.
    pub file: Option<PathBuf>,
    /// Pictures that it knows.
    pub pictures: usize,
    /// Those of them that were added after learning, oldest first.
    pub added: Vec<AddedPicture>,
    /// The decisions about its threshold that can be taken back, newest first.
    pub decisions: Vec<ThresholdDecision>,
    /// Hashes of the files that it was before these decisions: their scores are its own.
    pub scored_alike: Vec<String>,
}

/// A threshold that somebody chose after learning, kept in the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdDecision {
    /// The threshold before.
    pub before: f32,
    /// That from then on.
    pub after: f32,
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// By what: an option of `andon threshold`, or the page.
    pub how: String,
    /// In his words; empty if he said nothing.
    pub why: String,
}

/// The cells of a picture that a model judges, row by row; it looks away from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedCells {
    /// Columns and rows.
    pub grid: [usize; 2],
    /// For each cell whether it is judged.
    pub judged: Vec<bool>,
}

/// A threshold that is to be kept in a model.
#[derive(Clone, Debug, PartialEq)]
pub struct NewThreshold {
    /// The camera whose model gets it, by name; so do all cameras that judge by the same file.
    pub camera: String,
    /// Scores at or over it are rejects.
    pub value: f32,
    /// Who chose it.
    pub by: String,
    /// In his words.
    pub why: String,
}

/// A picture that a model was taught after learning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedPicture {
    /// Its name in the model.
    pub name: String,
    /// The part that it is of, if it came from this page.
    pub part: Option<String>,
}

/// What changed, in words for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChanged {
    /// Name of the cameras that judge by it.
    pub cameras: Vec<String>,
    /// As it was.
    pub before: String,
    /// As it is.
    pub after: String,
}

/// The set-up of a product: a model for each camera.
#[derive(Clone, Debug, PartialEq)]
pub struct RecipeInfo {
    /// Its name.
    pub name: String,
    /// The number by which a PLC asks for it, if it has one.
    pub number: Option<u16>,
    /// For each camera its model, as far as its file can be read.
    pub models: Vec<RecipeModel>,
    /// Why it cannot be taken: a file is missing or damaged, or of another size than the cameras' frames.
    pub fault: Option<String>,
    /// The line judges by it now.
    pub active: bool,
}

/// The model of one camera in a recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct RecipeModel {
    /// The camera.
    pub camera: String,
    /// The model's name.
    pub name: String,
    /// Its hash, hexadecimal.
    pub blake3: String,
    /// Its threshold.
    pub threshold: f32,
    /// Pictures that it knows.
    pub pictures: usize,
    /// When it was learned, RFC 3339.
    pub learned: String,
}

/// The models of a running line. Called by threads of the page and of the network alone: each call may take as long as a disk and a
/// detector's start do, and the line goes on meanwhile.
pub trait LineModels: Send + Sync {
    /// The models in use, each once.
    fn in_use(&self) -> Vec<ModelInUse>;

    /// The cells that the model of a camera judges, by the camera's place; `None` where it judges all, or where parts are brought into one pose
    /// first, so that cells are not places of the picture.
    fn judged_cells(&self, camera: usize) -> Option<JudgedCells>;

    /// Begins to find out, in the background, what would change if the model that judged a part learned it as good; a model that cannot learn
    /// single pictures gets a threshold under which the part passes ([`Remedy`]). One is tried at a time; a trial that is over gives way.
    ///
    /// # Errors
    /// [`ModelError`]: there is no picture of the part that could be learned, or another trial runs.
    fn try_good(self: Arc<Self>, part: &str) -> Result<(), ModelError>;

    /// The trial that runs or was made last.
    fn trial(&self) -> Option<Trial>;

    /// Teaches the model the part that was tried, writes its file, and lets the cameras judge by it from the next part on. `by` says so, for
    /// the reason `why`.
    ///
    /// # Errors
    /// [`ModelError`]; the line judges as before, and the file is as it was.
    fn learn_good(&self, part: &str, by: &str, why: &str) -> Result<ModelChanged, ModelError>;

    /// Takes a picture that was added out of the model of a camera again: the file is then what it was before.
    ///
    /// # Errors
    /// [`ModelError`]; the line judges as before, and the file is as it was.
    fn forget(&self, camera: &str, picture: &str) -> Result<ModelChanged, ModelError>;

    /// Keeps a threshold in the model of a camera, with what it promises by the model's own held-out scores and by the known defects of the
    /// history; its cameras judge by it from the next part on, and after every start.
    ///
    /// # Errors
    /// [`ModelError`]; the line judges as before, and the file is as it was.
    fn keep_threshold(&self, threshold: &NewThreshold) -> Result<ModelChanged, ModelError>;

    /// Takes the last decision about the threshold of a camera's model back.
    ///
    /// # Errors
    /// [`ModelError`]; the line judges as before, and the file is as it was.
    fn undo_threshold(&self, camera: &str) -> Result<ModelChanged, ModelError>;

    /// Name and number of the recipe in force: none, and 0, where it has none. Never waits.
    fn recipe_in_force(&self) -> (Option<String>, u16);

    /// Whether models are being changed. Never waits.
    fn is_changing(&self) -> bool;

    /// A good part of a recipe, as its first camera's network sees it: a PNG. `None` if there is none, or its file cannot be read.
    fn recipe_picture(&self, name: &str) -> Option<Arc<[u8]>>;

    /// The recipes of the configuration and the parts that were taught on the page, by name. Reads files.
    fn recipes(&self) -> Vec<RecipeInfo>;

    /// Lets every camera judge by the models of a recipe, given by its name or by its number in figures. A part that is under way
    /// meanwhile, and whose cameras judge by different ones, is not inspected.
    ///
    /// # Errors
    /// [`ModelError`]; the line judges as before.
    fn change_recipe(&self, name: &str) -> Result<ModelChanged, ModelError>;
}
