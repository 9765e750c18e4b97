//! What leaves the line, and the contracts of who takes it and who may ask.

use std::sync::Arc;

use crate::{
    AnomalyMap, CameraId, CameraVerdict, Ejection, LineEvent, ModelTag, Mono, PartVerdict, Pooled, Seq, Stats,
};

/// What the decide stage hands to the sinks.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "moved through one channel; boxing would allocate per part")]
pub enum Record {
    /// One part's outcome.
    Verdict(CameraVerdict),
    /// Once a second for each camera.
    Stats(Stats),
    /// A part's outcome over all of its cameras; the lane's number.
    Part(u8, PartVerdict),
    /// What an ejector did; the lane's number.
    Ejection(u8, Ejection),
    /// Something odd; the lane's number.
    Event(u8, LineEvent),
    /// The anomaly map behind a verdict; only the latest is kept, and only while somebody wants it.
    Map(MapRecord),
}

/// An anomaly map on its way to whoever looks.
#[derive(Debug)]
pub struct MapRecord {
    /// Camera.
    pub camera: CameraId,
    /// The part that it belongs to.
    pub seq: Seq,
    /// When the picture was taken.
    pub t_capture: Mono,
    /// Distances per patch.
    pub map: Pooled<AnomalyMap>,
    /// The threshold that was active: the fixed top of the colour scale.
    pub threshold: f32,
    /// The model that it is by.
    pub model: Arc<ModelTag>,
}

/// What a sink did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It has it.
    Taken,
    /// It could not take it now. The publish stage counts it under the sink's name.
    Shed,
    /// It does not want records of this kind now.
    Ignored,
}

/// A consumer of records. Cannot fail the line: it takes, sheds or ignores.
pub trait Sink: Send {
    /// Label in metrics.
    fn name(&self) -> &'static str;
    /// Offers a record. May take milliseconds (it has its own thread), never seconds.
    fn offer(&mut self, record: &Record) -> Accepted;
    /// Whether anybody wants maps now; the line skips copying them otherwise.
    fn wants_maps(&self) -> bool {
        false
    }
    /// Called when the line stops; at most two seconds.
    fn close(&mut self) {}
}

/// Draws an anomaly map of a camera against a threshold: grey levels on the model's fixed scale, row by row. Returns
/// `(width, height, typical)`, the last being the distance that is level 0.
pub type Render = Box<dyn Fn(&MapRecord, &mut Vec<u8>) -> (u32, u32, f32) + Send>;
