//! Teaching a new part from the line. Everything lies in a folder, so that it is there after a restart: for each part a folder, in it for each
//! camera its good, struck and bad pictures and its model. Learning is `andon fit` as a process of its own with the lowest priority.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{lock, refused};
use crate::assemble::detector::open_on_cpu;
use crate::config::{FrameSize, Recipe};
use andon_core::{CameraId, Detection, lowest_priority};
use andon_io::pictures::{Collection, PictureCollector};
use andon_service::models::{
    COUNTS, LearnedModel, Lesson, LessonKind, LessonState, Lessons, ModelError, ScoredPicture,
};
use andon_vision::fit::{list_images, read_image, read_raw};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::engine::{EngineChoice, EngineOptions};

/// Folder of the pictures that were struck out.
const STRUCK: &str = "struck";
/// The end of a model's name.
const MODEL: &str = "andon";
/// Good pictures that are shown, oddest first.
const ODDEST: usize = 40;
/// The longer side of a small picture, pixels.
const THUMBNAIL: u32 = 240;
/// Letters of a name at most.
const NAME: usize = 64;
/// Lines of a learning that failed that are shown.
const LAST_WORDS: usize = 4;

/// The lessons of a line.
pub(in crate::assemble) struct TaughtParts {
    folder: PathBuf,
    /// By camera id.
    cameras: Vec<String>,
    collector: PictureCollector,
    engine: EngineOptions,
    /// The `andon` program, which learns.
    program: PathBuf,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    /// Part and camera that are being learned, and the last words about it.
    running: Option<(String, String, String)>,
    /// Why the last learning of a part and camera came to nothing.
    failed: BTreeMap<(String, String), String>,
    /// Scores of the bad pictures by the model with this hash.
    judged: BTreeMap<(String, String), (String, Vec<ScoredPicture>)>,
}

/// A name that is one folder and nothing else.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    !name.is_empty() && name.len() <= NAME && !name.starts_with('.') && name.chars().all(fits)
}

fn pictures_in(folder: &Path) -> usize {
    list_images(folder).map_or(0, |listing| listing.pictures.len())
}

/// Parts of a folder that every camera has learned, as recipes; cameras by their ids.
pub(in crate::assemble) fn taught_recipes(folder: &Path, cameras: &[String]) -> Vec<Recipe> {
    let recipe = |name: String| {
        let models: Vec<PathBuf> = cameras.iter().map(|camera| model_of(folder, &name, camera)).collect();
        models.iter().all(|file| file.exists()).then_some(Recipe { name, number: None, models })
    };
    names_in(folder).into_iter().filter_map(recipe).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| is_name(name));
    names.sort();
    names
}

fn model_of(folder: &Path, name: &str, camera: &str) -> PathBuf {
    folder.join(name).join(format!("{camera}.{MODEL}"))
}

impl TaughtParts {
    /// Those in this folder, which is made when the first is taught.
    pub fn new(
        folder: PathBuf,
        cameras: Vec<String>,
        collector: PictureCollector,
        engine: &EngineOptions,
        program: PathBuf,
    ) -> TaughtParts {
        let engine = EngineOptions { choice: EngineChoice::Auto, threads: 1, ..engine.clone() };
        TaughtParts { folder, cameras, collector, engine, program, work: Mutex::default() }
    }

    /// Parts that every camera has learned, as recipes.
    pub fn recipes(&self) -> Vec<Recipe> {
        taught_recipes(&self.folder, &self.cameras)
    }

    fn camera(&self, camera: &str) -> Result<CameraId, ModelError> {
        let at = self.cameras.iter().position(|known| known == camera);
        at.map(|n| CameraId(n as u8)).ok_or_else(|| ModelError::NoCamera(camera.chars().take(NAME).collect()))
    }

    fn pictures(&self, name: &str, camera: &str, kind: &str) -> PathBuf {
        self.folder.join(name).join(camera).join(kind)
    }

    fn model(&self, name: &str, camera: &str) -> PathBuf {
        model_of(&self.folder, name, camera)
    }

    /// What is being collected for this lesson, if anything is.
    fn collection(&self, name: &str, camera: &str) -> Option<(LessonKind, Collection)> {
        let collection = self.collector.of(self.camera(camera).ok()?)?;
        let kinds = [LessonKind::Good, LessonKind::Bad];
        let kind = kinds.into_iter().find(|kind| collection.folder == self.pictures(name, camera, kind.word()))?;
        Some((kind, collection))
    }

