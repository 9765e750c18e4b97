//! Pictures of parts: tied to their verdicts, exact enough to judge again, and never in anybody's way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use andon_core::{
    CameraState, CameraVerdict, Frame, FrameNo, FrameView, KeptFor, ModelTag, Mono, Next, OwnedFrame, PictureLoss,
    PictureRecord, PictureRules, PictureSink, PictureWants, PixelFormat, Pixels, Pool, Source, SourceError, SplitMix64,
    Threshold,
};
use andon_io::pictures::{LivePictures, PictureFilter, PictureRing, PictureWriter, PicturesConfig, RingLimits};
use andon_io::sinks::wire::StationInfo;
use andon_line::runtime::{Active, BuiltDetector, CameraSpec, Line, LineSpec, PictureSpec};
use andon_line::telemetry::Metrics;
use andon_testkit::{ObedientDetector, RecordingSink, ScriptedSource, Step, spaced};

#[cfg(all(feature = "rten", feature = "gst"))]
const LIMITS: RingLimits = RingLimits { max_bytes: 1 << 30, max_days: None };

fn active() -> Active {
    let model = Arc::new(ModelTag {
        name: "m".into(),
        blake3: String::new(),
        engine: "obedient".into(),
        threshold: 100.0,
        baseline: 0.0,
        picture_size: [0; 2],
        sources: Vec::new(),
        recipe: None,
    });
    Active { threshold: Threshold::new(100.0).unwrap(), model, degraded: false, number: 0, recipe: 0 }
}

/// A line of one camera with an obedient detector, and its verdicts in the order of the parts.
fn run(source: Box<dyn Source>, deadline_ms: u64, pictures: Option<PictureSpec>) -> (Vec<CameraVerdict>, Arc<Metrics>) {
    let kept = RecordingSink::default();
    let (status, inbox) = Line::status_of([("cam".to_owned(), active())]);
    let spec = CameraSpec {
        name: "cam".into(),
        source,
        make_detector: Box::new(|| Ok(BuiltDetector { detector: Box::new(ObedientDetector), degraded: false })),
        replacement: None,
        active: active(),
        deadline: Duration::from_millis(deadline_ms),
        presence: None,
    };
    let metrics = Metrics::new(&["cam".to_owned()]);
    let line = Line::start(LineSpec {
        lanes: Vec::new(),
        cameras: vec![spec],
        sinks: vec![Box::new(kept.clone())],
        pictures,
        metrics: metrics.clone(),
        status,
        inbox,
    })
    .unwrap();
    line.wait(&AtomicBool::new(false)).unwrap();
    let counts = line.finish().unwrap().cameras[0].1;
    let mut verdicts = kept.verdicts();
    assert!(counts.adds_up() && counts.in_flight == 0 && verdicts.len() as u64 == counts.offered, "{counts:?}");
    verdicts.sort_by_key(|v| v.seq);
    (verdicts, metrics)
}

