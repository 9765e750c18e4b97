//! Users: who there is, and what an admin changes of them; and everybody's own password.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::forms::{self, Peer, foreign};
use super::routes::{WithStatus, only, say, show};
use super::site::Site;
use super::view::{self, Place};
use super::visitor::{SESSION, Visitor, set};
use crate::accounts::AccountError;
use crate::act::{Act, ActError, AddUser, ChangeOwnPassword, ChangePassword, ChangeRole, RemoveUser};
use andon_core::Role;

/// The addresses of these pages.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/users", get(users).post(add))
        .route("/users/one", get(one))
        .route("/users/password", post(password))
        .route("/users/role", post(role))
        .route("/users/remove", post(remove))
        .route("/password", post(own_password))
}

/// What was done just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Done {
    Added,
    Removed,
    Password,
    Role,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    name: String,
    done: Option<Done>,
}

/// Every field that a form about users may have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct UserForm {
    csrf: String,
    name: String,
    role: String,
    current: String,
    password: String,
    again: String,
}

/// Why a form was not done: in words, with its status.
struct Refused(StatusCode, String);

async fn users(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    match only(&site, &head, Role::Quality) {
        Some(refused) => refused,
        None => list(&site, &head, asked.done, None),
    }
}

fn list(site: &Site, head: &HeaderMap, done: Option<Done>, wrong: Option<Refused>) -> Response {
    let t = Visitor::of(site, head, false).t;
    match tokio::task::block_in_place(|| site.accounts().users()) {
        Ok(users) => {
            let words = wrong.as_ref().map(|refused| refused.1.as_str());
            show(site, head, 0, Place::Users, |scene| (t.users.to_owned(), view::users(scene, &users, done, words)))
                .with_status(wrong.map_or(StatusCode::OK, |refused| refused.0))
        }
        Err(e) => say(site, head, StatusCode::INTERNAL_SERVER_ERROR, t.users, &(t.account)(&e)),
    }
}

async fn one(State(site): State<Arc<Site>>, head: HeaderMap, Query(asked): Query<Asked>) -> Response {
    match only(&site, &head, Role::Admin) {
        Some(refused) => refused,
        None => about(&site, &head, &asked.name, asked.done, None),
    }
}

fn about(site: &Site, head: &HeaderMap, name: &str, done: Option<Done>, wrong: Option<Refused>) -> Response {
    let t = Visitor::of(site, head, false).t;
    match tokio::task::block_in_place(|| site.accounts().user(name)) {
        Ok(user) => {
            let words = wrong.as_ref().map(|refused| refused.1.as_str());
            show(site, head, 0, Place::Users, |scene| (t.users.to_owned(), view::user(scene, &user, done, words)))
                .with_status(wrong.map_or(StatusCode::OK, |refused| refused.0))
        }
        Err(e @ AccountError::NoUser(_)) => say(site, head, StatusCode::NOT_FOUND, t.not_there, &(t.account)(&e)),
        Err(e) => say(site, head, StatusCode::INTERNAL_SERVER_ERROR, t.users, &(t.account)(&e)),
    }
}

/// Does an act, if both passwords of the form are the same and its role is one.
async fn perform<A: Act + Send + 'static>(
    site: &Arc<Site>,
    head: &HeaderMap,
    form: &UserForm,
    act: impl FnOnce(&UserForm) -> Option<A>,
) -> Result<(), Refused> {
    let t = Visitor::of(site, head, false).t;
    let unprocessable = |words: &str| Refused(StatusCode::UNPROCESSABLE_ENTITY, words.to_owned());
    if form.password != form.again {
        return Err(unprocessable(t.password_differs));
    }
    let Some(act) = act(form) else { return Err(unprocessable(t.not_understood)) };
    let (of, with) = (site.clone(), head.clone());
    // A password is hashed, which takes its time: not on the threads that answer.
    let done = tokio::task::spawn_blocking(move || forms::act(&of, &with, &act, "")).await;
    match done {
        Ok(done) => done.map_err(|why| Refused(status(&why), (t.refusal)(&why))),
        Err(_) => Err(Refused(StatusCode::INTERNAL_SERVER_ERROR, t.not_understood.to_owned())),
    }
}

