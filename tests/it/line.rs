//! Whole lines: every part ends exactly once, whatever breaks on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use andon_core::Detector;
use andon_core::{Accepted, Record, Sink};
use andon_core::{CameraId, Recorder, WallClock};
use andon_core::{
    CameraVerdict, Counts, Detection, Fault, FrameView, ModelTag, Mono, Outcome, Reason, Regions, Threshold,
};
use andon_io::sinks::wire::{self, StationInfo};
use andon_line::act::{AlarmSpec, EjectOn, EjectorSpec, PulseShape};
use andon_line::controller::{RecordMaker, Replay, TapeEntry};
use andon_line::runtime::{
    Active, ActiveModel, BuiltDetector, CameraSpec, DetectorSwap, EjectorLine, LaneSpec, Line, LineError, LineReport,
    LineSpec, ModelChange, Tape,
};
use andon_line::telemetry::Metrics;
use andon_testkit::{ObedientDetector, RecordingSink, ScriptedSource, Step, spaced};

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

struct Ran {
    ended: Result<(), LineError>,
    report: LineReport,
    verdicts: Vec<CameraVerdict>,
    rebuilt: u64,
}

impl Ran {
    fn counts(&self) -> Counts {
        let counts = self.report.cameras[0].1;
        assert!(counts.adds_up() && counts.in_flight == 0, "{counts:?}");
        assert_eq!(self.verdicts.len() as u64, counts.offered, "one verdict for each part");
        let mut seqs: Vec<u64> = self.verdicts.iter().map(|v| v.seq.0).collect();
        seqs.sort_unstable();
        assert!(seqs.iter().copied().eq(0..counts.offered), "numbers without a gap: {seqs:?}");
        counts
    }

    fn reasons(&self) -> Vec<Reason> {
        let mut all = self.verdicts.clone();
        all.sort_by_key(|v| v.seq);
        all.iter().map(|v| v.reason).collect()
    }
}

fn made(detector: impl Detector + 'static) -> BuiltDetector {
    BuiltDetector { detector: Box::new(detector), degraded: false }
}

fn run(script: &[Step], deadline_ms: u64) -> Ran {
    run_with(script, deadline_ms, None)
}

fn run_with(script: &[Step], deadline_ms: u64, replacement: Option<Arc<DetectorSwap>>) -> Ran {
    let kept = RecordingSink::default();
    let (status, inbox) = Line::status_of([("cam".to_owned(), active())]);
    let spec = CameraSpec {
        name: "cam".into(),
        source: Box::new(ScriptedSource::new(script)),
        make_detector: Box::new(|| Ok(made(ObedientDetector))),
        replacement,
        active: active(),
        deadline: Duration::from_millis(deadline_ms),
        presence: None,
    };
    let metrics = Metrics::new(&["cam".to_owned()]);
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(kept.clone())];
    let line = Line::start(LineSpec {
        lanes: Vec::new(),
        cameras: vec![spec],
        sinks,
        pictures: None,
        metrics,
        status: status.clone(),
        inbox,
    })
    .unwrap();
    let ended = line.wait(&AtomicBool::new(false));
    let report = line.finish().unwrap();
    let verdicts = kept.verdicts();
    Ran { ended, report, verdicts, rebuilt: status.cameras[0].detector_restarts.load(Relaxed) }
}

/// The same scores by another engine, which faults on 250 and is then made anew as an [`ObedientDetector`].
struct Better;

impl Detector for Better {
    fn explain(&mut self, _: &Detection, _: f32) -> Regions {
        Regions::default()
    }

    fn warm_up(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        out.score = f32::from(frame.data[0]);
        if frame.data[0] == 250 { Err(Fault::Engine("better")) } else { Ok(()) }
    }

    fn engine_name(&self) -> &'static str {
        "better"
    }
}