    fn state(&self, name: &str, camera: &str) -> LessonState {
        let work = lock(&self.work);
        if let Some((_, _, words)) = work.running.as_ref().filter(|(n, c, _)| n == name && c == camera) {
            return LessonState::Working(words.clone());
        }
        if let Some(why) = work.failed.get(&(name.to_owned(), camera.to_owned())) {
            return LessonState::Failed(why.clone());
        }
        match self.collection(name, camera) {
            Some((kind, c)) if c.runs() => LessonState::Collecting { kind, have: c.have, want: c.want },
            Some((_, Collection { fault: Some(why), .. })) => LessonState::Failed(why),
            _ => LessonState::Waiting,
        }
    }

    fn lesson(&self, name: &str, camera: &str) -> Lesson {
        // First, so that a collection that is over has all of its pictures counted.
        let state = self.state(name, camera);
        let count = |kind: &str| pictures_in(&self.pictures(name, camera, kind));
        Lesson {
            name: name.to_owned(),
            camera: camera.to_owned(),
            good: count(LessonKind::Good.word()),
            struck: count(STRUCK),
            bad: count(LessonKind::Bad.word()),
            state,
            learned: None,
        }
    }

    fn learned(&self, name: &str, camera: &str) -> Option<LearnedModel> {
        let bundle = Bundle::open(&self.model(name, camera)).ok()?;
        let m = &bundle.manifest;
        let scores = bundle.train_scores.iter().copied();
        let mut oddest: Vec<ScoredPicture> = m
            .training
            .sources
            .iter()
            .zip(scores)
            .map(|(name, score)| ScoredPicture { name: name.clone(), score: Some(score) })
            .collect();
        oddest.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
        oddest.truncate(ODDEST);
        let work = lock(&self.work);
        let judged = work.judged.get(&(name.to_owned(), camera.to_owned()));
        let known_bad = judged.filter(|(of, _)| *of == bundle.blake3).map(|(_, scores)| scores.clone());
        Some(LearnedModel {
            blake3: bundle.blake3.clone(),
            threshold: m.threshold,
            pictures: m.training.images(),
            false_reject: m.claim.max_false_reject,
            confidence: m.claim.confidence,
            oddest,
            known_bad: known_bad.unwrap_or_default(),
        })
    }

    fn say(&self, words: &str) {
        if let Some((_, _, last)) = &mut lock(&self.work).running {
            words.clone_into(last);
        }
    }

    /// Runs `andon fit`, and tells its progress. The error is its last words.
    fn fit(&self, name: &str, camera: &str) -> Result<(), String> {
        let (good, model) = (self.pictures(name, camera, LessonKind::Good.word()), self.model(name, camera));
        let mut command = Command::new(&self.program);
        command.arg("fit").arg(&good).arg("-o").arg(&model).args(["--progress-every", "1"]);
        if let Some(library) = &self.engine.ort_library {
            command.arg("--ort-library").arg(library);
        }
        // It has the priority of the thread that starts it.
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|e| format!("{}: {e}", self.program.display()))?;
        let words = child.stderr.take();
        let mut last: Vec<String> = Vec::new();
        if let Some(words) = words {
            for line in BufReader::new(words.take(1 << 20)).lines().map_while(Result::ok) {
                self.say(&line);
                last.push(line);
                if last.len() > LAST_WORDS {
                    last.remove(0);
                }
            }
        }
        // One that outlives the line ends by itself, and writes its model whole or not at all.
        let status = child.wait().map_err(|e| e.to_string())?;
        if status.success() { Ok(()) } else { Err(last.join(" ")) }
    }

    /// Judges the bad pictures by the model, those that come closest to passing first.
    fn judge_bad(&self, name: &str, camera: &str) -> Result<(), String> {
        let folder = self.pictures(name, camera, LessonKind::Bad.word());
        if pictures_in(&folder) == 0 {
            return Ok(());
        }
        let files = list_images(&folder).map_err(|e| e.to_string())?.pictures;
        let bundle = Arc::new(Bundle::open(&self.model(name, camera)).map_err(|e| e.to_string())?);
        let mut detector = open_on_cpu(&bundle, &bundle.network(), &self.engine, FrameSize::AsTrained)
            .map_err(|e| e.to_string())?
            .detector;
        let (mut out, mut scores) = (Detection::default(), Vec::new());
        for (n, file) in files.iter().enumerate() {
            self.say(&format!("{} / {}", n + 1, files.len()));
            let score = read_raw(file).ok().and_then(|raw| {
                detector.detect(&raw.view()?, &mut out).ok()?;
                Some(out.score).filter(|score| score.is_finite())
            });
            let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            scores.push(ScoredPicture { name, score });
        }
        scores.sort_by(|a, b| a.score.unwrap_or(f32::MAX).total_cmp(&b.score.unwrap_or(f32::MAX)));
        let key = (name.to_owned(), camera.to_owned());
        lock(&self.work).judged.insert(key, (bundle.blake3.clone(), scores));
        Ok(())
    }
}

