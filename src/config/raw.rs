use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::engine::EngineChoice;
use crate::publish::ZenohOptions;

/// The configuration as it is written.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    /// Name of the plant; first part of every Zenoh key.
    pub site: String,
    /// Name of the line.
    pub line: String,
    /// Name of the station on the line.
    pub station: String,
    /// One table a camera: `[cameras.NAME]`.
    pub cameras: BTreeMap<String, RawCamera>,
    /// How networks are run.
    pub engine: RawEngine,
    /// What holds for every camera.
    pub capture: RawCapture,
    /// Verdicts, heatmaps and control over Zenoh.
    pub zenoh: ZenohOptions,
    /// The endpoint for Prometheus.
    pub metrics: RawMetrics,
    /// Messages for people.
    pub log: RawLog,
}

impl Default for Raw {
    fn default() -> Self {
        Raw {
            site: "site".into(),
            line: "line".into(),
            station: "station".into(),
            cameras: BTreeMap::new(),
            engine: RawEngine::default(),
            capture: RawCapture::default(),
            zenoh: ZenohOptions::default(),
            metrics: RawMetrics::default(),
            log: RawLog::default(),
        }
    }
}

/// One camera.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCamera {
    /// Name of a built-in pipeline (`v4l2`, `rtsp`, `gige`, `file`, `images`, `test`) or path of a pipeline file.
    pub pipeline: String,
    /// Values for the pipeline's `${VARIABLES}`. Names are matched without regard to case.
    #[serde(default)]
    pub vars: BTreeMap<String, String>,
    /// The model that judges this camera's parts.
    pub model: PathBuf,
    /// Capture to outcome at most, in milliseconds; a part without a result by then is UNINSPECTED.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Replaces the model's threshold (same units as the score).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Which frame sizes are accepted.
    #[serde(default)]
    pub frame_size: FrameSize,
    /// What the end of the stream means.
    #[serde(default)]
    pub on_eos: OnEos,
}

fn default_deadline_ms() -> u64 {
    250
}

/// Which frame sizes are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrameSize {
    /// The size of the training images, if they all had one; any other frame is an ERROR.
    #[default]
    AsTrained,
    /// Every size: frames are squashed to the model's input.
    Any,
}

/// What the end of the stream means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnEos {
    /// The camera is gone: rebuild the pipeline, for ever.
    #[default]
    Restart,
    /// The recording is over: the camera's part of the line ends.
    End,
}

/// How networks are run.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawEngine {
    /// `auto` takes the fastest that is there and says so.
    pub kind: EngineChoice,
    /// Threads for the network and for the nearest neighbours of each camera; 0 divides the processors by the cameras.
    pub threads: usize,
    /// Where `libonnxruntime.so` is; empty searches the usual places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ort_library: Option<PathBuf>,
}

/// What holds for every camera.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCapture {
    /// GStreamer elements that pipelines may use besides the built-in list.
    pub allow_elements: Vec<String>,
}

/// The endpoint for Prometheus.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMetrics {
    /// Whether it is there.
    pub enabled: bool,
    /// Address and port; loopback unless you mean otherwise, for there is no password.
    pub listen: String,
}

impl Default for RawMetrics {
    fn default() -> Self {
        RawMetrics { enabled: true, listen: "127.0.0.1:9464".into() }
    }
}

/// Messages for people.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLog {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,andon::capture=debug`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for RawLog {
    fn default() -> Self {
        RawLog { level: "info".into(), json: false }
    }
}
