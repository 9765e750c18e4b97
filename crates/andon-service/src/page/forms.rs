//! What people do on the page: each form checks its token and asks the service; the service does the rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::{Extension, Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::routes::{WithStatus, say, show};
use super::site::Site;
use super::view::{self, Place};
use super::visitor::{LOOK, SESSION, Visitor, cookie, set};
use super::{Language, guard, kept};
use crate::accounts::{AccountError, AuditEntry};
use crate::act::{AcknowledgeAlarm, Act, ActError, EndTrial, KeepThreshold, ReleaseLine, SetThreshold, TryThreshold};
use crate::backup::BackupError;
use crate::live::{ChallengeError, ThresholdTrialError};
use crate::models::ModelError;
use andon_core::{Actor, CameraId, Role, Via};
use andon_io::history::ReviewError;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// Every form has a token.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    csrf: String,
}

impl Token {
    /// As it came.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Refuses a form whose token is not the one of the cookies.
pub(super) fn foreign(site: &Site, head: &HeaderMap, token: &str) -> Option<Response> {
    if guard::is_ours(head, token) {
        return None;
    }
    site.refused.fetch_add(1, Relaxed);
    let t = Visitor::of(site, head, false).t;
    Some(say(site, head, StatusCode::FORBIDDEN, t.refused, t.form_old))
}

pub(super) fn status(why: &ActError) -> StatusCode {
    match why {
        ActError::Role { .. } => StatusCode::FORBIDDEN,
        ActError::Reason | ActError::Control(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ActError::Backup(BackupError::Nothing) => StatusCode::NOT_FOUND,
        ActError::Backup(BackupError::Busy) => StatusCode::CONFLICT,
        ActError::Backup(_) => StatusCode::SERVICE_UNAVAILABLE,
        ActError::Challenge(ChallengeError::NoSuchCamera) => StatusCode::NOT_FOUND,
        ActError::Challenge(ChallengeError::Running | ChallengeError::NotRunning) => StatusCode::CONFLICT,
        ActError::Challenge(ChallengeError::Parts) => StatusCode::UNPROCESSABLE_ENTITY,
        ActError::Trial(ThresholdTrialError::NoSuchCamera) => StatusCode::NOT_FOUND,
        ActError::Trial(ThresholdTrialError::Running | ThresholdTrialError::NotRunning) => StatusCode::CONFLICT,
        ActError::Trial(ThresholdTrialError::Parts | ThresholdTrialError::InForce) => StatusCode::UNPROCESSABLE_ENTITY,
        ActError::Alarm(_) | ActError::NoHistory => StatusCode::NOT_FOUND,
        ActError::Model(why) => match why {
            ModelError::NoFiles
            | ModelError::NoHistory
            | ModelError::NoPicture(_)
            | ModelError::NoCamera(_)
            | ModelError::NoRecipe(_) => StatusCode::NOT_FOUND,
            ModelError::Lossy(_)
            | ModelError::Refused(_)
            | ModelError::Threshold(_)
            | ModelError::BelowUsual { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ModelError::ReviewedBad { .. }
            | ModelError::DefectPasses(_)
            | ModelError::NotTried(_)
            | ModelError::Changed
            | ModelError::Passes(_)
            | ModelError::Configured(_)
            | ModelError::NoDecision
            | ModelError::Busy => StatusCode::CONFLICT,
            ModelError::NotTaken(_) | ModelError::File(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        ActError::History(why) => kept::status(why),
        ActError::Review(why) => match why {
            ReviewError::NoSuchPart(_) => StatusCode::NOT_FOUND,
            ReviewError::Conflict { .. } | ReviewError::NothingToWithdraw(_) => StatusCode::CONFLICT,
            ReviewError::Text { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ReviewError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        ActError::NoLine | ActError::Account(_) | ActError::NotAudited(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Does an act for whoever is logged in; who is not is a viewer, whom the service refuses.
pub(super) fn act<A: Act>(site: &Site, head: &HeaderMap, act: &A, reason: &str) -> Result<(), ActError> {
    let session = Visitor::of(site, head, true).session;
    let nobody = || Actor { user: "nobody".to_owned(), role: Role::Viewer, via: Via::Page };
    let actor = session.map_or_else(nobody, |session| session.actor());
    tokio::task::block_in_place(|| site.service.perform(&actor, act, reason)).map(drop)
}

pub(super) async fn acknowledge(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(alarm): Path<u64>,
    Form(form): Form<Token>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match act(&site, &head, &AcknowledgeAlarm { alarm }, "") {
        Ok(()) => Redirect::to("/alarms").into_response(),
        Err(why) => {
            let t = Visitor::of(&site, &head, false).t;
            say(&site, &head, status(&why), t.refused, &(t.refusal)(&why))
        }
    }
}

pub(super) async fn release(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<Token>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match act(&site, &head, &ReleaseLine, "") {
        Ok(()) => Redirect::to("/").into_response(),
        Err(why) => show(&site, &head, 0, Place::Message, |scene| {
            (scene.visitor.t.release.to_owned(), view::release(scene, Some(&(scene.visitor.t.refusal)(&why))))
        })
        .with_status(status(&why)),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct NewThreshold {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    reason: String,
    /// For how long.
    #[serde(default)]
    keep: Keep,
    /// Where it is tried: for how many parts.
    #[serde(default)]
    parts: String,
}

/// For how long a threshold is to hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Keep {
    /// Until the next start.
    #[default]
    No,
    /// In the model.
    Yes,
    /// For so many parts.
    Trial,
}

pub(super) async fn threshold(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<u8>,
    Form(form): Form<NewThreshold>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let reason: String = form.reason.chars().take(300).collect();
    let why = match form.value.trim().replace(',', ".").parse::<f32>() {
        Ok(value) => {
            let camera = CameraId(camera);
            let done = match form.keep {
                Keep::No => act(&site, &head, &SetThreshold { camera, value }, &reason),
                Keep::Yes => act(&site, &head, &KeepThreshold { camera, value, why: reason.clone() }, &reason),
                Keep::Trial => {
                    let parts = form.parts.trim().parse().unwrap_or(0);
                    act(&site, &head, &TryThreshold { camera, value, parts }, &reason)
                }
            };
            match done {
                Ok(()) => return Redirect::to("/threshold").into_response(),
                Err(why) => (status(&why), (Visitor::of(&site, &head, false).t.refusal)(&why)),
            }
        }
        Err(_) => {
            let t = Visitor::of(&site, &head, false).t;
            (StatusCode::UNPROCESSABLE_ENTITY, t.not_a_number.to_owned())
        }
    };
    threshold_refused(&site, &head, &why.1).with_status(why.0)
}

fn threshold_refused(site: &Site, head: &HeaderMap, why: &str) -> Response {
    show(site, head, 0, Place::Threshold, |scene| {
        (scene.visitor.t.threshold.to_owned(), view::threshold(scene, Some(why)))
    })
}

/// The threshold from before a trial again.
pub(super) async fn end_trial(
    State(site): State<Arc<Site>>,
    head: HeaderMap,
    Path(camera): Path<u8>,
    Form(form): Form<Token>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    match act(&site, &head, &EndTrial { camera: CameraId(camera) }, "") {
        Ok(()) => Redirect::to("/threshold").into_response(),
        Err(why) => {
            let words = (Visitor::of(&site, &head, false).t.refusal)(&why);
            threshold_refused(&site, &head, &words).with_status(status(&why))
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Login {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn login(
    State(site): State<Arc<Site>>,
    Extension(Peer(peer)): Extension<Peer>,
    head: HeaderMap,
    Form(form): Form<Login>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let from = peer.ip().to_string();
    let name: String = form.name.chars().take(40).collect();
    let asked = site.clone();
    let (who, address) = (name.clone(), from.clone());
    // Hashing takes its time, and one waits for the other: not on the threads that answer.
    let done = tokio::task::spawn_blocking(move || {
        let done = asked.accounts().log_in(&asked.service.limit, &who, &form.password, &address);
        note_login(&asked, &who, &address, done.as_ref().err());
        done
    })
    .await;
    match done {
        Ok(Ok(token)) => {
            let mut response = Redirect::to("/").into_response();
            if let Ok(value) = HeaderValue::from_str(&set(&site, SESSION, &token)) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            response
        }
        Ok(Err(why)) => {
            let status = match why {
                AccountError::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
                AccountError::Wrong => StatusCode::UNAUTHORIZED,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            show(&site, &head, 0, Place::Login, |scene| {
                (scene.visitor.t.log_in.to_owned(), view::login(scene, Some(&(scene.visitor.t.account)(&why))))
            })
            .with_status(status)
        }
        Err(_) => {
            let t = Visitor::of(&site, &head, false).t;
            say(&site, &head, StatusCode::INTERNAL_SERVER_ERROR, t.log_in, t.not_understood)
        }
    }
}

/// Logins stand in the audit; of those that are too soon only the count grows, so that a flood does not fill the disk.
fn note_login(site: &Site, name: &str, from: &str, why: Option<&AccountError>) {
    if why.is_some() {
        site.failed_logins.fetch_add(1, Relaxed);
    }
    if matches!(why, Some(AccountError::Wait(_))) {
        return;
    }
    let role = site.accounts().user(name).map_or(Role::Viewer, |user| user.role);
    let by = Actor { user: name.to_owned(), role, via: Via::Page };
    let reason = why.map(ToString::to_string).unwrap_or_default();
    let entry = AuditEntry { done: why.is_none(), reason, ..AuditEntry::of(&by, "log_in", from) };
    if let Err(e) = site.accounts().note(&entry) {
        tracing::error!("a login of {name} from {from} is not in the audit: {e}");
    }
}

pub(super) async fn logout(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<Token>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    if let Some(token) = cookie(&head, SESSION)
        && let Err(e) = tokio::task::block_in_place(|| site.accounts().log_out(token))
    {
        tracing::error!("a session cannot be ended: {e}");
    }
    let mut response = Redirect::to("/").into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("{}; Max-Age=0", set(&site, SESSION, ""))) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

#[derive(Debug, Deserialize)]
pub(super) struct Look {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    language: String,
}

pub(super) async fn look(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<Look>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let theme = if form.theme == "light" { "light" } else { "dark" };
    let language = Language::of(&form.language).unwrap_or(site.options.language);
    let mut response = Redirect::to("/login").into_response();
    let kept = format!("{}; Max-Age=31536000", set(&site, LOOK, &format!("{theme}.{}", language.code())));
    if let Ok(value) = HeaderValue::from_str(&kept) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
