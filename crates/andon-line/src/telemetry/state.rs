//! What the line is doing now, as a scrape asks for it: gauges that nobody has to write beside the line.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

/// The line's state at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineState {
    /// What judges, by camera.
    pub judges: Vec<JudgeState>,
    /// A lane asks the line to stop.
    pub line_stop: bool,
    /// The encoder cannot be read.
    pub encoder_lost: bool,
    /// By name of the output in the configuration: whether it has a fault.
    pub outputs: BTreeMap<String, bool>,
    /// By name of the input in the configuration: whether it cannot be read.
    pub inputs: BTreeMap<String, bool>,
    /// What full channels of the line refused since the start, by name of the channel.
    pub shed: Vec<(&'static str, u64)>,
}

/// What judges one camera's parts.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeState {
    /// Name of the camera.
    pub camera: String,
    /// Name of the model.
    pub model: String,
    /// blake3 of the model file, hex.
    pub blake3: String,
    /// The engine that runs it.
    pub engine: String,
    /// The threshold in force, in the units of the score.
    pub threshold: f32,
    /// The model's own threshold.
    pub own_threshold: f32,
    /// It works with less than was asked for.
    pub degraded: bool,
}

/// A gauge's name, its help, and where its value is.
type Figure = (&'static str, &'static str, fn(&JudgeState) -> f64);

impl LineState {
    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        const NONE: Option<&Exemplar<NoLabelSet, f64>> = None;
        let help = "What judges a camera's parts";
        let mut family = encoder.encode_descriptor("model", help, None, MetricType::Info)?;
        for j in &self.judges {
            let labels = [("camera", &j.camera), ("model", &j.model), ("blake3", &j.blake3), ("engine", &j.engine)];
            family.encode_info(&labels.map(|(name, value)| (name, value.as_str())))?;
        }
        let figures: [Figure; 3] = [
            ("threshold", "Threshold in force, in units of the score", |j| f64::from(j.threshold)),
            ("threshold_override_ratio", "Threshold in force over the model's own; 1 without override", |j| {
                f64::from(j.threshold) / f64::from(j.own_threshold)
            }),
            ("degraded", "1 while it works with less than was asked for", |j| f64::from(u8::from(j.degraded))),
        ];
        for (name, help, figure) in figures {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for j in &self.judges {
                family.encode_family(&[("camera", j.camera.as_str())])?.encode_gauge(&figure(j))?;
            }
        }
        let help = "1 while the line is asked to stop";
        encoder
            .encode_descriptor("line_stop", help, None, MetricType::Gauge)?
            .encode_gauge(&i64::from(self.line_stop))?;
        let help = "1 while the encoder cannot be read";
        encoder
            .encode_descriptor("encoder_lost", help, None, MetricType::Gauge)?
            .encode_gauge(&i64::from(self.encoder_lost))?;
        let wires = [
            ("output_fault", "1 while the output does not do what it is told", "output", &self.outputs),
            ("input_fault", "1 while the input cannot be read", "input", &self.inputs),
        ];
        for (name, help, label, faults) in wires {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (wire, faulty) in faults {
                family.encode_family(&[(label, wire.as_str())])?.encode_gauge(&i64::from(*faulty))?;
            }
        }
        let help = "What full channels of the line refused";
        let mut family = encoder.encode_descriptor("channel_shed", help, None, MetricType::Counter)?;
        for (channel, count) in &self.shed {
            family.encode_family(&[("channel", *channel)])?.encode_counter(count, NONE)?;
        }
        Ok(())
    }
}
