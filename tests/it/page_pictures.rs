//! The pictures of the operator's page, asked over HTTP from a simulated line that runs: each is that of its part, coded once for all who look,
//! and there again after a restart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use andon::assemble::simulated::{Judge, station};
use andon::assemble::{LineBuilder, Page, RunningLine};
use andon::config::{self, Loaded};
use andon_core::{CameraId, CameraVerdict};
use andon_io::sinks::wire::verdict_id;
use andon_sim::{Conveyor, SimSpec};
use andon_testkit::RecordingSink;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineOptions};

use crate::common::until;

const CAMERA: CameraId = CameraId(0);

fn conveyor(defect_rate: f32) -> Conveyor {
    Conveyor::new(SimSpec { defect_rate, ..SimSpec::default() })
}

/// Without a ring where no folder is given.
fn settings(ring: Option<&Path>) -> Loaded {
    let mut flags = vec![("zenoh.enabled", "false".to_owned()), ("metrics.enabled", "false".to_owned())];
    if let Some(ring) = ring {
        flags.extend([("pictures.enabled", "true".to_owned()), ("pictures.path", ring.display().to_string())]);
    }
    config::load(None, [], &flags).unwrap()
}

/// A line that runs, and its page.
struct Bench {
    line: RunningLine,
    stop: Arc<AtomicBool>,
    verdicts: RecordingSink,
    host: String,
}

impl Bench {
    /// Ten parts a second.
    fn start(settings: &Loaded, conveyor: &Conveyor, parts: Option<u64>) -> Bench {
        let engine = EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() };
        let bundle = Arc::new(Bundle::open(crate::common::flange_model()).unwrap());
        let station = station(conveyor, Judge::open(bundle, engine).unwrap(), 10.0, parts).unwrap();
        let (stop, verdicts) = (Arc::<AtomicBool>::default(), RecordingSink::default());
        let sink = verdicts.clone();
        let line = LineBuilder::new(settings, stop.clone())
            .unwrap()
            .camera(station.camera)
            .lane(station.lane)
            .simulated()
            .page(Some(Page::passing(&settings.config).unwrap()))
            .sink(|_| Ok(Box::new(sink)))
            .start()
            .unwrap();
        let url = line.page_url().unwrap();
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Bench { line, stop, verdicts, host }
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host).unwrap();
        stream
    }

    /// Status, head in small letters, body.
    fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        let mut bytes = Vec::new();
        self.ask(path).read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, bytes.split_off(end + 4))
    }

    fn text(&self, path: &str) -> String {
        let (status, _, body) = self.get(path);
        assert_eq!(status, 200, "{path}");
        String::from_utf8(body).unwrap()
    }

    /// A browser on the live page; it looks until it is dropped.
    fn viewer(&self) -> TcpStream {
        let mut stream = self.ask("/events?view=live&camera=0");
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert!(first.ends_with(b"200"));
        stream
    }

    fn id(&self, v: &CameraVerdict) -> String {
        verdict_id(self.line.station(), v.camera, v.seq, v.t_capture)
    }

    fn not_passed(&self) -> u64 {
        self.verdicts.verdicts().iter().filter(|v| v.outcome.as_str() != "PASS").count() as u64
    }

    /// Pictures that were coded until now.
    fn coded(&self) -> u64 {
        self.line.pictures().live.version()
    }

    fn finish(self) {
        self.stop.store(true, Relaxed);
        self.line.finish().unwrap();
    }
}

/// Mean difference of a picture from a part of the belt, in levels of 255.
fn difference(picture: &image::RgbImage, conveyor: &Conveyor, part: u64) -> f64 {
    let mut painted = Vec::new();
    conveyor.paint(part, &mut painted);
    assert_eq!(picture.as_raw().len(), painted.len());
    let sum: u64 = picture.as_raw().iter().zip(&painted).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / painted.len() as f64
}