/// What the sink of a test was given: number of the part, outcome, level of the picture, why it is kept.
type Given = (u64, &'static str, u8, Option<KeptFor>);

struct Keeps {
    given: Arc<Mutex<Vec<Given>>>,
    takes: Duration,
}

impl PictureSink for Keeps {
    fn take(&mut self, record: PictureRecord) {
        std::thread::sleep(self.takes);
        let level = record.picture.frame.bytes()[0];
        let given = (record.verdict.seq.0, record.verdict.outcome.as_str(), level, record.kept_for);
        self.given.lock().unwrap().push(given);
    }
}

fn keeping(rules: PictureRules, takes: Duration) -> (PictureSpec, Arc<Mutex<Vec<Given>>>) {
    let (wants, given) = (Arc::new(PictureWants::default()), Arc::<Mutex<Vec<Given>>>::default());
    wants.keep_ring();
    let sink = Keeps { given: given.clone(), takes };
    (PictureSpec { rules, wants, sink: Box::new(sink) }, given)
}

const ALL: PictureRules = PictureRules { not_passed: true, near_miss: Some(0.85), every_nth_pass: 1 };
const NOT_PASSED: PictureRules = PictureRules { not_passed: true, near_miss: None, every_nth_pass: 0 };

#[test]
fn every_kind_of_part_that_did_not_pass_has_the_picture_of_its_own_frame() {
    let mut script = spaced(&[10, 150, 90, 255, 11]);
    script.extend([Step::Broken, Step::Wait(50), Step::Gap(1), Step::Wait(50)]);
    // The inspector hangs for 600 ms: late, two in its queue are late too, and the others are pushed out.
    script.extend([Step::Frame(252), Step::Wait(20)]);
    script.extend([20, 21, 22, 23, 24].map(Step::Frame));
    script.push(Step::Wait(900));
    script.extend(spaced(&[254, 12]));
    let (spec, given) = keeping(NOT_PASSED, Duration::ZERO);
    let (verdicts, metrics) = run(Box::new(ScriptedSource::new(&script)), 200, Some(spec));
    let not_passed = verdicts.iter().filter(|v| v.outcome.as_str() != "PASS");
    // Without a frame there is no picture, nor of a frame that cannot be read.
    let want: Vec<(u64, &str)> = not_passed
        .filter(|v| !matches!(v.reason.as_str(), "frame_missing" | "bad_frame"))
        .map(|v| (v.seq.0, v.outcome.as_str()))
        .collect();
    let mut got = given.lock().unwrap().clone();
    got.sort_unstable_by_key(|g| g.0);
    assert_eq!(got.iter().map(|g| (g.0, g.1)).collect::<Vec<_>>(), want);
    assert_eq!(metrics.delivery.pictures().lost_in_all(), 0);
    let reasons: Vec<&str> = verdicts.iter().map(|v| v.reason.as_str()).collect();
    assert!(["overflow", "late", "over_threshold", "stage_panic"].iter().all(|r| reasons.contains(r)), "{reasons:?}");
    // Frames in the order of their numbers: which level each part's picture has to have.
    let levels = [10, 150, 90, 255, 11, 0, 0, 252, 20, 21, 22, 23, 24, 254, 12];
    assert!(got.iter().all(|(seq, _, level, _)| levels[*seq as usize] == *level), "{got:?}");
}

#[test]
fn verdicts_are_the_same_with_pictures_and_without_and_none_waits_for_a_sink_that_hangs() {
    let values: Vec<u8> = (0..40).map(|n| if n % 2 == 0 { 150 } else { 20 + n }).collect();
    let said = |pictures| {
        let (verdicts, metrics) = run(Box::new(ScriptedSource::new(&spaced(&values))), 1000, pictures);
        let words =
            |v: &CameraVerdict| format!("{:?} {:?} {:?} {:?} {}", v.seq, v.outcome, v.reason, v.score, v.threshold);
        (verdicts.iter().map(words).collect::<Vec<_>>(), metrics)
    };
    let (without, _) = said(None);
    let (spec, given) = keeping(ALL, Duration::from_millis(150));
    let (with, metrics) = said(Some(spec));
    assert_eq!(with, without);
    // 150 ms for each of 40 pictures that come every 50 ms: some are shed, and every one is accounted for.
    let (lost, kept) = (metrics.delivery.pictures().lost_in_all(), given.lock().unwrap().len() as u64);
    assert!(lost > 0 && kept + lost == 40, "{kept} kept, {lost} lost");
    assert_eq!(metrics.delivery.pictures().lost(PictureLoss::Buffer), lost);
}

/// Re-judging needs the simulated camera and an engine.
#[cfg(all(feature = "rten", feature = "gst"))]
#[test]
fn a_kept_picture_is_judged_again_to_the_same_bit() {
    use andon::assemble::simulated::{Judge, station};
    use andon::assemble::{LineBuilder, open};
    use andon::config::{self, FrameSize};
    use andon_core::Detection;
    use andon_vision::model::bundle::Bundle;
    use andon_vision::model::engine::{EngineChoice, EngineOptions};

    let dir = tempfile::tempdir().unwrap();
    let ring_path = dir.path().join("pictures");
    let flags = [
        ("zenoh.enabled", "false".to_owned()),
        ("metrics.enabled", "false".to_owned()),
        ("pictures.enabled", "true".to_owned()),
        ("pictures.every_nth_pass", "1".to_owned()),
        ("pictures.path", ring_path.display().to_string()),
    ];
    let settings = config::load(None, [], &flags).unwrap();
    let engine = EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() };
    let bundle = Arc::new(Bundle::open(crate::common::flange_model()).unwrap());
    let conveyor = andon_sim::Conveyor::new(andon_sim::SimSpec { defect_rate: 0.3, ..andon_sim::SimSpec::default() });
    let judge = Judge::open(bundle.clone(), engine.clone()).unwrap();
    let station = station(&conveyor, judge, 10.0, Some(30)).unwrap();
    let verdicts = RecordingSink::default();
    let sink = verdicts.clone();
    let line = LineBuilder::new(&settings, Arc::default())
        .unwrap()
        .camera(station.camera)
        .lane(station.lane)
        .simulated()
        .sink(|_| Ok(Box::new(sink)))
        .start()
        .unwrap();
    let (names, live) = (line.station().clone(), line.pictures().live.clone());
    let guard = live.watch(andon_core::CameraId(0));
    line.wait().unwrap();
    line.finish().unwrap();
    drop(guard);
    assert!(live.latest(andon_core::CameraId(0)).unwrap().jpeg.starts_with(&[0xff, 0xd8]));

    let ring = PictureRing::open(&ring_path, LIMITS).unwrap();
    let mut detector = open(&bundle, &engine, FrameSize::AsTrained).unwrap().detector;
    let mut out = Detection::default();
    let (mut judged, mut rejects) = (0, 0);
    for v in verdicts.verdicts() {
        let Some(score) = v.score else { continue };
        let id = andon_io::sinks::wire::verdict_id(&names, v.camera, v.seq, v.t_capture);
        // On a busy machine the thread that codes them, which has the lowest priority, sheds some.
        let Some(picture) = ring.find(&id) else { continue };
        let frame = picture.frame().unwrap();
        detector.detect(&frame.view().unwrap(), &mut out).unwrap();
        assert_eq!(out.score.to_bits(), score.get().to_bits(), "part {}", v.seq);
        let (map, baseline, threshold) = picture.map().unwrap().unwrap();
        assert_eq!((map, baseline, threshold), (out.map.clone(), bundle.manifest.baseline, v.threshold));
        (judged, rejects) = (judged + 1, rejects + u32::from(v.outcome.as_str() == "REJECT"));
    }
    assert!(judged >= 15 && rejects > 0 && ring.len() >= judged, "{judged} judged again, {rejects} rejects");
    assert_eq!(
        ring.newest(&PictureFilter { result: Some("REJECT".into()), ..Default::default() }, 99).len() as u32,
        rejects
    );
}

