use super::*;
use crate::runtime::wiring;
use andon_core::{Fault, ModelTag, PixelFormat, Seq, Threshold, judge};

/// A matcher of one camera whose ring keeps what did not pass, with its taps and the thread's end of the queue.
struct Bench {
    matcher: PictureMatcher,
    tap: PictureTap,
    records: ParkedReceiver<PictureRecord>,
    delivery: Delivery,
}

fn bench(rules: PictureRules) -> Bench {
    let (wants, delivery) = (Arc::new(PictureWants::default()), Delivery::default());
    wants.keep_ring();
    let (to, records) = wiring::pictures();
    let tap = PictureTap { camera: CameraId(0), wants: wants.clone(), pool: wiring::picture_pool() };
    let matcher = PictureMatcher::new(rules, wants, Some(to), delivery.clone(), 1);
    Bench { matcher, tap, records, delivery }
}

impl Bench {
    /// The inspector tells of a frame.
    fn observe(&mut self, frame: u64) {
        self.matcher.expect(CameraId(0), FrameNo(frame), true);
    }

    /// Its picture, of one level, comes after that.
    fn copy(&mut self, frame: u64) {
        let data = [frame as u8; 6];
        let view = self.tap.wanted(FrameView::new(PixelFormat::Gray8, 3, 2, 3, &data)).unwrap();
        self.matcher.arrived(CameraId(0), FrameNo(frame), self.tap.copy(&view, None));
    }

    /// A part that is judged as soon as its frame is observed, as in free run.
    fn part(&mut self, frame: u64, result: Result<f32, Fault>) {
        self.observe(frame);
        self.matcher.judged(Some(FrameNo(frame)), &verdict(frame, result, None));
        self.copy(frame);
    }

    /// What the thread gets next: number of the part, level of its picture, and why it is kept.
    fn next(&self) -> Option<(u64, u8, Option<KeptFor>)> {
        let record = self.records.recv_timeout(Duration::ZERO).ok()?;
        Some((record.verdict.seq.0, record.picture.frame.bytes()[0], record.kept_for))
    }

    fn lost(&self, why: PictureLoss) -> u64 {
        self.delivery.pictures().lost(why)
    }
}

const NOT_PASSED: PictureRules = PictureRules { not_passed: true, near_miss: None, every_nth_pass: 0 };

fn verdict(seq: u64, result: Result<f32, Fault>, reason: Option<Reason>) -> CameraVerdict {
    let threshold = Threshold::new(100.0).unwrap();
    let judged = judge(result, threshold);
    CameraVerdict {
        camera: CameraId(0),
        seq: Seq(seq),
        source_index: None,
        t_trigger: Mono(1),
        trigger_id: None,
        encoder: None,
        outcome: if reason.is_some() { Outcome::Uninspected } else { judged.outcome },
        reason: reason.unwrap_or(judged.reason),
        score: judged.score,
        threshold: 100.0,
        regions: Default::default(),
        t_capture: Mono(1),
        t_verdict: Mono(2),
        deadline: Mono(3),
        queue_ns: 0,
        times: Default::default(),
        model: Arc::new(ModelTag {
            name: String::new(),
            blake3: String::new(),
            engine: String::new(),
            threshold: 100.0,
            baseline: 0.0,
            picture_size: [0; 2],
            sources: Vec::new(),
            recipe: None,
        }),
        degraded: false,
    }
}

#[test]
fn a_picture_goes_out_with_the_verdict_on_its_own_part() {
    let mut bench = bench(NOT_PASSED);
    for (n, score) in [(0u64, 10.0), (1, 150.0), (2, 20.0), (3, 100.0)] {
        bench.part(n, Ok(score));
    }
    let kept = Some(KeptFor::NotPassed);
    assert_eq!([bench.next(), bench.next(), bench.next()], [Some((1, 1, kept)), Some((3, 3, kept)), None]);
    assert_eq!(bench.tap.pool.free(), wiring::PICTURES, "every buffer came back");
}

