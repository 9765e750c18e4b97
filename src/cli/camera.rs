//! Cameras by configuration, and the simulated one.

#[cfg(feature = "gst")]
pub(super) use with_gst::{configured, simulated};
#[cfg(not(feature = "gst"))]
pub(super) use without_gst::{configured, simulated};

#[cfg(feature = "gst")]
mod with_gst {
    use std::collections::BTreeMap;

    use crate::capture::{CaptureError, Feed, GstOptions, GstSource, PipelineSpec, Source};
    use crate::config::{Camera, OnEos};
    use crate::sim::{Conveyor, ConveyorPainter, LiveBelt};

    /// The camera of a configuration.
    pub fn configured(camera: &Camera, allow_elements: &[String]) -> Result<Box<dyn Source>, CaptureError> {
        let spec = PipelineSpec::load(&camera.pipeline, &camera.vars)?;
        let options = GstOptions {
            allow_elements: allow_elements.to_vec(),
            end_at_eos: camera.on_eos == OnEos::End,
            ..GstOptions::default()
        };
        Ok(Box::new(GstSource::new(spec, options)?))
    }

    /// The conveyor's camera: real GStreamer, pictures from the program.
    pub fn simulated(conveyor: Conveyor, belt: LiveBelt, limit: Option<u64>) -> Result<Box<dyn Source>, CaptureError> {
        let spec = PipelineSpec::load("simulator", &BTreeMap::new())?;
        let options = GstOptions { end_at_eos: true, ..GstOptions::default() };
        let painter = ConveyorPainter { conveyor, rate: belt.rate, limit };
        Ok(Box::new(GstSource::new(spec, options)?.with_feed(Feed::new(Box::new(painter), belt.start))))
    }
}

#[cfg(not(feature = "gst"))]
mod without_gst {
    use crate::capture::{CaptureError, Source};
    use crate::config::Camera;
    use crate::sim::{Conveyor, LiveBelt};

    pub fn configured(_: &Camera, _: &[String]) -> Result<Box<dyn Source>, CaptureError> {
        Err(CaptureError::NotBuilt)
    }

    pub fn simulated(_: Conveyor, _: LiveBelt, _: Option<u64>) -> Result<Box<dyn Source>, CaptureError> {
        Err(CaptureError::NotBuilt)
    }
}
