//! Cameras that share a detector on the card: the same scores as alone, whoever comes when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use andon_core::Detector;
use andon_core::{Detection, Fault, FrameView, PixelFormat};
use andon_gpu::{BatchedDetector, CudaError, Device, DeviceInput, DeviceMap, GpuBackbone, GpuPatchDetector};
use andon_vision::model::bundle::Bundle;

use crate::common;
use crate::cuda::device;
use crate::stage::Host;

/// A network that fails, or panics, when it is told to.
struct Frail {
    host: Host,
    fails: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

impl GpuBackbone for Frail {
    fn name(&self) -> &'static str {
        self.host.name()
    }

    fn images(&self) -> usize {
        self.host.images()
    }

    fn input(&mut self) -> DeviceInput<'_> {
        self.host.input()
    }

    fn enqueue(&mut self, device: &Device, images: usize) -> Result<(), CudaError> {
        assert!(!self.panics.load(Relaxed), "told to");
        match self.fails.load(Relaxed) {
            true => Err(CudaError::Shape("told to".into())),
            false => self.host.enqueue(device, images),
        }
    }

    fn maps(&self) -> &[DeviceMap] {
        self.host.maps()
    }

    fn can_be_captured(&self) -> bool {
        false
    }
}

struct Bench {
    batch: Arc<BatchedDetector>,
    alone: GpuPatchDetector,
    fails: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

struct Pictures {
    side: usize,
    data: Vec<Vec<u8>>,
}

impl Pictures {
    fn view(&self, n: usize) -> FrameView<'_> {
        FrameView::new(PixelFormat::Rgb8, self.side, self.side, self.side * 3, &self.data[n]).unwrap()
    }
}

/// A batch of `frames` that wait `max_wait`, a detector of its own for comparison, and pictures of parts.
fn bench(device: Device, frames: usize, max_wait: Duration) -> (Bench, Pictures) {
    let bundle = Arc::new(Bundle::open(common::flange_model()).unwrap());
    let (fails, panics) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let host = Host::open(&device, &bundle.network(), frames);
    let frail = Box::new(Frail { host, fails: fails.clone(), panics: panics.clone() });
    let shared = GpuPatchDetector::new(device, frail, bundle.clone()).unwrap();
    let own = Device::open(0).unwrap();
    let backbone = Box::new(Host::open(&own, &bundle.network(), 1));
    let alone = GpuPatchDetector::new(own, backbone, bundle).unwrap();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec::default());
    let pictures = (0..6).map(|n| {
        let mut picture = Vec::new();
        belt.paint_good(60 + n, &mut picture);
        picture
    });
    let pictures = Pictures { side: belt.spec().side as usize, data: pictures.collect() };
    (Bench { batch: BatchedDetector::new(shared, max_wait).unwrap(), alone, fails, panics }, pictures)
}

#[test]
fn cameras_together_have_the_scores_that_they_have_alone() {
    let Some(device) = device() else { return };
    // Long enough that a round is never short of a frame that is on its way.
    let (mut b, p) = bench(device, 3, Duration::from_secs(20));
    let before = b.batch.batches();
    let mut members: Vec<_> = (0..3).map(|_| b.batch.slot(None).unwrap()).collect();
    assert!(b.batch.slot(None).is_none(), "no room for a fourth");
    let mut found = vec![vec![Detection::default(); 2]; 3];
    std::thread::scope(|s| {
        for (camera, (member, found)) in members.iter_mut().zip(&mut found).enumerate() {
            let p = &p;
            s.spawn(move || {
                for (n, out) in found.iter_mut().enumerate() {
                    member.detect(&p.view(camera * 2 + n), out).unwrap();
                }
            });
        }
    });
    assert_eq!(b.batch.batches() - before, 2, "three frames each time");
    for (n, found) in found.iter().flatten().enumerate() {
        let mut expected = Detection::default();
        b.alone.detect(&p.view(n), &mut expected).unwrap();
        assert_eq!(found.score.to_bits(), expected.score.to_bits(), "picture {n}");
        assert_eq!((&found.map.data, &found.nearest_patch), (&expected.map.data, &expected.nearest_patch));
        let limit = expected.score * 0.9;
        let boxes = |d: &mut dyn Detector, of: &Detection| format!("{:?}", d.explain(of, limit).as_slice());
        assert_eq!(boxes(&mut members[0], found), boxes(&mut b.alone, &expected));
    }
}

#[test]
fn a_camera_is_not_kept_waiting_by_one_that_is_silent_gone_or_has_another_picture_size() {
    let Some(device) = device() else { return };
    let (b, p) = bench(device, 2, Duration::from_millis(5));
    let (mut first, mut second) = (b.batch.slot(None).unwrap(), b.batch.slot(Some([9, 9])).unwrap());
    let mut out = Detection::default();
    first.detect(&p.view(0), &mut out).unwrap();
    let score = out.score;
    assert!(score.is_finite());
    // A frame of a wrong size is a fault of its camera alone.
    assert!(matches!(second.detect(&p.view(1), &mut out), Err(Fault::WrongSize { want_w: 9, .. })));
    drop(second);
    let mut second = b.batch.slot(None).unwrap();
    // Frames that lie otherwise go in rounds of their own.
    let (half, small) = (p.view(0).crop(0, 0, p.side, p.side / 2).unwrap(), p.view(0));
    let mut other = Detection::default();
    std::thread::scope(|s| {
        s.spawn(|| (0..5).for_each(|_| first.detect(&small, &mut out).unwrap()));
        s.spawn(|| (0..5).for_each(|_| second.detect(&half, &mut other).unwrap()));
    });
    assert_eq!((out.score, out.frame.1, other.frame.1), (score, p.side, p.side / 2));
    drop(first);
    second.detect(&small, &mut other).unwrap();
    assert_eq!(other.score, score);
}

#[test]
fn a_round_that_fails_gives_none_of_its_frames_a_score_and_the_next_one_works() {
    let Some(device) = device() else { return };
    let (b, p) = bench(device, 2, Duration::from_secs(20));
    let mut members = [b.batch.slot(None).unwrap(), b.batch.slot(None).unwrap()];
    let mut together = |n: usize| {
        let [first, second] = &mut members;
        let (mut a, mut c) = (Detection::default(), Detection::default());
        (a.score, c.score) = (f32::NAN, f32::NAN);
        let told = std::thread::scope(|s| {
            let other = s.spawn(|| second.detect(&p.view(n + 1), &mut c));
            (first.detect(&p.view(n), &mut a), other.join().unwrap())
        });
        (told, a.score, c.score)
    };
    let (told, a, c) = together(0);
    assert!(told == (Ok(()), Ok(())) && a.is_finite() && c.is_finite());
    b.fails.store(true, Relaxed);
    let (told, x, y) = together(2);
    assert!(told.0.is_err() && told.1.is_err() && x.is_nan() && y.is_nan(), "{told:?} {x} {y}");
    b.fails.store(false, Relaxed);
    b.panics.store(true, Relaxed);
    let (told, x, y) = together(2);
    assert!(told == (Err(Fault::Panic), Err(Fault::Panic)) && x.is_nan() && y.is_nan(), "{told:?} {x} {y}");
    b.panics.store(false, Relaxed);
    let (told, x, y) = together(0);
    assert!(told == (Ok(()), Ok(())) && (x, y) == (a, c));
}
