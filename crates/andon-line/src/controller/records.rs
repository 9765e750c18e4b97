//! From actions to records. The one place where that is done: a running line and a replay of it give the same records.

use std::sync::Arc;

use super::LaneAction;
use andon_core::{CameraId, CameraVerdict, ModelTag, Record, Threshold};

/// What judges now; swapped whole, read once a part.
#[derive(Clone, Debug)]
pub struct Active {
    /// Limit.
    pub threshold: Threshold,
    /// Provenance.
    pub model: Arc<ModelTag>,
    /// Working with less than was asked for.
    pub degraded: bool,
    /// Which of the camera's models it is, counted since the start of the line.
    pub number: u16,
    /// Which recipe it belongs to, counted since the start of the line.
    pub recipe: u16,
}

/// Makes the records of one lane.
#[derive(Clone, Debug)]
pub struct RecordMaker {
    /// The lane's number.
    pub lane: u8,
    /// Its cameras, by their places.
    pub cameras: Vec<CameraId>,
    /// Ticks are an encoder's counts and belong into verdicts.
    pub has_encoder: bool,
}

impl RecordMaker {
    /// The record of an action, if it is one. `active` says what judges a camera, or judged it under that number: the threshold and model
    /// for verdicts.
    pub fn record(&self, action: &LaneAction, active: &dyn Fn(CameraId, Option<u16>) -> Arc<Active>) -> Option<Record> {
        match *action {
            LaneAction::Ended(e) => {
                let camera = *self.cameras.get(e.camera)?;
                let active = active(camera, e.model);
                Some(Record::Verdict(CameraVerdict {
                    camera,
                    seq: e.part.seq,
                    source_index: e.source_index,
                    t_trigger: e.part.at,
                    trigger_id: e.part.id,
                    encoder: self.has_encoder.then_some(e.part.ticks.0),
                    outcome: e.outcome,
                    reason: e.reason,
                    score: e.score,
                    threshold: e.threshold.unwrap_or(active.threshold).get(),
                    regions: e.regions,
                    t_capture: e.t_capture,
                    t_verdict: e.at,
                    deadline: e.deadline,
                    queue_ns: e.queue_ns,
                    times: e.times,
                    model: active.model.clone(),
                    degraded: active.degraded,
                }))
            }
            LaneAction::Settled { end, record: true } => Some(Record::Part(self.lane, end)),
            LaneAction::Ejection(fired) => Some(Record::Ejection(self.lane, fired)),
            LaneAction::Event(notice) => Some(Record::Event(self.lane, notice)),
            LaneAction::Settled { record: false, .. }
            | LaneAction::Offered(_)
            | LaneAction::Counted(_)
            | LaneAction::Set { .. }
            | LaneAction::LineStop(_) => None,
        }
    }
}