#[test]
fn a_better_engine_takes_over_between_two_parts_and_a_lost_one_is_made_good() {
    let replacement = Arc::new(DetectorSwap::default());
    let offered = replacement.clone();
    let offer = std::thread::scope(|scope| {
        let maker = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            offered.offer(BuiltDetector { detector: Box::new(Better), degraded: true });
            (0..200).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                offered.retired().is_some_and(|old| old.engine_name() == "obedient")
            })
        });
        // Time before and after the fault, so that even a busy machine does not leave that frame out.
        let pause = |n: u32| Step::Wait(if n == 49 || n == 50 { 300 } else { 10 });
        let script: Vec<Step> = (0..60).flat_map(|n| [Step::Frame(if n == 50 { 250 } else { 7 }), pause(n)]).collect();
        let ran = run_with(&script, 1000, Some(replacement));
        assert_eq!(ran.counts().offered, 60);
        let counts = ran.counts();
        assert_eq!((counts.pass + counts.uninspected, counts.error, ran.rebuilt), (59, 1, 1));
        assert!(counts.pass > 30, "{counts:?}");
        let engines: Vec<(&str, bool)> = ran.verdicts.iter().map(|v| (v.model.engine.as_str(), v.degraded)).collect();
        let mut changes = engines.clone();
        changes.dedup();
        assert_eq!(changes, [("obedient", false), ("better", true), ("obedient", false)], "{engines:?}");
        maker.join().unwrap()
    });
    assert!(offer, "the old detector goes back to who made the new one");
}

/// Ten times the scores of an [`ObedientDetector`]: another model.
struct Tenfold;

impl Detector for Tenfold {
    fn explain(&mut self, _: &Detection, _: f32) -> Regions {
        Regions::default()
    }

    fn warm_up(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn detect(&mut self, frame: &FrameView<'_>, out: &mut Detection) -> Result<(), Fault> {
        out.score = 10.0 * f32::from(frame.data[0]);
        if frame.data[0] == 250 { Err(Fault::Engine("tenfold")) } else { Ok(()) }
    }

    fn engine_name(&self) -> &'static str {
        "tenfold"
    }
}

fn tenfold() -> ModelChange {
    let model = ModelTag {
        name: "other".into(),
        blake3: String::new(),
        engine: String::new(),
        threshold: 1000.0,
        baseline: 0.0,
        picture_size: [0; 2],
        sources: Vec::new(),
        recipe: None,
    };
    ModelChange {
        detector: made(Tenfold),
        make: Box::new(|| Ok(made(Tenfold))),
        active: ActiveModel { threshold: Threshold::new(1000.0), model: Arc::new(model), recipe: 0 },
    }
}

#[test]
fn another_model_takes_over_between_two_parts_and_no_score_is_judged_by_the_threshold_of_the_other() {
    let swap = Arc::new(DetectorSwap::default());
    let offered = swap.clone();
    std::thread::scope(|scope| {
        let changer = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            offered.change(tenfold());
            let old = (0..200).find_map(|_| {
                std::thread::sleep(Duration::from_millis(10));
                offered.retired()
            });
            assert_eq!(old.map(|old| old.engine_name()), Some("obedient"));
            // What is built for the first model comes too late.
            offered.offer(made(Better));
            assert!(!offered.withdraw(), "nothing was taken in");
        });
        // The levels 50 and 120: pass and reject by either model, whose scores are 50, 120 and 500, 1200.
        let pause = |n: u32| Step::Wait(if n == 49 || n == 50 { 300 } else { 10 });
        let level = |n: u32| {
            if n == 50 {
                250
            } else if n.is_multiple_of(2) {
                50
            } else {
                120
            }
        };
        let script: Vec<Step> = (0..60).flat_map(|n| [Step::Frame(level(n)), pause(n)]).collect();
        let ran = run_with(&script, 1000, Some(swap));
        let counts = ran.counts();
        assert_eq!((counts.error, ran.rebuilt), (1, 1), "{counts:?}");
        let mut models = Vec::new();
        for v in ran.verdicts.iter().filter(|v| v.score.is_some()) {
            let times = if v.model.name == "other" { 10.0 } else { 1.0 };
            assert_eq!(v.threshold, 100.0 * times, "{v:?}");
            let score = v.score.unwrap().get();
            assert!(score == 50.0 * times || score == 120.0 * times, "{v:?}");
            assert_eq!(matches!(v.outcome, Outcome::Pass(_)), score == 50.0 * times, "{v:?}");
            models.push((v.model.name.clone(), v.model.engine.clone()));
        }
        models.dedup();
        let names = [("m", "obedient"), ("other", "tenfold")].map(|(m, e)| (m.to_owned(), e.to_owned()));
        assert_eq!(models, names, "also after the fault, when it was made anew");
        changer.join().unwrap();
    });
}

