//! The pages that change models: "that part was good" with what it would change, its undo, recipes, and new parts that are taught. Questions that read files wait on
//! threads that may; what is changed goes through the acts.

mod good;
mod recipes;
mod teach;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::forms::{self, act, foreign};
use super::routes::{WithStatus, show};
use super::site::Site;
use super::view::{self, Place};
use super::visitor::Visitor;
use crate::act::{ActError, ForgetGood, UndoThreshold};

/// Letters of a reason at most.
const REASON: usize = 300;

/// The addresses of these pages.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/models", get(models))
        .route("/models/{camera}/forget", post(forget))
        .route("/models/{camera}/threshold/undo", post(undo_threshold))
        .route("/good/{part}", get(good::page).post(good::learn))
        .route("/good/{part}/try", post(good::begin))
        .route("/good/{part}/state", get(good::state))
        .route("/good/{part}/heatmap", get(good::heatmap))
        .route("/teach", get(teach::list).post(teach::begin))
        .route("/teach/{name}/{camera}", get(teach::page))
        .route("/teach/{name}/{camera}/state", get(teach::state))
        .route("/teach/{name}/{camera}/collect", post(teach::collect))
        .route("/teach/{name}/{camera}/stop", post(teach::stop))
        .route("/teach/{name}/{camera}/strike", post(teach::strike))
        .route("/teach/{name}/{camera}/learn", post(teach::learn))
        .route("/teach/{name}/{camera}/{kind}/{picture}", get(teach::picture))
        .route("/recipes", get(recipes::list))
        .route("/recipes/{name}", get(recipes::confirm).post(recipes::change))
        .route("/recipes/{name}/picture", get(recipes::picture))
}

/// Why something was not done, in the language of who asked.
fn words(site: &Site, head: &HeaderMap, why: &ActError) -> String {
    (Visitor::of(site, head, false).t.refusal)(why)
}

fn cut(reason: &str) -> String {
    reason.chars().take(REASON).collect()
}

fn shown(site: &Site, head: &HeaderMap, wrong: Option<&str>) -> Response {
    show(site, head, 0, Place::Models, |scene| (scene.visitor.t.models_word.to_owned(), view::models(scene, wrong)))
}

async fn models(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    shown(&site, &head, None)
}

#[derive(Debug, Deserialize)]
struct Forget {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    picture: String,
    #[serde(default)]
    reason: String,
}

async fn forget(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<String>,
    Form(form): Form<Forget>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match act(&site, &head, &ForgetGood { camera, picture: form.picture }, &cut(&form.reason)) {
        Ok(()) => Redirect::to("/models").into_response(),
        Err(why) => {
            let status: StatusCode = forms::status(&why);
            shown(&site, &head, Some(&words(&site, &head, &why))).with_status(status)
        }
    }
}

#[derive(Debug, Deserialize)]
struct Undo {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    reason: String,
}

async fn undo_threshold(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<String>,
    Form(form): Form<Undo>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match act(&site, &head, &UndoThreshold { camera }, &cut(&form.reason)) {
        Ok(()) => Redirect::to("/models").into_response(),
        Err(why) => shown(&site, &head, Some(&words(&site, &head, &why))).with_status(forms::status(&why)),
    }
}
