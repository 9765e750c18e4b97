//! Teaching a new part: collect, look through, learn, try on bad ones.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::words;
use crate::act::{Act, ActError, CollectPictures, LearnPart, StrikePictures};
use crate::models::{Lesson, LessonKind};
use crate::page::forms::{self, act, foreign};
use crate::page::routes::{WithStatus, only, say, show};
use crate::page::site::Site;
use crate::page::view::{self, Place, Scene};
use crate::page::visitor::Visitor;
use andon_core::Role;

/// What may be said of a lesson; a form has some of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    csrf: String,
    name: String,
    camera: String,
    kind: String,
    count: usize,
}

/// Reads folders.
async fn all(site: &Arc<Site>) -> Vec<Lesson> {
    let Ok(lessons) = site.service.lessons() else { return Vec::new() };
    let lessons = lessons.clone();
    tokio::task::spawn_blocking(move || lessons.all()).await.unwrap_or_default()
}

/// Reads a model file.
async fn one(site: &Arc<Site>, name: &str, camera: &str) -> Option<Lesson> {
    let lessons = site.service.lessons().ok()?.clone();
    let (name, camera) = (name.to_owned(), camera.to_owned());
    tokio::task::spawn_blocking(move || lessons.one(&name, &camera)).await.ok().flatten()
}

fn address(name: &str, camera: &str) -> String {
    format!("/teach/{name}/{camera}")
}

async fn listed(site: &Arc<Site>, head: &HeaderMap, wrong: Option<&ActError>) -> Response {
    let lessons = all(site).await;
    let words = wrong.map(|why| words(site, head, why));
    let mut response = show(site, head, 0, Place::Recipes, |scene| {
        (scene.visitor.t.teach_part.to_owned(), view::lessons(scene, &lessons, words.as_deref()))
    });
    if let Some(why) = wrong {
        *response.status_mut() = forms::status(why);
    }
    response
}

async fn shown(site: &Arc<Site>, head: &HeaderMap, name: &str, camera: &str, wrong: Option<&ActError>) -> Response {
    let Some(lesson) = one(site, name, camera).await else {
        let t = Visitor::of(site, head, false).t;
        return say(site, head, StatusCode::NOT_FOUND, t.not_there, "");
    };
    let words = wrong.map(|why| words(site, head, why));
    let response = show(site, head, 0, Place::Recipes, |scene| {
        (format!("{} {}", scene.visitor.t.teach_part, lesson.name), view::lesson(scene, &lesson, words.as_deref()))
    });
    match wrong {
        Some(why) => response.with_status(forms::status(why)),
        None => response,
    }
}

pub(super) async fn list(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    listed(&site, &head, None).await
}

pub(super) async fn begin(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<Asked>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let Asked { name, camera, count, .. } = form;
    let collect = CollectPictures { name, camera, kind: LessonKind::Good, count };
    match act(&site, &head, &collect, "") {
        Ok(()) => Redirect::to(&address(&collect.name, &collect.camera)).into_response(),
        Err(why) => listed(&site, &head, Some(&why)).await,
    }
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path((name, camera)): Path<(String, String)>,
) -> Response {
    shown(&site, &head, &name, &camera, None).await
}

/// The part of the page that changes while something is being done.
pub(super) async fn state(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path((name, camera)): Path<(String, String)>,
) -> Response {
    let Some(lesson) = one(&site, &name, &camera).await else {
        return (StatusCode::NOT_FOUND, "no such part").into_response();
    };
    let visitor = Visitor::of(&site, &head, false);
    let now = site.board.snapshot();
    let scene = Scene { site: &site, now: &now, visitor: &visitor, camera: 0 };
    Html(view::lesson_state(scene, &lesson).into_string()).into_response()
}

async fn done<A: Act>(site: &Arc<Site>, head: &HeaderMap, name: &str, camera: &str, what: &A) -> Response {
    match act(site, head, what, "") {
        Ok(()) => Redirect::to(&address(name, camera)).into_response(),
        Err(why) => shown(site, head, name, camera, Some(&why)).await,
    }
}

pub(super) async fn collect(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path((name, camera)): Path<(String, String)>,
    Form(form): Form<Asked>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let kind = LessonKind::of(&form.kind).unwrap_or(LessonKind::Good);
    let what = CollectPictures { name: name.clone(), camera: camera.clone(), kind, count: form.count };
    done(&site, &head, &name, &camera, &what).await
}

/// Ends the collection: fewer pictures than were asked for harm nobody, so it is no act.
pub(super) async fn stop(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path((name, camera)): Path<(String, String)>,
    Form(form): Form<Asked>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Quality)) {
        return refused;
    }
    let stopped = site.service.lessons().and_then(|lessons| Ok(lessons.stop(&camera)?));
    shown(&site, &head, &name, &camera, stopped.err().as_ref()).await
}

/// The names of pictures come as as many fields.
pub(super) async fn strike(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path((name, camera)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let token = fields.iter().find(|(field, _)| field == "csrf").map(|(_, value)| value.as_str());
    if let Some(refused) = foreign(&site, &head, token.unwrap_or_default()) {
        return refused;
    }
    let pictures = fields.into_iter().filter(|(field, _)| field == "picture").map(|(_, value)| value).collect();
    let what = StrikePictures { name: name.clone(), camera: camera.clone(), pictures };
    done(&site, &head, &name, &camera, &what).await
}

pub(super) async fn learn(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path((name, camera)): Path<(String, String)>,
    Form(form): Form<Asked>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    done(&site, &head, &name, &camera, &LearnPart { name: name.clone(), camera: camera.clone() }).await
}

pub(super) async fn picture(
    State(site): State<Arc<Site>>,
    Path((name, camera, kind, picture)): Path<(String, String, String, String)>,
) -> Response {
    let found = match (site.service.lessons(), LessonKind::of(&kind), site.readers.acquire().await) {
        (Ok(lessons), Some(kind), Ok(_turn)) => {
            let lessons = lessons.clone();
            let read = move || lessons.thumbnail(&name, &camera, kind, &picture);
            tokio::task::spawn_blocking(read).await.ok().flatten()
        }
        _ => None,
    };
    match found {
        Some(jpeg) => {
            let head = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=3600")];
            (head, jpeg).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such picture").into_response(),
    }
}
