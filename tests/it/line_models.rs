//! "That part was good", its undo, and a change of the recipe, asked over HTTP of a line that runs: what the page says is what the line does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use andon::assemble::precheck::Checked;
use andon::assemble::start_recipe::{Wanted, start_with};
use andon::assemble::{self, CameraParts, LaneParts, LineBuilder, Page, RunningLine};
use andon::config::{self, FrameSize, Loaded};
use andon_core::{
    CameraId, CameraState, CameraVerdict, Frame, FrameNo, Mono, Next, PixelFormat, Pixels, Pooled, Role, Source,
    SourceError, Threshold,
};
use andon_io::history::{Expected, NewReview, ReviewVerdict, Reviews};
use andon_io::sinks::wire::verdict_id;
use andon_line::runtime::LaneSpec;
use andon_sim::{Conveyor, DefectKind, SimSpec};
use andon_testkit::RecordingSink;
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineOptions};

use crate::common::until;

/// From one part to the next.
const PERIOD: Duration = Duration::from_millis(120);
const DEADLINE: Duration = Duration::from_secs(5);

/// The same pictures again and again.
struct Carousel {
    pictures: Vec<Vec<u8>>,
    side: usize,
    next: usize,
    due: Mono,
}

impl Source for Carousel {
    fn next(&mut self, until: Mono) -> Result<Next, SourceError> {
        std::thread::sleep(self.due.min(until).since(Mono::now()));
        if self.due > until {
            return Ok(Next::Idle);
        }
        self.due = self.due + PERIOD;
        let rgb = self.pictures[self.next % self.pictures.len()].clone();
        self.next += 1;
        let (width, height, stride) = (self.side, self.side, self.side * 3);
        let pixels = Pixels::Pooled { data: Pooled::alone(rgb), format: PixelFormat::Rgb8, width, height, stride };
        let source_index = Some(self.next as u64);
        Ok(Next::Frame(Frame { number: FrameNo(0), t_capture: Mono::now(), source_index, pixels }))
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

/// A good part, then one with a scratch, and so on: the same two pictures.
fn pictures() -> (Vec<Vec<u8>>, usize) {
    let conveyor = Conveyor::new(SimSpec::default());
    let (mut good, mut scratched) = (Vec::new(), Vec::new());
    conveyor.paint_good(40, &mut good);
    conveyor.paint_with(41, DefectKind::Scratch, &mut scratched);
    (vec![good, scratched], conveyor.spec().side as usize)
}

/// A line with a page, a history and a ring, whose model lies in a file of its own.
struct Bench {
    line: RunningLine,
    stop: Arc<AtomicBool>,
    verdicts: RecordingSink,
    host: String,
    cookies: Vec<(String, String)>,
    model: PathBuf,
    store: PathBuf,
}

fn settings(folder: &Path, more: &[(&str, String)]) -> Loaded {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        ("zenoh.enabled", "false".to_owned()),
        ("metrics.enabled", "false".to_owned()),
        ("pictures.enabled", "true".to_owned()),
        ("pictures.path", at("pictures")),
        ("store.enabled", "true".to_owned()),
        ("store.path", at("andon.db")),
        ("page.database", at("page.db")),
        ("page.taught", at("taught")),
        ("page.listen", "127.0.0.1:0".to_owned()),
    ];
    flags.extend(more.iter().cloned());
    let file = folder.join("andon.toml");
    if !file.exists() {
        std::fs::write(&file, "").unwrap();
    }
    config::load(Some(&file), [], &flags).unwrap()
}

impl Bench {
    fn start(folder: &Path, settings: &Loaded, pictures: (Vec<Vec<u8>>, usize)) -> Bench {
        Bench::start_with(folder, settings, pictures, crate::common::flange_model())
    }

