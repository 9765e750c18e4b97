//! The configuration as it is written: what stands in no crate below.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::RawPage;
use super::raw_line::{RawAlarms, RawBelt, RawEjector, RawParts};
use super::recipes::RawRecipe;
use andon_io::fieldio::IoTables;
use andon_io::history::ShiftsConfig;
use andon_io::pictures::PicturesConfig;
use andon_io::sinks::SinkTables;
use andon_io::sinks::modbus_server::ModbusServerConfig;
use andon_io::sinks::mqtt::MqttConfig;
use andon_io::sinks::opcua::OpcUaConfig;
use andon_io::sinks::store::StoreConfig;
use andon_io::sinks::webhook::WebhookConfig;
use andon_io::sinks::zenoh::ZenohConfig;
use andon_vision::model::Accept;
use andon_vision::model::bundle::Manifest;
use andon_vision::model::engine::EngineChoice;
use andon_vision::model::graph::Precision;

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
    /// Name of this computer in its records; without it, its host name.
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    pub box_name: Option<String>,
    /// One table a camera: `[cameras.NAME]`.
    pub cameras: BTreeMap<String, RawCamera>,
    /// Set-ups of products, among which the line is changed over: `[recipes.NAME]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub recipes: BTreeMap<String, RawRecipe>,
    /// How networks are run.
    pub engine: RawEngine,
    /// What holds for every camera.
    pub capture: RawCapture,
    /// How parts are announced.
    pub parts: RawParts,
    /// The belt and its encoder.
    pub belt: RawBelt,
    /// Sensors: `[inputs.NAME]`.
    pub inputs: IoTables,
    /// Valves, lamps, relays: `[outputs.NAME]`.
    pub outputs: IoTables,
    /// What takes parts off the belt: `[ejectors.NAME]`.
    pub ejectors: BTreeMap<String, RawEjector>,
    /// When many rejects are one fault, and the outputs that say so.
    pub alarms: RawAlarms,
    /// Pictures of parts, kept on disk.
    pub pictures: PicturesConfig,
    /// The shifts that the history counts by.
    pub shifts: ShiftsConfig,
    /// History and outbox.
    pub store: StoreConfig,
    /// The Modbus TCP server for the PLC.
    pub modbus_server: ModbusServerConfig,
    /// The OPC UA server.
    pub opcua: OpcUaConfig,
    /// Records to an MQTT broker.
    pub mqtt: MqttConfig,
    /// Records to a web server.
    pub webhook: WebhookConfig,
    /// Verdicts, heatmaps and control over Zenoh.
    pub zenoh: ZenohConfig,
    /// The operator's page.
    pub page: RawPage,
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
            box_name: None,
            cameras: BTreeMap::new(),
            recipes: BTreeMap::new(),
            engine: RawEngine::default(),
            capture: RawCapture::default(),
            parts: RawParts::default(),
            belt: RawBelt::default(),
            inputs: IoTables::new(),
            outputs: IoTables::new(),
            ejectors: BTreeMap::new(),
            alarms: RawAlarms::default(),
            pictures: PicturesConfig::default(),
            shifts: ShiftsConfig::default(),
            store: StoreConfig::default(),
            modbus_server: ModbusServerConfig::default(),
            opcua: OpcUaConfig::default(),
            mqtt: MqttConfig::default(),
            webhook: WebhookConfig::default(),
            zenoh: ZenohConfig::default(),
            page: RawPage::default(),
            metrics: RawMetrics::default(),
            log: RawLog::default(),
        }
    }
}

impl Raw {
    /// The tables of the sinks.
    pub(super) fn sinks(&self) -> SinkTables {
        SinkTables {
            zenoh: self.zenoh.clone(),
            modbus_server: self.modbus_server.clone(),
            opcua: self.opcua.clone(),
            store: self.store.clone(),
            mqtt: self.mqtt.clone(),
            webhook: self.webhook.clone(),
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
    /// Allows a threshold of more than 1.5 times the model's own, here and over Zenoh. It lets defects through that the model sees.
    #[serde(default)]
    pub threshold_unsafe: bool,
    /// Which frame sizes are accepted.
    #[serde(default)]
    pub frame_size: FrameSize,
    /// What the end of the stream means.
    #[serde(default)]
    pub on_eos: OnEos,
    /// Milliseconds without a frame (and three frame periods at least) that are a fault of the camera; 0 for never. Without it, 250 in
    /// free run and for a `continuous` camera, and never else where parts are triggered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// Where parts are triggered: the camera takes pictures all the time, also between parts. Those are then counted and not told
    /// as `frame_without_part`.
    #[serde(default)]
    pub continuous: bool,
    /// A start takes so many milliseconds at most; where silence is a fault, the first frame comes within it.
    #[serde(default = "default_start_timeout_ms")]
    pub start_timeout_ms: u64,
    /// A band of the picture that says whether a part is there; without it, every frame counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<RawPresence>,
}

/// A light barrier in the picture: a part comes when the mean brightness of a band crosses a level.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPresence {
    /// Left edge of the band, share of the width.
    pub x: f32,
    /// Upper edge, share of the height.
    pub y: f32,
    /// Width of the band, share of the width.
    pub width: f32,
    /// Height of the band, share of the height.
    pub height: f32,
    /// Mean brightness, 0 to 255, at which a part is there.
    pub level: f32,
    /// How far the brightness has to go back before the next part can come.
    #[serde(default = "default_hysteresis")]
    pub hysteresis: f32,
    /// A part is darker than the belt.
    #[serde(default)]
    pub dark: bool,
}

fn default_hysteresis() -> f32 {
    10.0
}

fn default_start_timeout_ms() -> u64 {
    10_000
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

impl FrameSize {
    /// The frames that a model may judge: those of the kind that was learned.
    pub fn accepted(self, learned: &Manifest) -> Accept {
        Accept::learned(learned, self == FrameSize::Any)
    }
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
    /// Arithmetic on an NVIDIA card.
    pub precision: Precision,
    /// The folder of TensorRT's libraries; empty asks the system's loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensorrt: Option<PathBuf>,
    /// Milliseconds that a frame waits on the card for those of other cameras with the same model, to be judged together; 0 judges each by
    /// itself.
    pub max_wait_ms: f64,
    /// Where engines for the card are kept; empty is `~/.cache/andon/engines`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
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
