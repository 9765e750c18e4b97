//! The recipe that a line starts with: the one that was in force when it stopped, or the one that somebody names.

use std::sync::Arc;

use super::error::BuildError;
use super::page::Page;
use super::precheck::Checked;
use crate::config::Recipe;
use andon_core::Threshold;
use andon_vision::model::bundle::Bundle;

/// What a line is asked to start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The recipe that was in force when the line stopped.
    Last,
    /// This one, by its name or its number.
    Named(&'a str),
    /// The models of the cameras.
    Cameras,
}

/// Puts the models of the wanted recipe in the place of the cameras' own; a threshold of the configuration belongs to the camera's own model,
/// so each judges by its recipe's. Returns the recipe's name. A recipe that was in force and is not known any more gives way to the cameras'
/// models, with a word in the log; one that is known and cannot be opened does not, because a part must never be judged by another part's model.
///
/// # Errors
/// [`BuildError::Recipe`], [`BuildError::Accounts`].
pub fn start_with(
    checked: &mut Checked,
    page: Option<&Page>,
    wanted: Wanted<'_>,
) -> Result<Option<String>, BuildError> {
    let last = match (wanted, page) {
        (Wanted::Last, Some(page)) => page.last_recipe()?,
        _ => None,
    };
    let (name, because) = match (wanted, &last) {
        (Wanted::Named(name), _) => (name, ""),
        (Wanted::Last, Some(name)) => (name.as_str(), ", which was in force when andon stopped"),
        (Wanted::Last, None) => return Ok(None),
        (Wanted::Cameras, _) => {
            page.map(|page| page.keep_recipe(None)).transpose()?;
            return Ok(None);
        }
    };
    let refused = |why: String| BuildError::Recipe { recipe: name.to_owned(), because, why };
    let recipes = Page::recipes(&checked.loaded.config);
    let number: Option<u16> = name.parse().ok();
    let found = recipes.iter().find(|recipe| recipe.name == name);
    let found = found.or_else(|| recipes.iter().find(|recipe| number.is_some() && recipe.number == number));
    let Some(Recipe { name: found, models, .. }) = found else {
        if wanted == Wanted::Last {
            tracing::warn!("recipe `{name}`{because}, is not there any more: starting with the models of the cameras");
            return Ok(None);
        }
        let known: Vec<&str> = recipes.iter().map(|recipe| recipe.name.as_str()).collect();
        return Err(refused(match known.is_empty() {
            true => "there is none of this name: the configuration has no [recipes]".to_owned(),
            false => format!("there is none of this name; there are {}", known.join(", ")),
        }));
    };
    let mut opened = Vec::new();
    for (camera, file) in checked.loaded.config.cameras.iter().zip(models) {
        let bundle = Bundle::open(file).map_err(|e| refused(format!("camera {}: {e}", camera.name)))?;
        if Threshold::new(bundle.manifest.threshold).is_none() {
            return Err(refused(format!("{} has no usable threshold", file.display())));
        }
        opened.push(Arc::new(bundle));
    }
    for (camera, file) in checked.loaded.config.cameras.iter_mut().zip(models) {
        if camera.model != *file {
            (camera.model, camera.threshold) = (file.clone(), None);
        }
    }
    checked.models = opened;
    page.map(|page| page.keep_recipe(Some(found))).transpose()?;
    tracing::info!("starting with recipe `{found}`{because}");
    Ok(Some(found.clone()))
}
