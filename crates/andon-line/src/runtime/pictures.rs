//! Pictures beside the line: the copy of a frame on its way from the inspector to the `pictures` thread. [`PictureTap`] copies frames on
//! the threads that have them, [`PictureMatcher`] brings each copy together with the verdict on its part, on the decide thread, and [`run`]
//! is the thread that codes and writes. Nothing of it is waited for: without a free buffer, or with a full queue, a picture is shed and
//! counted, and its part has its outcome all the same.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use andon_core::{AnomalyMap, CameraId, CameraVerdict, Delivery, FrameView, KeptFor, Mono, Outcome, Reason};
use andon_core::{
    FrameNo, ParkedReceiver, PictureBuffer, PictureLoss, PictureRecord, PictureRules, PictureSink, PictureWants, Pool,
    Pooled, RefuseNewest, lowest_priority,
};

/// What becomes of pictures.
pub struct PictureSpec {
    /// Which are kept.
    pub rules: PictureRules,
    /// Whether anybody wants any; shared with whoever shows them.
    pub wants: Arc<PictureWants>,
    /// Who takes them.
    pub sink: Box<dyn PictureSink>,
}

/// Copies frames of one camera, if anybody may want them.
#[derive(Clone)]
pub(super) struct PictureTap {
    pub camera: CameraId,
    pub wants: Arc<PictureWants>,
    pub pool: Pool<PictureBuffer>,
}

impl PictureTap {
    /// The frame, if somebody may want its picture and it can be read.
    pub fn wanted<'a>(&self, frame: Option<FrameView<'a>>) -> Option<FrameView<'a>> {
        frame.filter(|_| self.wants.copies(self.camera, Mono::now()))
    }

    /// A copy of the frame and of its map, if there is one; `None` if no buffer is free.
    pub fn copy(&self, frame: &FrameView<'_>, map: Option<&AnomalyMap>) -> Option<Pooled<PictureBuffer>> {
        let mut buffer = self.pool.take()?;
        buffer.frame.copy_from(frame);
        match map {
            Some(map) => buffer.map.copy_from(map),
            None => buffer.map.clear(),
        }
        Some(buffer)
    }
}

/// Pictures without a verdict, and verdicts without a picture, that one camera may have at once: an inspector has one frame in work and two
/// in its queue, and a frame may come before its trigger.
const OPEN: usize = 4;

/// A verdict whose picture is still with the inspector.
struct Waiting {
    frame: FrameNo,
    verdict: CameraVerdict,
    kept_for: Option<KeptFor>,
    shown: bool,
    collected: bool,
}

/// A frame whose part has no outcome yet, and its picture once that is copied.
struct Slot {
    frame: FrameNo,
    state: SlotState,
}

enum SlotState {
    /// It is being copied.
    Coming,
    /// It is here.
    Here(Pooled<PictureBuffer>),
    /// No buffer was free.
    Lost,
}

struct Camera {
    slots: VecDeque<Slot>,
    verdicts: VecDeque<Waiting>,
    /// Parts that passed.
    passes: u64,
}

/// Brings pictures and verdicts together. Owned by the decide thread.
pub(super) struct PictureMatcher {
    rules: PictureRules,
    wants: Arc<PictureWants>,
    /// To the `pictures` thread, if there is one.
    to: Option<RefuseNewest<PictureRecord>>,
    delivery: Delivery,
    cameras: Vec<Camera>,
}

impl PictureMatcher {
    /// For so many cameras; nothing is kept or shown without a queue.
    pub fn new(
        rules: PictureRules,
        wants: Arc<PictureWants>,
        to: Option<RefuseNewest<PictureRecord>>,
        delivery: Delivery,
        cameras: usize,
    ) -> PictureMatcher {
        let camera =
            || Camera { slots: VecDeque::with_capacity(OPEN), verdicts: VecDeque::with_capacity(OPEN), passes: 0 };
        PictureMatcher { rules, wants, to, delivery, cameras: (0..cameras).map(|_| camera()).collect() }
    }

    /// The inspector, or the queue before it, is done with a frame. Comes before the verdict, except where the part had ended before.
    pub fn expect(&mut self, camera: CameraId, frame: FrameNo, picture_follows: bool) {
        let Some(open) = self.cameras.get_mut(camera.index()).filter(|_| self.to.is_some()) else { return };
        if !picture_follows {
            // A part that had ended before waits for nothing any more.
            if let Some(at) = open.verdicts.iter().position(|w| w.frame == frame) {
                let waiting = open.verdicts.remove(at);
                self.lose(waiting.and_then(|w| w.kept_for), PictureLoss::Frame);
            }
            return;
        }
        if open.verdicts.iter().any(|w| w.frame == frame) {
            return;
        }
        if open.slots.len() == OPEN {
            // Of a frame that belonged to no part.
            open.slots.pop_front();
        }
        open.slots.push_back(Slot { frame, state: SlotState::Coming });
    }