#[test]
fn a_model_is_changed_while_no_part_comes_and_taken_back_while_it_cannot_be() {
    let swap = Arc::new(DetectorSwap::default());
    let offered = swap.clone();
    std::thread::scope(|scope| {
        let changer = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            offered.change(tenfold());
            let taken = (0..100).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                offered.retired().is_some()
            });
            assert!(taken, "an idle inspector takes it too");
            assert!(!offered.withdraw());
        });
        let ran = run_with(&[Step::Frame(50), Step::Wait(1200), Step::Frame(50), Step::Wait(20)], 1000, Some(swap));
        let scores: Vec<f32> = ran.verdicts.iter().filter_map(|v| Some(v.score?.get())).collect();
        assert_eq!(scores, [50.0, 500.0]);
        changer.join().unwrap();
    });
    let idle = DetectorSwap::default();
    idle.change(tenfold());
    idle.offer(made(Better));
    assert!(idle.withdraw() && !idle.withdraw() && idle.retired().is_none(), "the model alone was there");
    idle.offer(made(Better));
    assert!(idle.withdraw(), "and an engine is welcome again");
}

#[test]
fn good_and_bad_parts_get_their_outcomes() {
    let ran = run(&spaced(&[10, 99, 100, 150, 0]), 1000);
    let counts = ran.counts();
    assert_eq!((counts.pass, counts.reject), (3, 2));
    assert!(ran.verdicts.iter().all(|v| v.deadline_met()));
}

#[test]
fn what_cannot_be_judged_is_an_error_and_the_line_goes_on() {
    let mut script = spaced(&[10, 255, 10]);
    script.extend([Step::Broken, Step::Wait(30)]);
    script.extend(spaced(&[254, 10, 253, 10]));
    let ran = run(&script, 1000);
    use Reason::{BadFrame, EngineFault, NonFiniteScore, StagePanic, UnderThreshold};
    let want = [
        UnderThreshold,
        NonFiniteScore,
        UnderThreshold,
        BadFrame,
        StagePanic,
        UnderThreshold,
        EngineFault,
        UnderThreshold,
    ];
    assert_eq!(ran.reasons(), want);
    assert_eq!(ran.counts().error, 4);
    assert_eq!(ran.rebuilt, 2, "after the panic and after the engine's fault");
    assert!(ran.ended.is_ok());
}

#[test]
fn a_detector_that_keeps_failing_stops_the_line_with_a_reason() {
    let ran = run(&spaced(&[254; 12]), 1000);
    let message = ran.ended.as_ref().unwrap_err().to_string();
    assert!(message.contains("cam") && message.contains("5 times within a minute"), "{message}");
    let counts = ran.counts();
    assert_eq!(counts.pass + counts.reject, 0);
}

#[test]
fn an_inspector_that_hangs_makes_parts_uninspected_and_its_late_word_counts_for_nothing() {
    let mut script = spaced(&[10]);
    script.extend([Step::Frame(252), Step::Wait(900)]);
    script.extend(spaced(&[10]));
    let ran = run(&script, 200);
    assert_eq!(ran.reasons(), [Reason::UnderThreshold, Reason::Late, Reason::UnderThreshold]);
    let late = ran.verdicts.iter().find(|v| v.reason == Reason::Late).unwrap();
    // Decided when the deadline passed, not when the inspector came back 400 ms later.
    assert!(
        late.t_verdict.since(late.deadline) < Duration::from_millis(300),
        "{:?}",
        late.t_verdict.since(late.deadline)
    );
    assert_eq!(ran.counts().late_results, 1);
}

