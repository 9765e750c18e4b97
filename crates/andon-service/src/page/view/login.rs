//! Login, logout, theme and language.

use maud::{Markup, html};

use super::Scene;
use super::users::new_password;
use crate::page::Language;

/// The page; `wrong` is why the last attempt was refused.
pub(in crate::page) fn login(scene: Scene<'_>, wrong: Option<&str>) -> Markup {
    let visitor = scene.visitor;
    let t = visitor.t;
    html! {
        section.panel.narrow {
            @match &visitor.session {
                Some(session) => {
                    h1 { (session.user) " · " (t.role(session.role)) }
                    p { (t.idle_hint) }
                    form method="post" action="/logout" {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        button.key type="submit" { (t.log_out) }
                    }
                    @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
                    details open[wrong.is_some()] {
                        summary { (t.own_password) }
                        form method="post" action="/password" {
                            input type="hidden" name="csrf" value=(visitor.csrf);
                            label for="current" { (t.password_now) }
                            input #current name="current" type="password" autocomplete="current-password" required maxlength="200";
                            (new_password(scene, true))
                            p.small { (t.own_password_hint) }
                            button.wide type="submit" { (t.own_password) }
                        }
                    }
                }
                None => {
                    h1 { (t.log_in) }
                    @if visitor.no_users {
                        p { (t.no_users) }
                        p { code { "andon user add NAME --role admin" } }
                    } @else {
                        @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
                        form method="post" action="/login" {
                            input type="hidden" name="csrf" value=(visitor.csrf);
                            label for="name" { (t.name) }
                            input #name name="name" autocomplete="username" required maxlength="40" autofocus;
                            label for="password" { (t.password) }
                            input #password name="password" type="password" autocomplete="current-password" required maxlength="200";
                            button.key type="submit" { (t.log_in) }
                        }
                    }
                }
            }
        }
        section.panel.narrow {
            h2 { (t.look) }
            form.keys method="post" action="/look" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                input type="hidden" name="language" value=(visitor.language.code());
                button name="theme" value="dark" aria-pressed=(pressed(!visitor.light)) { (t.dark) }
                button name="theme" value="light" aria-pressed=(pressed(visitor.light)) { (t.light) }
            }
            form.keys method="post" action="/look" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                input type="hidden" name="theme" value=(if visitor.light { "light" } else { "dark" });
                @for language in Language::ALL {
                    button name="language" value=(language.code()) lang=(language.code())
                        aria-pressed=(pressed(language == visitor.language)) { (language.own_name()) }
                }
            }
        }
    }
}

fn pressed(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}
