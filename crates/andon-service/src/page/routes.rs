//! The addresses of the page, and what is shown there.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::site::Site;
use super::view::{self, Place, Scene};
use super::visitor::Visitor;
use super::{aid, assets, backup, challenge, events, forms, guard, kept, models, pictures, users};
use crate::accounts::AuditEntry;
use andon_core::Role;

/// Bytes of a form at most.
const BODY: usize = 16 * 1024;
/// Entries of the audit on a page.
const ENTRIES: u32 = 100;
/// Entries of an exported audit at most: more than a box writes in years.
const EXPORT: u32 = 1_000_000;

pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(live))
        .route("/part/{id}", get(part))
        .route("/alarms", get(alarms))
        .route("/alarms/{id}/acknowledge", post(forms::acknowledge))
        .route("/threshold", get(threshold))
        .route("/threshold/{camera}", post(forms::threshold))
        .route("/threshold/{camera}/end", post(forms::end_trial))
        .route("/release", get(release).post(forms::release))
        .route("/system", get(system))
        .route("/login", get(login).post(forms::login))
        .route("/logout", post(forms::logout))
        .route("/look", post(forms::look))
        .route("/audit", get(audit))
        .route("/audit.csv", get(audit_csv))
        .route("/audit.json", get(audit_json))
        .route("/events", get(events::events))
        .route("/strip", get(strip))
        .route("/trend.json", get(trend))
        .route("/beat", get(events::beat))
        .route("/picture/{id}", get(pictures::picture))
        .route("/heatmap/{id}", get(pictures::heatmap))
        .route("/thumbnail/{id}", get(pictures::thumbnail))
        .route("/sizes.css", get(assets::sizes))
        .route("/assets/{version}/{name}", get(assets::asset))
        .merge(kept::routes())
        .merge(models::routes())
        .merge(users::routes())
        .merge(aid::routes())
        .merge(challenge::routes())
        .merge(backup::routes())
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(site.clone(), guard::guard))
        .with_state(site)
}

/// Which camera is looked at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Camera {
    #[serde(default)]
    pub camera: usize,
}