fn status(why: &ActError) -> StatusCode {
    match why {
        ActError::Account(AccountError::Name(_) | AccountError::Password(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        ActError::Account(AccountError::Exists(_) | AccountError::LastAdmin(_)) => StatusCode::CONFLICT,
        ActError::Account(AccountError::NoUser(_)) => StatusCode::NOT_FOUND,
        ActError::Account(AccountError::Wrong) => StatusCode::FORBIDDEN,
        ActError::Account(AccountError::Wait(_)) => StatusCode::TOO_MANY_REQUESTS,
        other => forms::status(other),
    }
}

fn role_of(form: &UserForm) -> Option<Role> {
    Role::of(&form.role).filter(|role| *role > Role::Viewer)
}

/// The page of a user, after an act.
fn to_user(name: &str, done: &str) -> Response {
    let query = serde_urlencoded::to_string([("name", name), ("done", done)]).unwrap_or_default();
    Redirect::to(&format!("/users/one?{query}")).into_response()
}

async fn add(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<UserForm>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Quality)) {
        return refused;
    }
    let add = |form: &UserForm| {
        Some(AddUser { name: form.name.clone(), role: role_of(form)?, password: form.password.clone() })
    };
    match perform(&site, &head, &form, add).await {
        Ok(()) => Redirect::to("/users?done=added").into_response(),
        Err(refused) => list(&site, &head, None, Some(refused)),
    }
}

async fn password(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<UserForm>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Admin)) {
        return refused;
    }
    let change = |form: &UserForm| Some(ChangePassword { name: form.name.clone(), password: form.password.clone() });
    match perform(&site, &head, &form, change).await {
        Ok(()) => to_user(&form.name, "password"),
        Err(refused) => about(&site, &head, &form.name, None, Some(refused)),
    }
}

async fn role(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<UserForm>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Admin)) {
        return refused;
    }
    let change = |form: &UserForm| {
        let password = (!form.password.is_empty()).then(|| form.password.clone());
        Some(ChangeRole { name: form.name.clone(), role: role_of(form)?, password })
    };
    match perform(&site, &head, &form, change).await {
        // Who took the role from himself may not look at this page any more.
        Ok(()) if only(&site, &head, Role::Admin).is_some() => Redirect::to("/").into_response(),
        Ok(()) => to_user(&form.name, "role"),
        Err(refused) => about(&site, &head, &form.name, None, Some(refused)),
    }
}

async fn remove(State(site): State<Arc<Site>>, head: HeaderMap, Form(form): Form<UserForm>) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf).or_else(|| only(&site, &head, Role::Admin)) {
        return refused;
    }
    match perform(&site, &head, &form, |form| Some(RemoveUser { name: form.name.clone() })).await {
        Ok(()) => Redirect::to("/users?done=removed").into_response(),
        Err(refused) => about(&site, &head, &form.name, None, Some(refused)),
    }
}

async fn own_password(
    State(site): State<Arc<Site>>,
    Extension(Peer(peer)): Extension<Peer>,
    head: HeaderMap,
    Form(form): Form<UserForm>,
) -> Response {
    if let Some(refused) = foreign(&site, &head, &form.csrf) {
        return refused;
    }
    let from = peer.ip().to_string();
    let user = Visitor::of(&site, &head, true).session.map(|session| session.user).unwrap_or_default();
    let change = |form: &UserForm| {
        let (current, password) = (form.current.clone(), form.password.clone());
        Some(ChangeOwnPassword { current, password, from: from.clone() })
    };
    if let Err(Refused(status, words)) = perform(&site, &head, &form, change).await {
        return show(&site, &head, 0, Place::Login, |scene| {
            (scene.visitor.t.own_password.to_owned(), view::login(scene, Some(&words)))
        })
        .with_status(status);
    }
    // All sessions ended with the old password; this browser gets a new one.
    let (of, password) = (site.clone(), form.password);
    let begun =
        tokio::task::spawn_blocking(move || of.accounts().log_in(&of.service.limit, &user, &password, &from)).await;
    let mut response = Redirect::to("/login").into_response();
    if let Ok(Ok(token)) = begun
        && let Ok(value) = HeaderValue::from_str(&set(&site, SESSION, &token))
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
