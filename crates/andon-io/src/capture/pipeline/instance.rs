//! One build of a pipeline, from parsing to teardown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::decoded::Decoders;
use super::{allow, messages};
use crate::capture::{CaptureError, PipelineSpec};
use andon_core::{Frame, FrameNo, Mono, PixelFormat, Pixels, Yuv, YuvMatrix};

/// Frames that wait in the sink at most. Nothing is dropped here (`drop=false`): the capture thread only hands over and
/// never blocks, so if this fills, the camera's own queue does too, and its frame numbers show what was lost.
const SINK_BUFFERS: u32 = 4;
/// Drivers are known to hang in their teardown; after this they are left to a helper thread.
const TEARDOWN: Duration = Duration::from_secs(2);

/// A running pipeline.
pub(super) struct PipelineInstance {
    pub pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    bus: gst::Bus,
    /// Frames that decoders lose.
    pub decoders: Decoders,
    /// Says how the start went.
    starting: Option<crossbeam_channel::Receiver<bool>>,
    /// Stamp frames with their arrival: a recording has no other time.
    by_arrival: bool,
    last_offset: Option<u64>,
    info: Option<(gst::Caps, gst_video::VideoInfo)>,
}

/// What the bus says.
pub(super) enum BusMessage {
    Nothing,
    Eos,
    Error(String),
}