/// A configuration whose every part is an ERROR, for its pictures are not of the size that was learned.
#[cfg(all(feature = "rten", feature = "gst"))]
fn errors_only(dir: &Path) -> String {
    let path = dir.join("andon.toml");
    let model = crate::common::flange_model().display();
    let text = format!(
        "[cameras.top]\npipeline = \"test\"\nmodel = \"{model}\"\nvars = {{ PATTERN = \"snow\", WIDTH = \"320\", HEIGHT = \"240\" }}\n\
         [engine]\nkind = \"rten\"\nthreads = 1\n[pictures]\nenabled = true\n"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[cfg(all(feature = "rten", feature = "gst"))]
#[test]
fn a_killed_line_leaves_a_ring_that_opens_and_whose_pictures_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    let config = errors_only(dir.path());
    let ring_path = dir.path().join("pictures");
    for round in 1..=3u64 {
        let mut child =
            crate::common::andon(&["run", "-c", &config]).stderr(std::process::Stdio::null()).spawn().unwrap();
        let count = || {
            std::fs::read_dir(&ring_path)
                .map_or(0, |days| days.flatten().filter_map(|d| std::fs::read_dir(d.path()).ok()).flatten().count())
        };
        let before = count();
        assert!(crate::common::until(30, || count() >= before + 7), "no pictures");
        std::thread::sleep(Duration::from_millis(7 * round));
        crate::common::signal(child.id(), "KILL");
        child.wait().unwrap();
        let ring = PictureRing::open(&ring_path, LIMITS).unwrap();
        let all = ring.newest(&PictureFilter::default(), 10_000);
        assert!(all.len() == ring.len() && all.len() as u64 >= 3 * round, "{} of {}", all.len(), ring.len());
        for p in all {
            let frame = ring.find(&p.id).unwrap().frame().unwrap();
            assert_eq!(
                (frame.size(), p.reason.as_str(), p.kept_for.as_str()),
                ((320, 240), "wrong_size", "not_passed")
            );
        }
        assert_eq!(count(), 2 * ring.len(), "nothing half-written is left");
    }
}

#[cfg(all(feature = "rten", feature = "gst"))]
#[test]
fn a_disk_that_refuses_costs_pictures_and_no_part() {
    let dir = tempfile::tempdir().unwrap();
    let config = errors_only(dir.path());
    let line = crate::common::andon(&["run", "--json", "-c", &config]);
    // No file may grow beyond 100 blocks: what a full disk looks like to the program.
    let mut limited = std::process::Command::new("bash");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec timeout -s INT 4 \"$0\" \"$@\""])
        .arg(line.get_program())
        .args(line.get_args())
        .env("ANDON__ZENOH__ENABLED", "false")
        .env("ANDON__METRICS__ENABLED", "false");
    let said = crate::common::run(&mut limited);
    let lines: Vec<serde_json::Value> = said.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let summary = lines.iter().find(|l| l["schema"] == "andon.summary.v1").unwrap_or_else(|| panic!("{}", said.err));
    let errors = summary["counts"]["error"].as_u64().unwrap();
    assert!(errors > 10 && summary["adds_up"] == true && summary["counts"]["uninspected"] == 0, "{summary}");
    assert_eq!(said.err.matches("a picture cannot be kept").count(), 1, "said once: {}", said.err);
    assert!(PictureRing::open(&dir.path().join("pictures"), LIMITS).unwrap().is_empty());
}