#[test]
fn a_rejects_pictures_are_those_of_its_part_and_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, belt) = (settings(Some(&dir.path().join("pictures"))), conveyor(0.4));
    let on = Bench::start(&settings, &belt, Some(25));
    on.line.wait().unwrap();
    let rejects: Vec<CameraVerdict> =
        on.verdicts.verdicts().into_iter().filter(|v| v.outcome.as_str() == "REJECT").collect();
    assert!(rejects.len() >= 3, "{} rejects", rejects.len());
    for v in &rejects {
        let id = on.id(v);
        let (status, head, bytes) = on.get(&format!("/picture/{id}"));
        assert!(status == 200 && head.contains("image/jpeg") && head.contains("immutable"), "{head}");
        let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
        let part = v.source_index.unwrap();
        let (own, other) = (difference(&picture, &belt, part), difference(&picture, &belt, part + 1));
        assert!(own < 3.0 && other > 1.5 * own, "part {part}: {own} from its own, {other} from another");

        let (status, head, bytes) = on.get(&format!("/heatmap/{id}"));
        assert!(status == 200 && head.contains("image/png"), "{head}");
        let heat = image::load_from_memory(&bytes).unwrap().to_rgba8();
        // Where it is hottest, the verdict has its worst region.
        let red = |p: &image::Rgba<u8>| i32::from(p[3]) + i32::from(p[0]) - i32::from(p[1]);
        let (x, y, _) = heat.enumerate_pixels().max_by_key(|(_, _, p)| red(p)).unwrap();
        let at = |p: u32, of: u32, side: u32| (f64::from(p) + 0.5) / f64::from(of) * f64::from(side);
        let (x, y) = (at(x, heat.width(), picture.width()), at(y, heat.height(), picture.height()));
        let near = |p: f64, from: u32, len: u32| p > f64::from(from) - 8.0 && p < f64::from(from + len) + 8.0;
        let regions = v.regions.as_slice();
        assert!(regions.iter().any(|r| near(x, r.x, r.width) && near(y, r.y, r.height)), "{x} {y} in {regions:?}");

        let (status, head, bytes) = on.get(&format!("/thumbnail/{id}"));
        assert!(status == 200 && head.contains("image/jpeg"), "{head}");
        let small = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert!(small.width() <= 240 && small.height() <= 240 && small.width().max(small.height()) >= 200);
        assert_eq!(on.get(&format!("/thumbnail/{id}")).2, bytes, "the same to whoever asks next");

        let page = on.text(&format!("/part/{id}"));
        assert!(page.contains(&format!("/picture/{id}")) && page.contains(&format!("/heatmap/{id}")), "{page}");
    }
    let last = on.id(rejects.last().unwrap());
    let live = on.text("/");
    for wanted in ["/picture/", "/heatmap/", "/thumbnail/"] {
        assert!(live.contains(&format!("{wanted}{last}")), "{wanted} of the last reject: {live}");
    }
    for hostile in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..",
        "x",
        "%00",
        &last.to_lowercase(),
        &format!("{last}.png"),
        &"Z".repeat(26),
    ] {
        for kind in ["picture", "heatmap", "thumbnail", "part"] {
            assert_eq!(on.get(&format!("/{kind}/{hostile}")).0, 404, "/{kind}/{hostile}");
        }
    }
    let ids: Vec<String> = rejects.iter().map(|v| on.id(v)).collect();
    on.finish();

    // The next start: nothing is in memory, and the ring has them all.
    let on = Bench::start(&settings, &belt, Some(1));
    for (v, id) in rejects.iter().zip(&ids) {
        let (status, _, bytes) = on.get(&format!("/picture/{id}"));
        assert_eq!(status, 200);
        let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert!(difference(&picture, &belt, v.source_index.unwrap()) < 3.0);
        assert_eq!((on.get(&format!("/heatmap/{id}")).0, on.get(&format!("/thumbnail/{id}")).0), (200, 200));
        let page = on.text(&format!("/part/{id}"));
        let score = format!("{:.2}", v.score.unwrap().get());
        assert!(page.contains("REJECT") && page.contains(&score) && page.contains("class=\"region\""), "{page}");
    }
    let middle = on.text(&format!("/part/{}", ids[1]));
    assert!(middle.contains("rel=\"prev\"") && middle.contains("rel=\"next\""), "{middle}");
    on.line.wait().unwrap();
    on.finish();
}

#[test]
fn two_viewers_cost_one_coding_and_none_costs_none() {
    let on = Bench::start(&settings(None), &conveyor(0.0), None);
    let judged = || on.verdicts.verdicts().len() as u64;
    assert!(until(20, || judged() >= 15));
    assert!(on.coded() <= on.not_passed(), "{} coded, and nobody looks", on.coded());
    assert!(on.line.pictures().live.latest(CAMERA).is_none_or(|picture| picture.result != "PASS"));

    let (before, rejected, parts) = (on.coded(), on.not_passed(), judged());
    let viewers = [on.viewer(), on.viewer()];
    std::thread::sleep(Duration::from_secs(3));
    let (coded, rejected, parts) = (on.coded() - before, on.not_passed() - rejected, judged() - parts);
    // Five a second of ten parts, whether one looks or two do.
    assert!(parts >= 20 && coded >= 8 && coded <= 17 + rejected, "{coded} coded of {parts} parts");
    let live = on.line.pictures().live.latest(CAMERA).unwrap();
    let (status, _, bytes) = on.get(&format!("/picture/{}", live.id));
    assert!(status == 200 && bytes == *live.jpeg, "what was coded is what is sent");

    drop(viewers);
    // A stream that nobody reads is noticed with its next beat.
    std::thread::sleep(Duration::from_secs(2));
    let (before, rejected) = (on.coded(), on.not_passed());
    std::thread::sleep(Duration::from_secs(1));
    assert!(on.coded() - before <= on.not_passed() - rejected + 1, "{} coded after they left", on.coded() - before);
    on.finish();
}
