//! Whether anybody wants pictures of a camera: atomics that the inspector reads before it copies a frame.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::{CameraId, Mono};

/// Frames of a camera that is only watched are copied at most this often: five a second.
const LIVE_PERIOD: Duration = Duration::from_millis(200);

/// Frames for who sets a camera up are copied at most this often: fourteen a second.
const AID_PERIOD: Duration = Duration::from_millis(70);

/// In [`Camera::wanted`]: the ring keeps pictures.
const RING: u32 = 1 << 31;
/// In [`Camera::wanted`]: the last parts that did not pass are kept in memory.
const RECENT: u32 = 1 << 30;
/// In [`Camera::wanted`]: pictures are collected to learn from.
const COLLECT: u32 = 1 << 29;
/// All that wants every frame.
const EVERY: u32 = RING | RECENT | COLLECT;
/// In [`Camera::wanted`]: who sets the camera up waits for one more picture.
const AID: u32 = 1 << 28;
/// The rest of [`Camera::wanted`]: how many watch.
const WATCHERS: u32 = AID - 1;

#[derive(Debug, Default)]
struct Camera {
    /// Who wants its pictures: three flags, and below them the number of watchers. 0 while nobody does.
    wanted: AtomicU32,
    /// When the next picture for the watchers is due, nanoseconds of [`Mono`].
    live_due: AtomicU64,
    /// When the next picture for who sets the camera up is due.
    aid_due: AtomicU64,
}

/// Who wants pictures of which camera. While nobody does, a frame costs the line one load of an atomic.
#[derive(Debug, Default)]
pub struct PictureWants {
    cameras: [Camera; CameraId::MAX],
}

impl PictureWants {
    /// Whether the frame of now has to be copied: what becomes of its part is not known yet.
    pub fn copies(&self, camera: CameraId, now: Mono) -> bool {
        let Some(camera) = self.cameras.get(camera.index()) else { return false };
        match camera.wanted.load(Relaxed) {
            0 => false,
            wanted if wanted & EVERY != 0 => true,
            wanted => is_due(wanted & AID, &camera.aid_due, now) || is_due(wanted & WATCHERS, &camera.live_due, now),
        }
    }

    /// Whether a picture for the watchers is due now, or one that was [asked for](PictureWants::ask). The next one for the watchers is due a
    /// fifth of a second later, the next one to ask for 70 ms later. One thread takes.
    pub fn take_live(&self, camera: CameraId, now: Mono) -> bool {
        let Some(camera) = self.cameras.get(camera.index()) else { return false };
        let wanted = camera.wanted.load(Relaxed);
        let aids = is_due(wanted & AID, &camera.aid_due, now);
        if aids {
            camera.wanted.fetch_and(!AID, Relaxed);
            camera.aid_due.store((now + AID_PERIOD).0, Relaxed);
        }
        let shows = is_due(wanted & WATCHERS, &camera.live_due, now);
        if shows {
            camera.live_due.store((now + LIVE_PERIOD).0, Relaxed);
        }
        aids || shows
    }

    /// One more picture of the camera, as soon as there is one: for who sets it up, and asks again when that one is drawn. However many ask, it is
    /// one.
    pub fn ask(&self, camera: CameraId) {
        if let Some(camera) = self.cameras.get(camera.index()) {
            camera.wanted.fetch_or(AID, Relaxed);
        }
    }

    /// Whether the last parts that did not pass are kept in memory.
    pub fn keeps_recent(&self, camera: CameraId) -> bool {
        self.cameras.get(camera.index()).is_some_and(|c| c.wanted.load(Relaxed) & RECENT != 0)
    }

    /// Whether the ring keeps pictures.
    pub fn keeps_ring(&self, camera: CameraId) -> bool {
        self.cameras.get(camera.index()).is_some_and(|c| c.wanted.load(Relaxed) & RING != 0)
    }

    /// The ring keeps pictures of every camera from now on.
    pub fn keep_ring(&self) {
        for camera in &self.cameras {
            camera.wanted.fetch_or(RING, Relaxed);
        }
    }

    /// Whether the last parts that did not pass are kept in memory from now on.
    pub fn keep_recent(&self, keep: bool) {
        for camera in &self.cameras {
            match keep {
                true => camera.wanted.fetch_or(RECENT, Relaxed),
                false => camera.wanted.fetch_and(!RECENT, Relaxed),
            };
        }
    }

