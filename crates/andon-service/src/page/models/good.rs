//! "That part was good": the trial, and what comes of it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{cut, words};
use crate::act::{ActError, LearnGood};
use crate::models::{Trial, TrialState};
use crate::page::forms::{self, act, foreign};
use crate::page::routes::{WithStatus, only, show};
use crate::page::site::Site;
use crate::page::view::{self, Place, Scene};
use crate::page::visitor::Visitor;
use andon_core::Role;

#[derive(Debug, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    reason: String,
}

/// The trial of this part, if it is the one that was made last.
fn trial(site: &Site, part: &str) -> Option<Trial> {
    site.service.models().ok()?.trial().filter(|trial| trial.part == part)
}

fn shown(site: &Site, head: &HeaderMap, part: &str, wrong: Option<&str>) -> Response {
    let trial = trial(site, part);
    show(site, head, 0, Place::Part, |scene| {
        (scene.visitor.t.part_was_good.to_owned(), view::good(scene, part, trial.as_ref(), wrong))
    })
}

pub(super) async fn page(State(site): State<Arc<Site>>, head: HeaderMap, Path(part): Path<String>) -> Response {
    match site.service.models() {
        Ok(_) => shown(&site, &head, &part, None),
        Err(why) => shown(&site, &head, &part, Some(&words(&site, &head, &why))).with_status(forms::status(&why)),
    }
}

/// The part of the page that changes while parts are judged.
pub(super) async fn state(State(site): State<Arc<Site>>, head: HeaderMap, Path(part): Path<String>) -> Response {
    let visitor = Visitor::of(&site, &head, false);
    let now = site.board.snapshot();
    let scene = Scene { site: &site, now: &now, visitor: &visitor, camera: 0 };
    Html(view::good_state(scene, &part, trial(&site, &part).as_ref()).into_string()).into_response()
}

/// Begins the trial: it changes nothing, but takes the box's time.
pub(super) async fn begin(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(part): Path<String>,
    Form(form): Form<Said>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Quality)) {
        return refused;
    }
    let begun = tokio::task::block_in_place(|| {
        site.service.models().and_then(|models| models.clone().try_good(&part).map_err(ActError::from))
    });
    match begun {
        Ok(()) => Redirect::to(&format!("/good/{part}")).into_response(),
        Err(why) => shown(&site, &head, &part, Some(&words(&site, &head, &why))).with_status(forms::status(&why)),
    }
}

pub(super) async fn learn(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(part): Path<String>,
    Form(form): Form<Said>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let why = cut(&form.reason);
    match act(&site, &head, &LearnGood { part: part.clone(), why: why.clone() }, &why) {
        Ok(()) => Redirect::to("/models").into_response(),
        Err(why) => shown(&site, &head, &part, Some(&words(&site, &head, &why))).with_status(forms::status(&why)),
    }
}

/// The heatmap of the part by the model that has learned it.
pub(super) async fn heatmap(State(site): State<Arc<Site>>, Path(part): Path<String>) -> Response {
    let heatmap = trial(&site, &part).and_then(|trial| match trial.state {
        TrialState::Done(result) => result.heatmap,
        TrialState::Running { .. } | TrialState::Failed(_) => None,
    });
    match heatmap {
        Some(png) => {
            let head = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "no-store")];
            (head, Bytes::from_owner(png)).into_response()
        }
        None => (StatusCode::NOT_FOUND, "this part was not tried").into_response(),
    }
}
