//! A steady-state frame allocates nothing from the capture stage to the outcome, outside the engine's own crate.
//!
//! A counting allocator watches the threads `cap-0`, `infer-0`, `nn-*` and `decide`; while the engine runs, the inspector's
//! thread is not counted, because that memory is the engine's affair.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use andon_core::Detector;
use andon_core::SourceError;
use andon_core::{Accepted, Record, Sink};
use andon_core::{CameraState, Next, Source};
use andon_core::{Frame, FrameNo, ModelTag, Mono, PixelFormat, Pixels, Pool, Threshold};
use andon_core::{PictureRecord, PictureRules, PictureSink, PictureWants};
use andon_line::runtime::{Active, BuiltDetector, CameraSpec, Line, LineSpec, PictureSpec};
use andon_line::telemetry::Metrics;
use andon_vision::methods::PatchDetector;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{Engine, EngineError, FeatureMap};
use andon_vision::model::head::aggregate::Layer;
use andon_vision::model::{Backbone, Embed};
use andon_vision::preprocess::InputSpec;

struct Counting;

/// Allocations of the watched threads while `WATCH` is set.
static COUNT: AtomicU64 = AtomicU64::new(0);
static LARGEST: AtomicU64 = AtomicU64::new(0);
static WATCH: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// 0 not asked yet, 1 not watched, 2 watched, 3 in the engine.
    static STATE: Cell<u8> = const { Cell::new(0) };
}

fn count(size: usize) {
    if !WATCH.load(Relaxed) {
        return;
    }
    let watched = STATE.try_with(|state| {
        if state.get() == 0 {
            // Asking for the name allocates nothing: the kernel copies it into a buffer of ours.
            let mut name = [0u8; 16];
            // SAFETY: PR_GET_NAME writes at most 16 bytes, which `name` has.
            unsafe { prctl(16, name.as_mut_ptr()) };
            let hot = [&b"cap-"[..], b"infer-", b"decide", b"nn-"].iter().any(|p| name.starts_with(p));
            state.set(if hot { 2 } else { 1 });
        }
        state.get() == 2
    });
    if watched == Ok(true) {
        COUNT.fetch_add(1, Relaxed);
        LARGEST.fetch_max(size as u64, Relaxed);
    }
}

unsafe extern "C" {
    fn prctl(option: i32, ...) -> i32;
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Frames from a pool at a steady rate, then the end.
struct Steady {
    pool: Pool<Vec<u8>>,
    next: u64,
    start: Mono,
}

const FRAMES: u64 = 400;
const WARM: u64 = 100;
const PERIOD: Duration = Duration::from_millis(5);
const SIDE: usize = 320;

impl Source for Steady {
    fn next(&mut self, until: Mono) -> Result<Next, SourceError> {
        if self.next == FRAMES {
            return Ok(Next::End);
        }
        let due = self.start + PERIOD * self.next as u32;
        if due > until {
            std::thread::sleep(until.since(Mono::now()));
            return Ok(Next::Idle);
        }
        std::thread::sleep(due.since(Mono::now()));
        if self.next == WARM {
            WATCH.store(true, Relaxed);
        }
        let mut data = self.pool.take().expect("frames are given back");
        data[0] = self.next as u8;
        let pixels = Pixels::Pooled { data, format: PixelFormat::Rgb8, width: SIDE, height: SIDE, stride: SIDE * 3 };
        self.next += 1;
        Ok(Next::Frame(Frame { number: FrameNo(0), t_capture: Mono::now(), source_index: Some(self.next), pixels }))
    }

    fn state(&self) -> CameraState {
        CameraState::Running
    }

    fn restarts(&self) -> u64 {
        0
    }

    fn last_problem(&self) -> Option<&str> {
        None
    }
}

/// Stands for any engine: its own allocations are not counted, whatever they are.
struct Quiet;

impl Engine for Quiet {
    fn name(&self) -> &'static str {
        "quiet"
    }

    fn run(&mut self, input: &[f32], outputs: &mut Vec<FeatureMap>) -> Result<(), EngineError> {
        let was = STATE.with(|s| s.replace(3));
        outputs.resize_with(2, FeatureMap::default);
        let planes: Vec<f32> = input.iter().step_by(48).copied().collect();
        outputs[0].fill(&[1, 8, 16, 16], &planes[..8 * 256], [128, 128]);
        outputs[1].fill(&[1, 16, 8, 8], &planes[1024..2048], [128, 128]);
        STATE.with(|s| s.set(was));
        Ok(())
    }
}

/// Wants maps, so that their hand-off is part of what is measured.
struct Viewer(Arc<AtomicU64>);

impl Sink for Viewer {
    fn name(&self) -> &'static str {
        "viewer"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        if matches!(record, Record::Verdict(_)) {
            self.0.fetch_add(1, Relaxed);
        }
        Accepted::Taken
    }

    fn wants_maps(&self) -> bool {
        true
    }
}