/// A camera of 1280 x 1024 in colours with the noise of a sensor, at a steady rate; every part is a reject.
struct Plant {
    pool: Pool<Vec<u8>>,
    next: u64,
    end: u64,
    start: Mono,
    period: Duration,
}

const SIZE: (usize, usize) = (1280, 1024);

fn plant(parts: u64, per_minute: u64) -> Plant {
    let mut random = SplitMix64::new(1);
    let paint = || {
        let pixel = |n: usize| {
            let (x, y) = (n / 3 % SIZE.0, n / 3 / SIZE.0);
            let level = 60 + (x / 16 + y / 16) % 100 + 40 * usize::from((x / 200 + y / 150) % 2 == 0);
            (level as u64 + random.below(7)) as u8
        };
        let mut data: Vec<u8> = (0..SIZE.0 * SIZE.1 * 3).map(pixel).collect();
        data[0] = 150;
        data
    };
    Plant {
        pool: Pool::new(8, paint),
        next: 0,
        end: parts,
        start: Mono::now(),
        period: Duration::from_secs(60) / per_minute as u32,
    }
}

impl Source for Plant {
    fn next(&mut self, until: Mono) -> Result<Next, SourceError> {
        if self.next == self.end {
            return Ok(Next::End);
        }
        let due = self.start + self.period * self.next as u32;
        if due > until {
            std::thread::sleep(until.since(Mono::now()));
            return Ok(Next::Idle);
        }
        std::thread::sleep(due.since(Mono::now()));
        self.next += 1;
        let Some(data) = self.pool.take() else { return Ok(Next::Gap { missed: 1, at: Mono::now() }) };
        let (width, height) = SIZE;
        let pixels = Pixels::Pooled { data, format: PixelFormat::Rgb8, width, height, stride: width * 3 };
        Ok(Next::Frame(Frame { number: FrameNo(0), t_capture: Mono::now(), source_index: None, pixels }))
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

/// Percentiles of capture to verdict, milliseconds: median, p99, largest.
fn latency(verdicts: &[CameraVerdict]) -> [f64; 3] {
    let mut all: Vec<u64> = verdicts.iter().map(CameraVerdict::latency_ns).collect();
    all.sort_unstable();
    [all.len() / 2, all.len() * 99 / 100, all.len() - 1].map(|n| all[n] as f64 / 1e6)
}

/// A line that rejects everything, and its ring of 200 MB; tells what became of the pictures.
fn rejecting(parts: u64, per_minute: u64, folder: &Path) -> (Vec<CameraVerdict>, Arc<Metrics>, PictureRing) {
    let limits = RingLimits { max_bytes: 200_000_000, max_days: None };
    let ring = PictureRing::open(folder, limits).unwrap();
    let wants = Arc::new(PictureWants::default());
    wants.keep_ring();
    let live = LivePictures::new(1, wants.clone());
    let station = StationInfo { cameras: vec!["cam".into()], ..StationInfo::default() };
    let writer = PictureWriter::new(&PicturesConfig::default(), Some(ring.clone()), live, station.clone());
    let (done, peaks) = mpsc::channel::<()>();
    let (watched, mut peak) = (ring.clone(), 0);
    let watch = std::thread::Builder::new().spawn(move || {
        while peaks.recv_timeout(Duration::from_millis(50)) == Err(mpsc::RecvTimeoutError::Timeout) {
            peak = peak.max(watched.bytes());
        }
        peak
    });
    let spec = PictureSpec { rules: NOT_PASSED, wants, sink: Box::new(writer) };
    let (verdicts, metrics) = run(Box::new(plant(parts, per_minute)), 1000, Some(spec));
    drop(done);
    let peak = watch.unwrap().join().unwrap();
    assert!(peak <= limits.max_bytes, "{peak}");
    let kept = station.delivery.pictures().kept.load(Relaxed);
    metrics.delivery.pictures().kept.store(kept, Relaxed);
    (verdicts, metrics, ring)
}

#[test]
fn rejects_at_a_steady_rate_fill_the_ring_and_every_picture_is_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let (verdicts, metrics, ring) = rejecting(60, 600, dir.path());
    let counts = metrics.delivery.pictures();
    let (kept, lost) = (counts.kept.load(Relaxed), counts.lost_in_all());
    assert_eq!((verdicts.len(), kept + lost, ring.len() as u64), (60, 60, kept));
    assert!(kept >= 20, "{kept} kept, {lost} lost");
    let newest = ring.newest(&PictureFilter::default(), 1);
    assert_eq!(ring.find(&newest[0].id).unwrap().frame().unwrap().size(), SIZE);
}

/// `ANDON_MINUTES=3 cargo test --release --test it -- --ignored --nocapture pictures::` prints the figures of docs/performance.md.
#[test]
#[ignore = "minutes, for the figures in docs/performance.md"]
fn figures_of_a_thousand_pictures_a_minute() {
    let minutes: u64 = std::env::var("ANDON_MINUTES").ok().and_then(|m| m.parse().ok()).unwrap_or(1);
    let plant_frame = plant(1, 600).pool.take().unwrap();
    let view = FrameView::new(PixelFormat::Rgb8, SIZE.0, SIZE.1, SIZE.0 * 3, &plant_frame).unwrap();
    let mut frames: Vec<OwnedFrame> = (0..8).map(|_| OwnedFrame::default()).collect();
    let mut times = Vec::new();
    for n in 0..408 {
        let start = Mono::now();
        frames[n % 8].copy_from(std::hint::black_box(&view));
        times.push(Mono::now().since(start).as_secs_f64() * 1e3);
    }
    times.drain(..8);
    times.sort_by(f64::total_cmp);
    eprintln!("copy of 1280x1024 RGB: median {:.3} ms, p99 {:.3} ms", times[200], times[396]);
    let (without, _) = run(Box::new(plant(1000, 1000)), 1000, None);
    eprintln!("capture to verdict without pictures: median, p99, largest {:.3?} ms", latency(&without));
    let dir = tempfile::tempdir().unwrap();
    let (with, metrics, ring) = rejecting(minutes * 1000, 1000, dir.path());
    let counts = metrics.delivery.pictures();
    let kept = counts.kept.load(Relaxed);
    eprintln!("capture to verdict with pictures: median, p99, largest {:.3?} ms", latency(&with));
    eprintln!(
        "{minutes} min: {} parts, {kept} pictures kept, {} lost, ring {} pictures, {:.1} MB",
        with.len(),
        counts.lost_in_all(),
        ring.len(),
        ring.bytes() as f64 / 1e6
    );
    assert_eq!(kept + counts.lost_in_all(), with.len() as u64);
}

#[cfg(feature = "gst")]
mod collect {
    use super::*;
    use crate::common::said;