#[test]
fn under_overload_the_oldest_frames_are_left_out_and_counted() {
    // 100 frames at once, 20 ms each: a queue of two.
    let mut script = vec![Step::Frame(251); 100];
    script.push(Step::Wait(300));
    let ran = run(&script, 2000);
    let counts = ran.counts();
    assert_eq!(counts.offered, 100);
    assert!(counts.uninspected >= 90, "{counts:?}");
    let inspected: Vec<u64> = ran.verdicts.iter().filter(|v| v.score.is_some()).map(|v| v.seq.0).collect();
    // Not always 98 too: if the inspector takes a frame while 99 makes room for itself, one more than needed has gone.
    assert!(inspected.contains(&99), "the newest is inspected: {inspected:?}");
    assert!(ran.reasons().iter().all(|r| matches!(r, Reason::Overflow | Reason::OverThreshold)));
}

#[test]
fn frames_that_the_camera_lost_are_parts_too() {
    let mut script = spaced(&[10]);
    script.push(Step::Gap(3));
    script.extend(spaced(&[10]));
    let ran = run(&script, 1000);
    use Reason::{FrameMissing, UnderThreshold};
    assert_eq!(ran.reasons(), [UnderThreshold, FrameMissing, FrameMissing, FrameMissing, UnderThreshold]);
    assert_eq!(ran.counts().offered, 5);
}

#[test]
fn a_stop_in_full_flight_forgets_nobody() {
    let kept = RecordingSink::default();
    let (status, inbox) = Line::status_of([("cam".to_owned(), active())]);
    let script: Vec<Step> = (0..10_000).flat_map(|_| [Step::Frame(251), Step::Wait(1)]).collect();
    let spec = CameraSpec {
        name: "cam".into(),
        source: Box::new(ScriptedSource::new(&script)),
        make_detector: Box::new(|| Ok(made(ObedientDetector))),
        replacement: None,
        active: active(),
        deadline: Duration::from_secs(5),
        presence: None,
    };
    let metrics = Metrics::new(&["cam".to_owned()]);
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(kept.clone())];
    let line = Line::start(LineSpec {
        lanes: Vec::new(),
        cameras: vec![spec],
        sinks,
        pictures: None,
        metrics: metrics.clone(),
        status,
        inbox,
    })
    .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let before = Mono::now();
    let report = line.finish().unwrap();
    assert!(Mono::now().since(before) < Duration::from_secs(3));
    let verdicts = kept.verdicts();
    let ran = Ran { ended: Ok(()), report, verdicts, rebuilt: 0 };
    assert!(ran.counts().offered > 50);
    let text = metrics.encode().unwrap();
    assert!(text.contains(&format!("andon_parts_offered_total{{camera=\"cam\"}} {}", ran.counts().offered)), "{text}");
}

/// Takes a second for each record.
struct Slow(mpsc::Sender<()>);

impl Sink for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        if matches!(record, Record::Verdict(_)) {
            std::thread::sleep(Duration::from_millis(200));
            self.0.send(()).ok();
        }
        Accepted::Taken
    }
}

#[test]
fn a_slow_sink_slows_nothing_but_itself() {
    let (seen, _kept) = mpsc::channel();
    let (status, inbox) = Line::status_of([("cam".to_owned(), active())]);
    let spec = CameraSpec {
        name: "cam".into(),
        source: Box::new(ScriptedSource::new(&spaced(&[10; 20]))),
        make_detector: Box::new(|| Ok(made(ObedientDetector))),
        replacement: None,
        active: active(),
        deadline: Duration::from_secs(5),
        presence: None,
    };
    let metrics = Metrics::new(&["cam".to_owned()]);
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Slow(seen))];
    let line =
        Line::start(LineSpec { lanes: Vec::new(), cameras: vec![spec], sinks, pictures: None, metrics, status, inbox })
            .unwrap();
    line.wait(&AtomicBool::new(false)).unwrap();
    let (_, counts, latency) = line.finish().unwrap().cameras.remove(0);
    assert_eq!(counts.pass, 20, "{counts:?}");
    // Twenty records take the sink four seconds; no part waited for it.
    assert!(latency.max_us < 1_000_000, "{latency:?}");
}

