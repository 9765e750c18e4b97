//! Recipes: a tile for each, and the second touch that changes the line over.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::words;
use crate::act::ChangeRecipe;
use crate::models::RecipeInfo;
use crate::page::forms::{self, act, foreign};
use crate::page::routes::{WithStatus, say, show};
use crate::page::site::Site;
use crate::page::view::{self, Place};
use crate::page::visitor::Visitor;

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    csrf: String,
}

/// The recipes; reads files.
async fn recipes(site: &Arc<Site>) -> Vec<RecipeInfo> {
    let Ok(models) = site.service.models() else { return Vec::new() };
    let models = models.clone();
    tokio::task::spawn_blocking(move || models.recipes()).await.unwrap_or_default()
}

pub(super) async fn list(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    let recipes = recipes(&site).await;
    show(&site, &head, 0, Place::Recipes, |scene| (scene.visitor.t.recipes.to_owned(), view::recipes(scene, &recipes)))
}

async fn one(site: &Arc<Site>, head: &HeaderMap, name: &str, wrong: Option<&str>) -> Response {
    match recipes(site).await.into_iter().find(|recipe| recipe.name == name) {
        Some(recipe) => show(site, head, 0, Place::Recipes, |scene| {
            (scene.visitor.t.change_over.to_owned(), view::change_over(scene, &recipe, wrong))
        }),
        None => {
            let t = Visitor::of(site, head, false).t;
            say(site, head, StatusCode::NOT_FOUND, t.not_there, t.no_recipes)
        }
    }
}

pub(super) async fn confirm(State(site): State<Arc<Site>>, head: HeaderMap, Path(name): Path<String>) -> Response {
    one(&site, &head, &name, None).await
}

pub(super) async fn change(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(name): Path<String>,
    Form(form): Form<Token>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match act(&site, &head, &ChangeRecipe { recipe: name.clone() }, "") {
        Ok(()) => Redirect::to("/recipes").into_response(),
        Err(why) => one(&site, &head, &name, Some(&words(&site, &head, &why))).await.with_status(forms::status(&why)),
    }
}

pub(super) async fn picture(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Response {
    let found = match site.service.models() {
        Ok(models) => {
            let models = models.clone();
            tokio::task::spawn_blocking(move || models.recipe_picture(&name)).await.ok().flatten()
        }
        Err(_) => None,
    };
    match found {
        Some(png) => {
            let head = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, max-age=60")];
            (head, Bytes::from_owner(png)).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no picture").into_response(),
    }
}
