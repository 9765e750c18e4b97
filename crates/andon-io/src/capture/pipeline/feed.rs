//! Pictures of the program itself, pushed into a pipeline's `appsrc name=src` at a steady rate, for the simulator.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use crate::capture::Painter;
use andon_core::Mono;

/// How long before it is due a picture is begun: several times what the simulator needs for one.
const LEAD: Duration = Duration::from_millis(15);

/// A painter with its clock; survives the rebuilds of a pipeline, so pictures go on where they stopped.
#[derive(Clone)]
pub struct Feed {
    painter: Arc<Mutex<Box<dyn Painter>>>,
    next: Arc<AtomicU64>,
    start: Mono,
}

/// A feed at work; ends when dropped.
pub(super) struct Feeding {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Feed {
    /// A feed whose first picture is due `painter.due(0)` after `start`.
    pub fn new(painter: Box<dyn Painter>, start: Mono) -> Feed {
        Feed { painter: Arc::new(Mutex::new(painter)), next: Arc::default(), start }
    }

    /// Starts to push into the pipeline's `src`.
    pub(super) fn attach(&self, pipeline: &gst::Pipeline) -> Result<Feeding, String> {
        let src = pipeline
            .by_name("src")
            .and_then(|e| e.downcast::<gst_app::AppSrc>().ok())
            .ok_or("it has no `appsrc name=src` to feed")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (feed, pipeline, stopped) = (self.clone(), pipeline.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || feed.run(&pipeline, &src, &stopped))
            .map_err(|e| format!("cannot start the feed's thread: {e}"))?;
        Ok(Feeding { stop, thread: Some(thread) })
    }

    fn run(&self, pipeline: &gst::Pipeline, src: &gst_app::AppSrc, stop: &AtomicBool) {
        let mut painter = self.painter.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        let mut caps = String::new();
        while !stop.load(Relaxed) {
            let index = self.next.load(Relaxed);
            let Some(due) = painter.due(index) else {
                if src.end_of_stream().is_err() {
                    tracing::debug!("the pipeline was stopped before its end");
                }
                return;
            };
            // Just before it is due: painting right after the last push would take the processor from its inspection.
            if !sleep_until(self.start + due.saturating_sub(LEAD), stop) {
                return;
            }
            painter.paint(index, &mut bytes);
            if caps != painter.caps(index) {
                caps = painter.caps(index);
                match caps.parse::<gst::Caps>() {
                    Ok(caps) => src.set_caps(Some(&caps)),
                    Err(e) => tracing::error!("a painter's caps are refused: {e}"),
                }
            }
            if !sleep_until(self.start + due, stop) {
                return;
            }
            let mut buffer = gst::Buffer::from_slice(bytes.clone());
            if let Some(b) = buffer.get_mut() {
                b.set_offset(index);
                // On the pipeline's clock, which is `Mono`'s too.
                let now = pipeline.base_time().map_or(0, |base| Mono::now().0.saturating_sub(base.nseconds()));
                b.set_pts(gst::ClockTime::from_nseconds(now));
            }
            // Flushing: the pipeline is being torn down, the same picture comes again after the rebuild.
            if src.push_buffer(buffer).is_err() {
                return;
            }
            self.next.store(index + 1, Relaxed);
        }
    }
}

/// In steps, so that a stop is seen; false when stopped.
fn sleep_until(due: Mono, stop: &AtomicBool) -> bool {
    loop {
        let left = due.since(Mono::now());
        if stop.load(Relaxed) || left.is_zero() {
            return !stop.load(Relaxed);
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}

impl Drop for Feeding {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