#[test]
fn two_cameras_count_apart() {
    let seen = Arc::new(AtomicU64::new(0));
    let names = ["left".to_owned(), "right".to_owned()];
    let (status, inbox) = Line::status_of(names.iter().map(|n| (n.clone(), active())));
    let camera = |name: &String, values: &[u8]| CameraSpec {
        name: name.clone(),
        source: Box::new(ScriptedSource::new(&spaced(values))),
        make_detector: Box::new(|| Ok(made(ObedientDetector))),
        replacement: None,
        active: active(),
        deadline: Duration::from_secs(1),
        presence: None,
    };
    let cameras = vec![camera(&names[0], &[10; 5]), camera(&names[1], &[150; 7])];
    let line = Line::start(LineSpec {
        lanes: Vec::new(),
        cameras,
        sinks: vec![],
        pictures: None,
        metrics: Metrics::new(&names),
        status,
        inbox,
    })
    .unwrap();
    line.wait(&AtomicBool::new(false)).unwrap();
    let report = line.finish().unwrap();
    assert_eq!((report.cameras[0].1.pass, report.cameras[1].1.reject), (5, 7));
    drop(seen);
}

#[test]
fn every_pass_has_a_finite_score_under_its_threshold() {
    let values: Vec<u8> = (0..60).map(|i| [10, 255, 99, 100, 150, 0][i % 6]).collect();
    for v in run(&spaced(&values), 1000).verdicts {
        if let Outcome::Pass(token) = v.outcome {
            assert!(token.score().get() < token.threshold().get() && v.score == Some(token.score()));
            assert!(v.deadline_met());
        }
    }
}

#[cfg(all(feature = "gst", feature = "rten"))]
mod streams {
    use std::path::Path;

    use super::*;
    use crate::common;

    fn config(dir: &Path, camera: &str) -> std::path::PathBuf {
        let path = dir.join("andon.toml");
        std::fs::write(&path, format!("[cameras.cam]\n{camera}")).unwrap();
        path
    }

