//! Lines of the kernel's GPIO character device (`/dev/gpiochipN`, uAPI v2). Edges carry the kernel's time stamps on
//! `CLOCK_MONOTONIC`, taken in the interrupt.

use std::path::PathBuf;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};

use super::GpioAddress;
use crate::fieldio::{Devices, EncoderPoint, IoPoint, Quadrature};
use andon_core::Mono;
use andon_core::{Edge, Encoder, FieldError, Input, Output, SharedEncoder};

/// Opens an output at its safe level.
pub(in crate::fieldio) fn open_output(
    point: &IoPoint,
    address: &GpioAddress,
    _: &mut Devices,
) -> Result<Box<dyn Output>, FieldError> {
    Ok(Box::new(GpioOutput::open(GpioLine::of(point, address), point.safe)?))
}

/// Opens an input.
pub(in crate::fieldio) fn open_input(point: &IoPoint, address: &GpioAddress) -> Result<Box<dyn Input>, FieldError> {
    Ok(Box::new(GpioInput::open(GpioLine::of(point, address), address.debounce)?))
}

/// Opens an encoder.
pub(in crate::fieldio) fn open_encoder(
    encoder: &EncoderPoint,
    address: &GpioAddress,
) -> Result<Box<dyn Encoder>, FieldError> {
    Ok(Box::new(GpioEncoder::open(GpioLine::of(&encoder.point, address), encoder.line_b)?))
}

/// The chips that this user may open, each with its label and number of lines; `None` in a build that does not look for them.
pub fn gpio_chips() -> Option<Vec<String>> {
    let chips = gpiocdev::chip::chips().unwrap_or_default();
    let described = chips.iter().filter_map(|path| {
        let info = gpiocdev::chip::Chip::from_path(path).ok()?.info().ok()?;
        Some(format!("{} ({}, {} lines)", path.display(), info.label, info.num_lines))
    });
    Some(described.collect())
}

/// One line of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpioLine {
    /// Name in the configuration.
    pub name: String,
    /// Device file.
    pub chip: PathBuf,
    /// Offset on the chip.
    pub line: u32,
    /// On is the low voltage.
    pub active_low: bool,
    /// Pull towards off, where the chip can.
    pub pull: bool,
}

impl GpioLine {
    fn of(point: &IoPoint, address: &GpioAddress) -> GpioLine {
        GpioLine {
            name: point.name.clone(),
            chip: address.chip.clone(),
            line: address.line,
            active_low: point.active_low,
            pull: true,
        }
    }

    fn error(&self, e: &gpiocdev::Error) -> FieldError {
        let chip = self.chip.display().to_string();
        let remedy = if !self.chip.exists() {
            "; there is no such device: `andon doctor` lists the chips of this machine"
        } else {
            "; is it free (gpioinfo), and may this user open it (group gpio)?"
        };
        FieldError::Gpio { name: self.name.clone(), chip, line: self.line, why: format!("{e}{remedy}") }
    }

    fn builder(&self, second: Option<u32>) -> gpiocdev::request::Builder {
        let mut builder = Request::builder();
        let lines = [self.line, second.unwrap_or(self.line)];
        builder.on_chip(&self.chip).with_consumer("andon").with_lines(&lines[..1 + usize::from(second.is_some())]);
        if self.active_low {
            builder.as_active_low();
        }
        builder
    }

    fn watched(&self, second: Option<u32>) -> Result<Request, FieldError> {
        let mut builder = self.builder(second);
        builder.as_input().with_edge_detection(EdgeDetection::BothEdges).with_kernel_event_buffer_size(1024);
        if self.pull {
            builder.with_bias(if self.active_low { Bias::PullUp } else { Bias::PullDown });
        }
        builder.request().map_err(|e| self.error(&e))
    }
}

/// An output line. What the pin does after the program is gone, the board decides: wire it so that this is safe.
pub struct GpioOutput {
    spec: GpioLine,
    request: Request,
    safe: bool,
    fault: Option<String>,
}

