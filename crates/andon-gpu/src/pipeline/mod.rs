//! The whole way of frames through the GPU on one stream: the feature stage, then a method's head. Owned by a detector, used by one thread.
//! A steady run neither allocates nor waits between upload and download.
//!
//! ```text
//!              layout or number of frames changes
//!        ┌────────────────────┬──────────────────┐
//!        ▼                    │                  │
//!     Warmup ───────────► Capture ───────────► Replay
//!        │    one run done        graph captured
//!        │                        and launched
//!        └──► Disabled: the network cannot be captured, or capturing failed three times
//! ```
//!
//! The first run of a layout enqueues step by step, because libraries allocate on first use. The second captures the same work into a CUDA
//! graph and launches it. Later ones only launch the graph.

mod gaussian_head;
mod knn_head;

use andon_core::{FrameView, StageTimes};
use andon_vision::model::head::knn::Nearest;
use cudarc::driver::CudaEvent;

pub use self::gaussian_head::GaussianHead;
pub use self::knn_head::{KnnHead, PipelineSpec};
use crate::driver::{Device, GraphExec};
use crate::error::CudaError;
use crate::features::{FeatureStage, Step};
use crate::memory::Buffer;

/// What a method adds behind the features: the anomaly map, and whatever else it downloads. [`KnnHead`] is PatchCore's.
///
/// Everything is allocated when a head is made. Its buffers and pinned memory stay where they are as long as it lives, because a captured
/// graph names them.
pub trait MapHead: Send {
    /// Enqueues the anomaly maps of `frames` frames, from their features (`frames x cells x dim` values), and their download.
    ///
    /// # Errors
    /// More frames than there is room for, or a launch that fails.
    fn enqueue(&mut self, device: &Device, features: &Buffer<f32>, frames: usize) -> Result<(), CudaError>;

    /// Overwrites the downloaded outputs with values that no run gives, so that none of an earlier run is taken for one of the next.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] if work of before was not waited for.
    fn poison_outputs(&mut self) -> Result<(), CudaError>;

    /// The anomaly map of a frame of the last run.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] after a run that failed.
    fn map(&self, frame: usize) -> Result<&[f32], CudaError>;

    /// Writes the nearest good patch of each kept cell of a frame of the last run; nothing, where the method knows none.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] after a run that failed.
    fn nearest_into(&self, frame: usize, out: &mut Vec<Nearest>) -> Result<(), CudaError>;
}

impl MapHead for Box<dyn MapHead> {
    fn enqueue(&mut self, device: &Device, features: &Buffer<f32>, frames: usize) -> Result<(), CudaError> {
        (**self).enqueue(device, features, frames)
    }

    fn poison_outputs(&mut self) -> Result<(), CudaError> {
        (**self).poison_outputs()
    }

    fn map(&self, frame: usize) -> Result<&[f32], CudaError> {
        (**self).map(frame)
    }

    fn nearest_into(&self, frame: usize, out: &mut Vec<Nearest>) -> Result<(), CudaError> {
        (**self).nearest_into(frame, out)
    }
}

/// Frames to anomaly maps on the GPU. Does nothing between calls.
pub struct GpuPipeline<H = KnnHead> {
    /// First, so that it is dropped before what it launches.
    graph: GraphState,
    features: FeatureStage,
    head: H,
    events: [CudaEvent; 5],
    /// Frames that the graph is for, or that the last runs had.
    graph_frames: usize,
    /// How often capturing has failed.
    capture_failures: u32,
    device: Device,
}

/// What another thread does on the GPU can spoil a capture; more failures than this have another cause.
const MAX_CAPTURE_FAILURES: u32 = 3;

/// Whether the work of frames like the last ones is captured.
enum GraphState {
    /// The next run enqueues step by step.
    Warmup,
    /// The next run captures.
    Capture,
    /// Runs launch this graph.
    Replay(GraphExec),
    /// Runs enqueue step by step, for good.
    Disabled,
}

impl<H: MapHead> GpuPipeline<H> {
    /// A head behind a feature stage. Both were made for the same cells and number of frames, on this device.
    ///
    /// # Errors
    /// The device is lost.
    pub fn with_head(device: Device, features: FeatureStage, head: H) -> Result<GpuPipeline<H>, CudaError> {
        Ok(GpuPipeline {
            events: [device.event()?, device.event()?, device.event()?, device.event()?, device.event()?],
            graph: GraphState::Warmup,
            graph_frames: 0,
            capture_failures: 0,
            features,
            head,
            device,
        })
    }

    /// Frames that it takes at a time, at most.
    pub fn frames(&self) -> usize {
        self.features.frames()
    }