    /// Verdict lines and the summary of `andon run --json`.
    fn run_service(config: &Path) -> (Vec<serde_json::Value>, serde_json::Value) {
        let said = common::said(&["run", "-c", config.to_str().unwrap(), "--json"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let mut lines: Vec<serde_json::Value> = said.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let summary = lines.pop().unwrap();
        assert_eq!(summary["schema"], "andon.summary.v1");
        assert_eq!(summary["adds_up"], true);
        assert_eq!(summary["counts"]["offered"], lines.len());
        (lines, summary)
    }

    #[test]
    fn real_pictures_of_many_sizes_play_as_a_live_stream_and_are_told_apart() {
        let Some(data) = common::data("magnetic_tile") else { return };
        let dir = tempfile::tempdir().unwrap();
        let list = |kind: &str, n: usize| {
            let mut files: Vec<_> = std::fs::read_dir(data.join(kind)).unwrap().map(|f| f.unwrap().path()).collect();
            files.sort();
            files.into_iter().step_by(3).take(n).collect::<Vec<_>>()
        };
        let good = dir.path().join("good");
        std::fs::create_dir(&good).unwrap();
        for (i, f) in list("train/good", 40).iter().enumerate() {
            std::fs::copy(f, good.join(format!("{i:03}.jpg"))).unwrap();
        }
        let model = dir.path().join("tile.andon");
        let said = common::said(&[
            "fit",
            "--any-size",
            good.to_str().unwrap(),
            "-o",
            model.to_str().unwrap(),
            "--bank",
            "1000",
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        let stream: Vec<_> = list("test/break", 15).into_iter().chain(list("test/good", 15)).collect();
        for (i, f) in stream.iter().enumerate() {
            std::fs::copy(f, dir.path().join(format!("{i:05}.jpg"))).unwrap();
        }
        let camera = format!(
            "pipeline = \"images\"\nmodel = \"tile.andon\"\non_eos = \"end\"\ndeadline_ms = 5000\nvars = {{ pattern = \"{}/%05d.jpg\", fps = \"5\" }}\n",
            dir.path().display()
        );
        let (lines, _) = run_service(&config(dir.path(), &camera));
        assert_eq!(lines.len(), 30);
        let scores: Vec<f64> = lines.iter().map(|l| l["score"].as_f64().unwrap()).collect();
        let pairs = scores[..15].iter().flat_map(|bad| scores[15..].iter().map(move |good| bad > good));
        let auroc = pairs.filter(|above| *above).count() as f64 / 225.0;
        assert!(auroc > 0.85, "broken tiles score higher than whole ones: AUROC {auroc}");
        // The same frames, model and configuration once more: the same verdicts.
        let (again, _) = run_service(&config(dir.path(), &camera));
        let kept = |l: &serde_json::Value| (l["seq"].clone(), l["result"].clone(), l["score"].clone());
        assert!(lines.iter().map(kept).eq(again.iter().map(kept)));
    }

    #[test]
    fn a_video_file_goes_through_the_service_and_a_wrong_size_is_an_error_of_every_part() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("belt.avi");
        crate::capture::encode_video(&file, 12, 5, (160, 120));
        let camera = |extra: &str| {
            format!(
                "pipeline = \"file\"\nmodel = \"{}\"\non_eos = \"end\"\ndeadline_ms = 5000\n{extra}vars = {{ file = \"{}\" }}\n",
                common::flange_model().display(),
                file.display()
            )
        };
        let (lines, summary) = run_service(&config(dir.path(), &camera("")));
        assert_eq!((lines.len(), summary["counts"]["error"].as_u64()), (12, Some(12)));
        assert!(lines.iter().all(|l| l["reason"] == "wrong_size" && l["score"].is_null()));
        let (lines, summary) = run_service(&config(dir.path(), &camera("frame_size = \"any\"\n")));
        assert_eq!(lines.len(), 12);
        assert_eq!(summary["counts"]["error"], 0);
        assert!(lines.iter().all(|l| l["result"] == "REJECT"), "a test picture is no flange");
    }

    #[test]
    fn a_service_whose_camera_is_absent_runs_and_stops_on_a_signal() {
        let dir = tempfile::tempdir().unwrap();
        let camera = format!(
            "pipeline = \"v4l2\"\nmodel = \"{}\"\nvars = {{ device = \"/dev/video99\" }}\n",
            common::flange_model().display()
        );
        let config = config(dir.path(), &camera);
        let mut child = common::andon(&["run", "-c", config.to_str().unwrap(), "--json"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(2500));
        assert!(child.try_wait().unwrap().is_none(), "an absent camera is a state, not a crash");
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert!(err.contains("camera down") && err.contains("/dev/video99"), "{err}");
        assert!(err.lines().count() < 40, "a dead camera must not flood the log: {err}");
    }

    #[test]
    fn a_log_that_nobody_reads_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let camera = format!(
            "pipeline = \"test\"\nmodel = \"{}\"\nframe_size = \"any\"\ndeadline_ms = 5000\n",
            common::flange_model().display()
        );
        let config = config(dir.path(), &camera);
        // A pipe that is full to the brim: the next byte written to it waits for ever.
        let (_reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, &[b'x'; 65_536]).unwrap();
        let mut child = common::andon(&["run", "-c", config.to_str().unwrap(), "--json"])
            .stdout(std::process::Stdio::piped())
            .stderr(writer)
            .spawn()
            .unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        let verdicts = std::io::BufRead::lines(out).take(10).map_while(Result::ok).count();
        assert!(
            std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
        );
        assert_eq!(verdicts, 10);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn a_reader_of_verdicts_that_stops_reading_does_not_hold_up_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let camera = format!(
            "pipeline = \"test\"\nmodel = \"{}\"\nframe_size = \"any\"\ndeadline_ms = 5000\n",
            common::flange_model().display()
        );
        let config = config(dir.path(), &camera);
        let (_reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, &[b'x'; 65_536]).unwrap();
        let mut child = common::andon(&["run", "-c", config.to_str().unwrap(), "--json"])
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(3000));
        assert!(
            std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
        );
        let before = Mono::now();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(Mono::now().since(before) < Duration::from_secs(20), "it ends although nobody reads");
    }
}

/// Every record of the lane as the wire has it, as it comes.
#[derive(Clone, Default)]
struct Wired(Arc<Mutex<Vec<Vec<u8>>>>);

/// One clock and one boot for the line and its replay: the rest of a record is what was decided.
fn names() -> &'static (StationInfo, WallClock) {
    static NAMES: std::sync::OnceLock<(StationInfo, WallClock)> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| {
        let names = StationInfo { cameras: vec!["cam".into()], lanes: vec!["belt".into()], ..StationInfo::default() };
        (names, WallClock::read())
    })
}

