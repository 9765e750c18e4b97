//! Real GStreamer pipelines: what arrives, what is refused, how faults of cameras are survived.
#![cfg(feature = "gst")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use andon_core::{CameraState, Next, Source};
use andon_core::{Frame, Mono, PixelFormat, Yuv, YuvMatrix};
use andon_io::capture::{CaptureError, Feed, GstOptions, GstSource, Painter, PipelineSpec, built_in_pipelines};
use andon_vision::preprocess::{InputSpec, Preprocessor};

use crate::common;

fn spec(text: &str) -> PipelineSpec {
    PipelineSpec::from_text("test pipeline", text, &BTreeMap::new()).unwrap()
}

fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn quick() -> GstOptions {
    GstOptions {
        first_frame: Duration::from_secs(5),
        min_backoff: Duration::from_millis(20),
        max_backoff: Duration::from_millis(160),
        ..GstOptions::default()
    }
}

/// A source that tests may build everything in.
fn source(text: &str, options: GstOptions) -> GstSource {
    GstSource::new(spec(text), options).unwrap()
}

/// What the source says, until `enough` says so or the time is over.
fn collect(source: &mut GstSource, limit: Duration, mut enough: impl FnMut(&[Got]) -> bool) -> Vec<Got> {
    let end = Mono::now() + limit;
    let mut got = Vec::new();
    while Mono::now() < end && !enough(&got) {
        match source.next(Mono::now() + Duration::from_millis(50)).unwrap() {
            Next::Frame(frame) => got.push(Got::Frame(Seen::of(&frame))),
            Next::Gap { missed, .. } => got.push(Got::Gap(missed)),
            Next::Idle => {}
            Next::End => {
                got.push(Got::End);
                break;
            }
        }
    }
    got
}

fn frames(got: &[Got]) -> Vec<Seen> {
    got.iter().filter_map(|g| if let Got::Frame(f) = g { Some(*f) } else { None }).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Got {
    Frame(Seen),
    Gap(u64),
    End,
}

/// A frame without its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    /// Width, height, stride; `None` for a frame that cannot be read.
    geometry: Option<(usize, usize, usize, PixelFormat)>,
    at: Mono,
    index: Option<u64>,
}

impl Seen {
    fn of(frame: &Frame) -> Seen {
        let geometry = frame.view().map(|v| (v.width, v.height, v.stride, v.format));
        Seen { geometry, at: frame.t_capture, index: frame.source_index }
    }
}

#[test]
fn frames_come_with_their_strides_and_times_that_only_grow() {
    let text = "videotestsrc is-live=true num-buffers=10 ! video/x-raw,format=RGB,width=641,height=48,framerate=60/1 ! appsink name=sink";
    let mut source = source(text, GstOptions { end_at_eos: true, ..quick() });
    let before = Mono::now();
    let got = collect(&mut source, Duration::from_secs(10), |_| false);
    let frames = frames(&got);
    assert_eq!(frames.len(), 10);
    assert_eq!(got.last(), Some(&Got::End));
    assert_eq!(source.state(), CameraState::Ended);
    for (i, f) in frames.iter().enumerate() {
        assert_eq!(f.geometry, Some((641, 48, 1924, PixelFormat::Rgb8)));
        assert_eq!(f.index, Some(i as u64));
        assert!(f.at >= before && f.at <= Mono::now());
    }
    assert!(frames.is_sorted_by(|a, b| a.at < b.at));
}

#[test]
fn grey_cameras_are_taken_as_they_are() {
    let text = "videotestsrc num-buffers=1 ! video/x-raw,format=GRAY8,width=33,height=20 ! appsink name=sink";
    let got = collect(&mut source(text, quick()), Duration::from_secs(5), |g| !g.is_empty());
    assert_eq!(frames(&got)[0].geometry, Some((33, 20, 36, PixelFormat::Gray8)));
}

