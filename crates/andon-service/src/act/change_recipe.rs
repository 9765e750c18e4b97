//! Another product: every camera judges by the models of its recipe.

use super::{Act, ActError, ActKind, Change, Service};
use andon_core::{Actor, Role};

/// Another recipe, until the next start or the next change.
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
        let changed = service.models()?.change_recipe(&self.recipe)?;
        Ok(Change { before: changed.before, after: changed.after })
    }
}