fn wired(record: &Record) -> Option<Vec<u8>> {
    let (names, wall) = names();
    let bytes = match record {
        Record::Verdict(v) => serde_json::to_vec(&wire::verdict(names, wall, v)),
        Record::Part(lane, end) => serde_json::to_vec(&wire::part(names, wall, *lane, end)),
        Record::Ejection(lane, fired) => serde_json::to_vec(&wire::eject(names, wall, *lane, fired)),
        Record::Event(lane, notice) => serde_json::to_vec(&wire::event(names, wall, *lane, notice)),
        Record::Stats(_) | Record::Map(_) => return None,
    };
    Some(bytes.unwrap())
}

impl Sink for Wired {
    fn name(&self) -> &'static str {
        "wired"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        self.0.lock().unwrap().extend(wired(record));
        Accepted::Taken
    }
}

fn lane_with_an_ejector() -> LaneSpec {
    let mut lane = LaneSpec::free(CameraId(0), Duration::from_millis(60));
    lane.ejectors.push(EjectorLine {
        name: "blow".into(),
        spec: EjectorSpec {
            distance: 100_000,
            length: 5000,
            before: 0,
            after: 0,
            shape: PulseShape::Window,
            delay_on: Duration::from_millis(2),
            delay_off: Duration::from_millis(2),
            min_on: Duration::from_millis(1),
            min_gap: Duration::from_millis(1),
            max_on: Duration::from_secs(1),
            max_duty: 1.0,
            causes: EjectOn::ALL,
            confirm_within: None,
        },
        output: Box::new(Recorder::new("blow")),
        confirm: None,
    });
    lane.line_stop = Some(Box::new(Recorder::new("stop")));
    lane.alarms = AlarmSpec { consecutive: 3, share_n: 0, share_of: 0 };
    lane
}

