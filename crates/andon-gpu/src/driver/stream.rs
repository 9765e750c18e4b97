//! The stream of a [`Device`]: waiting, events for times, graphs, and the account of asynchronous copies in flight.
//!
//! How copies are sound: a copy into or out of pinned memory goes on after the call that enqueued it. A guard that borrows the memory until
//! `wait` would be the usual answer, but a graph that was captured repeats its copies at every launch, when no such guard exists. So the
//! memory guards itself: every enqueue counts up in [`StreamProgress`] before the driver sees it, [`Device::wait`] notes up to which count
//! the stream is done, and `memory::Pinned` gives out its slices only while nothing of its stream is in flight. Enqueuing a copy takes the
//! pinned memory by `&mut`, so no slice can be held across it. Launching a graph is the one case that the types cannot see (the graph names
//! memory that it does not borrow); it is an `unsafe fn` with a single caller, which owns all of that memory. Two atomics; nothing is allocated.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use cudarc::driver::sys::{self, CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaEvent, CudaGraph};

use super::Device;
use crate::error::CudaError;

/// How many asynchronous uses of pinned memory were enqueued on a stream, and how many of them are known to be over.
#[derive(Default)]
pub(crate) struct StreamProgress {
    enqueued: AtomicU64,
    finished: AtomicU64,
}

impl StreamProgress {
    /// Notes a use of pinned memory; to be called before the driver is.
    pub fn begin(&self) {
        self.enqueued.fetch_add(1, SeqCst);
    }

    /// Whether everything that was noted has been waited for.
    pub fn is_idle(&self) -> bool {
        self.finished.load(SeqCst) >= self.enqueued.load(SeqCst)
    }
}

impl Device {
    /// Waits until everything that was enqueued is done.
    ///
    /// # Errors
    /// A kernel failed, or the device is lost.
    pub fn wait(&self) -> Result<(), CudaError> {
        // Before the wait: what another thread enqueues meanwhile is not covered by it.
        let enqueued = self.progress.enqueued.load(SeqCst);
        self.stream.synchronize().map_err(CudaError::driver("waiting for the card"))?;
        self.progress.finished.fetch_max(enqueued, SeqCst);
        Ok(())
    }

    /// Waits if an earlier call failed half-way and left copies in flight; else does nothing.
    ///
    /// # Errors
    /// As [`Device::wait`].
    pub(crate) fn settle(&self) -> Result<(), CudaError> {
        if self.progress.is_idle() { Ok(()) } else { self.wait() }
    }

    /// A timing event.
    pub(crate) fn event(&self) -> Result<CudaEvent, CudaError> {
        let flags = CUevent_flags::CU_EVENT_DEFAULT;
        self.stream.context().new_event(Some(flags)).map_err(CudaError::driver("making an event"))
    }

    /// Enqueues the recording of an event; with `captured`, as a node that records at every launch of the graph.
    pub(crate) fn record_event(&self, event: &CudaEvent, captured: bool) -> Result<(), CudaError> {
        // CU_EVENT_RECORD_EXTERNAL: inside a capture, a plain record would only order work.
        let flags = u32::from(captured);
        // SAFETY: an event and a stream of the same context.
        let recorded =
            unsafe { sys::cuEventRecordWithFlags(event.cu_event(), self.stream.cu_stream(), flags).result() };
        recorded.map_err(CudaError::driver("marking an event"))
    }

    /// Captures what `work` enqueues into a graph instead of running it. `work` must allocate nothing on the GPU and wait for nothing.
    pub(crate) fn capture(&self, work: impl FnOnce() -> Result<(), CudaError>) -> Result<GraphExec, CudaError> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(CudaError::driver("recording a graph"))?;
        let enqueued = work();
        // Also after a failure: the stream would go on capturing.
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0));
        enqueued?;
        let graph = graph.map_err(CudaError::driver("making a graph"))?.ok_or(CudaError::EmptyGraph)?;
        graph.upload().map_err(CudaError::driver("uploading a graph"))?;
        Ok(GraphExec(graph))
    }
}

/// A captured graph, ready to be launched on its device's stream.
pub(crate) struct GraphExec(CudaGraph);

// SAFETY: a graph may be used by any thread as long as only one does at a time; it has one owner, and is launched through `&mut`.
unsafe impl Send for GraphExec {}

impl GraphExec {
    /// Enqueues the whole graph on the stream of `device`, on which it was captured.
    ///
    /// # Safety
    /// Every buffer and all pinned memory that the captured work names still exist, and exist until the stream was waited for; nobody holds
    /// a slice of that pinned memory.
    ///
    /// # Errors
    /// The device is lost.
    pub unsafe fn launch(&mut self, device: &Device) -> Result<(), CudaError> {
        device.progress.begin();
        self.0.launch().map_err(CudaError::driver("launching a graph"))
    }
}
