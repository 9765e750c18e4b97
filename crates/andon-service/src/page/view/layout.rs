//! The frame around every page: banner, contents, navigation, the veil.

use maud::{DOCTYPE, Markup, html};

use super::{Scene, banner, navigation, say};
use crate::page::assets::VERSION;

/// Which page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Place {
    Live,
    Part,
    Alarms,
    Threshold,
    System,
    Login,
    Users,
    Audit,
    Review,
    History,
    Counters,
    WhatIf,
    Models,
    Recipes,
    Aid,
    Challenge,
    Message,
}

impl Place {
    /// The word of its stream of events.
    pub fn stream(self) -> &'static str {
        match self {
            Place::Live => "live",
            Place::Alarms => "alarms",
            Place::System => "system",
            Place::Challenge => "challenge",
            Place::Threshold => "threshold",
            Place::Part | Place::Login | Place::Users | Place::Audit | Place::Message => "other",
            Place::Review | Place::History | Place::Counters | Place::WhatIf | Place::Aid => "other",
            Place::Models | Place::Recipes => "other",
        }
    }
}

/// A whole page around its contents.
pub(in crate::page) fn page(scene: Scene<'_>, place: Place, title: &str, contents: Markup) -> String {
    let Scene { site, visitor, camera, .. } = scene;
    let (t, station) = (visitor.t, &site.board.station);
    let version = VERSION.as_str();
    let file = |name: &str| format!("/assets/{version}/{name}");
    let theme = if visitor.light { "light" } else { "dark" };
    let stream = format!("/events?view={}&camera={camera}", place.stream());
    let markup = html! {
        (DOCTYPE)
        html lang=(visitor.language.code()) data-theme=(theme) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content=(theme);
                meta name="htmx-config" content="includeIndicatorCSS:false history:false sse.reconnectMaxDelay:2000 sse.reconnectDelay:300";
                title { (title) " · " (banner::place(station)) }
                link rel="icon" href=(file("icon.svg"));
                link rel="stylesheet" href=(file("uPlot.min.css"));
                link rel="stylesheet" href=(file("page.css"));
                link rel="stylesheet" href=(file("history.css"));
                link rel="stylesheet" href="/sizes.css";
                script src=(file("htmx.min.js")) defer {}
                script src=(file("hx-sse.min.js")) defer {}
                @if place == Place::Live { script src=(file("uPlot.iife.min.js")) defer {} }
                @if place == Place::Aid { script src=(file("aid.js")) defer {} link rel="stylesheet" href=(file("aid.css")); }
                script src=(file("page.js")) defer {}
                script src=(file("history.js")) defer {}
            }
            body class=(place.stream()) data-boot=(station.boot.to_string()) {
                a.skip href="#main" { (t.skip) }
                (banner(scene))
                main #main tabindex="-1" { (contents) }
                (navigation(scene, place))
                (say(scene))
                div #stream hx-sse:connect=(stream) hx-swap="none" {}
                // In front of everything while the box does not answer: what is behind may be old.
                div #veil hidden role="alert" {
                    div { p.large { (t.veil_since) " " span #veil-since {} } p { (t.veil_old) } }
                }
            }
        }
    };
    markup.into_string()
}
