//! Cameras by configuration, and the simulated one.

#[cfg(feature = "gst")]
pub(super) use with_gst::{configured, faults, simulated};
#[cfg(not(feature = "gst"))]
pub(super) use without_gst::{configured, faults, simulated};

#[cfg(feature = "gst")]
mod with_gst {
    use std::collections::BTreeMap;

    use crate::config::{Camera, OnEos};
    use andon_core::Source;
    use andon_io::capture::{CaptureError, Feed, GstOptions, GstSource, PipelineSpec};
    use andon_sim::{Conveyor, ConveyorPainter, LiveBelt};

    /// The camera of a configuration.
    pub fn configured(camera: &Camera, allow_elements: &[String]) -> Result<Box<dyn Source>, CaptureError> {
        let spec = PipelineSpec::load(&camera.pipeline, &camera.vars)?;
        let options = GstOptions {
            allow_elements: allow_elements.to_vec(),
            name: camera.name.clone(),
            end_at_eos: camera.on_eos == OnEos::End,
            silence: camera.silence,
            first_frame: camera.start_timeout,
            ..GstOptions::default()
        };
        Ok(Box::new(GstSource::new(spec, options)?))
    }

    /// All that is wrong with a camera's pipeline and its variables. It is parsed, and nothing of it starts.
    pub fn faults(camera: &Camera, allow_elements: &[String]) -> Vec<String> {
        match PipelineSpec::load_all(&camera.pipeline, &camera.vars) {
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
            Ok(_) => configured(camera, allow_elements).err().map(|e| e.to_string()).into_iter().collect(),
        }
    }

    /// The conveyor's camera: real GStreamer, pictures from the program.
    pub fn simulated(conveyor: Conveyor, belt: LiveBelt, limit: Option<u64>) -> Result<Box<dyn Source>, CaptureError> {
        let spec = PipelineSpec::load("simulator", &BTreeMap::new())?;
        let options = GstOptions { name: "flange".to_owned(), end_at_eos: true, ..GstOptions::default() };
        let painter = ConveyorPainter { conveyor, rate: belt.rate, limit };
        Ok(Box::new(GstSource::new(spec, options)?.with_feed(Feed::new(Box::new(painter), belt.start))))
    }
}

#[cfg(not(feature = "gst"))]
mod without_gst {
    use crate::config::Camera;
    use andon_core::Source;
    use andon_io::capture::{CaptureError, PipelineSpec};
    use andon_sim::{Conveyor, LiveBelt};

    pub fn configured(_: &Camera, _: &[String]) -> Result<Box<dyn Source>, CaptureError> {
        Err(CaptureError::NotBuilt)
    }

    /// Without GStreamer only the text and its variables can be looked at.
    pub fn faults(camera: &Camera, _: &[String]) -> Vec<String> {
        let read = PipelineSpec::load_all(&camera.pipeline, &camera.vars);
        read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    pub fn simulated(_: Conveyor, _: LiveBelt, _: Option<u64>) -> Result<Box<dyn Source>, CaptureError> {
        Err(CaptureError::NotBuilt)
    }
}
