//! The last thirty parts that did not pass, newest left.

use maud::{Markup, html};

use super::facts::Facts;
use super::{Scene, icons, picture};
use crate::page::numbers::{real, whole};

/// The strip.
pub(in crate::page) fn strip(scene: Scene<'_>) -> Markup {
    let Scene { now, visitor, .. } = scene;
    let (t, language) = (visitor.t, visitor.language);
    html! {
        section #strip.panel hx-swap-oob="outerMorph" aria-label=(t.strip) tabindex="0" {
            @if now.strip.is_empty() { p.muted { (t.strip_empty) } }
            ol {
                @for part in now.strip.iter().map(Facts::of) {
                    li #{ "p" (part.id) } {
                        a href={ "/part/" (part.id) } class=(icons::class(part.result)) {
                            (picture::small(scene, &part))
                            span.caption {
                                (icons::outcome(part.result))
                                span.hidden { (t.outcome_of(part.result)) " " }
                                span { (whole(part.seq)) }
                                @if let Some(percent) = part.percent() { span { " · " (real(percent, 0, language)) "\u{202f}%" } }
                            }
                        }
                    }
                }
            }
        }
    }
}
