//! Which elements a pipeline may use, and which package has them. A pipeline text is code: it comes from a configuration
//! that people edit, so what writes files, opens servers or runs programs is not on the list.

use gst::prelude::*;
use gstreamer as gst;

use crate::capture::{CaptureError, PipelineSpec};

/// Elements that pipelines use and the Debian/Ubuntu package that has each.
pub const ELEMENT_PACKAGES: [(&str, &str); 44] = [
    ("appsink", "gstreamer1.0-plugins-base"),
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("videotestsrc", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("videoconvertscale", "gstreamer1.0-plugins-base"),
    ("videorate", "gstreamer1.0-plugins-base"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("decodebin3", "gstreamer1.0-plugins-base"),
    ("parsebin", "gstreamer1.0-plugins-base"),
    ("theoradec", "gstreamer1.0-plugins-base"),
    ("oggdemux", "gstreamer1.0-plugins-base"),
    ("filesrc", "libgstreamer1.0-0"),
    ("queue", "libgstreamer1.0-0"),
    ("queue2", "libgstreamer1.0-0"),
    ("multiqueue", "libgstreamer1.0-0"),
    ("typefind", "libgstreamer1.0-0"),
    ("capsfilter", "libgstreamer1.0-0"),
    ("identity", "libgstreamer1.0-0"),
    ("valve", "libgstreamer1.0-0"),
    ("tee", "libgstreamer1.0-0"),
    ("fakesrc", "libgstreamer1.0-0"),
    ("fakesink", "libgstreamer1.0-0"),
    ("clocksync", "libgstreamer1.0-0"),
    ("v4l2src", "gstreamer1.0-plugins-good"),
    ("multifilesrc", "gstreamer1.0-plugins-good"),
    ("imagefreeze", "gstreamer1.0-plugins-good"),
    ("jpegdec", "gstreamer1.0-plugins-good"),
    ("pngdec", "gstreamer1.0-plugins-good"),
    ("rtspsrc", "gstreamer1.0-plugins-good"),
    ("videocrop", "gstreamer1.0-plugins-good"),
    ("videoflip", "gstreamer1.0-plugins-good"),
    ("avidemux", "gstreamer1.0-plugins-good"),
    ("matroskademux", "gstreamer1.0-plugins-good"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("bayer2rgb", "gstreamer1.0-plugins-bad"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("watchdog", "gstreamer1.0-plugins-bad"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("avdec_h265", "gstreamer1.0-libav"),
    ("aravissrc", "libaravis-0.8-0"),
    ("nvarguscamerasrc", "nvidia-l4t-gstreamer"),
    ("nvvidconv", "nvidia-l4t-gstreamer"),
    ("nvv4l2decoder", "nvidia-l4t-gstreamer"),
];

/// Parses a pipeline and checks every element in it before anything changes state.
pub(super) fn parse(spec: &PipelineSpec, also_allowed: &[String]) -> Result<gst::Pipeline, CaptureError> {
    gst::init().map_err(|e| CaptureError::Init(e.to_string()))?;
    let refused = |why: String| CaptureError::Parse { origin: spec.origin.clone(), why };
    let mut context = gst::ParseContext::new();
    let parsed = gst::parse::launch_full(&spec.text, Some(&mut context), gst::ParseFlags::FATAL_ERRORS);
    if let Some(element) = context.missing_elements().first() {
        let element = element.to_string();
        return Err(CaptureError::MissingElement { origin: spec.origin.clone(), remedy: remedy(&element), element });
    }
    let top = parsed.map_err(|e| refused(e.message().to_owned()))?;
    // One element alone is no pipeline; it is put into one so that all is treated alike.
    let pipeline = match top.downcast::<gst::Pipeline>() {
        Ok(pipeline) => pipeline,
        Err(element) => {
            let pipeline = gst::Pipeline::new();
            pipeline.add(&element).map_err(|e| refused(e.to_string()))?;
            pipeline
        }
    };
    for element in pipeline.iterate_recurse().into_iter().flatten() {
        let factory = element.factory().map(|f| f.name().to_string()).unwrap_or_default();
        let listed = ELEMENT_PACKAGES.iter().any(|(name, _)| *name == factory);
        // A plain bin only groups its children, which are checked themselves.
        if !listed && factory != "bin" && factory != "pipeline" && !also_allowed.contains(&factory) {
            return Err(CaptureError::Forbidden { origin: spec.origin.clone(), element: factory });
        }
    }
    Ok(pipeline)
}

fn remedy(element: &str) -> String {
    match ELEMENT_PACKAGES.iter().find(|(name, _)| *name == element) {
        Some((_, package)) => format!("install it: apt-get install {package}"),
        None => "check its name with `gst-inspect-1.0`, or install the plugin that has it".to_owned(),
    }
}

/// Elements of the list that this machine does not have, with their packages.
///
/// # Errors
/// [`CaptureError::Init`] when GStreamer itself does not start.
pub fn missing_elements() -> Result<Vec<(&'static str, &'static str)>, CaptureError> {
    gst::init().map_err(|e| CaptureError::Init(e.to_string()))?;
    Ok(ELEMENT_PACKAGES.into_iter().filter(|(name, _)| gst::ElementFactory::find(name).is_none()).collect())
}