    fn configured(dir: &Path, vars: &str, more: &str) -> String {
        let path = dir.join("andon.toml");
        let text =
            format!("[cameras.top]\npipeline = \"test\"\nmodel = \"not-yet.andon\"\nvars = {{ {vars} }}\n{more}");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn pictures(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn pictures_come_from_the_camera_without_copies_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let config = configured(dir.path(), "PATTERN = \"ball\", FPS = \"50\"", "");
        let (good, count) = (dir.path().join("good"), "8");
        let folder = good.to_str().unwrap();
        let done = said(&["collect", "-c", &config, "--count", count, "-o", folder, "--json"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let figures: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!((&figures["kept"], &figures["size"]), (&8.into(), &serde_json::json!([640, 480])), "{figures}");
        assert!(figures["best_sharpness"].as_f64().unwrap() > 0.0 && figures["last"]["dark"].as_f64().unwrap() > 0.5);
        let names = pictures(&good);
        assert_eq!((names.len(), names[7].as_str()), (8, "top-000007.png"));
        let image = image::open(good.join(&names[0])).unwrap();
        assert_eq!((image.width(), image.height(), image.color()), (640, 480, image::ColorType::Rgb8));
        let first = std::fs::read(good.join(&names[0])).unwrap();
        let again = said(&["collect", "-c", &config, "--count", count, "-o", folder]);
        assert!(again.code == 2 && again.err.contains("is not empty") && again.err.contains("--more"), "{}", again.err);
        let more = said(&["collect", "-c", &config, "--count", "2", "-o", folder, "--more", "--camera", "top"]);
        assert!(more.code == 0 && more.out.contains("andon fit"), "{}{}", more.out, more.err);
        assert_eq!((pictures(&good).len(), std::fs::read(good.join(&names[0])).unwrap()), (10, first));
    }

    #[test]
    fn a_scene_that_stands_still_gives_one_picture_and_a_signal_ends_in_good_order() {
        let dir = tempfile::tempdir().unwrap();
        let config = configured(dir.path(), "PATTERN = \"checkers-8\", FPS = \"30\", FORMAT = \"NV12\"", "");
        let good = dir.path().join("good");
        let mut command = crate::common::andon(&["collect", "-c", &config, "-o", good.to_str().unwrap(), "--json"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        assert!(crate::common::until(20, || good.is_dir() && !pictures(&good).is_empty()));
        std::thread::sleep(Duration::from_millis(500));
        crate::common::signal(child.id(), "INT");
        assert!(child.wait().unwrap().success());
        let mut out = String::new();
        std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut out).unwrap();
        let figures: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&figures["kept"], &figures["stopped"]), (&1.into(), &true.into()), "{figures}");
        assert!(figures["near_copies"].as_u64().unwrap() > 3, "{figures}");
        // What is learned from are the colours that the line sees.
        assert_eq!(image::open(good.join("top-000000.png")).unwrap().color(), image::ColorType::Rgb8);
    }

    #[test]
    fn what_cannot_be_collected_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let side = "[cameras.side]\npipeline = \"test\"\nmodel = \"x\"\n";
        let config = configured(dir.path(), "", side);
        let folder = dir.path().join("good");
        let folder = folder.to_str().unwrap();
        for (args, code, words) in [
            (&["--camera", "tpo"][..], 2, "there is no camera `tpo`; there are side, top"),
            (&[], 2, "several are configured; name one of side, top"),
            (&["--camera", "top", "--count", "0"], 2, "--count"),
        ] {
            let said = said(&[&["collect", "-c", &config, "-o", folder], args].concat());
            assert!(said.code == code && said.err.contains(words), "{args:?}: {} {}", said.code, said.err);
        }
        let lost = said(&["collect", "-c", "none.toml", "-o", folder]);
        assert!(lost.code == 78 && lost.err.contains("none.toml"), "{}", lost.err);
    }
}
