//! Where pictures of parts come from, and the addresses by which the page shows them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep};
use ulid::Ulid;

use super::site::Site;
use andon_core::{CameraId, Mono};
use andon_io::pictures::CameraFigures;

/// A page hears of a verdict before its picture is coded: a picture of a part so young is waited for.
pub(super) const COMING: Duration = Duration::from_millis(1500);
/// It is looked for this often.
const LOOK: Duration = Duration::from_millis(10);
/// Pictures that are read from the disk or coded at once, at most. The others wait, and hold no thread.
pub(super) const READERS: usize = 2;

/// A coded picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its bytes, shared by all who look.
    pub bytes: Arc<[u8]>,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
}

/// Which of a part's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureKind {
    /// As the camera took it.
    Whole,
    /// The anomaly map, transparent where nothing is odd, to be stretched over the picture.
    Heatmap,
    /// As the camera took it, but small: 240 pixels at most.
    Thumbnail,
}

/// A picture for who sets a camera up.
#[derive(Clone, Debug)]
pub struct SetUpPicture {
    /// Id of the verdict on its part.
    pub id: String,
    /// The picture, as a JPEG.
    pub picture: Picture,
    /// What is said of it.
    pub figures: CameraFigures,
}

/// The files of a picture of the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFiles {
    /// `png` or `jpg`.
    pub ending: &'static str,
    /// The picture.
    pub picture: Vec<u8>,
    /// Its note: the verdict, and the anomaly map if one was kept. JSON.
    pub note: String,
}

/// Pictures of judged parts, by the ids of their verdicts; whatever else an id is, it finds nothing. A picture never changes, so browsers keep it.
/// Coding is the source's business: one coding for all who look. Called by threads of the page alone.
pub trait PictureSource: Send + Sync {
    /// Somebody looks at a camera's parts as long as this lives: without anybody, none is coded that passed.
    fn watch(&self, camera: CameraId) -> Box<dyn Send>;

    /// The verdict, as on the wire, on the newest part of a camera that there is a picture of. Never waits.
    fn latest(&self, camera: CameraId) -> Option<String>;

    /// Grows by one with every picture that comes into memory. Never waits.
    fn version(&self) -> u64;

    /// Columns and rows of the frame of a part that there is a picture of; `None` for any other. May read a note of some kilobytes, once.
    fn frame_size(&self, id: &str) -> Option<[u32; 2]>;

    /// The verdict, as on the wire, on a part that there is a picture of. May read a note of some kilobytes.
    fn verdict(&self, id: &str) -> Option<String>;

    /// Ids of the parts with a picture that came after and before this one: newer, older. Never waits.
    fn beside(&self, id: &str) -> [Option<String>; 2];

    /// One more picture of a camera is wanted by somebody who sets it up, as soon as the line has judged one. Never waits; asked again for each
    /// picture, so that none is coded faster than it is looked at.
    fn ask_to_set_up(&self, camera: CameraId);

    /// The newest picture that came of [`ask_to_set_up`](PictureSource::ask_to_set_up). Never waits.
    fn to_set_up(&self, camera: CameraId) -> Option<SetUpPicture>;

    /// A picture that is in memory. Never waits.
    fn at_hand(&self, id: &str, kind: PictureKind) -> Option<Picture>;

    /// A picture of the ring as it lies on disk, with its note. Waits for a disk.
    fn kept(&self, id: &str) -> Option<KeptFiles>;

    /// A picture, from wherever it is. May wait for a disk, and code.
    fn read(&self, id: &str, kind: PictureKind) -> Option<Picture>;
}

pub(super) async fn picture(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    serve(&site, id, PictureKind::Whole).await
}

pub(super) async fn heatmap(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    serve(&site, id, PictureKind::Heatmap).await
}

pub(super) async fn thumbnail(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    serve(&site, id, PictureKind::Thumbnail).await
}

async fn serve(site: &Site, id: String, kind: PictureKind) -> Response {
    match find(site, id, kind).await {
        Some(picture) => {
            let head = [
                (header::CONTENT_TYPE, picture.media_type),
                (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
            ];
            (head, Bytes::from_owner(picture.bytes)).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no picture of this part is kept").into_response(),
    }
}

async fn find(site: &Site, id: String, kind: PictureKind) -> Option<Picture> {
    let source = site.pictures.as_ref()?;
    // Ids are written in one way only.
    let taken_ms = Ulid::from_string(&id).ok().filter(|read| read.to_string() == id)?.timestamp_ms();
    let begun = Instant::now();
    loop {
        if let Some(picture) = source.at_hand(&id, kind) {
            return Some(picture);
        }
        if source.frame_size(&id).is_some() {
            break;
        }
        if !is_coming(site, taken_ms) || begun.elapsed() > COMING {
            return None;
        }
        sleep(LOOK).await;
    }
    let _permit = site.readers.acquire().await.ok()?;
    let source = source.clone();
    tokio::task::spawn_blocking(move || source.read(&id, kind)).await.ok().flatten()
}

/// Whether a part is so young that its picture may still be coded.
pub(super) fn is_coming(site: &Site, taken_ms: u64) -> bool {
    let now_ms = site.board.station.clock.now().unix_ms(Mono::now());
    now_ms.abs_diff(taken_ms) < COMING.as_millis() as u64
}
