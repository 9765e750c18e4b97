//! The table of every channel between stages of the line. Channels that never leave their owner (the queue of a sink, the results
//! of a thread) are made there; a test holds the list of these files.
//!
//! | edge | from → to | capacity | when full | counter | why |
//! |---|---|---|---|---|---|
//! | `frames` | cap-N → infer-N | 2 | `EvictOldest`, the evicted part becomes UNINSPECTED | outcome `overflow` | one frame in work, one fresh; older ones would only be late |
//! | `parts` | cap-N, infer-N, in-N, control → decide | 256 | `RefuseNewest` | `shed.parts` | decide is never busy for long; a part that was not announced is not sent to the inspector and is made good as missing, a result that was refused ends at its deadline |
//! | `records` | decide → pub | 1024 | `RefuseNewest` | `shed.records` | 17 s at 60 parts/s for a sink that hangs; the outcome itself stands |
//! | `maps` | decide → pub | 1 | `LatestOnly` | `shed.maps` | a picture for people: the newest is the one they want |
//! | `pictures` | decide → pictures | 32 | `RefuseNewest` | `andon_pictures_lost`, cause `queue` | as many as four cameras have buffers; coding and disks take as long as they take |
//! | map pool | infer-N → pub → infer-N | 4 a camera | none left: no map for this part | `shed.maps` | bounds the memory of a slow viewer |
//! | picture pool | cap-N, infer-N → decide → pictures → back | 8 a camera | none left: no picture of this part | `andon_pictures_lost`, cause `buffer` | half a second of rejects at 15 parts/s; bounds the memory of a slow disk |

use crossbeam_channel::Receiver;

use andon_core::{
    AnomalyMap, CameraId, ChallengeSign, Fault, Frame, FrameNo, Mono, Pool, Pooled, Regions, StageTimes, Threshold,
};
use andon_core::{EvictOldest, LatestOnly, ParkedReceiver, RefuseNewest, refuse};
use andon_core::{MapRecord, PictureBuffer, PictureRecord, Record};

/// The model that inspected a frame, as its score has to be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgedBy {
    /// The threshold that was in force.
    pub threshold: Threshold,
    /// Which of the camera's models it is.
    pub model: u16,
    /// Which recipe it belongs to.
    pub recipe: u16,
}

/// What decide is told, by the capture and the inspection stages. One channel carries both, so that a part's admission
/// always comes before its result.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "moved through one queue; boxing would allocate per frame")]
pub enum PartEvent {
    /// A part is announced by a sensor or a message.
    Trigger {
        /// Lane.
        lane: u8,
        /// When.
        at: Mono,
        /// The trigger's own number.
        id: Option<u64>,
    },
    /// A sensor behind an ejector saw a part.
    Confirm {
        /// Lane.
        lane: u8,
        /// Ejector.
        ejector: u8,
        /// When.
        at: Mono,
    },
    /// An input cannot be read any more, or again.
    Input {
        /// Lane.
        lane: u8,
        /// Its number on the lane.
        who: u8,
        /// Whether it can be read.
        works: bool,
    },
    /// Somebody releases the line after a stop.
    Release,
    /// What became of a challenge with known bad parts.
    Challenge {
        /// Camera.
        camera: CameraId,
        /// What.
        sign: ChallengeSign,
    },
    /// A frame was taken; in free run that is a part.
    Frame {
        /// Camera.
        camera: CameraId,
        /// Its number.
        frame: FrameNo,
        /// When its picture was taken.
        t_capture: Mono,
        /// The source's own counter.
        source_index: Option<u64>,
    },
    /// Frames before this number never came: the camera or the capture stage lost them.
    Missing {
        /// Camera.
        camera: CameraId,
        /// How many.
        count: u64,
        /// When that was seen.
        at: Mono,
    },
    /// The frame was pushed out of the queue.
    Evicted {
        /// Camera.
        camera: CameraId,
        /// Frame.
        frame: FrameNo,
        /// A [`PartEvent::Picture`] of it follows.
        picture_follows: bool,
    },
    /// The inspector is done with the frame.
    Observed {
        /// Camera.
        camera: CameraId,
        /// Frame.
        frame: FrameNo,
        /// Raw score, or why there is none.
        result: Result<f32, Fault>,
        /// What it is to be judged by: threshold and number of the model that inspected it.
        judged_by: JudgedBy,
        /// Capture to inspector, in nanoseconds.
        queue_ns: u64,
        /// Steps of the inspection.
        times: StageTimes,
        /// Where the map is above the threshold.
        regions: Regions,
        /// The anomaly map, while somebody wants it.
        map: Option<Pooled<AnomalyMap>>,
        /// A [`PartEvent::Picture`] of it follows.
        picture_follows: bool,
    },
    /// A copy of a frame whose end was told before: nothing that decides on a part waits for it.
    Picture {
        /// Camera.
        camera: CameraId,
        /// Frame.
        frame: FrameNo,
        /// The copy; none if no buffer was free.
        picture: Option<Pooled<PictureBuffer>>,
    },
    /// The line stops and nothing more will come that counts: end what is open.
    Close,
}

/// Capacity of `frames`.
pub const FRAMES: usize = 2;
/// Capacity of `parts`.
pub const PARTS: usize = 256;
/// Capacity of `records`.
pub const RECORDS: usize = 1024;
/// Maps on loan for each camera.
pub const MAPS: usize = 4;

/// Pictures on loan for each camera.
pub const PICTURES: usize = 8;
/// Capacity of `pictures`.
pub const PICTURES_WAITING: usize = 32;

/// `frames` of one camera.
pub fn frames() -> (EvictOldest<Frame>, Receiver<Frame>) {
    EvictOldest::new(FRAMES)
}

/// `parts` of all cameras.
pub fn parts() -> (RefuseNewest<PartEvent>, ParkedReceiver<PartEvent>) {
    refuse(PARTS)
}

/// `records`.
pub fn records() -> (RefuseNewest<Record>, ParkedReceiver<Record>) {
    refuse(RECORDS)
}

/// `maps`.
pub fn maps() -> (LatestOnly<MapRecord>, Receiver<MapRecord>) {
    LatestOnly::new()
}

/// `pictures`.
pub fn pictures() -> (RefuseNewest<PictureRecord>, ParkedReceiver<PictureRecord>) {
    refuse(PICTURES_WAITING)
}

/// The pictures on loan to one camera. Each buffer gets its size with the first frame that is copied into it.
pub fn picture_pool() -> Pool<PictureBuffer> {
    Pool::new(PICTURES, PictureBuffer::default)
}

/// The maps on loan to one camera, with room for a grid of 64 x 64 before any has to grow.
pub fn map_pool() -> Pool<AnomalyMap> {
    Pool::new(MAPS, || AnomalyMap { width: 0, height: 0, data: Vec::with_capacity(64 * 64) })
}
