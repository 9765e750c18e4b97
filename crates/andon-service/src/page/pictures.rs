//! Where pictures of parts come from, and the addresses by which the page shows them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::site::Site;

/// A coded picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its bytes, shared by all who look.
    pub bytes: Arc<[u8]>,
    /// `image/jpeg`, `image/png` or `image/webp`.
    pub media_type: &'static str,
}

/// Pictures of judged parts. Called by threads of the page alone, which may wait for a disk; a picture that was asked for once never changes,
/// so that browsers keep it. Coding is the source's business: one coding for all who look.
pub trait PictureSource: Send + Sync {
    /// Id of the newest part of a camera (by its name) that there is a picture of; `None` without one.
    fn latest(&self, camera: &str) -> Option<String>;

    /// The part's picture as the camera took it; `None` if it is not kept, or not any more.
    fn picture(&self, id: &str) -> Option<Picture>;

    /// The part's anomaly map as a picture of the same shape, transparent where nothing is odd.
    fn heatmap(&self, id: &str) -> Option<Picture>;

    /// A small picture of the part, about 160 pixels high.
    fn thumbnail(&self, id: &str) -> Option<Picture>;
}

/// Which of a part's pictures.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Whole,
    Heatmap,
    Thumbnail,
}

pub(super) async fn picture(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    serve(&site, &id, Kind::Whole)
}

pub(super) async fn heatmap(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    serve(&site, &id, Kind::Heatmap)
}

pub(super) async fn thumbnail(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    serve(&site, &id, Kind::Thumbnail)
}

fn serve(site: &Site, id: &str, kind: Kind) -> Response {
    let found = site.pictures.as_ref().and_then(|source| {
        tokio::task::block_in_place(|| match kind {
            Kind::Whole => source.picture(id),
            Kind::Heatmap => source.heatmap(id),
            Kind::Thumbnail => source.thumbnail(id),
        })
    });
    match found {
        Some(picture) => {
            let head = [
                (header::CONTENT_TYPE, picture.media_type),
                (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
            ];
            (head, picture.bytes.to_vec()).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no picture of this part is kept").into_response(),
    }
}