#[test]
fn nv12_has_the_colours_that_its_caps_say() {
    let colours =
        [("bt601", YuvMatrix::Bt601, false), ("bt709", YuvMatrix::Bt709, false), ("1:4:0:0", YuvMatrix::Bt601, true)];
    for (colorimetry, matrix, full_range) in colours {
        let pixels = |caps: &str| {
            let text = format!(
                "videotestsrc num-buffers=1 pattern=smpte75 ! video/x-raw,format=RGB,width=322,height=240 ! videoconvert ! video/x-raw,format={caps} ! appsink name=sink"
            );
            let (mut source, end) = (source(&text, quick()), Mono::now() + Duration::from_secs(5));
            let frame = loop {
                match source.next(end).unwrap() {
                    Next::Frame(frame) => break frame,
                    _ => assert!(Mono::now() < end, "no frame"),
                }
            };
            let view = frame.view().unwrap();
            let spec = InputSpec { width: 322, height: 240, mean: [0.0; 3], scale: [1.0; 3], range: None };
            let mut rgb = vec![0; 322 * 240 * 3];
            Preprocessor::new(spec).resize_rgb_into(&view, &mut rgb);
            (view.format, rgb)
        };
        let (format, got) = pixels(&format!("NV12,colorimetry={colorimetry}"));
        assert_eq!(format, PixelFormat::Nv12(Yuv { matrix, full_range }));
        let (_, want) = pixels("RGB");
        // In the middle of each bar; GStreamer rounds luma and colours to bytes on the way.
        for bar in 0..7 {
            let at = (80 * 322 + 23 + bar * 46) * 3;
            let off = (0..3).map(|c| got[at + c].abs_diff(want[at + c])).max().unwrap();
            assert!(off <= 3, "{colorimetry}, bar {bar}: {:?} for {:?}", &got[at..at + 3], &want[at..at + 3]);
        }
    }
}

#[test]
fn every_pipeline_that_ships_parses_or_names_the_package_that_is_missing() {
    for (name, _) in built_in_pipelines() {
        let given = match *name {
            "rtsp" => vars(&[("URL", "rtsp://127.0.0.1/x")]),
            "gige" => vars(&[("CAMERA", "Aravis-Fake-GV01")]),
            "file" => vars(&[("FILE", "/tmp/none.avi")]),
            "images" => vars(&[("PATTERN", "/tmp/%05d.jpg")]),
            _ => BTreeMap::new(),
        };
        let spec = PipelineSpec::load(name, &given).unwrap();
        match GstSource::new(spec, quick()) {
            Ok(_) => {}
            Err(CaptureError::MissingElement { remedy, .. }) => {
                assert!(remedy.contains("apt-get install"), "{name}: {remedy}")
            }
            Err(e) => panic!("{name}: {e}"),
        }
    }
}

#[test]
fn elements_that_write_serve_or_run_are_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("written");
    let sinks = [
        format!("videotestsrc ! tee name=t ! appsink name=sink t. ! filesink location={}", target.display()),
        "videotestsrc ! appsink name=sink videotestsrc ! tcpserversink port=0".to_owned(),
        "videotestsrc ! appsink name=sink audiotestsrc ! fakesink".to_owned(),
        "( videotestsrc ! udpsink ) videotestsrc ! appsink name=sink".to_owned(),
        "souphttpsrc location=http://127.0.0.1/ ! appsink name=sink".to_owned(),
    ];
    for text in sinks {
        let message = GstSource::new(spec(&text), quick()).err().unwrap().to_string();
        let refused = message.contains("is not allowed in a pipeline") && message.contains("capture.allow_elements");
        // Where the element is not even installed, that is said instead.
        assert!(refused || message.contains("has no element"), "{text}: {message}");
        assert!(message.contains("test pipeline"));
    }
    assert!(!target.exists());
    let allowed = GstOptions { allow_elements: vec!["audiotestsrc".to_owned()], ..quick() };
    assert!(GstSource::new(spec("videotestsrc ! appsink name=sink audiotestsrc ! fakesink"), allowed).is_ok());
}

