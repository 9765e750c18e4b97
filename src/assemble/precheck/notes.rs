//! What is not wrong and probably not meant.

use std::sync::Arc;

use crate::config::{Camera, Config, FrameSize};
use andon_io::capture::PipelineSpec;
use andon_vision::model::bundle::Bundle;

/// A line for each.
pub fn notes(c: &Config, models: &[Arc<Bundle>]) -> Vec<String> {
    let sizes = c.cameras.iter().zip(models).filter_map(|(camera, bundle)| size(camera, bundle));
    // Without models, this machine is not asked.
    let disk = (c.pictures.enabled && !models.is_empty()).then(|| c.pictures.note()).flatten();
    c.unused.iter().cloned().chain(sizes).chain(disk).collect()
}

/// A camera that is set to another size than its model learned gives nothing but errors.
fn size(camera: &Camera, bundle: &Bundle) -> Option<String> {
    let [w, h] = bundle.manifest.frame_size.filter(|_| camera.frame_size == FrameSize::AsTrained)?;
    // Only these say the size of their frames; what a file or a network camera holds shows when it plays.
    if !["v4l2", "gige", "test"].contains(&camera.pipeline.as_str()) {
        return None;
    }
    let text = PipelineSpec::load(&camera.pipeline, &camera.vars).ok()?.text;
    let said = |name: &str| -> Option<u32> {
        let digits = text.split(name).nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let (width, height) = (said(",width=")?, said(",height=")?);
    ((width, height) != (w, h)).then(|| {
        format!(
            "cameras.{}: it is set to {width}x{height}, and its model learned {w}x{h}, so every frame will be an ERROR; set width and height \
             under [cameras.{0}.vars]",
            camera.name
        )
    })
}
