//! Frames of several cameras that show the same kind of part, judged together: a card is busy with one frame for little less time than with
//! four. Each camera keeps its own thread; the first to come waits a little for the others and works for all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::detector::DevicePatchCore;
use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, Regions};
use andon_vision::methods::patchcore::PatchCoreModel;
use andon_vision::methods::patches::explain;
use andon_vision::model::Accept;
use andon_vision::model::bundle::Bundle;

/// A detector on the card that cameras share.
pub struct Batch {
    state: Mutex<State>,
    changed: Condvar,
    max_wait: Duration,
    bundle: Arc<Bundle>,
    model: Arc<PatchCoreModel>,
    name: &'static str,
}

struct State {
    detector: DevicePatchCore,
    members: usize,
    round: Round,
    rounds: u64,
}

/// Frames that go together. A round is over when each of them has its answer; only then the next one begins.
#[derive(Clone, Copy)]
enum Round {
    /// So many have come.
    Open(usize),
    /// So many still have to take their answers.
    Done(usize, Result<(), Fault>),
}

impl Batch {
    /// Of a detector that takes as many frames as there will be members. A frame waits for the others `max_wait` at most.
    ///
    /// # Errors
    /// [`Fault::Engine`] when the card fails at a first full round.
    pub fn new(mut detector: DevicePatchCore, max_wait: Duration) -> Result<Arc<Batch>, Fault> {
        detector.warm_up_with(detector.frames())?;
        let (bundle, model, name) = (detector.bundle().clone(), detector.model().clone(), detector.engine_name());
        let state = State { detector, members: 0, round: Round::Open(0), rounds: 0 };
        Ok(Arc::new(Batch { state: Mutex::new(state), changed: Condvar::new(), max_wait, bundle, model, name }))
    }

    /// Another camera; `None` when the detector takes no more frames at a time. Frames that are not accepted are a fault.
    pub fn member(self: &Arc<Batch>, accept: impl Into<Accept>) -> Option<Member> {
        let mut state = self.lock();
        let room = state.members < state.detector.frames();
        state.members += usize::from(room);
        room.then(|| Member { batch: self.clone(), accept: accept.into(), label: Vec::new() })
    }

    /// How often the card was asked.
    pub fn rounds(&self) -> u64 {
        self.lock().rounds
    }

    /// A panic of another member cannot have left anything half done: the work of a round is caught.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the frame with a round that is open for it; its number there.
    fn join(&self, frame: &FrameView<'_>) -> Result<(MutexGuard<'_, State>, usize), Fault> {
        let mut state = self.lock();
        loop {
            match state.round {
                Round::Open(0) => break,
                Round::Open(n) if n < state.detector.frames() && state.detector.stage().takes(frame) => break,
                Round::Open(_) | Round::Done(..) => state = self.wait(state),
            }
        }
        let Round::Open(n) = state.round else { return Err(Fault::Engine("the card")) };
        state.detector.load(n, frame)?;
        state.round = Round::Open(n + 1);
        Ok((state, n))
    }

    /// Waits for the others, then works for all that came.
    fn lead<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let end = Instant::now() + self.max_wait;
        let count = loop {
            let Round::Open(count) = state.round else { return state };
            let left = end.saturating_duration_since(Instant::now());
            if count >= state.members || left.is_zero() {
                break count;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        let detector = &mut state.detector;
        // The others would wait for ever for a leader that is gone.
        let result = catch_unwind(AssertUnwindSafe(|| detector.go(count))).unwrap_or(Err(Fault::Panic));
        state.round = Round::Done(count, result);
        state.rounds += 1;
        self.changed.notify_all();
        state
    }

    fn detect(&self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        let (mut state, n) = self.join(frame)?;
        if n == 0 {
            state = self.lead(state);
        } else {
            self.changed.notify_all();
        }
        let (left, result) = loop {
            match state.round {
                Round::Done(left, result) => break (left, result),
                Round::Open(_) => state = self.wait(state),
            }
        };
        let detector = &mut state.detector;
        let mut answer =
            || catch_unwind(AssertUnwindSafe(|| detector.answer(n, frame, out))).unwrap_or(Err(Fault::Panic));
        let answer = result.and_then(|()| answer());
        state.round = if left == 1 { Round::Open(0) } else { Round::Done(left - 1, result) };
        drop(state);
        self.changed.notify_all();
        answer
    }
}

/// A camera's share of a [`Batch`].
pub struct Member {
    batch: Arc<Batch>,
    accept: Accept,
    label: Vec<u32>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.batch.lock().members -= 1;
        // Who leads need not wait for this one.
        self.batch.changed.notify_all();
    }
}

impl Detector for Member {
    /// The batch is warm; here another member's frame may wait.
    fn warm_up(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        self.accept.check(frame)?;
        self.batch.detect(frame, out)
    }

    fn explain(&mut self, out: &Detection, threshold: f32) -> Regions {
        explain(&self.batch.bundle.manifest, self.batch.model.as_ref(), out, threshold, &mut self.label)
    }

    fn engine_name(&self) -> &'static str {
        self.batch.name
    }
}
