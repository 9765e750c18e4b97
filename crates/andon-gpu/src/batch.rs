//! A detector that several cameras of the same kind of part share: a GPU takes one frame hardly faster than four, so their frames run as one
//! batch. Each camera keeps its own thread; the thread whose frame comes first waits a little for the others and runs the batch for all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::detector::GpuPatchDetector;
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, Regions};
use andon_vision::methods::PatchModel;
use andon_vision::methods::patches::explain;
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;

/// A detector on the GPU that cameras share.
pub struct BatchedDetector {
    state: Mutex<State>,
    changed: Condvar,
    max_wait: Duration,
    bundle: Arc<Bundle>,
    model: Arc<dyn PatchModel>,
    name: &'static str,
}

struct State {
    detector: GpuPatchDetector,
    slots: usize,
    batch: BatchState,
    batches: u64,
}

/// Frames that run together. A batch is over when each of them has its answer; only then the next one begins.
#[derive(Clone, Copy)]
enum BatchState {
    /// So many frames are staged.
    Open(usize),
    /// It ran; so many frames still have to take their answers.
    Done(usize, Result<(), Fault>),
}

impl BatchedDetector {
    /// Shares a detector that takes as many frames as there will be slots. A frame waits for the others `max_wait` at most.
    ///
    /// # Errors
    /// [`Fault::Engine`] when the GPU fails at a first full batch.
    pub fn new(mut detector: GpuPatchDetector, max_wait: Duration) -> Result<Arc<BatchedDetector>, Fault> {
        detector.warm_up_with(detector.frames())?;
        let (bundle, model, name) = (detector.bundle().clone(), detector.model().clone(), detector.engine_name());
        let state = State { detector, slots: 0, batch: BatchState::Open(0), batches: 0 };
        Ok(Arc::new(BatchedDetector {
            state: Mutex::new(state),
            changed: Condvar::new(),
            max_wait,
            bundle,
            model,
            name,
        }))
    }

    /// A slot for another camera; `None` when the detector takes no more frames at a time. Frames that are not accepted are a fault.
    pub fn slot(self: &Arc<BatchedDetector>, accept: impl Into<Accept>) -> Option<BatchSlot> {
        let mut state = self.lock();
        let room = state.slots < state.detector.frames();
        state.slots += usize::from(room);
        room.then(|| BatchSlot { shared: self.clone(), accept: accept.into(), label: Vec::new() })
    }

    /// Batches that ran.
    pub fn batches(&self) -> u64 {
        self.lock().batches
    }

    /// A panic of another slot cannot have left anything half done: panics of a batch are caught.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Stages the frame in a batch that is open for it; its number there.
    fn enqueue(&self, frame: &FrameView<'_>) -> Result<(MutexGuard<'_, State>, usize), Fault> {
        let mut state = self.lock();
        loop {
            match state.batch {
                BatchState::Open(0) => break,
                BatchState::Open(n) if n < state.detector.frames() && state.detector.accepts_layout(frame) => {
                    break;
                }
                BatchState::Open(_) | BatchState::Done(..) => state = self.wait(state),
            }
        }
        let BatchState::Open(n) = state.batch else { return Err(Fault::Engine("the card")) };
        state.detector.stage_frame(n, frame)?;
        state.batch = BatchState::Open(n + 1);
        Ok((state, n))
    }

    /// Waits for the others, then runs the batch of all that came.
    fn run_batch<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let end = Instant::now() + self.max_wait;
        let count = loop {
            let BatchState::Open(count) = state.batch else { return state };
            let left = end.saturating_duration_since(Instant::now());
            if count >= state.slots || left.is_zero() {
                break count;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        let detector = &mut state.detector;
        // The others would wait for ever for a thread that panicked.
        let result = catch_unwind(AssertUnwindSafe(|| detector.run_staged(count))).unwrap_or(Err(Fault::Panic));
        state.batch = BatchState::Done(count, result);
        state.batches += 1;
        self.changed.notify_all();
        state
    }

    fn detect(&self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        let (mut state, n) = self.enqueue(frame)?;
        if n == 0 {
            state = self.run_batch(state);
        } else {
            self.changed.notify_all();
        }
        let (left, result) = loop {
            match state.batch {
                BatchState::Done(left, result) => break (left, result),
                BatchState::Open(_) => state = self.wait(state),
            }
        };
        let detector = &mut state.detector;
        let mut answer =
            || catch_unwind(AssertUnwindSafe(|| detector.take_answer(n, frame, out))).unwrap_or(Err(Fault::Panic));
        let answer = result.and_then(|()| answer());
        state.batch = if left == 1 { BatchState::Open(0) } else { BatchState::Done(left - 1, result) };
        drop(state);
        self.changed.notify_all();
        answer
    }
}

/// A camera's slot in a [`BatchedDetector`].
pub struct BatchSlot {
    shared: Arc<BatchedDetector>,
    accept: Accept,
    label: Vec<u32>,
}

impl Drop for BatchSlot {
    fn drop(&mut self) {
        self.shared.lock().slots -= 1;
        // The thread that collects the batch need not wait for this one.
        self.shared.changed.notify_all();
    }
}

impl Detector for BatchSlot {
    /// The detector is warm already; here another camera's frame may be waiting.
    fn warm_up(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.accept.check(frame)?;
        self.shared.detect(frame, out)
    }

    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions {
        let shared = &self.shared;
        explain(&shared.bundle.manifest, shared.model.as_ref(), out, threshold, &mut self.label)
    }

    fn engine_name(&self) -> &'static str {
        self.shared.name
    }
}
