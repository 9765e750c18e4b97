//! What the program may rely on, and the check that makes it of what was written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::filter::check_filter;
use super::page::PageTable;
use super::parts::{self, Parts};
use super::raw::{FrameSize, OnEos, Raw, RawCamera};
use super::raw_line::TriggerKind;
use super::recipes::{self, Recipe};
use super::twice;
use andon_core::{CameraId, Threshold};
use andon_io::history::ShiftCalendar;
use andon_io::pictures::PicturesConfig;
use andon_io::sinks::{CheckContext, SinkTables};
use andon_line::runtime::Presence;
use andon_vision::model::engine::{EngineOptions, GpuOptions, processors, threads_fit};

/// A configuration that was checked: nothing in it has to be asked again.
#[derive(Clone, Debug)]
pub struct Config {
    /// Plant.
    pub site: String,
    /// Line.
    pub line: String,
    /// Station.
    pub station: String,
    /// This computer.
    pub box_name: String,
    /// Cameras in the order of their ids: by name.
    pub cameras: Vec<Camera>,
    /// Set-ups of products, by name.
    pub recipes: Vec<Recipe>,
    /// How networks are run, for each camera.
    pub engine: EngineOptions,
    /// Parts, belt and ejectors.
    pub parts: Parts,
    /// Which pictures are kept, and where.
    pub pictures: PicturesConfig,
    /// The shifts that the history counts by.
    pub shifts: ShiftCalendar,
    /// The sinks' tables.
    pub sinks: SinkTables,
    /// GStreamer elements allowed besides the built-in list.
    pub allow_elements: Vec<String>,
    /// The operator's page is wanted.
    pub page_enabled: bool,
    /// The operator's page and its users.
    pub page: PageTable,
    /// Metrics endpoint, if wanted.
    pub metrics: Option<SocketAddr>,
    /// Log filter.
    pub log_level: String,
    /// Log as JSON.
    pub log_json: bool,
    /// Tables that nothing uses, each with a word about it.
    pub unused: Vec<String>,
}

/// One checked camera.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Name.
    pub name: String,
    /// Built-in name or path.
    pub pipeline: String,
    /// Variables of the pipeline, upper case.
    pub vars: BTreeMap<String, String>,
    /// Model file.
    pub model: PathBuf,
    /// Capture to outcome at most.
    pub deadline: Duration,
    /// Replaces the model's.
    pub threshold: Option<Threshold>,
    /// It may lie far above the model's.
    pub threshold_unsafe: bool,
    /// Accepted frame sizes.
    pub frame_size: FrameSize,
    /// Meaning of the end of the stream.
    pub on_eos: OnEos,
    /// Silence that is a fault of the camera, if any is.
    pub silence: Option<Duration>,
    /// It takes pictures between parts too.
    pub continuous: bool,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// A band that says whether a part is there.
    pub presence: Option<Presence>,
}

impl Config {
    /// Checks the whole and lists everything that is wrong, each line naming its key and the remedy; only without such lines may the
    /// configuration be relied on. Relative paths are taken from `base`.
    pub(super) fn check(raw: &Raw, base: &Path) -> (Config, Vec<String>) {
        let mut wrong = Vec::new();
        let box_name = raw.box_name.clone().unwrap_or_else(host_name);
        for (key, name) in [("site", &raw.site), ("line", &raw.line), ("station", &raw.station), ("box", &box_name)] {
            check_name(key, name, &mut wrong);
        }
        if raw.cameras.len() > CameraId::MAX {
            wrong.push(format!("cameras: {} given; one box takes at most {}", raw.cameras.len(), CameraId::MAX));
        }
        let cameras =
            raw.cameras.iter().map(|(name, c)| check_camera(name, c, raw.parts.trigger, base, &mut wrong)).collect();
        let metrics = match raw.metrics.listen.parse::<SocketAddr>() {
            Ok(address) => raw.metrics.enabled.then_some(address),
            Err(_) => {
                let given = &raw.metrics.listen;
                wrong.push(format!("metrics.listen: `{given}` is not ADDRESS:PORT, such as 127.0.0.1:9464"));
                None
            }
        };
        let page = raw.page.check(base, &mut wrong);
        if let Err(why) = threads_fit(raw.engine.threads) {
            wrong.push(format!("engine.threads: {why}"));
        }
        if !(0.0..=1000.0).contains(&raw.engine.max_wait_ms) {
            wrong.push(format!("engine.max_wait_ms: {} is not in 0..=1000", raw.engine.max_wait_ms));
        }
        if let Err(why) = check_filter(&raw.log.level) {
            wrong.push(format!("log.level: {why}"));
        }
        let recipes = recipes::check(raw, base, &mut wrong);
        let parts = parts::check(raw, base, &mut wrong);
        let names = [raw.site.as_str(), raw.line.as_str(), raw.station.as_str()];
        let context = CheckContext { base, names, keeps_history: raw.store.enabled };
        let sinks = raw.sinks().check(&context, &mut wrong);
        raw.pictures.check(&mut wrong);
        let shifts = raw.shifts.check(&mut wrong);
        twice::check(raw, base, &mut wrong);
        let max_wait = Duration::try_from_secs_f64(raw.engine.max_wait_ms / 1000.0).unwrap_or_default();
        let threads = match raw.engine.threads {
            0 => (processors() / raw.cameras.len().max(1)).max(1),
            n => n,
        };
        let config = Config {
            site: raw.site.clone(),
            line: raw.line.clone(),
            station: raw.station.clone(),
            box_name,
            cameras,
            recipes,
            engine: EngineOptions {
                choice: raw.engine.kind,
                threads,
                ort_library: raw.engine.ort_library.as_deref().map(|p| base.join(p)),
                gpu: GpuOptions {
                    precision: raw.engine.precision,
                    tensorrt: raw.engine.tensorrt.as_deref().map(|p| base.join(p)),
                    cache: raw.engine.cache.as_deref().map(|p| base.join(p)),
                    max_wait,
                },
            },
            parts,
            pictures: PicturesConfig { path: base.join(&raw.pictures.path), ..raw.pictures.clone() },
            shifts,
            sinks,
            allow_elements: raw.capture.allow_elements.clone(),
            page_enabled: raw.page.enabled,
            page,
            metrics,
            log_level: raw.log.level.clone(),
            log_json: raw.log.json,
            unused: twice::unused(raw),
        };
        (config, wrong)
    }
}

