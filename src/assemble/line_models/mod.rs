//! The models of a running line, as its page and its network change them: "that part was good" and its undo, recipes, and new parts that are
//! taught ([`lessons`]). What is learned is
//! tried first on every reviewed part whose picture is kept ([`trial`]), by the reference on the CPU; what is changed is written to the model's
//! file, and the cameras take it between two parts ([`swap`]).

mod lessons;
mod swap;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{FrameSize, Recipe};
use andon_core::{OwnedFrame, Threshold};
use andon_io::history::History;
use andon_io::pictures::{PictureRing, save_png};
use andon_line::runtime::{DetectorSwap, Status};
use andon_service::models::{
    AddedPicture, LineModels, ModelChanged, ModelError, ModelInUse, RecipeInfo, RecipeModel, Trial, TrialState,
};
use andon_vision::methods::{AdaptError, remove};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{EngineChoice, EngineOptions};

pub(super) use lessons::TaughtParts;
use swap::{NewModel, Opener};
use trial::Tried;

/// How a camera gets another model.
pub(super) struct CameraSlot {
    pub name: String,
    /// The file that its model was read from; none if it was made in memory.
    pub file: Option<PathBuf>,
    pub bundle: Arc<Bundle>,
    pub engine: EngineOptions,
    pub frame_size: FrameSize,
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
    /// The models of these cameras, in the order of their ids. Starts the thread that opens detectors.
    ///
    /// # Errors
    /// No room for a thread.
    pub fn new(
        cameras: Vec<CameraSlot>,
        recipes: Vec<Recipe>,
        taught: Option<Arc<TaughtParts>>,
        status: Arc<Status>,
        ring: Option<PictureRing>,
        history: Option<History>,
    ) -> std::io::Result<Arc<Models>> {
        let active = cameras.iter().map(|camera| (camera.bundle.clone(), camera.file.clone())).collect();
        let files: Vec<Option<&PathBuf>> = cameras.iter().map(|camera| camera.file.as_ref()).collect();
        let recipe = Recipe::of_files(&recipes, &files);
        let (name, number) = (recipe.map(|recipe| recipe.name.clone()), recipe.and_then(|recipe| recipe.number));
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

    /// Writes a changed model to its file, and lets the cameras judge by it. If they cannot, the file gets its old bytes back.
    fn put(&self, old: &Arc<Bundle>, new: Bundle, file: &Path, cameras: &[usize]) -> Result<ModelChanged, ModelError> {
        let write = |bundle: &Bundle| Bundle::clone(bundle).write(file).map_err(|e| ModelError::File(e.to_string()));
        let new = Arc::new(new);
        // What somebody wrote there meanwhile, by another command or by learning anew, is not written over.
        let on_disk = Bundle::open(file).map_err(|e| ModelError::File(e.to_string()))?;
        if on_disk.blake3 != old.blake3 {
            return Err(refused(format!("{} holds another model than the one in use", file.display())));
        }
        let changes = cameras.iter().map(|n| NewModel { camera: *n, bundle: new.clone(), threshold: None });
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

    /// The recipes of the configuration, and after them the parts that were taught under other names.
    fn all_recipes(&self) -> Vec<Recipe> {
        let taught = self.taught.iter().flat_map(|taught| taught.recipes());
        let new = taught.filter(|recipe| self.recipes.iter().all(|known| known.name != recipe.name));
        self.recipes.iter().cloned().chain(new).collect()
    }

    /// By its name, or by its number in figures.
    fn recipe(&self, name: &str) -> Option<Recipe> {
        let all = self.all_recipes();
        let number = || name.parse().ok().and_then(|n: u16| all.iter().find(|recipe| recipe.number == Some(n)));
        all.iter().find(|recipe| recipe.name == name).or_else(number).cloned()
    }

    /// The models of a recipe, if every one can be taken.
    fn recipe_bundles(&self, recipe: &Recipe) -> Vec<Result<Arc<Bundle>, String>> {
        let active = lock(&self.state).active.clone();
        let open = |(n, file): (usize, &PathBuf)| {
            // Also that of a model in use: it may have been learned anew since.
            let bundle = Arc::new(Bundle::open(file).map_err(|e| e.to_string())?);
            let camera = &self.cameras[n];
            let (now, new) = (active[n].0.manifest.frame_size, bundle.manifest.frame_size);
            if camera.frame_size == FrameSize::AsTrained
                && let (Some(now), Some(new)) = (now, new)
                && now != new
            {
                let ([w, h], [new_w, new_h]) = (now, new);
                return Err(format!(
                    "{} learned pictures of {new_w}x{new_h}, and camera {} takes {w}x{h}",
                    file.display(),
                    camera.name
                ));
            }
            Ok(bundle)
        };
        recipe.models.iter().enumerate().map(open).collect()
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
            });
        }
        models
    }

    fn try_good(self: Arc<Self>, part: &str) -> Result<(), ModelError> {
        trial::start(&self, part)
    }

    fn trial(&self) -> Option<Trial> {
        lock(&self.state).trial.clone()
    }

    fn learn_good(&self, part: &str) -> Result<ModelChanged, ModelError> {
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
        self.put(&old, Bundle::clone(&tried.bundle), &file, &cameras)
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
        self.put(&old, new, &file, &cameras)
    }

    fn recipe_picture(&self, name: &str) -> Option<Arc<[u8]>> {
        let recipe = self.recipe(name)?;
        let bundle = self.recipe_bundles(&recipe).into_iter().next()?.ok()?;
        let frame = bundle.parity_frames().next()?;
        let mut owned = OwnedFrame::default();
        owned.copy_from(&frame);
        save_png(&owned).ok().map(Into::into)
    }

    fn recipe_in_force(&self) -> (Option<String>, u16) {
        let recipe = &lock(&self.state).recipe;
        (recipe.name.clone(), recipe.number.unwrap_or_default())
    }

    fn is_changing(&self) -> bool {
        self.changing.try_lock().is_err()
    }

    fn recipes(&self) -> Vec<RecipeInfo> {
        let (in_force, active) = {
            let state = lock(&self.state);
            let hashes: Vec<String> = state.active.iter().map(|(bundle, _)| bundle.blake3.clone()).collect();
            (state.recipe.name.clone(), hashes)
        };
        let info = |recipe: &Recipe| {
            let bundles = self.recipe_bundles(recipe);
            let model = |(camera, bundle): (&CameraSlot, &Result<Arc<Bundle>, String>)| {
                let (bundle, m) = (bundle.as_ref().ok()?, &bundle.as_ref().ok()?.manifest);
                Some(RecipeModel {
                    camera: camera.name.clone(),
                    name: m.name.clone(),
                    blake3: bundle.blake3.clone(),
                    threshold: m.threshold,
                    pictures: m.training.images(),
                    learned: m.created.clone(),
                })
            };
            RecipeInfo {
                name: recipe.name.clone(),
                number: recipe.number,
                models: self.cameras.iter().zip(&bundles).filter_map(model).collect(),
                fault: bundles.iter().find_map(|bundle| bundle.as_ref().err().cloned()),
                // Two recipes may have the same models.
                active: in_force.as_ref().is_none_or(|name| *name == recipe.name)
                    && bundles.iter().zip(&active).all(|(b, now)| b.as_ref().is_ok_and(|b| b.blake3 == *now)),
            }
        };
        self.all_recipes().iter().map(info).collect()
    }

    fn change_recipe(&self, name: &str) -> Result<ModelChanged, ModelError> {
        let _one = self.changing()?;
        let no_recipe = || ModelError::NoRecipe(name.chars().take(64).collect());
        let recipe = self.recipe(name).ok_or_else(no_recipe)?;
        let bundles: Vec<Arc<Bundle>> =
            self.recipe_bundles(&recipe).into_iter().collect::<Result<_, _>>().map_err(ModelError::Refused)?;
        let mut changes = Vec::new();
        for (camera, bundle) in bundles.iter().enumerate() {
            let own = Threshold::new(bundle.manifest.threshold);
            let threshold = own.ok_or_else(|| refused(format!("{}: no usable threshold", bundle.manifest.name)))?;
            changes.push(NewModel { camera, bundle: bundle.clone(), threshold: Some(threshold) });
        }
        let before = {
            let state = lock(&self.state);
            state.active.iter().map(|(bundle, _)| words(bundle)).collect::<Vec<_>>().join("; ")
        };
        let count = lock(&self.state).recipe.count.wrapping_add(1);
        let in_force = RecipeInForce { name: Some(recipe.name.clone()), number: recipe.number, count };
        let opened = self.open(changes)?;
        self.take(opened, &in_force)?;
        let mut state = lock(&self.state);
        state.recipe = in_force;
        state.active = bundles.iter().zip(&recipe.models).map(|(b, file)| (b.clone(), Some(file.clone()))).collect();
        state.tried = None;
        let after = bundles.iter().map(|bundle| words(bundle)).collect::<Vec<_>>().join("; ");
        let cameras = self.cameras.iter().map(|camera| camera.name.clone()).collect();
        Ok(ModelChanged { cameras, before, after: format!("{name}: {after}") })
    }
}