    /// The picture of a frame that was expected; none if no buffer was free.
    pub fn arrived(&mut self, camera: CameraId, frame: FrameNo, picture: Option<Pooled<PictureBuffer>>) {
        let Some(open) = self.cameras.get_mut(camera.index()).filter(|_| self.to.is_some()) else { return };
        if let Some(at) = open.verdicts.iter().position(|w| w.frame == frame) {
            let Some(Waiting { verdict, kept_for, shown, collected, .. }) = open.verdicts.remove(at) else { return };
            match picture {
                Some(picture) => self.send(PictureRecord { verdict, picture, kept_for, shown, collected }),
                None => self.lose(kept_for, PictureLoss::Buffer),
            }
            return;
        }
        // Without a slot, its part has its outcome and nobody wanted it: the buffer goes back.
        if let Some(slot) = open.slots.iter_mut().find(|slot| slot.frame == frame) {
            slot.state = picture.map_or(SlotState::Lost, SlotState::Here);
        }
    }

    /// A part has its outcome. `frame` is the frame that it was judged by, if any came.
    pub fn judged(&mut self, frame: Option<FrameNo>, verdict: &CameraVerdict) {
        let camera = verdict.camera;
        let Some(open) = self.cameras.get_mut(camera.index()).filter(|_| self.to.is_some()) else { return };
        let passed = matches!(verdict.outcome, Outcome::Pass(_));
        open.passes += u64::from(passed);
        // Without a frame there never was a picture.
        let Some(frame) = frame else { return };
        let at = open.slots.iter().position(|slot| slot.frame == frame);
        let slot = at.and_then(|at| open.slots.remove(at)).map(|slot| slot.state);
        let kept_for = if self.wants.keeps_ring(camera) { self.rules.kept_for(verdict, open.passes) } else { None };
        let late = slot.is_none() && matches!(verdict.reason, Reason::Late | Reason::Stopped);
        let comes = late || matches!(slot, Some(SlotState::Coming));
        let here = matches!(slot, Some(SlotState::Here(_)));
        let shown = (!passed && self.wants.keeps_recent(camera))
            || ((here || comes) && self.wants.take_live(camera, verdict.t_verdict));
        let collected = self.wants.collects(camera);
        if kept_for.is_none() && !shown && !collected {
            return;
        }
        match slot {
            Some(SlotState::Here(picture)) => {
                self.send(PictureRecord { verdict: verdict.clone(), picture, kept_for, shown, collected });
            }
            _ if comes => {
                let full = open.verdicts.len() == OPEN;
                let oldest = if full { open.verdicts.pop_front() } else { None };
                open.verdicts.push_back(Waiting { frame, verdict: verdict.clone(), kept_for, shown, collected });
                self.lose(oldest.and_then(|w| w.kept_for), PictureLoss::Frame);
            }
            // The frame could not be read: there is nothing to keep.
            None if verdict.reason == Reason::BadFrame => {}
            _ => self.lose(kept_for, PictureLoss::Buffer),
        }
    }

    /// The line has ended: what is still waited for never comes.
    pub fn close(&mut self) {
        let waiting = self.cameras.iter_mut().flat_map(|open| open.verdicts.drain(..));
        let lost = waiting.filter(|w| w.kept_for.is_some()).count();
        (0..lost).for_each(|_| self.delivery.pictures().lose(PictureLoss::Frame));
        self.to = None;
    }

    fn send(&self, record: PictureRecord) {
        let Some(to) = &self.to else { return };
        if let Err(back) = to.try_send(record) {
            self.lose(back.kept_for, PictureLoss::Queue);
        }
    }

    /// Counts a picture that would have been kept; one that was only shown is made good by the next.
    fn lose(&self, kept_for: Option<KeptFor>, why: PictureLoss) {
        if kept_for.is_some() {
            self.delivery.pictures().lose(why);
        }
    }
}

/// The `pictures` thread: hands pictures to their sink until decide is gone and the queue is empty.
pub(super) fn run(records: &ParkedReceiver<PictureRecord>, mut sink: Box<dyn PictureSink>) {
    /// How often the sink may tidy up while no picture comes.
    const TICK: Duration = Duration::from_secs(1);
    lowest_priority();
    let mut due = Mono::now() + TICK;
    loop {
        match records.recv_timeout(due.since(Mono::now())) {
            Ok(record) => sink.take(record),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Mono::now() >= due {
            sink.tick();
            due = Mono::now() + TICK;
        }
    }
    sink.close();
}

#[cfg(test)]
#[path = "pictures/tests.rs"]
mod tests;
