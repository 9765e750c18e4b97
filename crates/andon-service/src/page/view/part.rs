//! One part in large, with the next and the previous one: of those that did not pass while they are in the strip, of those whose pictures are
//! kept beyond.

use maud::{Markup, html};

use super::facts::Facts;
use super::kept_part::{reviews, was_good};
use super::live::{about, heat_keys};
use super::{Scene, icons, picture};
use crate::page::numbers::real;
use andon_io::history::Review;

/// A part and those beside it.
pub(in crate::page) struct Found {
    pub part: Facts,
    /// Ids of the parts after and before it.
    pub newer: Option<String>,
    pub older: Option<String>,
}

/// A part of the strip, or one whose picture is kept. May read a file.
pub(in crate::page) fn find(scene: Scene<'_>, id: &str) -> Option<Found> {
    let (strip, pictures) = (&scene.now.strip, scene.site.pictures.as_ref());
    let beside = || pictures.map(|pictures| pictures.beside(id)).unwrap_or_default();
    let Some(n) = strip.iter().position(|part| part.id == id) else {
        let part = Facts::of_wire(&pictures?.verdict(id)?)?;
        let [newer, older] = beside();
        return Some(Found { part, newer, older });
    };
    let at = |n: usize| strip.get(n).map(|part| part.id.clone());
    let newer = n.checked_sub(1).and_then(at);
    Some(Found { part: Facts::of(strip.get(n)?), newer, older: at(n + 1).or_else(|| beside()[1].clone()) })
}

/// Its page, with what was said of it.
pub(in crate::page) fn part(scene: Scene<'_>, found: &Found, said: &[Review]) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let Found { part, newer, older } = found;
    html! {
        section.panel.whole.(icons::class(part.result)) {
            (picture::large(scene, part))
            div.about {
                h1.hidden { (t.part) " " (part.seq) }
                (about(scene, part))
                p { (t.time_left) " " b { (real(part.left_ms, 0, language)) " ms" } }
                p.small { (part.model) " · " (part.engine) " · " code { (part.id) } }
                (heat_keys(scene))
                (reviews(scene, said))
                div.keys {
                    @if let Some(newer) = newer { a.button rel="prev" href={ "/part/" (newer) } { "← " (t.newer) } }
                    a.button rel="up" href="/" { (t.live) }
                    @if scene.site.service.history().is_ok() {
                        a.button href={ "/review?part=" (part.id) } { (t.review_this) }
                    }
                    (was_good(scene, &part.id, part.result == "REJECT"))
                    @if let Some(older) = older { a.button rel="next" href={ "/part/" (older) } { (t.older) " →" } }
                }
            }
        }
    }
}
