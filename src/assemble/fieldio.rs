//! From the checked configuration to lanes: inputs, outputs and the encoder are opened, and each lane gets its own.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Ejector, Parts, TriggerKind};
use andon_core::CameraId;
use andon_core::{BeltSource, ClockBelt, Encoder, FieldError, SharedEncoder};
use andon_io::fieldio::{Devices, IoAddress, open_encoder, open_input};
use andon_line::decide::Matching;
use andon_line::runtime::{EjectorLine, LaneSpec};

/// A lane and its name: the camera's in free run, else `belt`.
pub struct LaneParts {
    /// Name, for records and keys.
    pub name: String,
    /// What the lane is made of.
    pub spec: LaneSpec,
}

/// The ejectors of a lane, in the order of their numbers.
fn ejectors_of<'a>(c: &'a Config, lane: &str, alone: bool) -> impl Iterator<Item = &'a Ejector> {
    c.parts.ejectors.iter().filter(move |e| alone || e.camera.as_deref() == Some(lane))
}

/// Opens every input, output and encoder of the configuration and puts each on its lane: in free run every camera is a lane of its own,
/// else one lane has them all.
///
/// # Errors
/// [`FieldError`]; outputs that were opened before are at their safe levels then.
pub(super) fn lanes(c: &Config) -> Result<Vec<LaneParts>, FieldError> {
    let mut devices = Devices::default();
    let parts = &c.parts;
    let belt = belt(parts)?;
    let mut lanes = Vec::new();
    let of_cameras = c.cameras.iter().enumerate();
    let each: Vec<(String, Vec<CameraId>, Duration)> = match parts.trigger {
        TriggerKind::FreeRun => {
            of_cameras.map(|(n, camera)| (camera.name.clone(), vec![CameraId(n as u8)], camera.deadline)).collect()
        }
        TriggerKind::Sensor | TriggerKind::Message => {
            vec![("belt".to_owned(), of_cameras.map(|(n, _)| CameraId(n as u8)).collect(), parts.deadline)]
        }
    };
    let alone = each.len() == 1;
    for (name, cameras, budget) in each {
        let mut lane = LaneSpec::free(cameras[0], budget);
        lane.continuous = cameras.iter().copied().filter(|id| c.cameras[id.index()].continuous).collect();
        lane.cameras = cameras;
        lane.matching = parts.matching;
        lane.review = parts.review;
        lane.min_pitch = parts.min_pitch;
        lane.alarms = parts.alarms;
        lane.tolerated = parts.tolerated.clone();
        for e in ejectors_of(c, &name, alone) {
            lane.ejectors.push(EjectorLine {
                name: e.name.clone(),
                spec: e.spec,
                output: devices.output(&e.output)?,
                confirm: e.confirm.as_ref().map(open_input).transpose()?,
            });
        }
        if !lane.ejectors.is_empty() {
            lane.margin = parts.margin;
        }
        if !lane.ejectors.is_empty() || lane.matching != Matching::Free {
            lane.belt = belt.source();
            lane.has_encoder = parts.encoder.is_some();
        }
        lanes.push(LaneParts { name, spec: lane });
    }
    if let Some(LaneParts { spec: lane, .. }) = lanes.first_mut() {
        lane.triggers.extend(parts.sensor.as_ref().map(open_input).transpose()?);
        lane.line_stop = parts.line_stop.as_ref().map(|point| devices.output(point)).transpose()?;
        lane.heartbeat = parts.heartbeat.as_ref().map(|point| devices.output(point)).transpose()?;
        lane.encoder = belt.reader();
    }
    devices.wait();
    Ok(lanes)
}

/// Where the belt's position comes from.
pub enum BeltKind {
    /// The clock: the speed is constant.
    Time,
    /// The encoder, with what reads it.
    Tracked(Option<Box<dyn Encoder>>, Arc<SharedEncoder>),
}

impl BeltKind {
    /// What says where the belt is.
    pub fn source(&self) -> Arc<dyn BeltSource> {
        match self {
            BeltKind::Time => Arc::new(ClockBelt),
            BeltKind::Tracked(_, track) => track.clone(),
        }
    }

    /// What reads the encoder, and where its readings go.
    pub fn reader(self) -> Option<(Box<dyn Encoder>, Arc<SharedEncoder>)> {
        match self {
            BeltKind::Time => None,
            BeltKind::Tracked(encoder, track) => encoder.map(|e| (e, track)),
        }
    }
}

/// Opens the encoder, if there is one.
///
/// # Errors
/// [`FieldError`].
pub fn belt(parts: &Parts) -> Result<BeltKind, FieldError> {
    let Some(e) = &parts.encoder else { return Ok(BeltKind::Time) };
    // A polled counter is continued with its speed for a quarter of a second; one whose edges are all seen, by one count.
    let ahead = if matches!(e.point.address, IoAddress::Gpio(_)) { 1 } else { (e.max_rate / 4.0).ceil() as i64 };
    let track = Arc::new(SharedEncoder::new(e.modulus, e.max_rate, ahead));
    Ok(BeltKind::Tracked(Some(open_encoder(e)?), track))
}
