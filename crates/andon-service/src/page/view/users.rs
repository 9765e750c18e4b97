//! Who may act, for those who look after it.

use maud::{Markup, html};

use super::Scene;
use crate::accounts::User;
use crate::page::numbers::day_of;
use crate::page::users::Done;
use andon_core::Role;

/// The list, and the form for one more; `wrong` is why the last one was refused.
pub(in crate::page) fn users(scene: Scene<'_>, users: &[User], done: Option<Done>, wrong: Option<&str>) -> Markup {
    let (visitor, t, language) = (scene.visitor, scene.visitor.t, scene.visitor.language);
    let admin = visitor.session.as_ref().is_some_and(|s| s.role >= Role::Admin);
    let address =
        |name: &str| format!("/users/one?{}", serde_urlencoded::to_string([("name", name)]).unwrap_or_default());
    html! {
        h1 { (t.users) }
        (said(scene, done))
        section.panel {
            div.scroll tabindex="0" role="region" aria-label=(t.users) { table.list {
                thead { tr {
                    th scope="col" { (t.who) } th scope="col" { (t.role_word) } th scope="col" { (t.since) }
                    @if admin { td {} }
                } }
                tbody {
                    @for user in users {
                        tr {
                            td { (user.name) } td { (t.role(user.role)) } td { (day_of(&user.created, language)) }
                            @if admin {
                                td.end { a.button href=(address(&user.name)) { (t.user_change) span.hidden { " " (user.name) } } }
                            }
                        }
                    }
                }
            } }
            @if !admin { p.small { (t.lacks(Role::Admin)) } }
        }
        @if admin {
            section.panel.narrow {
                h2 { (t.user_new) }
                @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
                form method="post" action="/users" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    label for="name" { (t.name) }
                    input #name name="name" required maxlength="40" autocomplete="off";
                    (roles(scene, Role::Operator))
                    (new_password(scene, true))
                    button.key type="submit" { (t.user_add) }
                }
            }
        }
    }
}

/// One user: another password, another role, or none any more.
pub(in crate::page) fn user(scene: Scene<'_>, user: &User, done: Option<Done>, wrong: Option<&str>) -> Markup {
    let (visitor, t) = (scene.visitor, scene.visitor.t);
    let hidden = html! {
        input type="hidden" name="csrf" value=(visitor.csrf);
        input type="hidden" name="name" value=(user.name);
    };
    html! {
        nav.tabs aria-label=(t.users) { a href="/users" { "← " (t.users) } }
        (said(scene, done))
        section.panel.narrow {
            h1 { (user.name) " · " (t.role(user.role)) }
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            form method="post" action="/users/password" {
                (hidden)
                (new_password(scene, true))
                button.wide type="submit" { (t.password_change) }
            }
        }
        section.panel.narrow {
            h2 { (t.role_new) }
            form method="post" action="/users/role" {
                (hidden)
                (roles(scene, user.role))
                p.small { (t.role_hint) }
                @if user.role <= Role::Operator {
                    details { summary { (t.password_new) } (role_password(scene)) }
                }
                button.wide type="submit" { (t.role_change) }
            }
        }
        section.panel.narrow {
            h2 { (t.user_remove) }
            p.small { (t.user_remove_hint) }
            form method="post" action="/users/remove" {
                (hidden)
                button.danger.wide type="submit" { (t.user_remove) }
            }
        }
    }
}

/// What was done just now.
fn said(scene: Scene<'_>, done: Option<Done>) -> Markup {
    let t = scene.visitor.t;
    let words = done.map(|done| match done {
        Done::Added => t.user_added,
        Done::Removed => t.user_removed,
        Done::Password => t.password_set,
        Done::Role => t.role_set,
    });
    html! { @if let Some(words) = words { section.panel.done role="status" { p { (words) } } } }
}

fn roles(scene: Scene<'_>, chosen: Role) -> Markup {
    let t = scene.visitor.t;
    html! {
        label for="role" { (t.role_of) }
        select #role name="role" {
            @for role in [Role::Operator, Role::Leader, Role::Quality, Role::Admin] {
                option value=(role.as_str()) selected[role == chosen] { (t.role(role)) }
            }
        }
    }
}

/// A new password, twice.
pub(super) fn new_password(scene: Scene<'_>, required: bool) -> Markup {
    fields(scene, "new", required)
}

fn role_password(scene: Scene<'_>) -> Markup {
    fields(scene, "role", false)
}

/// `of` tells the fields of several forms on a page apart.
fn fields(scene: Scene<'_>, of: &str, required: bool) -> Markup {
    let t = scene.visitor.t;
    html! {
        label for={ (of) "-password" } { (t.password_new) }
        input id={ (of) "-password" } name="password" type="password" autocomplete="new-password" required[required] maxlength="200";
        label for={ (of) "-again" } { (t.password_again) }
        input id={ (of) "-again" } name="again" type="password" autocomplete="new-password" required[required] maxlength="200";
        p.small { (t.password_rules) }
    }
}
