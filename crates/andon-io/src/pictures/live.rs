//! The pictures of now, in memory: coded once, however many look. One thread fills them, any number of threads read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::coding::jpeg;
use super::error::PictureError;
use super::quality::CameraFigures;
use super::stored::QUALITY;
use andon_core::{CameraId, Mono, PictureWants};

/// Parts that did not pass, of each camera, that stay in memory while somebody may look through them.
const RECENT: usize = 40;
/// Pictures that were shown live, of each camera, that stay in memory: three seconds, so that a browser that was told an id still finds it.
const SHOWN: usize = 16;

/// Who asked for a picture to set a camera up is at it for so long: figures are made for what comes meanwhile.
const SET_UP: Duration = Duration::from_secs(2);

/// A judged part as people see it.
#[derive(Clone, Debug)]
pub struct LivePicture {
    /// Id of the verdict.
    pub id: String,
    /// Camera.
    pub camera: CameraId,
    /// Number of the part.
    pub seq: u64,
    /// `PASS`, `REJECT`, `UNINSPECTED` or `ERROR`.
    pub result: &'static str,
    /// The verdict as on the wire.
    pub verdict_json: String,
    /// Columns and rows of the frame, in whose pixels the verdict's regions are.
    pub frame_size: [u32; 2],
    /// The picture, its longer side 960 pixels at most.
    pub jpeg: Arc<[u8]>,
    /// The heatmap to lay over it, a PNG with transparency to be stretched to its size; `None` where the frame was not inspected.
    pub heatmap_png: Option<Arc<[u8]>>,
    /// Sharpness and exposure, while somebody [sets the camera up](LivePictures::ask).
    pub figures: Option<CameraFigures>,
}

impl LivePicture {
    /// A small picture as JPEG, its longer side `max_px` pixels at most. Decodes and codes anew.
    ///
    /// # Errors
    /// [`PictureError::Coding`].
    pub fn thumbnail(&self, max_px: u32) -> Result<Vec<u8>, PictureError> {
        let image = image::load_from_memory_with_format(&self.jpeg, image::ImageFormat::Jpeg)?;
        jpeg(&image, QUALITY, Some(max_px.max(1)))
    }
}

#[derive(Debug, Default)]
struct Slot {
    latest: Option<Arc<LivePicture>>,
    shown: VecDeque<Arc<LivePicture>>,
    /// That did not pass, oldest first.
    recent: VecDeque<Arc<LivePicture>>,
}

#[derive(Debug)]
struct Inner {
    wants: Arc<PictureWants>,
    slots: Vec<Mutex<Slot>>,
    /// By camera: until when somebody sets it up, nanoseconds of [`Mono`].
    set_up_until: Vec<AtomicU64>,
    version: AtomicU64,
}

/// The last judged parts of each camera. Clones share them; every method may be called from any thread.
#[derive(Clone, Debug)]
pub struct LivePictures(Arc<Inner>);

/// Somebody watches a camera as long as this lives.
#[derive(Debug)]
pub struct WatchGuard {
    wants: Arc<PictureWants>,
    camera: CameraId,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.wants.unwatch(self.camera);
    }
}

impl LivePictures {
    /// Of so many cameras; the line reads in `wants` whether anybody looks.
    pub fn new(cameras: usize, wants: Arc<PictureWants>) -> LivePictures {
        let slots = (0..cameras).map(|_| Mutex::default()).collect();
        let set_up_until = (0..cameras).map(|_| AtomicU64::new(0)).collect();
        LivePictures(Arc::new(Inner { wants, slots, set_up_until, version: AtomicU64::new(0) }))
    }

    /// One more picture of a camera for who sets it up, as soon as the line has judged one; it comes as [`LivePictures::latest`], with figures.
    /// Asked again when that one was seen: at most fourteen a second, one coding for all who ask.
    pub fn ask(&self, camera: CameraId) {
        if let Some(until) = self.0.set_up_until.get(camera.index()) {
            until.store((Mono::now() + SET_UP).0, Relaxed);
            self.0.wants.ask(camera);
        }
    }

    pub(super) fn is_set_up(&self, camera: CameraId, now: Mono) -> bool {
        self.0.set_up_until.get(camera.index()).is_some_and(|until| now.0 < until.load(Relaxed))
    }

    /// Watches a camera: as long as the guard lives, its judged parts are coded, at most five a second.
    pub fn watch(&self, camera: CameraId) -> WatchGuard {
        self.0.wants.watch(camera);
        WatchGuard { wants: self.0.wants.clone(), camera }
    }

    /// Whether the last parts of each camera that did not pass are kept from now on; when not, they are forgotten.
    pub fn keep_recent(&self, keep: bool) {
        self.0.wants.keep_recent(keep);
        if !keep {
            (0..self.0.slots.len()).filter_map(|n| self.slot(n)).for_each(|mut slot| slot.recent.clear());
        }
    }

