//! A camera of your own on a line: here it plays the pictures of a folder, ten a second, in place of a maker's SDK.
//!
//! `cargo run --release --example own_source part.andon pictures/`

#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use andon::assemble::{self, CameraParts, LaneParts, LineBuilder};
use andon::config::{self, FrameSize};
use andon_core::{
    CameraId, CameraState, Frame, FrameNo, Mono, Next, PixelFormat, Pixels, Pooled, Source, SourceError, Threshold,
};
use andon_line::runtime::LaneSpec;
use andon_vision::fit::{list_images, read_image};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::EngineOptions;

/// From one picture to the next.
const PERIOD: Duration = Duration::from_millis(100);
/// A verdict comes within this time of its frame.
const DEADLINE: Duration = Duration::from_millis(500);

/// The pictures of a folder, one after the other.
struct Folder {
    files: Vec<PathBuf>,
    played: usize,
    due: Mono,
    problem: Option<String>,
}

impl Source for Folder {
    fn next(&mut self, until: Mono) -> Result<Next, SourceError> {
        let Some(file) = self.files.get(self.played) else { return Ok(Next::End) };
        // Never waits beyond `until`: the line has other things to look after.
        std::thread::sleep(self.due.min(until).since(Mono::now()));
        if self.due > until {
            return Ok(Next::Idle);
        }
        self.due = self.due + PERIOD;
        self.played += 1;
        let pixels = match read_image(file) {
            Ok(picture) => Pixels::Pooled {
                data: Pooled::alone(picture.rgb),
                format: PixelFormat::Rgb8,
                width: picture.width as usize,
                height: picture.height as usize,
                stride: picture.width as usize * 3,
            },
            // A part was there, so it gets an outcome: ERROR.
            Err(why) => {
                self.problem = Some(why.to_string());
                Pixels::Unreadable
            }
        };
        let source_index = Some(self.played as u64);
        // The line numbers the frames.
        Ok(Next::Frame(Frame { number: FrameNo(0), t_capture: Mono::now(), source_index, pixels }))
    }

    fn state(&self) -> CameraState {
        if self.played < self.files.len() { CameraState::Running } else { CameraState::Ended }
    }

    fn restarts(&self) -> u64 {
        0
    }

    fn last_problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(folder)) = (args.next(), args.next()) else {
        return Err("usage: own_source MODEL FOLDER".into());
    };
    let bundle = Arc::new(Bundle::open(Path::new(&model))?);
    let engine = EngineOptions::default();
    let files = list_images(Path::new(&folder))?.pictures;
    let camera = CameraParts {
        name: "folder".to_owned(),
        detector: assemble::open(&bundle, &engine, FrameSize::AsTrained)?,
        source: Box::new(Folder { files, played: 0, due: Mono::now(), problem: None }),
        threshold: Threshold::new(bundle.manifest.threshold).ok_or("the model has no usable threshold")?,
        model: None,
        bundle,
        engine,
        frame_size: FrameSize::AsTrained,
        threshold_configured: false,
        threshold_unsafe: false,
        deadline: DEADLINE,
        presence: None,
    };
    // Every frame is a part: no trigger, no encoder, no ejector.
    let lane = LaneParts { name: "folder".to_owned(), spec: LaneSpec::free(CameraId(0), DEADLINE) };

    let flags = [("zenoh.enabled", "false".to_owned()), ("metrics.enabled", "false".to_owned())];
    let settings = config::load(None, [], &flags)?;
    let line = LineBuilder::new(&settings, Arc::new(AtomicBool::new(false)))?.camera(camera).lane(lane).start()?;
    line.wait()?;
    let report = line.finish()?;
    for (camera, counts, latency) in &report.cameras {
        println!(
            "{camera}: {} parts, {} PASS, {} REJECT, {} ERROR, {} UNINSPECTED, p99 {:.1} ms",
            counts.offered,
            counts.pass,
            counts.reject,
            counts.error,
            counts.uninspected,
            latency.p99_us as f64 / 1000.0
        );
    }
    Ok(())
}
