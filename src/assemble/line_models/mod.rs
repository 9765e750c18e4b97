//! The models of a running line, as its page and its network change them: "that part was good" and its undo, recipes, and new parts that are
//! taught ([`lessons`]). What is learned is
//! tried first on every reviewed part whose picture is kept ([`trial`]), by the reference on the CPU; what is changed is written to the model's
//! file, and the cameras take it between two parts ([`swap`]).

mod lessons;
mod recipes;
mod swap;
mod thresholds;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::assemble::operating::Author;
use crate::config::{FrameSize, Recipe};
use andon_core::Threshold;
use andon_io::history::History;
use andon_io::pictures::PictureRing;
use andon_line::runtime::{DetectorSwap, Status};
use andon_service::models::{
    AddedPicture, JudgedCells, LineModels, ModelChanged, ModelError, ModelInUse, NewThreshold, RecipeInfo, Trial,
    TrialState,
};
use andon_vision::methods::{AdaptError, remove};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{EngineChoice, EngineOptions};

pub(super) use lessons::{TaughtParts, taught_recipes};
use swap::{NewModel, Opener};
use thresholds::{decisions, now};
use trial::{Taught, Tried};

/// How a camera gets another model.
pub(super) struct CameraSlot {
    pub name: String,
    /// The file that its model was read from; none if it was made in memory.
    pub file: Option<PathBuf>,
    pub bundle: Arc<Bundle>,
    pub engine: EngineOptions,
    pub frame_size: FrameSize,
    /// The configuration says what its parts are judged by, at every start.
    pub threshold_configured: bool,
    /// Its threshold may be far above the one that was learned.
    pub threshold_unsafe: bool,
    pub swap: Arc<DetectorSwap>,
}

/// The models of a line.
pub(super) struct Models {
    cameras: Vec<CameraSlot>,
    recipes: Vec<Recipe>,
    taught: Option<Arc<TaughtParts>>,
    status: Arc<Status>,
    ring: Option<PictureRing>,
    history: Option<History>,
    opener: Opener,
    state: Mutex<State>,
    /// Held while models are changed: one change at a time.
    changing: Mutex<()>,
}

/// The recipe in force.
#[derive(Clone, Debug, Default)]
struct RecipeInForce {
    name: Option<String>,
    number: Option<u16>,
    /// How many times it was changed since the start.
    count: u16,
}

/// What changes.
struct State {
    /// By camera: what it judges by, and the file of that.
    active: Vec<(Arc<Bundle>, Option<PathBuf>)>,
    recipe: RecipeInForce,
    trial: Option<Trial>,
    /// What the last trial would change the model to.
    tried: Option<Tried>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(why: impl std::fmt::Display) -> ModelError {
    ModelError::Refused(why.to_string())
}

/// The first digits of a hash, as people compare them.
fn digits(blake3: &str) -> &str {
    blake3.get(..12).unwrap_or(blake3)
}

fn words(bundle: &Bundle) -> String {
    let m = &bundle.manifest;
    format!("{} {} ({} pictures, threshold {})", m.name, digits(&bundle.blake3), m.training.images(), m.threshold)
}

impl Models {
    /// The models of these cameras, in the order of their ids; `recipe` is the name of the one that they are. Starts the thread that opens detectors.
    ///
    /// # Errors
    /// No room for a thread.
    pub fn new(
        cameras: Vec<CameraSlot>,
        recipes: Vec<Recipe>,
        recipe: Option<&str>,
        taught: Option<Arc<TaughtParts>>,
        status: Arc<Status>,
        ring: Option<PictureRing>,
        history: Option<History>,
    ) -> std::io::Result<Arc<Models>> {
        let active = cameras.iter().map(|camera| (camera.bundle.clone(), camera.file.clone())).collect();
        let number = recipes.iter().find(|known| Some(known.name.as_str()) == recipe).and_then(|recipe| recipe.number);
        let name = recipe.map(str::to_owned);
        let recipe = RecipeInForce { name, number, count: 0 };
        let state = Mutex::new(State { active, recipe, trial: None, tried: None });
        let opener = Opener::start()?;
        Ok(Arc::new(Models {
            cameras,
            recipes,
            taught,
            status,
            ring,
            history,
            opener,
            state,
            changing: Mutex::default(),
        }))
    }