/// What decide was fed is recorded, written, read and fed to a fresh lane that has no thread, clock or wire: it gives the same records, byte
/// for byte, whatever went wrong on the way.
#[test]
fn a_recorded_line_gives_the_same_records_again_byte_for_byte() {
    let mut script = spaced(&[10, 150, 20, 255, 253]);
    script.extend([Step::Broken, Step::Wait(50), Step::Gap(1), Step::Wait(50)]);
    script.extend(spaced(&[30, 254, 40, 252, 50]));
    script.push(Step::Wait(200));
    let kept = Wired::default();
    let (status, inbox) = Line::status_of([("cam".to_owned(), active())]);
    let spec = CameraSpec {
        name: "cam".into(),
        source: Box::new(ScriptedSource::new(&script)),
        make_detector: Box::new(|| Ok(made(ObedientDetector))),
        replacement: None,
        active: active(),
        deadline: Duration::from_millis(60),
        presence: None,
    };
    let lane = lane_with_an_ejector();
    let setup = lane.setup();
    let spec = LineSpec {
        lanes: vec![lane],
        cameras: vec![spec],
        sinks: vec![Box::new(kept.clone())],
        pictures: None,
        metrics: Metrics::new(&["cam".to_owned()]),
        status,
        inbox,
    };
    let (tape, entries) = Tape::new(100_000);
    let line = Line::start_recorded(spec, tape.clone()).unwrap();
    line.wait(&AtomicBool::new(false)).unwrap();
    let report = line.finish().unwrap();
    assert_eq!(tape.lost(), 0);
    let mut file = Vec::new();
    entries.try_iter().for_each(|entry| entry.write(&mut file).unwrap());

    let mut replay = Replay::new(0, setup);
    let maker = RecordMaker { lane: 0, cameras: vec![CameraId(0)], has_encoder: false };
    let judged_by = Arc::new(active());
    let mut again = Vec::new();
    replay.run(&TapeEntry::read_all(&mut file.as_slice()).unwrap(), &mut |action| {
        again.extend(maker.record(&action, &|_, _| judged_by.clone()).as_ref().and_then(wired));
    });
    let text =
        |records: &[Vec<u8>]| records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect::<Vec<_>>();
    let before = kept.0.lock().unwrap().clone();
    assert_eq!(text(&again), text(&before));
    assert_eq!(replay.controller().counts(0), report.cameras[0].1);
    let all = text(&before).join("\n");
    for word in ["PASS", "REJECT", "UNINSPECTED", "ERROR", "consecutive_rejects", "line_stop", "andon.eject"] {
        assert!(all.contains(word), "{word} is part of it: {all}");
    }
}

/// The builder as a program of one's own uses it: its cameras and lanes, no hardware, a sink that counts.
#[cfg(all(feature = "gst", feature = "rten"))]
#[test]
fn a_line_is_built_from_parts_as_from_a_configuration() {
    use andon::assemble::LineBuilder;
    use andon::assemble::simulated::{Judge, Learner, station};
    use andon_sim::{Conveyor, SimSpec};
    use andon_vision::model::engine::EngineOptions;

    struct Count(Arc<AtomicU64>);
    impl Sink for Count {
        fn name(&self) -> &'static str {
            "count"
        }

        fn offer(&mut self, record: &Record) -> Accepted {
            let verdict = matches!(record, Record::Verdict(_));
            self.0.fetch_add(u64::from(verdict), Relaxed);
            if verdict { Accepted::Taken } else { Accepted::Ignored }
        }
    }

    let flags = [("zenoh.enabled", "false".to_owned()), ("metrics.enabled", "false".to_owned())];
    let settings = andon::config::load(None, [], &flags).unwrap();
    let conveyor = Conveyor::new(SimSpec { side: 160, ..SimSpec::default() });
    let engine = EngineOptions::default();
    let model = Learner::open(&engine).unwrap().learn(&conveyor, 8, 1, &mut |_, _, _| {}).unwrap();
    let judge = Judge::open(Arc::new(model), engine).unwrap();
    let station = station(&conveyor, judge, 10.0, Some(8)).unwrap();
    let verdicts = Arc::new(AtomicU64::new(0));
    let counted = verdicts.clone();
    let line = LineBuilder::new(&settings, Arc::default())
        .unwrap()
        .camera(station.camera)
        .lane(station.lane)
        .simulated()
        .sink(|_| Ok(Box::new(Count(counted))))
        .start()
        .unwrap();
    let names = line.station().clone();
    assert!(names.simulated && names.cameras == ["sim"] && names.lanes == ["belt"], "{names:?}");
    assert_eq!(
        (&names.ejectors[0], &names.outputs[0], &names.inputs[0]),
        (&vec!["blow".to_owned()], &vec!["valve".to_owned()], &vec!["eye".to_owned()])
    );
    line.wait().unwrap();
    let report = line.finish().unwrap();
    let (_, counts, _) = &report.cameras[0];
    assert!(counts.adds_up() && counts.offered == 8, "{counts:?}");
    assert_eq!(verdicts.load(Relaxed), 8);
}
