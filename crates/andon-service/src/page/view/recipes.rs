//! Recipes: large tiles with a picture of the part, and the page that changes the line over.

use maud::{Markup, html};

use super::Scene;
use super::threshold::needs;
use crate::models::RecipeInfo;
use crate::page::numbers::{day_of, real, whole};
use andon_core::Role;

/// The tiles.
pub(in crate::page) fn recipes(scene: Scene<'_>, recipes: &[RecipeInfo]) -> Markup {
    let t = scene.visitor.t;
    html! {
        h1 { (t.recipes) }
        @if recipes.is_empty() { section.panel.narrow { p { (t.no_recipes) } } }
        @if scene.site.service.lessons().is_ok() { p { a.button href="/teach" { (t.teach_part) " …" } } }
        ul.tiles {
            @for recipe in recipes {
                li { a.tile href={ "/recipes/" (escaped(&recipe.name)) } aria-current=[recipe.active.then_some("true")] {
                    (picture(recipe))
                    b { (recipe.name) }
                    span {
                        @if recipe.active { b.said-good { (t.in_use) } " " }
                        @if recipe.fault.is_some() { b.said-bad { (t.recipe_fault) } " " }
                        @if let Some(number) = recipe.number { (t.recipe_number) " " (number) }
                    }
                } }
            }
        }
    }
}

fn picture(recipe: &RecipeInfo) -> Markup {
    html! {
        span.small-picture { @if recipe.fault.is_none() {
            img src={ "/recipes/" (escaped(&recipe.name)) "/picture" } alt="" loading="lazy";
        } }
    }
}

/// A name as a part of an address.
fn escaped(name: &str) -> String {
    let keeps = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    name.bytes().map(|b| if keeps(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The second touch; `wrong` is why the last one was refused.
pub(in crate::page) fn change_over(scene: Scene<'_>, recipe: &RecipeInfo, wrong: Option<&str>) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let may = scene.visitor.session.as_ref().is_some_and(|s| s.role >= Role::Leader);
    html! {
        section.panel.narrow {
            h1 { (t.change_over) ": " (recipe.name) }
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            (picture(recipe))
            dl.wide {
                @for model in &recipe.models {
                    div { dt { (t.camera) " " (model.camera) } dd {
                        b { (model.name) } " · " (t.threshold) " " (real(f64::from(model.threshold), 2, language))
                        " · " (whole(model.pictures as u64)) " " (t.pictures_known)
                        " · " (t.learned_on) " " (day_of(&model.learned, language))
                    } }
                }
            }
            @match &recipe.fault {
                Some(why) => { p.wrong { (t.recipe_fault) ": " (why) } }
                None if recipe.active => { p { b.said-good { (t.in_use) } } }
                None if may => {
                    p.small { (t.change_hint) }
                    form.keys method="post" action={ "/recipes/" (escaped(&recipe.name)) } {
                        input type="hidden" name="csrf" value=(scene.visitor.csrf);
                        a.button.key href="/recipes" { (t.back) }
                        button.key type="submit" { (t.change_over) }
                    }
                }
                None => { (needs(scene, Role::Leader)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_an_address() {
        assert_eq!(escaped("lid-1.5_a"), "lid-1.5_a");
        assert_eq!(escaped("a/b?ü#"), "a%2Fb%3F%C3%BC%23");
    }
}