impl GpioOutput {
    /// Takes the line at its safe level.
    ///
    /// # Errors
    /// [`FieldError::Gpio`].
    pub fn open(spec: GpioLine, safe: bool) -> Result<GpioOutput, FieldError> {
        let request = spec.builder(None).as_output(value(safe)).request().map_err(|e| spec.error(&e))?;
        Ok(GpioOutput { spec, request, safe, fault: None })
    }
}

fn value(on: bool) -> Value {
    if on { Value::Active } else { Value::Inactive }
}

impl Output for GpioOutput {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn set(&mut self, on: bool) {
        self.fault = self.request.set_value(self.spec.line, value(on)).err().map(|e| self.spec.error(&e).to_string());
    }

    fn fault(&self) -> Option<String> {
        self.fault.clone()
    }

    fn make_safe(&mut self) {
        self.set(self.safe);
    }
}

impl Drop for GpioOutput {
    fn drop(&mut self) {
        self.make_safe();
    }
}

/// A sensor on a line.
pub struct GpioInput {
    spec: GpioLine,
    request: Request,
    debounce: Duration,
    last: Option<Mono>,
}

impl GpioInput {
    /// Takes the line. Edges within `debounce` of the last rising one are not told.
    ///
    /// # Errors
    /// [`FieldError::Gpio`].
    pub fn open(spec: GpioLine, debounce: Duration) -> Result<GpioInput, FieldError> {
        let request = spec.watched(None)?;
        Ok(GpioInput { spec, request, debounce, last: None })
    }
}

impl Input for GpioInput {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn next(&mut self, until: Mono) -> Result<Option<Edge>, FieldError> {
        loop {
            let wait = until.since(Mono::now());
            if !self.request.wait_edge_event(wait).map_err(|e| self.spec.error(&e))? {
                return Ok(None);
            }
            let event = self.request.read_edge_event().map_err(|e| self.spec.error(&e))?;
            let at = Mono(event.timestamp_ns);
            let bounce = self.last.is_some_and(|last| at.since(last) < self.debounce);
            if event.kind == EdgeKind::Rising && !bounce {
                self.last = Some(at);
                return Ok(Some(Edge { at, id: None }));
            }
        }
    }
}

/// An encoder on one line (pulses, forwards only) or two lines of one chip (quadrature).
pub struct GpioEncoder {
    spec: GpioLine,
    b: Option<u32>,
    request: Request,
    levels: (bool, bool),
    decoder: Quadrature,
    pulses: u64,
}

impl GpioEncoder {
    /// Takes channel A and, for quadrature, channel B in one request, so that the kernel keeps their edges in order.
    ///
    /// # Errors
    /// [`FieldError::Gpio`].
    pub fn open(spec: GpioLine, b: Option<u32>) -> Result<GpioEncoder, FieldError> {
        let request = spec.watched(b)?;
        let level = |line| request.value(line).map(|v| v == Value::Active).map_err(|e| spec.error(&e));
        let levels = (level(spec.line)?, b.map_or(Ok(false), level)?);
        Ok(GpioEncoder { decoder: Quadrature::new(levels.0, levels.1), spec, b, request, levels, pulses: 0 })
    }
}

impl Encoder for GpioEncoder {
    fn read(&mut self, track: &SharedEncoder, until: Mono) -> Result<(), FieldError> {
        let error = |e: gpiocdev::Error| self.spec.error(&e);
        loop {
            let wait = until.since(Mono::now());
            if wait.is_zero() || !self.request.wait_edge_event(wait).map_err(error)? {
                return Ok(());
            }
            let event = self.request.read_edge_event().map_err(error)?;
            let level = event.kind == EdgeKind::Rising;
            let count = if self.b.is_some() {
                let channel = if event.offset == self.spec.line { &mut self.levels.0 } else { &mut self.levels.1 };
                *channel = level;
                self.decoder.step(self.levels.0, self.levels.1)
            } else {
                self.pulses += u64::from(level);
                i64::try_from(self.pulses).unwrap_or(i64::MAX)
            };
            // The track counts on 32 bits.
            track.push(count.rem_euclid(1 << 32) as u64, Mono(event.timestamp_ns));
        }
    }
}
