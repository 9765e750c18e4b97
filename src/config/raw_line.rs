//! The tables of parts, belt, ejectors and alarms, as they are written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How parts are announced and what becomes of those without a verdict.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawParts {
    /// What announces a part.
    pub trigger: TriggerKind,
    /// Name of the input that announces parts, for `trigger = "sensor"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Trigger to outcome at most, in milliseconds; in free run, each camera's own `deadline_ms` holds.
    pub deadline_ms: u64,
    /// A PASS has to be there so long before the first ejector has to act, in milliseconds.
    pub margin_ms: f64,
    /// Parts lie so far apart at least, in millimetres; a trigger nearer to the last one is a duplicate.
    pub min_pitch_mm: f64,
    /// A part's frame is taken so many milliseconds after its trigger: earliest, latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_ms: Option<[f64; 2]>,
    /// A part's frame is taken so many millimetres behind its trigger: nearest, farthest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_mm: Option<[f64; 2]>,
    /// A part's frame has the trigger's number plus this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_id_offset: Option<i64>,
    /// From this share of the threshold on nothing passes, as 0.9: such parts are REJECT for the reason `borderline`, and an ejector whose
    /// causes name `borderline` sends them to a bin of their own. Off without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_from: Option<f32>,
    /// What becomes of a part that was not inspected.
    pub on_uninspected: SafeAction,
    /// What becomes of a part that could not be judged.
    pub on_error: SafeAction,
}

impl Default for RawParts {
    fn default() -> Self {
        RawParts {
            trigger: TriggerKind::FreeRun,
            sensor: None,
            deadline_ms: 250,
            margin_ms: 5.0,
            min_pitch_mm: 1.0,
            frame_ms: None,
            frame_mm: None,
            frame_id_offset: None,
            review_from: None,
            on_uninspected: SafeAction::Reject,
            on_error: SafeAction::Reject,
        }
    }
}

/// What announces a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerKind {
    /// Every frame is a part, for each camera by itself.
    #[default]
    FreeRun,
    /// An input.
    Sensor,
    /// A message: Zenoh `ctl/trigger`, or the PLC's trigger bit.
    Message,
}

/// What is done with a part that has no verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SafeAction {
    /// It is ejected.
    #[default]
    Reject,
    /// It is let through.
    Pass,
}

/// The belt.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawBelt {
    /// Where its position comes from.
    pub encoder: EncoderKind,
    /// Metres a second: the constant speed without an encoder, the highest speed with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_m_s: Option<f64>,
    /// Counts of the encoder for a millimetre of belt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_per_mm: Option<f64>,
    /// GPIO: device file of the chip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chip: Option<PathBuf>,
    /// GPIO: line of channel A.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// GPIO: line of channel B; without it, pulses are counted and the belt runs forwards only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_b: Option<u32>,
    /// Modbus: host and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Modbus: unit identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<u8>,
    /// Modbus: holding register of the count; with 32 bits, the high word is first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<u16>,
    /// Modbus: width of the counter, 16 or 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u8>,
    /// Modbus: milliseconds between two readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_ms: Option<u64>,
}

/// Where the belt's position comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// From the clock: the speed is constant.
    #[default]
    None,
    /// GPIO lines.
    Gpio,
    /// A register on Modbus TCP.
    Modbus,
}

/// An ejector.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEjector {
    /// Name of its output.
    pub output: String,
    /// The camera whose parts it ejects; needed in free run with several cameras.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// From the trigger (in free run, from where the picture is taken) to where the part's leading edge is in front of it.
    pub distance_mm: f64,
    /// Length of the longest part.
    pub part_mm: f64,
    /// On so much before the leading edge.
    #[serde(default)]
    pub before_mm: f64,
    /// On so much after the trailing edge.
    #[serde(default)]
    pub after_mm: f64,
    /// A pusher: one pulse of so many milliseconds at the part's middle. Without it, on while the part is in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse_ms: Option<f64>,
    /// From the output to the actuator's effect.
    #[serde(default)]
    pub delay_on_ms: f64,
    /// From the output's end to the end of the effect.
    #[serde(default)]
    pub delay_off_ms: f64,
    /// Shortest pulse.
    #[serde(default = "default_min_ms")]
    pub min_on_ms: f64,
    /// Shortest pause; pulses that come nearer are merged.
    #[serde(default = "default_min_ms")]
    pub min_gap_ms: f64,
    /// No pulse is longer: the stuck-on guard.
    #[serde(default = "default_max_on_ms")]
    pub max_on_ms: f64,
    /// Largest share of time that it may be on, over ten seconds.
    #[serde(default = "default_max_duty")]
    pub max_duty: f32,
    /// Outcomes that it acts on: `reject`, `error`, `uninspected`, and `borderline` with `parts.review_from`; by default all of those that
    /// are to be ejected, `borderline` only where no other ejector names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<Vec<Cause>>,
    /// Name of the input that sees ejected parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// So soon after the output went on it has to see the part.
    #[serde(default = "default_confirm_ms")]
    pub confirm_within_ms: f64,
}

fn default_min_ms() -> f64 {
    5.0
}

fn default_max_on_ms() -> f64 {
    2000.0
}

fn default_max_duty() -> f32 {
    0.8
}

fn default_confirm_ms() -> f64 {
    500.0
}

/// An outcome that an ejector acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// REJECT.
    Reject,
    /// ERROR.
    Error,
    /// UNINSPECTED.
    Uninspected,
    /// REJECT only because of `parts.review_from`.
    Borderline,
}

/// When many rejects are one fault, and the outputs that say so.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAlarms {
    /// So many parts in a row that did not pass; 0 for never.
    pub consecutive: u32,
    /// So many that did not pass among the last so many: `[10, 100]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<[u32; 2]>,
    /// Name of the output that is on while the line is asked to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_stop: Option<String>,
    /// Name of the output that toggles at 2.5 Hz while parts are decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// Events that do not ask the line to stop although they would.
    pub tolerate: Vec<String>,
}