    fn start_with(folder: &Path, settings: &Loaded, (pictures, side): (Vec<Vec<u8>>, usize), learned: &Path) -> Bench {
        let model = folder.join("part.andon");
        std::fs::copy(learned, &model).unwrap();
        let engine = EngineOptions { choice: EngineChoice::Rten, threads: 1, ..EngineOptions::default() };
        let bundle = Arc::new(Bundle::open(&model).unwrap());
        let camera = CameraParts {
            name: "top".to_owned(),
            source: Box::new(Carousel { pictures, side, next: 0, due: Mono::now() }),
            model: Some(model.clone()),
            detector: assemble::open(&bundle, &engine, FrameSize::AsTrained).unwrap(),
            threshold: Threshold::new(bundle.manifest.threshold).unwrap(),
            bundle,
            engine,
            frame_size: FrameSize::AsTrained,
            threshold_configured: false,
            threshold_unsafe: false,
            deadline: DEADLINE,
            presence: None,
        };
        let page = Page::configured(settings, &folder.join("andon.toml")).unwrap().unwrap();
        let page = page.teaching(&settings.config, Path::new(env!("CARGO_BIN_EXE_andon")));
        page.accounts().add_user("quinn", Role::Quality, "long enough").unwrap();
        let (stop, verdicts) = (Arc::<AtomicBool>::default(), RecordingSink::default());
        let sink = verdicts.clone();
        let line = LineBuilder::new(settings, stop.clone())
            .unwrap()
            .camera(camera)
            .lane(LaneParts { name: "belt".to_owned(), spec: LaneSpec::free(CameraId(0), DEADLINE) })
            .page(Some(page))
            .sink(|_| Ok(Box::new(sink)))
            .start()
            .unwrap();
        let url = line.page_url().unwrap();
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let store = settings.config.sinks.store.path.clone();
        let mut bench = Bench { line, stop, verdicts, host, cookies: Vec::new(), model, store };
        let (status, ..) = bench.post("/login", "name=quinn&password=long+enough");
        assert_eq!(status, 303);
        bench
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            cookies.join("; "),
            body.len()
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            let Some((name, cookie)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn get(&mut self, path: &str) -> String {
        let (status, body) = self.send("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Sends a form with the token of the login page.
    fn post(&mut self, path: &str, form: &str) -> (u16, String) {
        let page = self.get("/login");
        let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        self.send("POST", path, &format!("csrf={token}&{form}"))
    }

    fn id(&self, v: &CameraVerdict) -> String {
        verdict_id(self.line.station(), v.camera, v.seq, v.t_capture)
    }

    /// The next so many parts with this outcome, from now on.
    fn next(&self, outcome: &str, count: usize) -> Vec<CameraVerdict> {
        let from = self.verdicts.verdicts().len();
        let mut found = Vec::new();
        until(20, || {
            let is = |v: &CameraVerdict| v.outcome.as_str() == outcome;
            found = self.verdicts.verdicts().into_iter().skip(from).filter(is).collect();
            found.len() >= count
        });
        assert!(found.len() >= count, "{} parts with {outcome}", found.len());
        found
    }

    /// The first so many of the rejects from now on whose picture is in the ring and whose row is in the history, with their ids. A box that
    /// is busy sheds pictures, and never verdicts.
    fn kept_rejects(&self, count: usize) -> Vec<(String, CameraVerdict)> {
        let from = self.verdicts.verdicts().len();
        let ring = self.line.pictures().ring.clone().unwrap();
        let history = andon_io::history::History::new(&self.store, Default::default());
        let kept = |id: &str| ring.find(id).is_some() && history.part(id).is_ok_and(|part| part.is_some());
        let mut found = Vec::new();
        until(40, || {
            let rejects = self.verdicts.verdicts().into_iter().skip(from).filter(|v| v.outcome.as_str() == "REJECT");
            found = rejects.map(|v| (self.id(&v), v)).filter(|(id, _)| kept(id)).take(count).collect();
            found.len() == count
        });
        assert_eq!(found.len(), count, "pictures of rejects");
        found
    }

    fn review(&self, part: &str, verdict: ReviewVerdict) {
        let review = NewReview {
            part: part.to_owned(),
            verdict,
            defect: None,
            comment: None,
            user: "ana".into(),
            expected: Expected::Anything,
        };
        Reviews::new(&self.store).add(&review).unwrap();
    }

    /// Tries a part, and returns the page that says what would change.
    fn tried(&mut self, part: &str) -> String {
        let (status, body) = self.post(&format!("/good/{part}/try"), "");
        assert_eq!(status, 303, "{body}");
        let mut page = String::new();
        until(60, || {
            page = self.get(&format!("/good/{part}/state"));
            !page.contains("every 1s")
        });
        page
    }

    fn finish(self) {
        self.stop.store(true, Relaxed);
        self.line.finish().unwrap();
    }
}

#[test]
fn that_part_was_good_is_tried_on_every_reviewed_part_learned_between_two_parts_and_undone_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut on = Bench::start(folder.path(), &settings(folder.path(), &[]), pictures());
    let before = std::fs::read(&on.model).unwrap();
    let rejects = on.kept_rejects(2);
    let [first, second] = [0, 1].map(|n| rejects[n].0.clone());

    // The first is known to be defective, and the second is its very picture: nothing may be learned.
    on.review(&first, ReviewVerdict::Bad);
    let (status, body) = on.post(&format!("/good/{second}"), "reason=looks+fine");
    assert!(status == 409 && body.contains("was not tried"), "{status} {body}");
    let page = on.tried(&second);
    assert!(page.contains("known to be defective would pass") && page.contains(&format!("/part/{first}")), "{page}");
    let (status, body) = on.post(&format!("/good/{second}"), "reason=looks+fine");
    assert!(status == 409 && body.contains(&first), "{status} {body}");
    assert_eq!(std::fs::read(&on.model).unwrap(), before);
    let (status, body) = on.post(&format!("/good/{first}"), "reason=looks+fine");
    assert!(status == 409 && body.contains("reviewed as really bad by ana"), "{status} {body}");

    // It was good after all.
    on.review(&first, ReviewVerdict::Withdrawn);
    on.review(&first, ReviewVerdict::Good);
    let page = on.tried(&second);
    assert!(!page.contains("known to be defective would pass") && page.contains("Teach the model"), "{page}");
    assert!(page.contains(&format!("/part/{first}")), "the good one would pass, and that is said: {page}");
    let (status, _) = on.post(&format!("/good/{second}"), "");
    assert_eq!(status, 422, "without a reason");
    // What became known after the trial counts, and so does a threshold that was set since.
    on.review(&first, ReviewVerdict::Bad);
    let (status, body) = on.post(&format!("/good/{second}"), "reason=only+a+reflection");
    assert!(status == 409 && body.contains("changed after the trial"), "{status} {body}");
    on.review(&first, ReviewVerdict::Good);
    let own = Bundle::open(&on.model).unwrap().manifest.threshold;
    let (status, _) = on.post("/threshold/0", &format!("value={}&reason=stricter", own * 0.99));
    assert_eq!(status, 303);
    let (status, _) = on.post(&format!("/good/{second}"), "reason=only+a+reflection");
    assert_eq!(status, 409);
    on.tried(&second);
    // A file that somebody else wrote meanwhile is not written over.
    let said = crate::common::said(&["threshold", on.model.to_str().unwrap(), "--set", &(own * 1.01).to_string()]);
    assert_eq!(said.code, 0, "{}", said.err);
    let (status, body) = on.post(&format!("/good/{second}"), "reason=only+a+reflection");
    assert!(status == 422 && body.contains("holds another model"), "{status} {body}");
    std::fs::write(&on.model, &before).unwrap();
    let (status, body) = on.post(&format!("/good/{second}"), "reason=only+a+reflection");
    assert_eq!(status, 303, "{body}");
    let after = std::fs::read(&on.model).unwrap();
    assert_ne!(after, before);
    // The scratched parts pass from now on, by the new model, with the threshold as it was.
    let passes = on.next("PASS", 4);
    let new = Bundle::open(&on.model).unwrap();
    assert!(passes.iter().all(|v| v.model.blake3 == new.blake3 && v.threshold == own * 0.99), "{passes:?}");
    let scores: Vec<f32> = passes.iter().map(|v| v.score.unwrap().get()).collect();
    assert!(scores.iter().any(|s| *s != scores[0]), "both kinds of parts: {scores:?}");

    // Undone: the same bytes, and rejected again.
    let models = on.get("/models");
    assert!(models.contains(&format!("{second}.png")) && models.contains("Undo"), "{models}");
    let (status, body) = on.post("/models/top/forget", "picture=00.png&reason=x");
    assert!(
        status == 422 && body.contains("has not learned a picture called 00.png"),
        "only what was added: {status} {body}"
    );
    let (status, body) = on.post("/models/top/forget", &format!("picture={second}.png&reason=it+was+a+scratch"));
    assert_eq!(status, 303, "{body}");
    assert_eq!(std::fs::read(&on.model).unwrap(), before);
    assert!(on.next("REJECT", 1)[0].model.blake3 != new.blake3);
    let audit = on.get("/audit.csv");
    for word in ["learn_good", "only a reflection", "forget_good", "it was a scratch"] {
        assert!(audit.contains(word), "{word}: {audit}");
    }
    let counts = on.line.status().cameras[0].detector_restarts.load(Relaxed);
    assert_eq!(counts, 0);
    on.finish();
}

#[test]
fn a_threshold_is_kept_in_the_model_with_its_author_and_taken_back_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut on = Bench::start(folder.path(), &settings(folder.path(), &[]), pictures());
    let before = std::fs::read(&on.model).unwrap();
    let learned = Bundle::open(&on.model).unwrap();
    let own = learned.manifest.threshold;
    let (bad, verdict) = on.kept_rejects(1).remove(0);
    on.review(&bad, ReviewVerdict::Bad);
    let score = verdict.score.unwrap().get();

    let (status, body) = on.post("/threshold/0", &format!("value={}&keep=yes", own * 1.1));
    assert!(status == 422 && body.contains("reason"), "without a reason: {status}");
    let (status, body) = on.post("/threshold/0", &format!("value={}&reason=x&keep=yes", own * 1.6));
    assert!(status == 422 && body.contains("threshold_unsafe = true"), "{status} {body}");
    assert_eq!(std::fs::read(&on.model).unwrap(), before);
    for (value, reason) in [(own * 1.1, "reflections"), (own * 1.2, "more+reflections")] {
        let (status, body) = on.post("/threshold/0", &format!("value={value}&reason={reason}&keep=yes"));
        assert_eq!(status, 303, "{body}");
    }
    let kept = Bundle::open(&on.model).unwrap();
    assert_eq!((kept.manifest.threshold, kept.learned_threshold()), (own * 1.2, own));
    let chosen = kept.manifest.chosen.as_ref().unwrap();
    assert_eq!((chosen.by.as_str(), chosen.how.as_str(), chosen.why.as_str()), ("quinn", "page", "more reflections"));
    let defects = chosen.defects.unwrap();
    assert_eq!((defects.defects, defects.found == 1), (1, score >= own * 1.2), "the known defect of the history");
    assert!(kept.scored_alike().any(|hash| hash == learned.blake3), "its scores are those of before");
    let next = on.next("PASS", 2);
    assert!(next.iter().all(|v| v.model.blake3 == kept.blake3 && v.threshold == own * 1.2), "{next:?}");
    // What was judged before still counts for thresholds that are tried.
    let tried = on.get("/whatif?camera=0&span=week");
    assert!(tried.contains("Thresholds to choose from") && tried.contains("every known bad part rejected"), "{tried}");

    let models = on.get("/models");
    assert!(models.contains("more reflections") && models.contains("/models/top/threshold/undo"), "{models}");
    for _ in 0..2 {
        let (status, body) = on.post("/models/top/threshold/undo", "reason=it+was+the+lamp");
        assert_eq!(status, 303, "{body}");
    }
    assert_eq!(std::fs::read(&on.model).unwrap(), before);
    assert_eq!(on.next("REJECT", 1)[0].threshold, own);
    let (status, body) = on.post("/models/top/threshold/undo", "reason=once+more");
    assert!(status == 409 && body.contains("nothing to take back"), "{status} {body}");
    let audit = on.get("/audit.csv");
    for word in ["keep_threshold", "reflections", "undo_threshold", "it was the lamp"] {
        assert!(audit.contains(word), "{word}: {audit}");
    }
    on.finish();
}

#[test]
fn where_a_model_cannot_learn_a_picture_the_part_that_was_good_moves_its_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let conveyor = Conveyor::new(SimSpec::default());
    let side = conveyor.spec().side;
    let good = folder.path().join("good");
    std::fs::create_dir(&good).unwrap();
    let mut rgb = Vec::new();
    for n in 0..20 {
        conveyor.paint_good(n, &mut rgb);
        crate::common::write_png(&good.join(format!("{n:02}.png")), side, &rgb);
    }
    let learned = folder.path().join("padim.andon");
    let said =
        crate::common::said(&["fit", good.to_str().unwrap(), "--method", "padim", "-o", learned.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.err);
    // A threshold just under a good part, so that it is rejected.
    let (pictures, _) = pictures();
    let pictures = (vec![pictures[0].clone()], side as usize);
    let other = tempfile::tempdir().unwrap();
    let first = Bench::start_with(other.path(), &settings(other.path(), &[]), pictures.clone(), &learned);
    let score = first.next("PASS", 1)[0].score.unwrap().get();
    first.finish();
    let said = crate::common::said(&[
        "threshold",
        learned.to_str().unwrap(),
        "--set",
        &(score * 0.95).to_string(),
        "--why",
        "x",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);

    let mut on = Bench::start_with(folder.path(), &settings(folder.path(), &[]), pictures, &learned);
    let before = std::fs::read(&on.model).unwrap();
    let part = on.kept_rejects(1).remove(0).0;
    let page = on.tried(&part);
    assert!(page.contains("cannot learn single pictures") && page.contains("Keep it in the model"), "{page}");
    let (status, body) = on.post(&format!("/good/{part}"), "reason=only+a+reflection");
    assert_eq!(status, 303, "{body}");
    let kept = Bundle::open(&on.model).unwrap().manifest;
    assert!(kept.threshold > score && kept.threshold < score * 1.02, "{} for {score}", kept.threshold);
    assert_eq!(kept.chosen.unwrap().how, format!("page, part {part}"));
    assert!(on.next("PASS", 2).iter().all(|v| v.threshold == kept.threshold));
    assert!(on.tried(&part).contains("passes as it is"));
    let (status, _) = on.post("/models/top/threshold/undo", "reason=it+was+dirt");
    assert_eq!(status, 303);
    assert_eq!(std::fs::read(&on.model).unwrap(), before);
    on.next("REJECT", 1);
    on.finish();
}

#[test]
fn a_recipe_is_changed_over_on_the_page_and_one_that_cannot_be_taken_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.andon");
    let said = crate::common::said(&[
        "threshold",
        crate::common::flange_model().to_str().unwrap(),
        "--set",
        "1000",
        "-o",
        other.to_str().unwrap(),
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    let text = "[cameras.top]\npipeline = \"v4l2\"\nmodel = \"part.andon\"\n[recipes.first]\nnumber = 1\nmodels.top = \"part.andon\"\n\
                [recipes.other]\nmodels.top = \"other.andon\"\n[recipes.gone]\nmodels.top = \"gone.andon\"\n";
    std::fs::write(folder.path().join("andon.toml"), text).unwrap();
    let mut on = Bench::start(folder.path(), &settings(folder.path(), &[]), pictures());
    on.next("REJECT", 1);
    let page = on.get("/recipes");
    assert!(page.contains("href=\"/recipes/first\" aria-current=\"true\"") && page.contains("/recipes/gone"), "{page}");
    assert!(on.get("/").contains("href=\"/recipes\""), "in the bar of every page");
    let (status, body) = on.post("/recipes/gone", "");
    assert!(status == 422 && body.contains("gone.andon"), "{status} {body}");
    let (status, _) = on.post("/recipes/none", "");
    assert_eq!(status, 404);
    let (status, body) = on.post("/recipes/other", "");
    assert_eq!(status, 303, "{body}");
    let passes = on.next("PASS", 4);
    let new = Bundle::open(&other).unwrap();
    assert!(passes.iter().all(|v| v.model.blake3 == new.blake3 && v.threshold == 1000.0), "{passes:?}");
    assert!(on.get("/recipes").contains("href=\"/recipes/other\" aria-current=\"true\""));
    // The next start begins with it, unless somebody says otherwise or its model is gone.
    let loaded = settings(folder.path(), &[]);
    let models = vec![Arc::new(Bundle::open(&on.model).unwrap())];
    let mut checked = Checked { loaded, models };
    let of_file = |loaded: &Loaded| Page::configured(loaded, &folder.path().join("andon.toml")).unwrap().unwrap();
    let page = of_file(&checked.loaded);
    assert_eq!(start_with(&mut checked, Some(&page), Wanted::Last).unwrap().as_deref(), Some("other"));
    assert_eq!((checked.models[0].blake3.clone(), &checked.loaded.config.cameras[0].model), (new.blake3, &other));
    let named = start_with(&mut checked, Some(&page), Wanted::Named("1")).unwrap();
    assert_eq!((named.as_deref(), page.last_recipe().unwrap().as_deref()), (Some("first"), Some("first")));
    let refused = |checked: &mut Checked, wanted| start_with(checked, Some(&page), wanted).unwrap_err().to_string();
    assert!(refused(&mut checked, Wanted::Named("lid")).contains("there are first, gone, other"));
    page.keep_recipe(Some("gone")).unwrap();
    let why = refused(&mut checked, Wanted::Last);
    assert!(why.contains("in force when andon stopped") && why.contains("--no-recipe"), "{why}");
    assert_eq!(start_with(&mut checked, Some(&page), Wanted::Cameras).unwrap(), None);
    assert_eq!(start_with(&mut checked, Some(&page), Wanted::Last).unwrap(), None, "what was said is remembered");
    page.keep_recipe(Some("a part of last year")).unwrap();
    assert_eq!(start_with(&mut checked, Some(&page), Wanted::Last).unwrap(), None, "it is not there any more");
    let (status, _) = on.post("/recipes/first", "");
    assert_eq!(status, 303);
    on.next("REJECT", 1);
    on.finish();
}

#[test]
fn a_new_part_is_taught_from_the_line_looked_through_and_changed_over_to() {
    let folder = tempfile::tempdir().unwrap();
    let conveyor = Conveyor::new(SimSpec::default());
    let side = conveyor.spec().side as usize;
    let painted = |n| {
        let mut rgb = Vec::new();
        conveyor.paint_good(n, &mut rgb);
        rgb
    };
    let mut on = Bench::start(folder.path(), &settings(folder.path(), &[]), ((100..124).map(painted).collect(), side));
    let (status, body) = on.post("/teach", "name=../lid&camera=top&count=20");
    assert!(status == 422 && body.contains("a name has 1 to 64 letters"), "{status} {body}");
    let (status, body) = on.post("/teach", "name=lid&camera=side&count=20");
    assert!(status == 404 && body.contains("no camera `side`"), "{status} {body}");
    let (status, body) = on.post("/teach", "name=lid&camera=top&count=3");
    assert!(status == 422 && body.contains("20 to 1000"), "{status} {body}");
    let (status, body) = on.post("/teach", "name=lid&camera=top&count=20");
    assert_eq!(status, 303, "{body}");
    let (status, body) = on.post("/teach/lid/top/learn", "");
    assert!(status == 422 && body.contains("still being collected"), "{status} {body}");
    let mut page = String::new();
    let settled = |on: &mut Bench, page: &mut String| {
        until(120, || {
            *page = on.get("/teach/lid/top/state");
            !page.contains("every 1s")
        })
    };
    assert!(settled(&mut on, &mut page), "{page}");
    assert!(page.contains("<b>20</b> good pictures"), "{page}");

    // A part that is known to be bad, as it would have been collected.
    let bad = folder.path().join("taught/lid/top/bad");
    std::fs::create_dir_all(&bad).unwrap();
    let mut scratched = Vec::new();
    conveyor.paint_with(41, DefectKind::Scratch, &mut scratched);
    crate::common::write_png(&bad.join("scratch.png"), conveyor.spec().side, &scratched);
    let (status, body) = on.post("/teach/lid/top/learn", "");
    assert_eq!(status, 303, "{body}");
    assert!(settled(&mut on, &mut page), "{page}");
    assert!(page.contains("Learned") && page.contains("Bad parts found: 1 / 1"), "{page}");
    assert_eq!(page.matches("name=\"picture\"").count(), 20, "the oddest first, each to be struck out");
    let oddest = page.split("name=\"picture\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (status, picture) = on.send("GET", &format!("/teach/lid/top/good/{oddest}"), "");
    assert!(status == 200 && picture.len() > 500, "{status}");
    assert_eq!(on.send("GET", "/teach/lid/top/good/..%2F..%2Flid.andon", "").0, 404);
    let (status, _) = on.post("/teach/lid/top/strike", &format!("picture={oddest}&picture=nothing.png"));
    assert_eq!(status, 303);
    assert!(folder.path().join("taught/lid/top/struck").join(&oddest).exists());
    assert!(on.get("/teach/lid/top").contains("<b>1</b> struck out"));

    // Nothing judges by it until the line is changed over.
    let model = Bundle::open(&folder.path().join("taught/lid/top.andon")).unwrap();
    assert_eq!(model.manifest.training.images(), 20);
    assert!(on.verdicts.verdicts().iter().all(|v| v.model.blake3 != model.blake3));
    let (status, body) = on.post("/recipes/lid", "");
    assert_eq!(status, 303, "{body}");
    on.next("PASS", 3);
    assert_eq!(on.verdicts.verdicts().last().unwrap().model.blake3, model.blake3);
    on.finish();
}