impl PipelineInstance {
    /// Parses and checks; nothing has changed state yet.
    pub fn build(
        spec: &PipelineSpec,
        also_allowed: &[String],
        by_arrival: bool,
    ) -> Result<PipelineInstance, CaptureError> {
        let pipeline = allow::parse(spec, also_allowed)?;
        let no_sink = || CaptureError::Parse {
            origin: spec.origin.clone(),
            why: "it has no `appsink name=sink` to take the frames from".to_owned(),
        };
        let sink = pipeline.by_name("sink").and_then(|e| e.downcast::<gst_app::AppSink>().ok()).ok_or_else(no_sink)?;
        sink.set_property("sync", false);
        sink.set_property("max-buffers", SINK_BUFFERS);
        sink.set_property("drop", false);
        sink.set_property("enable-last-sample", false);
        sink.set_property("qos", false);
        let formats = FORMATS.map(|(gst, _)| gst).into_iter().chain([gst_video::VideoFormat::Nv12]);
        let formats: Vec<String> = formats.map(|format| format.to_str().to_string()).collect();
        let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(formats)).build();
        sink.set_caps(Some(&caps));
        // Monotonic time, so that base time + PTS is the same clock as `Mono`.
        let clock = gst::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        let bus = pipeline.bus().ok_or_else(no_sink)?;
        let decoders = Decoders::watch(&pipeline);
        Ok(PipelineInstance {
            pipeline,
            sink,
            bus,
            decoders,
            starting: None,
            by_arrival,
            last_offset: None,
            info: None,
        })
    }

    /// Begins to play, on a thread of its own: drivers are known to hang in their start, and whoever asked hangs with them.
    ///
    /// # Errors
    /// No room for a thread.
    pub fn play(&mut self, hanging: Arc<AtomicUsize>) -> Result<(), String> {
        let (done, finished) = crossbeam_channel::bounded::<bool>(1);
        let pipeline = self.pipeline.clone();
        let start = move || {
            hanging.fetch_add(1, Relaxed);
            let played = pipeline.set_state(gst::State::Playing).is_ok();
            hanging.fetch_sub(1, Relaxed);
            if done.send(played).is_err() {
                tracing::debug!(played, "a start ended after it was given up");
            }
        };
        std::thread::Builder::new()
            .name("gst-up".to_owned())
            .spawn(start)
            .map_err(|e| format!("cannot start a thread: {e}"))?;
        self.starting = Some(finished);
        Ok(())
    }

    /// Waits until `until` for the start to end: `None` if it has not, and the reason if it failed.
    pub fn started(&mut self, until: Mono) -> Option<Result<(), String>> {
        let Some(finished) = &self.starting else { return Some(Ok(())) };
        match finished.recv_timeout(until.since(Mono::now())) {
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => return None,
            Ok(true) => {
                self.starting = None;
                return Some(Ok(()));
            }
            Ok(false) | Err(crossbeam_channel::RecvTimeoutError::Disconnected) => self.starting = None,
        }
        // The state change itself says only that it failed; the reason is on the bus.
        Some(Err(match self.listen(Duration::ZERO) {
            BusMessage::Error(why) => why,
            BusMessage::Nothing | BusMessage::Eos => {
                let which = self.cannot_start().unwrap_or_else(|| "an element".to_owned());
                format!("{which} cannot start and does not say why; are its size, format and frame rate right?")
            }
        }))
    }

    /// The element whose state did not change, with what it reads.
    fn cannot_start(&self) -> Option<String> {
        let mut elements = self.pipeline.iterate_recurse().into_iter().flatten();
        let failed = |e: &gst::Element| !e.is::<gst::Bin>() && e.state(gst::ClockTime::ZERO).0.is_err();
        elements.find(failed).map(|e| messages::element(e.upcast_ref()))
    }

    /// What the bus says, waiting at most `wait` for the first word.
    pub fn listen(&self, wait: Duration) -> BusMessage {
        use gst::MessageView;
        let kinds = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Warning];
        let next = |wait: Duration| match gst::ClockTime::try_from(wait) {
            Ok(wait) if wait > gst::ClockTime::ZERO => self.bus.timed_pop_filtered(wait, &kinds),
            _ => self.bus.pop_filtered(&kinds),
        };
        let (mut heard, mut wait) = (BusMessage::Nothing, wait);
        // An error counts whether it comes before or after the end of the stream.
        while let Some(message) = next(std::mem::take(&mut wait)) {
            match message.view() {
                MessageView::Eos(_) => heard = BusMessage::Eos,
                MessageView::Error(e) => return BusMessage::Error(messages::error(e)),
                MessageView::Warning(w) => tracing::debug!("{}", messages::warning(w)),
                _ => {}
            }
        }
        heard
    }

    /// The next sample within `wait`.
    pub fn pull(&self, wait: Duration) -> Option<gst::Sample> {
        self.sink.try_pull_sample(gst::ClockTime::try_from(wait).unwrap_or(gst::ClockTime::ZERO))
    }

    /// Whether every frame before the end of the stream was pulled.
    pub fn is_eos(&self) -> bool {
        self.sink.is_eos()
    }

    /// The time between frames by the negotiated caps.
    pub fn period(&self) -> Option<Duration> {
        let (_, info) = self.info.as_ref()?;
        let fps = info.fps();
        let (n, d) = (u64::try_from(fps.numer()).ok()?, u64::try_from(fps.denom()).ok()?);
        (n > 0).then(|| Duration::from_nanos(1_000_000_000 * d / n))
    }

    /// The sample as a frame, and how many frames the camera numbered since the last one that never came.
    pub fn frame_of(&mut self, sample: &gst::Sample, now: Mono) -> (u64, Frame) {
        let buffer = sample.buffer();
        let offset = buffer.map(|b| b.offset()).filter(|o| *o != u64::MAX);
        let missed = self.missed(offset);
        let t_capture = self.captured(buffer.and_then(|b| b.pts()), now);
        let pixels = self.pixels(sample).unwrap_or(Pixels::Unreadable);
        (missed, Frame { number: FrameNo(0), t_capture, source_index: offset, pixels })
    }

    /// Frame numbers that were left out. A number that goes back, or jumps by more than a minute's worth, is a counter that
    /// was set anew.
    fn missed(&mut self, offset: Option<u64>) -> u64 {
        const JUMP: u64 = 3600;
        let expected = self.last_offset.map(|o| o + 1);
        self.last_offset = offset.or(self.last_offset);
        match (offset, expected) {
            (Some(got), Some(want)) if got > want && got - want <= JUMP => got - want,
            _ => 0,
        }
    }

    /// Base time + PTS, if that is a sensible time for a frame that just arrived.
    fn captured(&self, pts: Option<gst::ClockTime>, now: Mono) -> Mono {
        if self.by_arrival {
            return now;
        }
        let stamp = pts.zip(self.pipeline.base_time()).map(|(pts, base)| Mono(base.nseconds() + pts.nseconds()));
        stamp.filter(|t| *t <= now && now.since(*t) < Duration::from_secs(5)).unwrap_or(now)
    }

    /// Maps the buffer as its own caps say; `None` if it does not hold that much.
    fn pixels(&mut self, sample: &gst::Sample) -> Option<Pixels> {
        let caps = sample.caps()?;
        if self.info.as_ref().is_none_or(|(known, _)| known.as_ref() != caps) {
            let info = gst_video::VideoInfo::from_caps(caps).ok()?;
            self.info = Some((caps.to_owned(), info));
        }
        let (_, info) = self.info.as_ref()?;
        let format = match info.format() {
            gst_video::VideoFormat::Nv12 => PixelFormat::Nv12(colours(info)),
            format => FORMATS.iter().find(|(gst, _)| *gst == format).map(|(_, ours)| *ours)?,
        };
        let frame = gst_video::VideoFrame::from_buffer_readable(sample.buffer_owned()?, info).ok()?;
        Some(Pixels::Gst { frame, format })
    }

    /// Stops and frees the pipeline, waiting no longer than two seconds for its drivers, and not at all for a start that has not ended:
    /// the stop hangs as long as that. `hanging` counts those that have not ended.
    pub fn tear_down(self, hanging: &Arc<AtomicUsize>) {
        let (done, finished) = crossbeam_channel::bounded::<()>(1);
        let (pipeline, hanging) = (self.pipeline.clone(), hanging.clone());
        let patience = if self.starting.is_some() { Duration::ZERO } else { TEARDOWN };
        drop(self);
        let helper = std::thread::Builder::new().name("gst-down".to_owned()).spawn(move || {
            hanging.fetch_add(1, Relaxed);
            if pipeline.set_state(gst::State::Null).is_err() {
                tracing::warn!("a pipeline did not stop cleanly");
            }
            drop(pipeline);
            hanging.fetch_sub(1, Relaxed);
            drop(done);
        });
        match helper {
            Ok(_) => {
                let late = finished.recv_timeout(patience) == Err(crossbeam_channel::RecvTimeoutError::Timeout);
                if late && patience > Duration::ZERO {
                    tracing::error!("a camera driver hangs in its teardown; leaving it behind");
                }
            }
            Err(e) => tracing::error!("cannot start the teardown thread: {e}"),
        }
    }
}