/// Takes pictures and gives them back, as slowly as a disk.
struct Disk(Arc<AtomicU64>);

impl PictureSink for Disk {
    fn take(&mut self, record: PictureRecord) {
        std::thread::sleep(Duration::from_millis(2));
        self.0.fetch_add(record.picture.frame.bytes().len() as u64, Relaxed);
    }
}

#[test]
fn a_steady_frame_allocates_nothing_on_the_hot_lane() {
    the_counter_counts();
    steady(None);
    let (wants, taken) = (Arc::new(PictureWants::default()), Arc::new(AtomicU64::new(0)));
    wants.keep_ring();
    let rules = PictureRules { not_passed: true, near_miss: None, every_nth_pass: 1 };
    steady(Some(PictureSpec { rules, wants, sink: Box::new(Disk(taken.clone())) }));
    assert!(taken.load(Relaxed) > FRAMES / 2 * (SIDE * SIDE * 3) as u64, "pictures were part of what was measured");
}

fn steady(pictures: Option<PictureSpec>) {
    COUNT.store(0, Relaxed);
    LARGEST.store(0, Relaxed);
    let make = || {
        let backbone = Backbone {
            name: "quiet".into(),
            onnx: vec![0u8].into(),
            input: InputSpec { width: 256, height: 256, mean: [127.0; 3], scale: [1.0 / 128.0; 3], range: None },
            outputs: vec!["a".into(), "b".into()],
            layers: vec![Layer { pool: 3, weight: 1.0 }; 2],
            tiles: [1, 1],
            align: None,
        };
        let embedder = PatchEmbedder::new(&backbone, Box::new(Quiet)).unwrap();
        let bank: Vec<f32> = (0..500 * 24).map(|i| (i % 17) as f32 * 0.1).collect();
        let bundle = andon_testkit::bank_only(&backbone, embedder.grid(), embedder.dim(), bank);
        let mut detector = PatchDetector::new(embedder, bundle, 2).unwrap();
        detector.warm_up().unwrap();
        Box::new(detector) as Box<dyn Detector>
    };
    let tag = Arc::new(ModelTag {
        name: "m".into(),
        blake3: String::new(),
        engine: "quiet".into(),
        threshold: 1e9,
        baseline: 0.0,
        picture_size: [0; 2],
        sources: Vec::new(),
        recipe: None,
    });
    let active = Active { threshold: Threshold::new(1e9).unwrap(), model: tag, degraded: false, number: 0, recipe: 0 };
    let (status, inbox) = Line::status_of([("cam".to_owned(), active.clone())]);
    let seen = Arc::new(AtomicU64::new(0));
    let spec = CameraSpec {
        name: "cam".into(),
        source: Box::new(Steady { pool: Pool::new(8, || vec![9; SIDE * SIDE * 3]), next: 0, start: Mono::now() }),
        make_detector: Box::new(move || Ok(BuiltDetector { detector: make(), degraded: false })),
        replacement: None,
        active,
        deadline: Duration::from_secs(5),
        presence: None,
    };
    let metrics = Metrics::new(&["cam".to_owned()]);
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Viewer(seen.clone()))];
    let line =
        Line::start(LineSpec { lanes: Vec::new(), cameras: vec![spec], sinks, pictures, metrics, status, inbox })
            .unwrap();
    line.wait(&AtomicBool::new(false)).unwrap();
    WATCH.store(false, Relaxed);
    let report = line.finish().unwrap();
    let (_, counts, _) = &report.cameras[0];
    assert_eq!(counts.offered, FRAMES);
    assert_eq!(counts.pass + counts.uninspected, FRAMES, "{counts:?}");
    assert_eq!(seen.load(Relaxed), FRAMES);
    let allocations = COUNT.load(Relaxed);
    eprintln!("allocations in {} frames: {allocations}, the largest of {} bytes", FRAMES - WARM, LARGEST.load(Relaxed));
    // A crossbeam channel makes room for waiting threads the first time that one waits on it, which for the answer of a
    // helper of the search may be at any frame: once for each of the four channels that these threads wait on, never again.
    assert!(allocations <= 4, "{allocations} allocations in {} steady frames", FRAMES - WARM);
    assert!(LARGEST.load(Relaxed) <= 96, "a wait list holds four entries of 24 bytes");
}

/// The counter itself, before anything else runs: one allocation on a watched thread is seen.
fn the_counter_counts() {
    let counted = std::thread::Builder::new().name("decide".into()).spawn(|| {
        WATCH.store(true, Relaxed);
        drop(std::hint::black_box(vec![1u8; 100]));
        WATCH.store(false, Relaxed);
    });
    counted.unwrap().join().unwrap();
    assert!(COUNT.swap(0, Relaxed) >= 1 && LARGEST.swap(0, Relaxed) == 100);
}
