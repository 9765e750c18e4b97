//! A part's picture with its regions and its heatmap; where there is none, the regions on an empty frame.

use maud::{Markup, html};

use super::Scene;
use super::facts::Facts;
use crate::page::pictures::is_coming;

/// What there is to show of a part.
struct Shown {
    /// Columns and rows of its frame.
    frame: [u32; 2],
    /// Whether there is a picture, or one is about to come.
    pictured: bool,
}

fn shown(scene: Scene<'_>, part: &Facts) -> Shown {
    let kept = scene.site.pictures.as_ref().and_then(|pictures| pictures.frame_size(&part.id));
    let coming = scene.site.pictures.is_some() && is_coming(scene.site, part.at_ms);
    Shown { frame: kept.unwrap_or_else(|| frame(scene, part)), pictured: kept.is_some() || coming }
}

/// Columns and rows of the frame of a part without a picture: what the model learned, else what its regions span.
fn frame(scene: Scene<'_>, part: &Facts) -> [u32; 2] {
    let camera = scene.now.cameras.iter().find(|camera| camera.name == part.camera);
    camera.and_then(|c| c.frame).unwrap_or_else(|| {
        let end = |at: usize| part.regions.iter().map(|r| r[at].saturating_add(r[at + 2])).max().unwrap_or(0).max(224);
        [end(0), end(1)]
    })
}

/// The regions as boxes over a picture with its heatmap, or on an empty frame.
fn boxes(part: &Facts, shown: &Shown) -> Markup {
    let [w, h] = shown.frame;
    // Lines are as thick in every picture: a share of its size.
    let line = f64::from(w.max(h)) / 160.0;
    html! {
        svg.boxes viewBox={ "0 0 " (w) " " (h) } aria-hidden="true" focusable="false" preserveAspectRatio="xMidYMid meet" {
            @if !shown.pictured { rect.empty width=(w) height=(h) {} }
            @if shown.pictured && part.score.is_some() {
                image.heat href={ "/heatmap/" (part.id) } width=(w) height=(h) preserveAspectRatio="none" {}
            }
            @for [x, y, width, height] in &part.regions {
                rect.halo x=(x) y=(y) width=(width) height=(height) stroke-width=(2.2 * line) {}
                rect.region x=(x) y=(y) width=(width) height=(height) stroke-width=(line) {}
            }
        }
    }
}

/// The large picture of a part.
pub(super) fn large(scene: Scene<'_>, part: &Facts) -> Markup {
    let t = scene.visitor.t;
    let words = format!("{} {}, {}: {}", t.part, part.seq, t.regions, part.regions_total);
    let shown = shown(scene, part);
    html! {
        figure.picture {
            @if shown.pictured {
                img src={ "/picture/" (part.id) } alt=(words);
                (boxes(part, &shown))
            } @else {
                div role="img" aria-label=(words) { (boxes(part, &shown)) }
                figcaption {
                    @if scene.site.pictures.is_some() { (t.no_picture) } @else { (t.no_pictures) " " code { "[pictures]" } }
                }
            }
        }
    }
}

/// The small picture of a part.
pub(super) fn small(scene: Scene<'_>, part: &Facts) -> Markup {
    let shown = shown(scene, part);
    html! {
        span.small-picture {
            @if shown.pictured { img src={ "/thumbnail/" (part.id) } alt="" loading="lazy"; }
            (boxes(part, &shown))
        }
    }
}
