//! Challenges with known bad parts: started on the page, watched while they run, and missed when a shift goes by without one.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::time::sleep;

use super::forms::{self, foreign};
use super::kept::{ask_now, now_ms};
use super::routes::{WithStatus, show};
use super::site::Site;
use super::view::{self, Place};
use super::visitor::Visitor;
use crate::act::{AbortChallenge, StartChallenge};
use crate::live::is_overdue;
use andon_core::{CameraId, ChallengeSign};
use andon_io::history::Challenge;

/// Challenges on the page.
const LISTED: u32 = 50;
/// Whether one is overdue is asked this often.
const WATCH: Duration = Duration::from_secs(5);

/// The addresses of this page.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/challenge", get(challenges))
        .route("/challenge/{camera}", post(start))
        .route("/challenge/{camera}/abort", post(abort))
}

async fn challenges(State(site): State<Arc<Site>>, head: HeaderMap) -> Response {
    shown(&site, &head, None).await
}

/// The page; `wrong` is why something was refused, with its status.
async fn shown(site: &Arc<Site>, head: &HeaderMap, wrong: Option<(StatusCode, String)>) -> Response {
    // Without a history, those of now are shown all the same.
    let last = ask_now(site, |access| access.history.challenges(LISTED)).await.unwrap_or_default();
    let (status, words) = wrong.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    show(site, head, 0, Place::Challenge, |scene| {
        (scene.visitor.t.challenge.to_owned(), view::challenge(scene, &last, words.as_deref()))
    })
    .with_status(status)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    csrf: String,
    parts: String,
}

async fn start(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<u8>,
    Form(form): Form<Wanted>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let parts = form.parts.trim().parse().unwrap_or(0);
    done(&site, &head, forms::act(&site, &head, &StartChallenge { camera: CameraId(camera), parts }, "")).await
}

async fn abort(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<u8>,
    Form(form): Form<Wanted>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    done(&site, &head, forms::act(&site, &head, &AbortChallenge { camera: CameraId(camera) }, "")).await
}

async fn done(site: &Arc<Site>, head: &HeaderMap, done: Result<(), crate::act::ActError>) -> Response {
    match done {
        Ok(()) => Redirect::to("/challenge").into_response(),
        Err(why) => {
            let words = (Visitor::of(site, head, false).t.refusal)(&why);
            shown(site, head, Some((forms::status(&why), words))).await
        }
    }
}

/// A challenge has ended with the last part that came: the rest is done on threads that may wait.
pub(super) fn ended(site: &Arc<Site>, challenge: Challenge) {
    let of = site.clone();
    tokio::task::spawn_blocking(move || of.service.challenge_ended(&challenge));
}

/// Until when the challenge of this shift has to be passed, milliseconds since 1970; none where nobody wants one.
pub(super) fn due_at(site: &Site) -> Option<i64> {
    let rules = &site.options.challenge;
    let within = i64::try_from(rules.within?.as_millis()).unwrap_or(i64::MAX);
    Some(rules.shifts.at(now_ms()).start.saturating_add(within))
}

/// Tells once a shift of each camera without a passed challenge.
pub(super) async fn watch(site: Arc<Site>) {
    let cameras = site.board.station.cameras.clone();
    // What was passed before the program was started counts, too. Oldest first, so that the newest stays.
    if let Ok(mut known) = ask_now(&site, |access| access.history.challenges(LISTED)).await {
        known.reverse();
        for challenge in known {
            if let Some(n) = cameras.iter().position(|name| *name == challenge.camera) {
                site.board.set_last_challenge(n, challenge);
            }
        }
    }
    let Some(within) = site.options.challenge.within else { return };
    let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    let mut told = vec![i64::MIN; cameras.len()];
    loop {
        let shift = site.options.challenge.shifts.at(now_ms()).start;
        let last = site.board.snapshot().last_challenges;
        for (n, told) in told.iter_mut().enumerate() {
            let late = is_overdue(last.get(n).and_then(Option::as_ref), shift, within, now_ms());
            if !late || *told == shift {
                continue;
            }
            let Ok(line) = site.service.line() else { return };
            let camera = CameraId(u8::try_from(n).unwrap_or(u8::MAX));
            match line.control.challenge(camera, ChallengeSign::Overdue) {
                Ok(()) => *told = shift,
                Err(e) => tracing::debug!("an overdue challenge is not told yet: {e}"),
            }
        }
        sleep(WATCH).await;
    }
}