    /// A camera's place by its name.
    fn place(&self, camera: &str) -> Result<usize, ModelError> {
        let at = self.cameras.iter().position(|c| c.name == camera);
        at.ok_or_else(|| ModelError::NoCamera(camera.chars().take(64).collect()))
    }

    /// What a camera judges by, its file, and all cameras that judge by that file.
    fn of_camera(&self, camera: usize) -> Result<(Arc<Bundle>, PathBuf, Vec<usize>), ModelError> {
        let state = lock(&self.state);
        let (bundle, file) = state.active.get(camera).cloned().ok_or(ModelError::NoFiles)?;
        let file = file.ok_or(ModelError::NoFiles)?;
        let same = |n: &usize| state.active[*n].1.as_ref() == Some(&file);
        let all = (0..state.active.len()).filter(same).collect();
        Ok((bundle, file, all))
    }

    /// What a camera's parts are judged by now.
    fn threshold(&self, camera: usize) -> Threshold {
        self.status.cameras[camera].active.load().threshold
    }

    /// A camera's engine on the CPU, by which trials are made: the reference that every engine is compared with.
    fn reference(&self, camera: usize) -> EngineOptions {
        EngineOptions { choice: EngineChoice::Auto, threads: 1, ..self.cameras[camera].engine.clone() }
    }

    /// Writes a changed model to its file, and lets the cameras judge by it; `None` keeps the threshold in force. If they cannot, the file
    /// gets its old bytes back.
    fn put(
        &self,
        old: &Arc<Bundle>,
        new: Bundle,
        threshold: Option<Threshold>,
        file: &Path,
        cameras: &[usize],
    ) -> Result<ModelChanged, ModelError> {
        let write = |bundle: &Bundle| Bundle::clone(bundle).write(file).map_err(|e| ModelError::File(e.to_string()));
        let new = Arc::new(new);
        // What somebody wrote there meanwhile, by another command or by learning anew, is not written over.
        let on_disk = Bundle::open(file).map_err(|e| ModelError::File(e.to_string()))?;
        if on_disk.blake3 != old.blake3 {
            return Err(refused(format!("{} holds another model than the one in use", file.display())));
        }
        let changes = cameras.iter().map(|n| NewModel { camera: *n, bundle: new.clone(), threshold });
        let opened = self.open(changes.collect())?;
        write(&new)?;
        let recipe = lock(&self.state).recipe.clone();
        if let Err(why) = self.take(opened, &recipe) {
            if let Err(e) = write(old) {
                tracing::error!("{}: the old model cannot be written back: {e}", file.display());
            }
            return Err(why);
        }
        let mut state = lock(&self.state);
        cameras.iter().for_each(|n| state.active[*n].0 = new.clone());
        state.tried = None;
        let names = cameras.iter().map(|n| self.cameras[*n].name.clone()).collect();
        Ok(ModelChanged { cameras: names, before: words(old), after: words(&new) })
    }

    fn changing(&self) -> Result<MutexGuard<'_, ()>, ModelError> {
        match self.changing.try_lock() {
            Ok(guard) => Ok(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => Err(ModelError::Busy),
        }
    }
}

impl LineModels for Models {
    fn in_use(&self) -> Vec<ModelInUse> {
        let state = lock(&self.state);
        let mut models: Vec<ModelInUse> = Vec::new();
        for (camera, (bundle, file)) in self.cameras.iter().zip(&state.active) {
            let of = models.iter_mut().find(|m| m.blake3 == bundle.blake3 && m.file == *file);
            if let Some(model) = of {
                model.cameras.push(camera.name.clone());
                continue;
            }
            let training = &bundle.manifest.training;
            let first = training.sources.len().saturating_sub(training.added as usize);
            let added = training.sources[first..].iter().map(|name| AddedPicture {
                name: name.clone(),
                part: name.strip_suffix(trial::ENDING).map(str::to_owned),
            });
            models.push(ModelInUse {
                cameras: vec![camera.name.clone()],
                name: bundle.manifest.name.clone(),
                blake3: bundle.blake3.clone(),
                file: file.clone(),
                pictures: training.images(),
                added: added.collect(),
                decisions: decisions(bundle),
                scored_alike: bundle.scored_alike().map(str::to_owned).collect(),
            });
        }
        models
    }