/// What the caps say about luma and colour differences; where they say nothing, GStreamer has filled in what the height suggests.
fn colours(info: &gst_video::VideoInfo) -> Yuv {
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        gst_video::VideoColorMatrix::Bt2020 => YuvMatrix::Bt2020,
        gst_video::VideoColorMatrix::Bt709 | gst_video::VideoColorMatrix::Smpte240m => YuvMatrix::Bt709,
        _ => YuvMatrix::Bt601,
    };
    Yuv { matrix, full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255 }
}

const FORMATS: [(gst_video::VideoFormat, PixelFormat); 9] = [
    (gst_video::VideoFormat::Gray8, PixelFormat::Gray8),
    (gst_video::VideoFormat::Rgb, PixelFormat::Rgb8),
    (gst_video::VideoFormat::Bgr, PixelFormat::Bgr8),
    (gst_video::VideoFormat::Rgba, PixelFormat::Rgba8),
    (gst_video::VideoFormat::Rgbx, PixelFormat::Rgba8),
    (gst_video::VideoFormat::Bgra, PixelFormat::Bgra8),
    (gst_video::VideoFormat::Bgrx, PixelFormat::Bgra8),
    // Last, so that converters choose them for 16-bit pictures only.
    (gst_video::VideoFormat::Gray16Le, PixelFormat::Gray16Le),
    (gst_video::VideoFormat::Gray16Be, PixelFormat::Gray16Be),
];
