//! One part in large, with the next and the previous one that did not pass.

use maud::{Markup, html};

use super::live::about;
use super::{Scene, icons, picture};
use crate::live::SeenPart;
use crate::page::numbers::real;

/// The page of a part that is in the strip at place `n`.
pub(in crate::page) fn part(scene: Scene<'_>, n: usize, part: &SeenPart) -> Markup {
    let (t, language) = (scene.visitor.t, scene.visitor.language);
    let strip = &scene.now.strip;
    let newer = n.checked_sub(1).and_then(|n| strip.get(n));
    let older = strip.get(n + 1);
    html! {
        section.panel.whole.(icons::class(&part.verdict.outcome)) {
            (picture::large(scene, part))
            div.about {
                h1.hidden { (t.part) " " (part.verdict.seq.0) }
                (about(scene, part))
                p { (t.time_left) " " b { (real(part.left_ms(), 0, language)) " ms" } }
                p.small { (part.verdict.model.name) " · " (part.verdict.model.engine) " · " code { (part.id) } }
                div.keys {
                    @if let Some(newer) = newer { a.button rel="prev" href={ "/part/" (newer.id) } { "← " (t.newer) } }
                    a.button rel="up" href="/" { (t.live) }
                    @if let Some(older) = older { a.button rel="next" href={ "/part/" (older.id) } { (t.older) " →" } }
                }
            }
        }
    }
}