/// A page made by `contents`.
pub(super) fn show(
    site: &Site,
    head: &HeaderMap,
    camera: usize,
    place: Place,
    contents: impl FnOnce(Scene<'_>) -> (String, maud::Markup),
) -> Response {
    let visitor = Visitor::of(site, head, true);
    let now = site.board.snapshot();
    let camera = if camera < now.cameras.len() { camera } else { 0 };
    let scene = Scene { site, now: &now, visitor: &visitor, camera };
    let (title, contents) = contents(scene);
    (visitor.headers(), Html(view::page(scene, place, &title, contents))).into_response()
}

/// A page with one thing to say.
pub(super) fn say(site: &Site, head: &HeaderMap, status: StatusCode, title: &str, text: &str) -> Response {
    let mut response =
        show(site, head, 0, Place::Message, |scene| (title.to_owned(), view::message(scene, title, text)));
    *response.status_mut() = status;
    response
}

async fn live(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Camera>) -> Response {
    kept::refresh_figures(&site).await;
    show(&site, &head, asked.camera, Place::Live, |scene| (scene.visitor.t.live.to_owned(), view::live(scene)))
}

async fn part(State(site): State<Arc<Site>>, head: HeaderMap, Path(id): Path<String>) -> Response {
    let has_history = site.service.history().is_ok();
    if !site.board.snapshot().strip.iter().any(|part| part.id == id) && has_history {
        return kept::part(&site, &head, id).await;
    }
    // A part of the last seconds may not be written yet.
    let said = if has_history { kept::said_of(&site, id.clone()).await } else { Vec::new() };
    let mut found = true;
    let mut response = show(&site, &head, 0, Place::Part, |scene| {
        let t = scene.visitor.t;
        match tokio::task::block_in_place(|| view::find(scene, &id)) {
            Some(part) => (format!("{} {}", t.part, part.part.seq), view::part(scene, &part, &said)),
            None => {
                found = false;
                (t.not_there.to_owned(), view::message(scene, t.not_there, t.part_gone))
            }
        }
    });
    if !found {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

async fn alarms(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    show(&site, &head, 0, Place::Alarms, |scene| (scene.visitor.t.alarms.to_owned(), view::alarms(scene)))
}

async fn threshold(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    show(&site, &head, 0, Place::Threshold, |scene| {
        (scene.visitor.t.threshold.to_owned(), view::threshold(scene, None))
    })
}

async fn release(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    show(&site, &head, 0, Place::Message, |scene| (scene.visitor.t.release.to_owned(), view::release(scene, None)))
}

async fn system(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    show(&site, &head, 0, Place::System, |scene| (scene.visitor.t.system.to_owned(), view::system(scene)))
}

async fn login(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    show(&site, &head, 0, Place::Login, |scene| (scene.visitor.t.log_in.to_owned(), view::login(scene, None)))
}

async fn strip(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &head, false);
    let now = site.board.snapshot();
    let scene = Scene { site: &site, now: &now, visitor: &visitor, camera: 0 };
    Html(view::strip(scene).into_string()).into_response()
}

async fn trend(State(site): State<Arc<Site>>, Query(asked): Query<Camera>) -> Response {
    axum::Json(site.board.trend(asked.camera)).into_response()
}

async fn nowhere(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    show(&site, &head, 0, Place::Message, |scene| {
        let t = scene.visitor.t;
        (t.not_there.to_owned(), view::message(scene, t.not_there, ""))
    })
    .with_status(StatusCode::NOT_FOUND)
}

/// The answer with another status.
pub(super) trait WithStatus {
    fn with_status(self, status: StatusCode) -> Response;
}

impl WithStatus for Response {
    fn with_status(mut self, status: StatusCode) -> Response {
        *self.status_mut() = status;
        self
    }
}

/// Refuses who has less than `role`, in words.
pub(super) fn only(site: &Site, head: &HeaderMap, role: Role) -> Option<Response> {
    let visitor = Visitor::of(site, head, true);
    let may = visitor.session.is_some_and(|session| session.role >= role);
    let t = visitor.t;
    (!may).then(|| say(site, head, StatusCode::FORBIDDEN, t.refused, &t.lacks(role)))
}

/// Entries of the audit, or the answer that says why there are none.
#[allow(clippy::result_large_err, reason = "an answer is made once for each request")]
fn entries(site: &Site, head: &HeaderMap, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, Response> {
    if let Some(refused) = only(site, head, Role::Quality) {
        return Err(refused);
    }
    let entries = tokio::task::block_in_place(|| site.accounts().audit(before, most));
    entries.map_err(|e| {
        let t = Visitor::of(site, head, false).t;
        say(site, head, StatusCode::INTERNAL_SERVER_ERROR, t.audit, &(t.account)(&e))
    })
}

#[derive(Debug, Default, Deserialize)]
struct Before {
    before: Option<i64>,
}

async fn audit(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Before>) -> Response {
    match entries(&site, &head, asked.before, ENTRIES) {
        Err(refused) => refused,
        Ok(entries) => {
            let older = (entries.len() == ENTRIES as usize).then(|| entries.last().map(|e| e.id)).flatten();
            show(&site, &head, 0, Place::Audit, |scene| {
                (scene.visitor.t.audit.to_owned(), view::audit(scene, &entries, older))
            })
        }
    }
}

async fn audit_csv(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    match entries(&site, &head, None, EXPORT) {
        Err(refused) => refused,
        Ok(entries) => {
            let mut text = AuditEntry::COLUMNS.join(",");
            text.push_str("\r\n");
            for entry in entries.iter().rev() {
                text.push_str(&entry.csv());
                text.push_str("\r\n");
            }
            let kind = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"andon-audit.csv\""),
            ];
            (kind, text).into_response()
        }
    }
}

async fn audit_json(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    match entries(&site, &head, None, EXPORT) {
        Err(refused) => refused,
        Ok(mut entries) => {
            entries.reverse();
            ([(header::CONTENT_DISPOSITION, "attachment; filename=\"andon-audit.json\"")], axum::Json(entries))
                .into_response()
        }
    }
}