#[test]
fn an_element_that_is_not_installed_is_named_with_its_remedy() {
    let message = GstSource::new(spec("aravissrc2 ! appsink name=sink"), quick()).err().unwrap().to_string();
    assert!(message.contains("no element `aravissrc2`") && message.contains("gst-inspect-1.0"), "{message}");
    let message = GstSource::new(spec("videotestsrc ! fakesink"), quick()).err().unwrap().to_string();
    assert!(message.contains("appsink name=sink"), "{message}");
    let message = GstSource::new(spec("videotestsrc ! ! appsink name=sink"), quick()).err().unwrap().to_string();
    assert!(message.starts_with("test pipeline"), "{message}");
}

#[test]
fn a_camera_that_is_not_there_is_a_state_and_is_tried_again_with_growing_pauses() {
    let mut source = source("v4l2src device=/dev/video99 ! appsink name=sink", quick());
    let got = collect(&mut source, Duration::from_millis(900), |_| false);
    assert!(got.is_empty());
    assert_eq!(source.state(), CameraState::Down);
    assert!(source.last_problem().unwrap().contains("/dev/video99"), "{:?}", source.last_problem());
    // 20, 40, 80, 160, 160, ... ms with a fifth of jitter: some seven tries in 900 ms, not hundreds.
    assert!((3..=12).contains(&source.restarts()), "{}", source.restarts());
}

