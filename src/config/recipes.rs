//! The tables `[recipes.NAME]`: the set-ups of products, among which a line is changed over while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::Raw;

/// The set-up of a product, as it is written.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRecipe {
    /// The number by which a PLC asks for it; without one it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// For each camera its model file.
    pub models: BTreeMap<String, PathBuf>,
}

/// The set-up of a product: a model for every camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// The number by which a PLC asks for it.
    pub number: Option<u16>,
    /// Model files in the order of the cameras.
    pub models: Vec<PathBuf>,
}

impl Recipe {
    /// The recipe whose models these files are, in the order of the cameras.
    pub fn of_files<'a>(recipes: &'a [Recipe], files: &[Option<&PathBuf>]) -> Option<&'a Recipe> {
        let same = |recipe: &&Recipe| recipe.models.iter().map(Some).eq(files.iter().copied());
        recipes.iter().find(same)
    }
}

/// Letters of a recipe's name at most.
const MAX_NAME: usize = 64;

/// The recipes by name; `wrong` gets what cannot be used.
pub(super) fn check(raw: &Raw, base: &Path, wrong: &mut Vec<String>) -> Vec<Recipe> {
    let mut numbers = BTreeMap::new();
    let cameras: BTreeSet<&String> = raw.cameras.keys().collect();
    let mut recipes = Vec::new();
    for (name, recipe) in &raw.recipes {
        let key = format!("recipes.{name}");
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            wrong.push(format!("{key}: a name has 1 to {MAX_NAME} letters"));
        }
        if recipe.number == Some(0) {
            wrong.push(format!("{key}.number: 0 means no recipe to a PLC; use 1 to 65535"));
        }
        if let Some(other) = recipe.number.and_then(|number| numbers.insert(number, name)) {
            wrong.push(format!("{key}.number: that is the number of recipes.{other} already"));
        }
        for camera in recipe.models.keys().filter(|camera| !cameras.contains(camera)) {
            wrong.push(format!("{key}.models.{camera}: there is no camera `{camera}`"));
        }
        for camera in cameras.iter().filter(|camera| !recipe.models.contains_key(**camera)) {
            wrong.push(format!(
                "{key}.models: camera `{camera}` has none; every camera needs its model in every recipe"
            ));
        }
        // In the order of the cameras, which is that of their names.
        let models = recipe.models.values().map(|file| base.join(file)).collect();
        recipes.push(Recipe { name: name.clone(), number: recipe.number, models });
    }
    recipes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (Vec<Recipe>, Vec<String>) {
        let raw: Raw = toml::from_str(text).unwrap();
        let mut wrong = Vec::new();
        let recipes = check(&raw, Path::new("/etc/andon"), &mut wrong);
        (recipes, wrong)
    }

    const CAMERAS: &str = "[cameras.side]\npipeline = \"v4l2\"\nmodel = \"s.andon\"\n[cameras.top]\npipeline = \"v4l2\"\nmodel = \"t.andon\"\n";

    #[test]
    fn a_recipe_names_a_model_for_every_camera() {
        let text =
            format!("{CAMERAS}[recipes.lid]\nnumber = 7\nmodels = {{ top = \"lid.andon\", side = \"/m/side.andon\" }}");
        let (recipes, wrong) = checked(&text);
        assert!(wrong.is_empty(), "{wrong:?}");
        let models = ["/m/side.andon", "/etc/andon/lid.andon"].map(PathBuf::from).to_vec();
        assert_eq!(recipes, [Recipe { name: "lid".into(), number: Some(7), models }]);
    }

    #[test]
    fn what_is_missing_or_twice_is_named() {
        let text = format!(
            "{CAMERAS}[recipes.a]\nnumber = 7\nmodels.top = \"a\"\n[recipes.b]\nnumber = 7\nmodels = {{ top = \"b\", side = \"b\", left = \"b\" }}\n[recipes.c]\nnumber = 0\nmodels = {{ top = \"b\", side = \"b\" }}"
        );
        let wrong = checked(&text).1.join("\n");
        for part in [
            "recipes.a.models: camera `side` has none",
            "recipes.b.models.left: there is no camera `left`",
            "recipes.b.number: that is the number of recipes.a already",
            "recipes.c.number: 0 means no recipe",
        ] {
            assert!(wrong.contains(part), "{part}: {wrong}");
        }
    }
}
