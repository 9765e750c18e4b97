//! One thing to say: why something was refused, or is not there.

use maud::{Markup, html};

use super::Scene;

/// A sentence with a way back.
pub(in crate::page) fn message(scene: Scene<'_>, title: &str, text: &str) -> Markup {
    html! {
        section.panel.narrow {
            h1 { (title) }
            p role="alert" { (text) }
            p.keys { a.button.key href="/" { (scene.visitor.t.live) } }
        }
    }
}
