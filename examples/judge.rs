//! Opens a model and judges pictures, as `andon inspect` does: `cargo run --release --example judge part.andon a.png b.png`.

#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use andon::assemble;
use andon::config::FrameSize;
use andon_core::judge;
use andon_core::{Detection, Fault, Threshold};
use andon_vision::fit::read_raw;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::EngineOptions;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let model = args.next().ok_or("usage: judge MODEL PICTURE...")?;
    let bundle = Arc::new(Bundle::open(Path::new(&model))?);
    let threshold = Threshold::new(bundle.manifest.threshold).ok_or("the model has no usable threshold")?;
    // The engine is chosen, compared with the reference and warmed up.
    let mut detector = assemble::open(&bundle, &EngineOptions::default(), FrameSize::AsTrained)?.detector;
    let mut out = Detection::default();
    for path in args {
        let picture = read_raw(Path::new(&path))?;
        let seen = picture.view().ok_or(Fault::BadFrame).and_then(|frame| detector.detect(&frame, &mut out));
        // What has no finite score under the threshold does not pass, whatever the reason.
        let judged = judge(seen.map(|()| out.score), threshold);
        println!("{path}: {} ({})", judged.outcome.as_str(), judged.reason.as_str());
    }
    Ok(())
}