    /// The last part of a camera that was shown.
    pub fn latest(&self, camera: CameraId) -> Option<Arc<LivePicture>> {
        self.slot(camera.index())?.latest.clone()
    }

    /// The last parts of a camera that did not pass, newest first, at most 40.
    pub fn recent(&self, camera: CameraId) -> Vec<Arc<LivePicture>> {
        self.slot(camera.index()).map_or(Vec::new(), |slot| slot.recent.iter().rev().cloned().collect())
    }

    /// The picture of a verdict, while it is in memory.
    pub fn by_id(&self, id: &str) -> Option<Arc<LivePicture>> {
        let of = |slot: MutexGuard<'_, Slot>| {
            slot.recent.iter().chain(&slot.shown).chain(&slot.latest).find(|p| p.id == id).cloned()
        };
        (0..self.0.slots.len()).find_map(|n| self.slot(n).and_then(of))
    }

    /// Grows by one with every picture that comes, so that a viewer knows when to look again.
    pub fn version(&self) -> u64 {
        self.0.version.load(Relaxed)
    }

    pub(super) fn put(&self, picture: LivePicture) {
        let (camera, passed) = (picture.camera, picture.result == "PASS");
        let keeps = !passed && self.0.wants.keeps_recent(camera);
        let Some(mut slot) = self.slot(camera.index()) else { return };
        let picture = Arc::new(picture);
        if keeps {
            push(&mut slot.recent, picture.clone(), RECENT);
        }
        push(&mut slot.shown, picture.clone(), SHOWN);
        slot.latest = Some(picture);
        drop(slot);
        self.0.version.fetch_add(1, Relaxed);
    }

    fn slot(&self, n: usize) -> Option<MutexGuard<'_, Slot>> {
        Some(self.0.slots.get(n)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn push(to: &mut VecDeque<Arc<LivePicture>>, picture: Arc<LivePicture>, most: usize) {
    if to.len() == most {
        to.pop_front();
    }
    to.push_back(picture);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(n: u64, result: &'static str) -> LivePicture {
        LivePicture {
            id: format!("id{n}"),
            camera: CameraId(1),
            seq: n,
            result,
            verdict_json: "{}".into(),
            frame_size: [1, 1],
            jpeg: [1].into(),
            heatmap_png: None,
            figures: None,
        }
    }

    #[test]
    fn rejects_stay_while_passes_go_by_and_are_forgotten_when_nobody_may_look() {
        let wants = Arc::new(PictureWants::default());
        let live = LivePictures::new(2, wants);
        live.keep_recent(true);
        for n in 0..60 {
            live.put(picture(n, "REJECT"));
        }
        for n in 60..80 {
            live.put(picture(n, "PASS"));
        }
        let recent: Vec<u64> = live.recent(CameraId(1)).iter().map(|p| p.seq).collect();
        assert!(recent.iter().copied().eq((20..60).rev()), "{recent:?}");
        assert!(live.by_id("id20").is_some() && live.by_id("id19").is_none() && live.by_id("id79").is_some());
        assert!(
            live.by_id("../id20").is_none() && live.latest(CameraId(0)).is_none() && live.latest(CameraId(9)).is_none()
        );
        assert_eq!((live.latest(CameraId(1)).unwrap().seq, live.version()), (79, 80));
        live.keep_recent(false);
        assert!(live.recent(CameraId(1)).is_empty() && live.by_id("id20").is_none());
    }

    #[test]
    fn a_thumbnail_keeps_the_pictures_shape() {
        let whole = image::DynamicImage::ImageRgb8(image::RgbImage::from_pixel(640, 480, image::Rgb([200, 10, 10])));
        let picture = LivePicture { jpeg: jpeg(&whole, QUALITY, None).unwrap().into(), ..picture(1, "PASS") };
        let small = image::load_from_memory(&picture.thumbnail(240).unwrap()).unwrap().to_rgb8();
        assert_eq!(small.dimensions(), (240, 180));
        assert!(small.get_pixel(120, 90).0[0] > 180);
    }

    #[test]
    fn a_camera_is_watched_as_long_as_a_guard_lives() {
        let wants = Arc::new(PictureWants::default());
        let live = LivePictures::new(1, wants.clone());
        let guards = [live.watch(CameraId(0)), live.watch(CameraId(0))];
        assert!(wants.copies(CameraId(0), Mono(1)));
        let [first, second] = guards;
        drop(first);
        assert!(wants.copies(CameraId(0), Mono(1)));
        drop(second);
        assert!(!wants.copies(CameraId(0), Mono(1)));
    }
}