    /// The network's name.
    pub fn name(&self) -> &'static str {
        self.features.name()
    }

    /// Whether runs launch a captured graph.
    pub fn is_captured(&self) -> bool {
        matches!(self.graph, GraphState::Replay(_))
    }

    /// Takes frames of one layout through the GPU and waits for the outputs.
    ///
    /// # Errors
    /// More frames than it takes, frames of several layouts, no memory, or the device is lost. No output of this or an earlier call may be
    /// used then.
    pub fn run(&mut self, frames: &[FrameView<'_>]) -> Result<(), CudaError> {
        self.poison_outputs()?;
        if frames.len() > self.frames() {
            return Err(CudaError::Shape(format!("{} frames, it takes {}", frames.len(), self.frames())));
        }
        frames.iter().enumerate().try_for_each(|(n, frame)| self.stage_frame(n, frame))?;
        self.run_staged(frames.len())
    }

    /// Copies frame `n` of the next [`GpuPipeline::run_staged`] into staging memory.
    ///
    /// # Errors
    /// A frame too many, of another layout than the first, or too small to be cut; no memory, or the device is lost.
    pub fn stage_frame(&mut self, n: usize, frame: &FrameView<'_>) -> Result<(), CudaError> {
        self.device.bind()?;
        self.device.settle()?;
        let staged = self.features.stage_frame(&self.device, n, frame);
        // The graph names the memory of the layout before, also when allocating for the new one failed half-way.
        if (matches!(staged, Ok(true)) || !self.features.has_layout()) && !matches!(self.graph, GraphState::Disabled) {
            self.graph = GraphState::Warmup;
        }
        staged.map(|_| ())
    }

    /// Whether a frame can go together with those that are staged.
    pub fn accepts_layout(&self, frame: &FrameView<'_>) -> bool {
        self.features.accepts_layout(frame)
    }

    /// Takes the first `count` staged frames through the GPU and waits for the outputs.
    ///
    /// # Errors
    /// As [`GpuPipeline::run`].
    pub fn run_staged(&mut self, count: usize) -> Result<(), CudaError> {
        self.poison_outputs()?;
        if count == 0 || count > self.frames() {
            return Err(CudaError::Shape(match count {
                0 => "no frames".to_owned(),
                _ => format!("{count} frames, it takes {}", self.frames()),
            }));
        }
        self.device.bind()?;
        let fits = match self.graph {
            // A graph for a few more frames will do: what it computes of earlier frames is not read.
            GraphState::Replay(_) => count <= self.graph_frames && 2 * count > self.graph_frames,
            // Only work that ran before can be captured: networks prepare for a number of images outside of a capture.
            _ => count == self.graph_frames,
        };
        if !fits && !matches!(self.graph, GraphState::Disabled) {
            (self.graph, self.graph_frames) = (GraphState::Warmup, count);
        }
        match self.graph {
            GraphState::Replay(_) => self.launch()?,
            GraphState::Capture => self.capture()?,
            GraphState::Warmup | GraphState::Disabled => self.enqueue(count, false)?,
        }
        self.device.wait()?;
        if matches!(self.graph, GraphState::Warmup) {
            let capturable = self.features.can_be_captured();
            self.graph = if capturable { GraphState::Capture } else { GraphState::Disabled };
        }
        Ok(())
    }

    /// No output of an earlier run is left for the next one.
    fn poison_outputs(&mut self) -> Result<(), CudaError> {
        self.device.settle()?;
        self.head.poison_outputs()
    }

    /// Launches the graph, if there is one.
    fn launch(&mut self) -> Result<(), CudaError> {
        let GraphState::Replay(graph) = &mut self.graph else { return Ok(()) };
        // SAFETY: the graph names buffers and pinned memory of the features and the head alone. This pipeline owns both; they keep their memory
        // as long as they live, except that of frames of another layout, with which `stage_frame` drops the graph. Slices of the pinned memory
        // are lent through `&self`, so none is held under `&mut self`. Pinned memory stays shut, and is not freed, until the stream was waited
        // for.
        unsafe { graph.launch(&self.device) }
    }

    /// Captures the work and launches it; enqueues it step by step where capturing fails, for good where it always does.
    fn capture(&mut self) -> Result<(), CudaError> {
        let frames = self.graph_frames;
        // A second handle for a moment: the closure borrows this pipeline.
        let device = self.device.clone();
        match device.capture(|| self.enqueue(frames, true)) {
            Ok(graph) => {
                self.graph = GraphState::Replay(graph);
                self.launch()
            }
            // Enqueuing would fail as well.
            Err(e) if e.is_device_lost() => Err(e),
            Err(e) => {
                self.capture_failures += 1;
                let for_good = self.capture_failures >= MAX_CAPTURE_FAILURES;
                tracing::warn!(for_good, "the card's work is asked for step by step: {e}");
                self.graph = if for_good { GraphState::Disabled } else { GraphState::Warmup };
                self.enqueue(frames, false)
            }
        }
    }

    fn enqueue(&mut self, frames: usize, captured: bool) -> Result<(), CudaError> {
        let GpuPipeline { device, features, head, events, .. } = self;
        let done = |step: Step| device.record_event(&events[step as usize], captured);
        features.enqueue(device, frames, done)?;
        head.enqueue(device, features.features(), frames)?;
        done(Step::Score)
    }

    /// The anomaly map of a frame of the last run.
    ///
    /// # Errors
    /// [`CudaError::InFlight`] after a run that failed.
    pub fn map(&self, frame: usize) -> Result<&[f32], CudaError> {
        self.head.map(frame)
    }

    /// The method's head, for its other outputs.
    pub fn head(&self) -> &H {
        &self.head
    }

    /// The features of one kept cell of a frame of the last run. Waits.
    ///
    /// # Errors
    /// The device is lost.
    pub fn feature(&self, frame: usize, cell: usize) -> Result<Vec<f32>, CudaError> {
        self.features.feature(&self.device, frame, cell)
    }

    /// How long the steps of the last run took on the GPU.
    pub fn times(&self) -> StageTimes {
        let ns = |i: usize| self.events[i].elapsed_ms(&self.events[i + 1]).map_or(0, |ms| (ms * 1e6) as u64);
        StageTimes { preprocess_ns: ns(0), infer_ns: ns(1), aggregate_ns: ns(2), score_ns: ns(3) }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }
}