#[test]
fn a_start_that_hangs_is_given_up_and_holds_nobody() {
    let dir = tempfile::tempdir().unwrap();
    // To open it for reading waits for somebody who writes, in the state change itself.
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = format!("filesrc location={} ! decodebin ! videoconvert ! appsink name=sink", pipe.display());
    let options = GstOptions { first_frame: Duration::from_millis(150), ..quick() };
    let mut source = source(&text, options);
    let begun = std::time::Instant::now();
    let got = collect(&mut source, Duration::from_millis(600), |_| false);
    assert!(got.is_empty() && begun.elapsed() < Duration::from_secs(2));
    assert_ne!(source.state(), CameraState::Running);
    let why = source.last_problem().unwrap().to_owned();
    assert!(why.contains("it does not start within 0.15 s"), "{why}");
    assert!(source.restarts() >= 2, "tried again: {}", source.restarts());
    // A driver that hangs for good does not get a thread for each try.
    drop(collect(&mut source, Duration::from_secs(2), |_| false));
    assert!(source.last_problem().unwrap().contains("8 starts or stops hang"), "{:?}", source.last_problem());
    let begun = std::time::Instant::now();
    drop(source);
    assert!(begun.elapsed() < Duration::from_secs(3), "the end does not wait for it");
    // Lets the threads go.
    drop(std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
}

#[test]
fn a_camera_that_fails_comes_back() {
    let text = "videotestsrc is-live=true ! video/x-raw,format=RGB,width=32,height=32,framerate=100/1 ! identity error-after=5 ! appsink name=sink";
    let mut source = source(text, quick());
    let got = collect(&mut source, Duration::from_secs(10), |g| frames(g).len() >= 12);
    assert!(frames(&got).len() >= 12 && source.restarts() >= 2);
    assert!(!got.iter().any(|g| matches!(g, Got::Gap(_))), "a new pipeline counts anew");
    assert!(source.last_problem().unwrap().contains("identity"));
}

/// Plays a list of pictures: size, whether the buffer is cut short, and when.
struct Script(Vec<(usize, bool, u64)>);

impl Painter for Script {
    fn caps(&self, index: u64) -> String {
        let (side, ..) = self.0[index as usize];
        format!("video/x-raw,format=GRAY8,width={side},height={side},framerate=50/1")
    }

    fn paint(&mut self, index: u64, out: &mut Vec<u8>) {
        let (side, cut, _) = self.0[index as usize];
        out.clear();
        out.resize(if cut { side * side / 2 } else { side * side }, 7);
    }

    fn due(&self, index: u64) -> Option<Duration> {
        self.0.get(index as usize).map(|(.., ms)| Duration::from_millis(*ms))
    }
}

/// No converter behind the source: it would drop a short buffer itself.
const RAW: &str = "appsrc name=src is-live=true format=time block=true ! appsink name=sink";

#[test]
fn a_camera_that_falls_silent_is_seen_to_be_down_and_may_return() {
    let script = Script((0..5).map(|i| (32, false, i * 20)).chain([(32, false, 900)]).collect());
    let mut source = source(RAW, GstOptions { silence: Some(Duration::from_millis(250)), ..quick() })
        .with_feed(Feed::new(Box::new(script), andon_core::Mono::now()));
    let got = collect(&mut source, Duration::from_secs(5), |g| frames(g).len() == 5);
    assert_eq!(frames(&got).len(), 5);
    let last = Mono::now();
    collect(&mut source, Duration::from_millis(600), |_| false);
    assert!(source.last_problem().unwrap().contains("silence_ms"));
    assert!(Mono::now().since(last) >= Duration::from_millis(250));
    let got = collect(&mut source, Duration::from_secs(5), |g| !frames(g).is_empty());
    assert_eq!(frames(&got)[0].index, Some(5), "the picture that came late is not lost");
}

#[test]
fn a_change_of_size_in_the_stream_is_followed_and_a_short_buffer_is_unreadable() {
    let script = Script(vec![(32, false, 0), (32, true, 30), (32, false, 60), (48, false, 90), (32, false, 120)]);
    let mut source = source(RAW, GstOptions { end_at_eos: true, ..quick() })
        .with_feed(Feed::new(Box::new(script), andon_core::Mono::now()));
    let got = collect(&mut source, Duration::from_secs(5), |_| false);
    let sides: Vec<Option<usize>> = frames(&got).iter().map(|f| f.geometry.map(|g| g.0)).collect();
    assert_eq!(sides, [Some(32), None, Some(32), Some(48), Some(32)]);
    assert_eq!(source.restarts(), 0);
}

#[test]
fn frames_that_the_camera_numbered_but_did_not_deliver_are_a_gap() {
    // A leaky queue before a slow reader drops as a driver does; what is left out shows in the numbers.
    let text = "videotestsrc is-live=true ! video/x-raw,format=RGB,width=32,height=32,framerate=100/1 ! queue leaky=downstream max-size-buffers=1 ! appsink name=sink";
    let mut source = source(text, quick());
    let mut got = Vec::new();
    for _ in 0..12 {
        got.extend(collect(&mut source, Duration::from_secs(1), |g| !g.is_empty()));
        std::thread::sleep(Duration::from_millis(60));
    }
    let (mut expected, mut missed) = (None, 0);
    for g in &got {
        match g {
            Got::Gap(n) => missed += n,
            Got::Frame(f) => {
                if let (Some(index), Some(next)) = (f.index, expected) {
                    assert_eq!(index, next + missed, "{got:?}");
                }
                (expected, missed) = (f.index.map(|i| i + 1), 0);
            }
            Got::End => {}
        }
    }
    assert!(got.iter().any(|g| matches!(g, Got::Gap(_))), "the test was meant to drop frames");
}

#[test]
fn silence_does_not_hold_the_caller_beyond_its_time() {
    let mut source = source("appsrc name=src is-live=true ! appsink name=sink", quick());
    for _ in 0..5 {
        let before = Mono::now();
        source.next(before + Duration::from_millis(30)).unwrap();
        assert!(Mono::now().since(before) < Duration::from_millis(1500));
    }
}

/// Encodes a video with GStreamer's own tools.
pub fn encode_video(path: &Path, pictures: u32, fps: u32, size: (u32, u32)) {
    let text = format!(
        "videotestsrc num-buffers={pictures} pattern=ball ! video/x-raw,format=I420,width={},height={},framerate={fps}/1 ! jpegenc ! avimux ! filesink location={}",
        size.0,
        size.1,
        path.display()
    );
    let said = common::run(Command::new("gst-launch-1.0").arg("-q").args(text.split(' ')));
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn a_video_file_plays_to_its_end_with_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belt.avi");
    encode_video(&file, 20, 25, (160, 120));
    let spec = PipelineSpec::load("file", &vars(&[("FILE", file.to_str().unwrap())])).unwrap();
    let mut source = GstSource::new(spec, GstOptions { end_at_eos: true, ..quick() }).unwrap();
    let got = collect(&mut source, Duration::from_secs(20), |_| false);
    assert_eq!(frames(&got).len(), 20);
    assert!(frames(&got).iter().all(|f| f.geometry.is_some_and(|g| (g.0, g.1) == (160, 120))));
    assert_eq!(got.last(), Some(&Got::End));
}

/// Numbered pictures, of which some are not what their names say.
fn numbered(dir: &std::path::Path, pictures: usize, spoil: impl Fn(usize) -> Option<Vec<u8>>) -> String {
    for n in 0..pictures {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::from_fn(32, 24, |x, y| image::Rgb([(x * 7 + n as u32) as u8, y as u8 * 9, 80]));
        picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        std::fs::write(dir.join(format!("{n:05}.jpg")), spoil(n).unwrap_or(bytes.into_inner())).unwrap();
    }
    format!(
        "multifilesrc location={}/%05d.jpg caps=image/jpeg,framerate=50/1 ! jpegdec ! identity sync=true ! videoconvert ! video/x-raw,format=RGB ! appsink name=sink",
        dir.display()
    )
}

/// Frames, missing ones, and why it broke.
fn play_recording(text: &str) -> (usize, u64, Option<String>) {
    let mut source = source(text, GstOptions { end_at_eos: true, ..quick() });
    let got = collect(&mut source, Duration::from_secs(10), |g| matches!(g.last(), Some(Got::End)));
    let missed = got.iter().map(|g| if let Got::Gap(missed) = g { *missed } else { 0 }).sum();
    assert_eq!(source.state(), CameraState::Ended);
    (frames(&got).len(), missed, source.broken().map(|e| e.to_string()))
}

#[test]
fn a_frame_that_the_decoder_drops_is_a_gap_wherever_it_lies() {
    for bad in [vec![3], vec![0], vec![7], vec![2, 3], vec![1, 5]] {
        let dir = tempfile::tempdir().unwrap();
        let text = numbered(dir.path(), 8, |n| bad.contains(&n).then(|| b"no picture at all, only words".repeat(40)));
        let (seen, missed, broken) = play_recording(&text);
        assert_eq!((seen + missed as usize, missed, broken), (8, bad.len() as u64, None), "{bad:?}");
    }
}

#[test]
fn a_recording_that_breaks_gives_what_came_before_says_why_and_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let text = numbered(dir.path(), 6, |_| None).replace("identity sync", "identity error-after=4 sync");
    for _ in 0..3 {
        let (seen, missed, broken) = play_recording(&text);
        let broken = broken.unwrap();
        assert!(seen == 3 && missed <= 1 && broken.contains("after"), "{seen} {missed} {broken}");
    }
    let (seen, missed, broken) = play_recording(
        "multifilesrc location=/nowhere/%05d.jpg caps=image/jpeg,framerate=50/1 ! jpegdec ! videoconvert ! appsink name=sink",
    );
    assert!((seen, missed) == (0, 0) && broken.as_ref().is_some_and(|b| b.contains("/nowhere/")), "{broken:?}");
}

#[test]
fn a_triggered_camera_may_be_silent() {
    let text = "videotestsrc is-live=true ! video/x-raw,format=RGB,width=32,height=32,framerate=30/1 ! identity sleep-time=700000 ! appsink name=sink";
    let mut source = source(text, GstOptions { silence: None, first_frame: Duration::from_millis(300), ..quick() });
    let got = collect(&mut source, Duration::from_millis(2500), |_| false);
    assert!(source.restarts() == 0 && frames(&got).len() >= 2, "{:?}", source.last_problem());
}

#[test]
fn the_password_of_a_camera_is_in_no_message() {
    let text =
        "rtspsrc location=rtsp://adm:geheim@127.0.0.1:9/a protocols=tcp ! decodebin ! videoconvert ! appsink name=sink";
    let mut source = source(text, quick());
    collect(&mut source, Duration::from_millis(700), |_| false);
    let problem = source.last_problem().unwrap();
    assert!(problem.contains("rtsp://***@127.0.0.1:9/a") && !problem.contains("geheim"), "{problem}");
}