impl Lessons for TaughtParts {
    fn all(&self) -> Vec<Lesson> {
        let names = names_in(&self.folder);
        let of = |name: &String| {
            let cameras = self.cameras.iter().filter(|camera| self.folder.join(name).join(camera).is_dir());
            cameras.map(|camera| self.lesson(name, camera)).collect::<Vec<_>>()
        };
        names.iter().flat_map(of).collect()
    }

    fn one(&self, name: &str, camera: &str) -> Option<Lesson> {
        if !is_name(name) || self.camera(camera).is_err() || !self.folder.join(name).join(camera).is_dir() {
            return None;
        }
        let lesson = self.lesson(name, camera);
        // While something is being done, people ask every second, and the model is a file of many megabytes.
        let busy = matches!(lesson.state, LessonState::Collecting { .. } | LessonState::Working(_));
        let learned = if busy { None } else { self.learned(name, camera) };
        Some(Lesson { learned, ..lesson })
    }

    fn collect(&self, name: &str, camera: &str, kind: LessonKind, count: usize) -> Result<(), ModelError> {
        if !is_name(name) {
            return Err(refused("a name has 1 to 64 letters, digits, `-`, `_` and `.`, and begins with no `.`"));
        }
        let least = if kind == LessonKind::Good { *COUNTS.start() } else { 1 };
        if !(least..=*COUNTS.end()).contains(&count) {
            return Err(refused(format!("{count} pictures; {least} to {} can be collected", COUNTS.end())));
        }
        let id = self.camera(camera)?;
        let folder = self.pictures(name, camera, kind.word());
        std::fs::create_dir_all(&folder).map_err(|e| ModelError::File(format!("{}: {e}", folder.display())))?;
        lock(&self.work).failed.remove(&(name.to_owned(), camera.to_owned()));
        if self.collector.start(id, &folder, count) { Ok(()) } else { Err(ModelError::Busy) }
    }

    fn stop(&self, camera: &str) -> Result<(), ModelError> {
        self.collector.stop(self.camera(camera)?);
        Ok(())
    }

    fn strike(&self, name: &str, camera: &str, pictures: &[String]) -> Result<usize, ModelError> {
        if !is_name(name) {
            return Err(refused("no such part"));
        }
        self.camera(camera)?;
        let (good, struck) =
            (self.pictures(name, camera, LessonKind::Good.word()), self.pictures(name, camera, STRUCK));
        let file = |e: std::io::Error| ModelError::File(format!("{}: {e}", struck.display()));
        std::fs::create_dir_all(&struck).map_err(file)?;
        let mut done = 0;
        for picture in pictures.iter().filter(|picture| is_name(picture) && good.join(picture).is_file()) {
            std::fs::rename(good.join(picture), struck.join(picture)).map_err(file)?;
            done += 1;
        }
        Ok(done)
    }

    fn learn(self: Arc<Self>, name: &str, camera: &str) -> Result<(), ModelError> {
        if self.one(name, camera).is_none() {
            return Err(refused("no such part"));
        }
        if self.collection(name, camera).is_some_and(|(_, collection)| collection.runs()) {
            return Err(refused("pictures are still being collected"));
        }
        let (name, camera) = (name.to_owned(), camera.to_owned());
        {
            let mut work = lock(&self.work);
            if work.running.is_some() {
                return Err(ModelError::Busy);
            }
            work.failed.remove(&(name.clone(), camera.clone()));
            work.running = Some((name.clone(), camera.clone(), String::new()));
        }
        let worker = self.clone();
        let learn = move || {
            lowest_priority();
            let done = worker.fit(&name, &camera).and_then(|()| worker.judge_bad(&name, &camera));
            let mut work = lock(&worker.work);
            work.running = None;
            if let Err(why) = done {
                tracing::warn!(part = name, camera, "not learned: {why}");
                work.failed.insert((name, camera), why);
            }
        };
        std::thread::Builder::new().name("lesson".to_owned()).spawn(learn).map(drop).map_err(|e| {
            lock(&self.work).running = None;
            refused(e)
        })
    }

    fn thumbnail(&self, name: &str, camera: &str, kind: LessonKind, picture: &str) -> Option<Vec<u8>> {
        if !is_name(name) || !is_name(picture) || self.camera(camera).is_err() {
            return None;
        }
        let read = read_image(&self.pictures(name, camera, kind.word()).join(picture)).ok()?;
        let rgb = image::RgbImage::from_raw(read.width, read.height, read.rgb)?;
        let small = image::DynamicImage::from(rgb).thumbnail(THUMBNAIL, THUMBNAIL);
        let mut bytes = std::io::Cursor::new(Vec::new());
        small.write_to(&mut bytes, image::ImageFormat::Jpeg).ok()?;
        Some(bytes.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        for bad in ["", ".", "..", ".hidden", "a/b", "a\\b", "ü", "a\0b", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name("lid-1.5_a") && is_name("01J0.png"));
    }
}