    /// Whether pictures of a camera's parts are collected to learn from.
    pub fn collects(&self, camera: CameraId) -> bool {
        self.cameras.get(camera.index()).is_some_and(|c| c.wanted.load(Relaxed) & COLLECT != 0)
    }

    /// Whether pictures of a camera's parts are collected from now on, whatever becomes of the parts.
    pub fn collect(&self, camera: CameraId, collect: bool) {
        let Some(camera) = self.cameras.get(camera.index()) else { return };
        match collect {
            true => camera.wanted.fetch_or(COLLECT, Relaxed),
            false => camera.wanted.fetch_and(!COLLECT, Relaxed),
        };
    }

    /// One more watches the camera. Each call has to be made good by [`PictureWants::unwatch`].
    pub fn watch(&self, camera: CameraId) {
        if let Some(camera) = self.cameras.get(camera.index()) {
            camera.wanted.fetch_add(1, Relaxed);
        }
    }

    /// One fewer watches the camera.
    pub fn unwatch(&self, camera: CameraId) {
        if let Some(camera) = self.cameras.get(camera.index()) {
            camera.wanted.fetch_sub(1, Relaxed);
        }
    }
}

fn is_due(wanted: u32, due: &AtomicU64, now: Mono) -> bool {
    wanted != 0 && now.0 >= due.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sets_a_camera_up_gets_one_picture_for_each_time_of_asking_and_fourteen_a_second_at_most() {
        let (wants, top) = (PictureWants::default(), CameraId(0));
        let at = |ms: u64| Mono(ms * 1_000_000);
        wants.ask(top);
        wants.ask(top);
        assert!(wants.copies(top, at(1)) && !wants.copies(CameraId(1), at(1)));
        assert!(wants.take_live(top, at(1)) && !wants.take_live(top, at(500)) && !wants.copies(top, at(500)));
        wants.ask(top);
        assert!(wants.take_live(top, at(501)));
        wants.ask(top);
        assert!(!wants.copies(top, at(570)) && !wants.take_live(top, at(570)), "69 ms later");
        assert!(wants.copies(top, at(571)) && wants.take_live(top, at(571)));
        wants.watch(top);
        wants.ask(top);
        assert!(wants.take_live(top, at(700)) && !wants.copies(top, at(800)), "one picture for both");
        assert!(wants.copies(top, at(900)), "who watches has a pace of his own");
    }

    #[test]
    fn a_camera_that_is_only_watched_is_copied_five_times_a_second_and_no_longer_than_that() {
        let (wants, top, side) = (PictureWants::default(), CameraId(0), CameraId(1));
        let at = |ms: u64| Mono(ms * 1_000_000);
        assert!(!wants.copies(top, at(0)) && !wants.take_live(top, at(0)));
        wants.watch(top);
        wants.watch(top);
        assert!(wants.copies(top, at(1)) && !wants.copies(side, at(1)));
        assert!(wants.take_live(top, at(1)) && !wants.take_live(top, at(200)) && !wants.copies(top, at(200)));
        assert!(wants.copies(top, at(201)) && wants.take_live(top, at(201)));
        wants.unwatch(top);
        assert!(wants.copies(top, at(500)), "the other one still watches");
        wants.unwatch(top);
        assert!(!wants.copies(top, at(999)));
    }

    #[test]
    fn the_ring_and_the_last_rejects_want_every_frame() {
        let (wants, top) = (PictureWants::default(), CameraId(0));
        wants.keep_recent(true);
        assert!(wants.copies(top, Mono(0)) && wants.keeps_recent(top) && !wants.keeps_ring(top));
        assert!(!wants.take_live(top, Mono(0)), "nobody watches");
        wants.keep_recent(false);
        assert!(!wants.copies(top, Mono(0)));
        wants.collect(top, true);
        assert!(wants.copies(top, Mono(0)) && wants.collects(top) && !wants.collects(CameraId(1)));
        wants.collect(top, false);
        assert!(!wants.copies(top, Mono(0)));
        wants.keep_ring();
        assert!(wants.copies(CameraId(15), Mono(0)) && !wants.copies(CameraId(16), Mono(0)));
    }
}
