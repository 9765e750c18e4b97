//! Recipes: the set-ups of products, among which a line is changed over while it runs.

use std::path::PathBuf;
use std::sync::Arc;

use super::swap::NewModel;
use super::{CameraSlot, Models, RecipeInForce, lock, refused, words};
use crate::config::{FrameSize, Recipe};
use andon_core::{OwnedFrame, Threshold};
use andon_io::pictures::save_png;
use andon_service::models::{ModelChanged, ModelError, RecipeInfo, RecipeModel};
use andon_vision::model::bundle::Bundle;

impl Models {
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

    /// See [`andon_service::models::LineModels::recipe_picture`].
    pub(super) fn picture_of_recipe(&self, name: &str) -> Option<Arc<[u8]>> {
        let recipe = self.recipe(name)?;
        let bundle = self.recipe_bundles(&recipe).into_iter().next()?.ok()?;
        let frame = bundle.parity_frames().next()?;
        let mut owned = OwnedFrame::default();
        owned.copy_from(&frame);
        save_png(&owned).ok().map(Into::into)
    }

    /// See [`andon_service::models::LineModels::recipes`].
    pub(super) fn recipe_infos(&self) -> Vec<RecipeInfo> {
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

    /// See [`andon_service::models::LineModels::change_recipe`].
    pub(super) fn change_over(&self, name: &str) -> Result<ModelChanged, ModelError> {
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
