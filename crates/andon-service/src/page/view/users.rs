//! Who may act, for those who look after it.

use maud::{Markup, html};

use super::Scene;
use crate::accounts::User;
use crate::page::numbers::day_of;

/// The list.
pub(in crate::page) fn users(scene: Scene<'_>, users: &[User]) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    html! {
        h1 { (t.users) }
        section.panel {
            table.list {
                thead { tr { th scope="col" { (t.who) } th scope="col" { (t.role_word) } th scope="col" { (t.since) } } }
                tbody { @for user in users { tr { td { (user.name) } td { (t.role(user.role)) } td { (day_of(&user.created, language)) } } } }
            }
            p { (t.users_hint) " " code { "andon user add NAME --role operator" } }
        }
    }
}
