//! Another product: every camera judges by the models of its recipe.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Another recipe, until the next change: the line starts with it, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRecipe {
    /// Its name in the configuration.
    pub recipe: String,
}

impl Act for ChangeRecipe {
    const KIND: ActKind = ActKind { name: "change_recipe", role: Role::Leader, needs_reason: false };

    fn subject(&self, _: &Service) -> String {
        self.recipe.chars().take(64).collect()
    }

    fn perform(&self, service: &Service, _: &Actor) -> Result<Change, ActError> {
        let models = service.models()?;
        let changed = models.change_recipe(&self.recipe)?;
        // The line judges by it whether or not that can be written.
        if let Err(e) = service.accounts.keep_recipe(models.recipe_in_force().0.as_deref()) {
            tracing::warn!(recipe = self.recipe, "the next start will not know this recipe: {e}");
        }
        Ok(Change { before: changed.before, after: changed.after })
    }
}
