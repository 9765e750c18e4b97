//! From the checked configuration to lanes with open wires.

use std::sync::Arc;
use std::time::Duration;

use super::exit::Failure;
use crate::config::{Config, Ejector, Parts, Place, TriggerKind, Wire};
use andon_core::CameraId;
use andon_core::{BeltSource, Encoder, FieldError, Input, Output, Recorder, TimeBelt, Track};
use andon_line::decide::Matching;
use andon_line::runtime::{EjectorLine, LaneSpec};

/// Names of lanes and ejectors for the records, in the order of [`lanes`].
pub(super) fn names(c: &Config) -> (Vec<String>, Vec<Vec<String>>) {
    let lanes: Vec<String> = match c.parts.trigger {
        TriggerKind::FreeRun => c.cameras.iter().map(|c| c.name.clone()).collect(),
        TriggerKind::Sensor | TriggerKind::Message => vec!["belt".to_owned()],
    };
    let of = |lane: &String| ejectors_of(c, lane, lanes.len() == 1).map(|e| e.name.clone()).collect();
    let ejectors = lanes.iter().map(of).collect();
    (lanes, ejectors)
}

/// The ejectors of a lane, in the order of their numbers.
fn ejectors_of<'a>(c: &'a Config, lane: &str, alone: bool) -> impl Iterator<Item = &'a Ejector> {
    c.parts.ejectors.iter().filter(move |e| alone || e.camera.as_deref() == Some(lane))
}

/// Opens every wire of the configuration.
pub(super) fn lanes(c: &Config) -> Result<Vec<LaneSpec>, Failure> {
    let mut devices = Devices::default();
    let failed = |e: FieldError| Failure::config(anyhow::Error::from(e));
    let parts = &c.parts;
    let belt = belt(parts).map_err(failed)?;
    let mut lanes = Vec::new();
    let each: Vec<(Vec<CameraId>, Option<&str>, Duration)> = match parts.trigger {
        TriggerKind::FreeRun => {
            let cameras = c.cameras.iter().enumerate();
            cameras.map(|(n, camera)| (vec![CameraId(n as u8)], Some(camera.name.as_str()), camera.deadline)).collect()
        }
        TriggerKind::Sensor | TriggerKind::Message => {
            vec![((0..c.cameras.len()).map(|n| CameraId(n as u8)).collect(), None, parts.deadline)]
        }
    };
    let alone = each.len() == 1;
    for (cameras, camera, budget) in each {
        let mut lane = LaneSpec::free(cameras[0], budget);
        lane.continuous = cameras.iter().copied().filter(|id| c.cameras[id.index()].continuous).collect();
        lane.cameras = cameras;
        lane.matching = parts.matching;
        lane.min_pitch = parts.min_pitch;
        lane.alarms = parts.alarms;
        lane.tolerated = parts.tolerated.clone();
        for e in ejectors_of(c, camera.unwrap_or_default(), alone) {
            lane.ejectors.push(EjectorLine {
                name: e.name.clone(),
                spec: e.spec,
                output: devices.output(&e.output).map_err(failed)?,
                confirm: e.confirm.as_ref().map(input).transpose().map_err(failed)?,
            });
        }
        if !lane.ejectors.is_empty() {
            lane.margin = parts.margin;
        }
        if !lane.ejectors.is_empty() || lane.matching != Matching::Free {
            lane.belt = belt.source();
            lane.has_encoder = parts.encoder.is_some();
        }
        lanes.push(lane);
    }
    if let Some(lane) = lanes.first_mut() {
        lane.triggers.extend(parts.sensor.as_ref().map(input).transpose().map_err(failed)?);
        lane.line_stop = parts.line_stop.as_ref().map(|w| devices.output(w)).transpose().map_err(failed)?;
        lane.heartbeat = parts.heartbeat.as_ref().map(|w| devices.output(w)).transpose().map_err(failed)?;
        lane.encoder = belt.reader();
    }
    devices.wait();
    Ok(lanes)
}

pub(super) enum BeltKind {
    Time,
    Tracked(Option<Box<dyn Encoder>>, Arc<Track>),
}

impl BeltKind {
    pub fn source(&self) -> Arc<dyn BeltSource> {
        match self {
            BeltKind::Time => Arc::new(TimeBelt),
            BeltKind::Tracked(_, track) => track.clone(),
        }
    }

    pub fn reader(self) -> Option<(Box<dyn Encoder>, Arc<Track>)> {
        match self {
            BeltKind::Time => None,
            BeltKind::Tracked(encoder, track) => encoder.map(|e| (e, track)),
        }
    }
}

