//! A part's picture with its regions and its heatmap; where no pictures are kept, the regions on an empty frame.

use maud::{Markup, html};

use super::Scene;
use crate::live::SeenPart;

/// Columns and rows of a part's frame: what the model learned, else what its regions span.
fn frame(scene: Scene<'_>, part: &SeenPart) -> [u32; 2] {
    let camera = scene.now.cameras.get(part.verdict.camera.index());
    let learned = camera.and_then(|c| c.frame);
    learned.unwrap_or_else(|| {
        let regions = part.verdict.regions.as_slice();
        let end = |most: fn(&andon_core::Region) -> u32| regions.iter().map(most).max().unwrap_or(0).max(224);
        [end(|r| r.x + r.width), end(|r| r.y + r.height)]
    })
}

/// The regions as boxes over a picture, or on an empty frame.
fn boxes(scene: Scene<'_>, part: &SeenPart, empty: bool) -> Markup {
    let [w, h] = frame(scene, part);
    // Lines are as thick in every picture: a share of its size.
    let line = f64::from(w.max(h)) / 130.0;
    html! {
        svg.boxes viewBox={ "0 0 " (w) " " (h) } aria-hidden="true" focusable="false" preserveAspectRatio="xMidYMid meet" {
            @if empty { rect.empty width=(w) height=(h) {} }
            @for region in part.verdict.regions.as_slice() {
                rect.halo x=(region.x) y=(region.y) width=(region.width) height=(region.height) stroke-width=(2.2 * line) {}
                rect.region x=(region.x) y=(region.y) width=(region.width) height=(region.height) stroke-width=(line) {}
            }
        }
    }
}

/// The large picture of a part.
pub(super) fn large(scene: Scene<'_>, part: &SeenPart) -> Markup {
    let t = scene.visitor.t;
    let regions = part.verdict.regions.total;
    let words = format!("{} {}, {}: {regions}", t.part, part.verdict.seq.0, t.regions);
    html! {
        figure.picture {
            @if scene.site.pictures.is_some() {
                img src={ "/picture/" (part.id) } alt=(words);
                img.heat src={ "/heatmap/" (part.id) } alt="";
                (boxes(scene, part, false))
            } @else {
                div role="img" aria-label=(words) { (boxes(scene, part, true)) }
                figcaption { (t.no_pictures) " " code { "[pictures]" } }
            }
        }
    }
}

/// The small picture of a part.
pub(super) fn small(scene: Scene<'_>, part: &SeenPart) -> Markup {
    html! {
        @if scene.site.pictures.is_some() {
            img src={ "/thumbnail/" (part.id) } alt="" loading="lazy";
        } @else {
            (boxes(scene, part, true))
        }
    }
}
