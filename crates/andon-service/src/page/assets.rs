//! Scripts, styles and pictures that are part of the program. `assets/README.md` names those that others wrote, with version, licence and
//! sha256; a test compares.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::site::Site;

/// A file of the page.
pub(super) struct Asset {
    pub name: &'static str,
    pub media_type: &'static str,
    pub bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! assets {
    ($($name:literal: $kind:expr,)*) => {
        pub(super) const ALL: &[Asset] = &[$(Asset {
            name: $name,
            media_type: $kind,
            bytes: include_bytes!(concat!("../../assets/", $name)),
        }),*];
    };
}

assets! {
    "htmx.min.js": SCRIPT,
    "hx-sse.min.js": SCRIPT,
    "uPlot.iife.min.js": SCRIPT,
    "page.js": SCRIPT,
    "uPlot.min.css": STYLE,
    "page.css": STYLE,
    "history.js": SCRIPT,
    "aid.js": SCRIPT,
    "aid.css": STYLE,
    "history.css": STYLE,
    "icon.svg": "image/svg+xml",
    "LICENSE-htmx": TEXT,
    "LICENSE-uPlot": TEXT,
}

/// Changes with the files, so that a browser takes the new ones after an update and keeps them until then.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    ALL.iter().for_each(|asset| {
        hasher.update(asset.bytes);
    });
    hasher.finalize().to_hex()[..12].to_owned()
});

const FOREVER: &str = "public, max-age=31536000, immutable";

pub(super) async fn asset(Path((_, name)): Path<(String, String)>) -> Response {
    match ALL.iter().find(|asset| asset.name == name) {
        Some(asset) => {
            ([(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, FOREVER)], asset.bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such file").into_response(),
    }
}

/// The sizes that the configuration gives, as a style of its own: the policy of the page allows none inside of it.
pub(super) async fn sizes(State(site): State<Arc<Site>>) -> Response {
    let style = format!(":root{{--key:{}px}}", site.options.key_px);
    ([(header::CONTENT_TYPE, STYLE), (header::CACHE_CONTROL, "no-cache")], style).into_response()
}