pub(super) fn belt(parts: &Parts) -> Result<BeltKind, FieldError> {
    let Some(e) = &parts.encoder else { return Ok(BeltKind::Time) };
    // A polled counter is continued with its speed for a quarter of a second; one whose edges are all seen, by one count.
    let ahead = if matches!(e.wire.place, Place::Gpio { .. }) { 1 } else { (e.max_rate / 4.0).ceil() as i64 };
    let track = Arc::new(Track::new(e.modulus, e.max_rate, ahead));
    Ok(BeltKind::Tracked(Some(counter(e)?), track))
}

fn counter(e: &crate::config::Encoder) -> Result<Box<dyn Encoder>, FieldError> {
    match &e.wire.place {
        #[cfg(feature = "gpio")]
        Place::Gpio { chip, line, .. } => {
            let encoder = andon_io::fieldio::GpioEncoder::open(gpio_line(&e.wire, chip, *line), e.line_b)?;
            Ok(Box::new(encoder))
        }
        #[cfg(feature = "modbus")]
        Place::Modbus { poll, .. } => {
            let words = if e.modulus > 1 << 16 { 2 } else { 1 };
            Ok(Box::new(andon_io::fieldio::ModbusEncoder::new(modbus_point(&e.wire), *poll, words)))
        }
        _ => Err(not_built(&e.wire)),
    }
}

/// Modbus devices that hold outputs, one connection each.
#[derive(Default)]
pub(super) struct Devices {
    #[cfg(feature = "modbus")]
    coils: Vec<((String, u8), andon_io::fieldio::CoilDevice)>,
}

impl Devices {
    pub fn output(&mut self, wire: &Wire) -> Result<Box<dyn Output>, FieldError> {
        match &wire.place {
            #[cfg(feature = "gpio")]
            Place::Gpio { chip, line, .. } => {
                Ok(Box::new(andon_io::fieldio::GpioOutput::open(gpio_line(wire, chip, *line), wire.safe)?))
            }
            #[cfg(feature = "modbus")]
            Place::Modbus { address, unit, point, .. } => {
                let key = (address.clone(), *unit);
                if !self.coils.iter().any(|(k, _)| *k == key) {
                    let device = andon_io::fieldio::CoilDevice::start(modbus_point(wire)).map_err(|e| {
                        FieldError::Modbus { name: wire.name.clone(), address: address.clone(), why: e.to_string() }
                    })?;
                    self.coils.push((key.clone(), device));
                }
                let device = self.coils.iter().find(|(k, _)| *k == key).ok_or_else(|| not_built(wire))?;
                Ok(device.1.coil(&wire.name, *point, wire.active_low, wire.safe))
            }
            Place::DryRun => Ok(Box::new(Recorder::new(&wire.name))),
            #[allow(unreachable_patterns, reason = "reached in builds without one of the drivers")]
            _ => Err(not_built(wire)),
        }
    }

    /// Gives the devices a moment to answer, so that the line does not start with an alarm.
    pub fn wait(&self) {
        #[cfg(feature = "modbus")]
        for ((address, _), device) in &self.coils {
            if !device.ready(Duration::from_secs(1)) {
                tracing::error!(address, "the Modbus device does not answer; the line starts with its alarm");
            }
        }
    }
}

pub(super) fn input(wire: &Wire) -> Result<Box<dyn Input>, FieldError> {
    match &wire.place {
        #[cfg(feature = "gpio")]
        Place::Gpio { chip, line, debounce } => {
            Ok(Box::new(andon_io::fieldio::GpioInput::open(gpio_line(wire, chip, *line), *debounce)?))
        }
        #[cfg(feature = "modbus")]
        Place::Modbus { poll, .. } => {
            Ok(Box::new(andon_io::fieldio::ModbusInput::new(modbus_point(wire), *poll, wire.active_low)))
        }
        _ => Err(not_built(wire)),
    }
}

fn not_built(wire: &Wire) -> FieldError {
    let driver = if matches!(wire.place, Place::Gpio { .. }) { "gpio" } else { "modbus" };
    FieldError::NotBuilt { name: wire.name.clone(), driver }
}

#[cfg(feature = "gpio")]
fn gpio_line(wire: &Wire, chip: &std::path::Path, line: u32) -> andon_io::fieldio::GpioLine {
    let (name, chip) = (wire.name.clone(), chip.to_owned());
    andon_io::fieldio::GpioLine { name, chip, line, active_low: wire.active_low, pull: true }
}

#[cfg(feature = "modbus")]
fn modbus_point(wire: &Wire) -> andon_io::fieldio::ModbusPoint {
    let (address, unit, point, timeout) = match &wire.place {
        Place::Modbus { address, unit, point, timeout, .. } => (address.clone(), *unit, *point, *timeout),
        Place::Gpio { .. } | Place::DryRun => (String::new(), 0, 0, Duration::ZERO),
    };
    andon_io::fieldio::ModbusPoint { name: wire.name.clone(), address, unit, point, timeout }
}
