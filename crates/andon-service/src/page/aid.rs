//! Setting a camera up: its pictures one after the other, each asked for when the last one was drawn, with sharpness and exposure. Beside the
//! inspection: what is shown are frames that the line judges anyway, copied and coded as for the live page.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::forms::{self, foreign};
use super::pictures::PictureKind;
use super::routes::{Camera, only, say, show};
use super::site::Site;
use super::view::{self, Place};
use super::visitor::Visitor;
use crate::act::KeepReference;
use andon_core::{CameraId, Mono, Role};

/// It ends by itself after this, so that a page that was left open costs nothing any more.
const LASTS: Duration = Duration::from_secs(600);
/// A request waits so long for a picture; the browser asks again.
const WAIT: Duration = Duration::from_secs(4);
/// It is looked for this often.
const LOOK: Duration = Duration::from_millis(5);
/// Users and cameras that are remembered, at most.
const MOST: usize = 64;
/// What is said of a picture goes with it.
const FIGURES: HeaderName = HeaderName::from_static("andon-figures");

/// Who sets up which camera, and since when.
#[derive(Default)]
pub(super) struct SetUps(Mutex<Vec<(String, usize, Mono)>>);

impl SetUps {
    /// It begins now.
    fn begin(&self, user: &str, camera: usize, now: Mono) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(known, of, since)| now.since(*since) < LASTS && !(known == user && *of == camera));
        if all.len() == MOST {
            all.remove(0);
        }
        all.push((user.to_owned(), camera, now));
    }

    /// Whether it still lasts.
    fn lasts(&self, user: &str, camera: usize, now: Mono) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|(known, of, since)| known == user && *of == camera && now.since(*since) < LASTS)
    }
}

/// The addresses of this page.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/aid", get(aid))
        .route("/aid/{camera}/next", get(next))
        .route("/aid/{camera}/reference", get(reference))
        .route("/aid/{camera}/reference", post(keep))
}

async fn aid(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Camera>) -> Response {
    if let Some(refused) = only(&site, &head, Role::Leader) {
        return refused;
    }
    let names = &site.board.station.cameras;
    let camera = if asked.camera < names.len() { asked.camera } else { 0 };
    let visitor = Visitor::of(&site, &head, true);
    let t = visitor.t;
    if let Some(session) = &visitor.session {
        site.set_ups.begin(&session.user, camera, Mono::now());
    }
    let name = names.get(camera).map(|name| name.to_string()).unwrap_or_default();
    match tokio::task::block_in_place(|| site.accounts().reference(&name)) {
        Ok(reference) => show(&site, &head, camera, Place::Aid, |scene| {
            (format!("{} {name}", t.aid), view::aid(scene, reference.as_ref(), LASTS))
        }),
        Err(e) => say(&site, &head, StatusCode::INTERNAL_SERVER_ERROR, t.aid, &(t.account)(&e)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct After {
    after: String,
}

/// The next picture after the one that was drawn last.
async fn next(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<u8>,
    Query(After { after }): Query<After>,
) -> Response {
    // What a page fetches by itself keeps no session alive.
    let session = Visitor::of(&site, &head, false).session.filter(|session| session.role >= Role::Leader);
    let Some(session) = session else { return StatusCode::FORBIDDEN.into_response() };
    let Some(source) = &site.pictures else { return StatusCode::NOT_FOUND.into_response() };
    if !site.set_ups.lasts(&session.user, usize::from(camera), Mono::now()) {
        return StatusCode::GONE.into_response();
    }
    let begun = Instant::now();
    source.ask_to_set_up(CameraId(camera));
    loop {
        if let Some(shown) = source.to_set_up(CameraId(camera)).filter(|shown| shown.id != after) {
            let figures = serde_json::json!({ "id": shown.id, "of": shown.figures }).to_string();
            let head = [(header::CONTENT_TYPE, shown.picture.media_type.to_owned()), (FIGURES, figures)];
            return (head, Bytes::from_owner(shown.picture.bytes)).into_response();
        }
        if begun.elapsed() > WAIT {
            return StatusCode::NO_CONTENT.into_response();
        }
        sleep(LOOK).await;
        // A picture that was coded for somebody else may have had no figures yet.
        source.ask_to_set_up(CameraId(camera));
    }
}

/// The reference picture of a camera.
async fn reference(State(site): State<Arc<Site>>, head: HeaderMap, Path(camera): Path<u8>) -> Response {
    if let Some(refused) = only(&site, &head, Role::Leader) {
        return refused;
    }
    let name = site.board.station.camera(CameraId(camera)).to_owned();
    match tokio::task::block_in_place(|| site.accounts().reference(&name)) {
        Ok(Some(reference)) => ([(header::CONTENT_TYPE, "image/jpeg")], reference.jpeg).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(e) => {
            tracing::error!("no reference picture: {e}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kept {
    csrf: String,
    /// The part that is on the page.
    part: String,
}

/// Keeps the picture that is on the page.
async fn keep(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<u8>,
    Form(form): Form<Kept>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Leader)) {
        return refused;
    }
    let t = Visitor::of(&site, &head, false).t;
    let (of, part) = (site.clone(), form.part.clone());
    let read = move || {
        let source = of.pictures.as_ref()?;
        source.at_hand(&part, PictureKind::Whole).or_else(|| source.read(&part, PictureKind::Whole))
    };
    let picture = tokio::task::spawn_blocking(read).await.ok().flatten();
    let Some(picture) = picture else {
        return say(&site, &head, StatusCode::NOT_FOUND, t.aid, t.no_picture);
    };
    let camera_name = site.board.station.camera(CameraId(camera)).to_owned();
    let act = KeepReference { camera: camera_name, part: form.part, jpeg: picture.bytes };
    match forms::act(&site, &head, &act, "") {
        Ok(()) => Redirect::to(&format!("/aid?camera={camera}")).into_response(),
        Err(why) => say(&site, &head, forms::status(&why), t.refused, &(t.refusal)(&why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_itself_after_ten_minutes_for_each_user_and_camera() {
        let (all, at) = (SetUps::default(), |s: u64| Mono(s * 1_000_000_000));
        all.begin("leo", 0, at(0));
        assert!(all.lasts("leo", 0, at(599)) && !all.lasts("leo", 1, at(1)) && !all.lasts("ana", 0, at(1)));
        all.begin("ana", 0, at(300));
        assert!(!all.lasts("leo", 0, at(601)) && all.lasts("ana", 0, at(601)));
        all.begin("leo", 0, at(602));
        assert!(all.lasts("leo", 0, at(603)), "until somebody begins again");
        (0..100).for_each(|n| all.begin("leo", n, at(604)));
        assert_eq!(all.0.lock().unwrap().len(), MOST);
    }
}