    fn judged_cells(&self, camera: usize) -> Option<JudgedCells> {
        let bundle = lock(&self.state).active.get(camera)?.0.clone();
        let judged = bundle.judged_cells();
        let (columns, rows) = bundle.grid();
        let partly = bundle.manifest.align.is_none() && judged.contains(&false);
        partly.then_some(JudgedCells { grid: [columns, rows], judged })
    }

    fn try_good(self: Arc<Self>, part: &str) -> Result<(), ModelError> {
        trial::start(&self, part)
    }

    fn trial(&self) -> Option<Trial> {
        lock(&self.state).trial.clone()
    }

    fn learn_good(&self, part: &str, by: &str, why: &str) -> Result<ModelChanged, ModelError> {
        let _one = self.changing()?;
        let not_tried = || ModelError::NotTried(part.chars().take(64).collect());
        let tried = {
            let state = lock(&self.state);
            let trial = state.trial.as_ref().filter(|trial| trial.part == part).ok_or_else(not_tried)?;
            let TrialState::Done(result) = &trial.state else { return Err(not_tried()) };
            let defects: Vec<String> = result.passing_defects().map(|change| change.part.clone()).collect();
            if !defects.is_empty() {
                return Err(ModelError::DefectPasses(defects));
            }
            state.tried.clone().ok_or_else(not_tried)?
        };
        let (old, file, cameras) = self.of_camera(tried.camera)?;
        let same = old.blake3 == tried.before && self.threshold(tried.camera) == tried.threshold;
        if !same || self.reviews_beside(part, &cameras)? != tried.reviews {
            return Err(ModelError::Changed);
        }
        match tried.taught {
            Taught::Learned(bundle) => self.put(&old, Bundle::clone(&bundle), None, &file, &cameras),
            Taught::Threshold(value) => {
                let author =
                    Author { by: by.to_owned(), at: now(), how: format!("page, part {part}"), why: why.to_owned() };
                self.decide(&old, value, author, &file, &cameras)
            }
        }
    }

    fn forget(&self, camera: &str, picture: &str) -> Result<ModelChanged, ModelError> {
        let _one = self.changing()?;
        let camera = self.place(camera)?;
        let (old, file, cameras) = self.of_camera(camera)?;
        let training = &old.manifest.training;
        let first = training.sources.len().saturating_sub(training.added as usize);
        if !training.sources[first..].iter().any(|name| name == picture) {
            return Err(refused(AdaptError::Unknown { name: picture.chars().take(100).collect() }));
        }
        let options = self.reference(camera);
        let (mut embedder, _) = PatchEmbedder::open(&old.network(), &options).map_err(refused)?;
        let mut new = Bundle::clone(&old);
        remove(&mut new, &[picture.to_owned()], &mut embedder, 1).map_err(refused)?;
        new.to_bytes().map_err(refused)?;
        self.put(&old, new, None, &file, &cameras)
    }

    fn recipe_picture(&self, name: &str) -> Option<Arc<[u8]>> {
        self.picture_of_recipe(name)
    }

    fn keep_threshold(&self, threshold: &NewThreshold) -> Result<ModelChanged, ModelError> {
        self.keep(threshold)
    }

    fn undo_threshold(&self, camera: &str) -> Result<ModelChanged, ModelError> {
        self.undo(camera)
    }

    fn recipe_in_force(&self) -> (Option<String>, u16) {
        let recipe = &lock(&self.state).recipe;
        (recipe.name.clone(), recipe.number.unwrap_or_default())
    }

    fn is_changing(&self) -> bool {
        self.changing.try_lock().is_err()
    }

    fn recipes(&self) -> Vec<RecipeInfo> {
        self.recipe_infos()
    }

    fn change_recipe(&self, name: &str) -> Result<ModelChanged, ModelError> {
        self.change_over(name)
    }
}