#[test]
fn a_late_part_gets_its_picture_when_the_inspector_is_done_with_it() {
    let mut bench = bench(NOT_PASSED);
    bench.matcher.judged(Some(FrameNo(7)), &verdict(3, Ok(1.0), Some(Reason::Late)));
    assert_eq!(bench.next(), None);
    bench.observe(7);
    bench.copy(7);
    assert_eq!(bench.next(), Some((3, 7, Some(KeptFor::NotPassed))));
    // A frame that comes before its trigger waits for it.
    bench.observe(8);
    bench.copy(8);
    bench.observe(9);
    bench.copy(9);
    bench.matcher.judged(Some(FrameNo(8)), &verdict(4, Err(Fault::Panic), None));
    assert_eq!(bench.next(), Some((4, 8, Some(KeptFor::NotPassed))));
}

#[test]
fn near_misses_and_one_in_so_many_passes_are_kept_for_that() {
    let mut bench = bench(PictureRules { not_passed: false, near_miss: Some(0.85), every_nth_pass: 3 });
    let scores = [10.0, 84.9, 20.0, 85.0, 150.0, 10.0, 10.0];
    for (n, score) in scores.into_iter().enumerate() {
        bench.part(n as u64, Ok(score));
    }
    let kept: Vec<_> = std::iter::from_fn(|| bench.next()).map(|(seq, _, why)| (seq, why.unwrap())).collect();
    assert_eq!(kept, [(2, KeptFor::NthPass), (3, KeptFor::NearMiss), (6, KeptFor::NthPass)]);
}

#[test]
fn what_is_shed_is_counted_by_its_cause_and_the_rest_of_the_line_does_not_wait() {
    let mut bench = bench(NOT_PASSED);
    // The thread hangs: its queue holds every buffer there is.
    for n in 0..2 * wiring::PICTURES as u64 {
        bench.part(n, Ok(150.0));
    }
    assert_eq!(bench.lost(PictureLoss::Buffer), wiring::PICTURES as u64);
    // Parts that end and whose frames never come.
    for n in 100..100 + OPEN as u64 + 2 {
        bench.matcher.judged(Some(FrameNo(n)), &verdict(n, Ok(1.0), Some(Reason::Late)));
    }
    assert_eq!(bench.lost(PictureLoss::Frame), 2);
    // No picture ever was there.
    bench.matcher.judged(None, &verdict(200, Ok(1.0), Some(Reason::FrameMissing)));
    bench.matcher.judged(Some(FrameNo(201)), &verdict(201, Err(Fault::BadFrame), None));
    // A late part whose frame turns out to be unreadable.
    bench.matcher.expect(CameraId(0), FrameNo(105), false);
    assert_eq!(bench.lost(PictureLoss::Frame), 3);
    bench.matcher.close();
    assert_eq!(bench.lost(PictureLoss::Frame), 2 + OPEN as u64);
    assert_eq!(bench.delivery.pictures().lost_in_all(), (wiring::PICTURES + 2 + OPEN) as u64);
}

#[test]
fn with_nobody_to_take_them_nothing_is_copied() {
    let bench = bench(NOT_PASSED);
    let idle = PictureTap { wants: Arc::default(), ..bench.tap.clone() };
    let data = [1; 6];
    assert!(idle.wanted(FrameView::new(PixelFormat::Gray8, 3, 2, 3, &data)).is_none());
    assert!(bench.tap.wanted(None).is_none(), "a frame that cannot be read");
}

#[test]
fn the_verdict_stands_before_its_picture_is_copied_and_what_nobody_wants_goes_back() {
    let mut bench = bench(NOT_PASSED);
    bench.observe(0);
    bench.matcher.judged(Some(FrameNo(0)), &verdict(0, Ok(150.0), None));
    assert_eq!(bench.next(), None, "nothing to send yet");
    bench.copy(0);
    assert_eq!(bench.next(), Some((0, 0, Some(KeptFor::NotPassed))));
    // Passes are not kept, whenever their copies come; frames without a part hold no more buffers than there are slots.
    for n in 1..100 {
        bench.part(n, Ok(1.0));
    }
    assert_eq!(bench.tap.pool.free(), wiring::PICTURES);
    for n in 100..120 {
        bench.observe(n);
        bench.copy(n);
    }
    assert_eq!(bench.tap.pool.free(), wiring::PICTURES - OPEN);
    assert_eq!(bench.delivery.pictures().lost_in_all(), 0);
}