fn check_camera(name: &str, raw: &RawCamera, trigger: TriggerKind, base: &Path, wrong: &mut Vec<String>) -> Camera {
    check_name(&format!("cameras.{name}"), name, wrong);
    if raw.pipeline.is_empty() {
        wrong.push(format!("cameras.{name}.pipeline: empty; give a built-in name such as `v4l2`, or a file"));
    }
    if !(1..=60_000).contains(&raw.deadline_ms) {
        wrong.push(format!("cameras.{name}.deadline_ms: {} is not in 1..=60000", raw.deadline_ms));
    }
    let silence = match (raw.silence_ms, trigger) {
        (Some(0), _) => None,
        (Some(ms), _) => Some(ms),
        (None, TriggerKind::FreeRun) => Some(250),
        (None, _) if raw.continuous => Some(250),
        // Frames come when parts do; a trigger without a frame is the fault.
        (None, TriggerKind::Sensor | TriggerKind::Message) => None,
    };
    for (key, ms, range) in
        [("silence_ms", silence.unwrap_or(1), 1..=3_600_000), ("start_timeout_ms", raw.start_timeout_ms, 100..=600_000)]
    {
        if !range.contains(&ms) {
            wrong.push(format!("cameras.{name}.{key}: {ms} is not in {}..={}", range.start(), range.end()));
        }
    }
    if raw.continuous && trigger == TriggerKind::FreeRun {
        wrong.push(format!("cameras.{name}.continuous: in free run every frame is a part; leave it out"));
    }
    let presence = raw.presence.map(|p| {
        let inside = p.x >= 0.0 && p.y >= 0.0 && p.width > 0.0 && p.height > 0.0;
        if !inside || p.x + p.width > 1.0 || p.y + p.height > 1.0 {
            wrong.push(format!(
                "cameras.{name}.presence: the band leaves the picture; x, y, width, height are shares of it"
            ));
        }
        if !(0.0..=255.0).contains(&p.level) || !(0.0..=255.0).contains(&p.hysteresis) {
            wrong.push(format!("cameras.{name}.presence: level and hysteresis are brightnesses from 0 to 255"));
        }
        Presence { band: [p.x, p.y, p.width, p.height], level: p.level, hysteresis: p.hysteresis, dark: p.dark }
    });
    if name == "belt" || name == "ctl" {
        wrong.push(format!("cameras.{name}: this name is taken; keys of the whole station begin with it"));
    }
    let threshold = raw.threshold.map(Threshold::new);
    if threshold == Some(None) {
        let given = raw.threshold.unwrap_or_default();
        wrong.push(format!("cameras.{name}.threshold: {given} is not a finite number above 0"));
    }
    let is_file = raw.pipeline.contains(['/', '.']);
    let pipeline = if is_file { base.join(&raw.pipeline).display().to_string() } else { raw.pipeline.clone() };
    Camera {
        name: name.to_owned(),
        pipeline,
        vars: raw.vars.iter().map(|(k, v)| (k.to_uppercase(), v.clone())).collect(),
        model: base.join(&raw.model),
        deadline: Duration::from_millis(raw.deadline_ms),
        threshold: threshold.flatten(),
        threshold_unsafe: raw.threshold_unsafe,
        frame_size: raw.frame_size,
        on_eos: raw.on_eos,
        silence: silence.map(Duration::from_millis),
        continuous: raw.continuous,
        start_timeout: Duration::from_millis(raw.start_timeout_ms),
        presence,
    }
}

/// The computer's name, as far as a key may hold it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.trim().chars().filter(fits).take(64).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Names become parts of Zenoh keys and labels of metrics.
fn check_name(key: &str, name: &str, wrong: &mut Vec<String>) {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        wrong
            .push(format!("{key}: the name `{name}` may hold only letters, digits, `-`, `_` and `.`, 1 to 64 of them"));
    }
}
