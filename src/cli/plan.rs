//! `andon plan`: whether belt, ejector and model fit together.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::bench;
use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{limits, output, units};
use andon_core::LatencySummary;
use andon_line::act::{Plan, PlanSpec, speed_below};

/// `andon plan`.
#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    /// Speed of the belt: 0.8m/s, 48m/min.
    #[arg(long, value_parser = units::speed)]
    speed: f64,
    /// From one part's leading edge to the next: 60mm.
    #[arg(long, value_parser = units::length)]
    pitch: f64,
    /// From the trigger (free run: from the picture) to the ejector: 450mm.
    #[arg(long, value_parser = units::length)]
    reject_at: f64,
    /// Length of a part; two thirds of the pitch if not given.
    #[arg(long, value_parser = units::length)]
    part: Option<f64>,
    /// From the trigger to where the picture is taken.
    #[arg(long, value_parser = units::length, default_value = "0mm")]
    camera_at: f64,
    /// Exposure and transfer of a picture.
    #[arg(long, value_parser = units::time, default_value = "10ms")]
    capture: Duration,
    /// From the order to the actuator's effect, the output's own delay included.
    #[arg(long, value_parser = units::time, default_value = "20ms")]
    valve: Duration,
    /// Time that must be left.
    #[arg(long, value_parser = units::time, default_value = "5ms")]
    margin: Duration,
    /// The model, to measure what an inspection takes on this machine; without one, --latency states it.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// What an inspection takes at most, such as 12ms: stated in place of a measurement, for a line that has no model yet.
    #[arg(long, value_parser = units::time, conflicts_with = "model")]
    latency: Option<Duration>,
    /// How long to measure.
    #[arg(long, default_value_t = 10, value_parser = limits::seconds)]
    seconds: u64,
    /// The figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl PlanCommand {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let usage = |why: &str| Failure::new(Exit::Usage, anyhow::anyhow!("{why}"));
        if self.speed <= 0.0 || self.pitch <= 0.0 || self.reject_at <= 0.0 {
            return Err(usage("--speed, --pitch and --reject-at have to be above zero"));
        }
        let (latency, from) = match (&self.model, self.latency) {
            (Some(model), _) => {
                let measured = bench::measure(model, &self.engine, self.seconds, None)?;
                (measured.total, format!("measured over {} inspections by {}", measured.total.count, measured.engine))
            }
            (None, Some(given)) => {
                let us = u64::try_from(given.as_micros()).unwrap_or(u64::MAX);
                let same = LatencySummary { count: 0, p50_us: us, p99_us: us, p999_us: us, max_us: us };
                (same, "stated by --latency, not measured".to_owned())
            }
            (None, None) => {
                return Err(usage(
                    "what an inspection takes is missing: --model FILE measures it here, --latency 12ms states it",
                ));
            }
        };
        let spec = PlanSpec {
            speed: self.speed,
            pitch: self.pitch,
            part: self.part.unwrap_or(self.pitch * 2.0 / 3.0),
            camera_at: self.camera_at,
            reject_at: self.reject_at,
            capture: self.capture,
            valve: self.valve,
            margin: self.margin,
            latency,
        };
        let plan = spec.plan();
        if self.json {
            output::json(&serde_json::json!({ "plan": plan, "inspection": latency, "source": from }))?;
        } else {
            output::line(&table(&spec, &plan, &from))?;
        }
        for problem in &plan.problems {
            output::error(problem);
        }
        Ok(if plan.problems.is_empty() { Exit::Ok } else { Exit::Failed })
    }
}

fn table(spec: &PlanSpec, plan: &Plan, from: &str) -> String {
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let l = &spec.latency;
    let row = |name: &str, value: f64, note: &str| format!("{name:<22}{value:>9.1} ms  {note}");
    let mut lines = vec![
        format!(
            "{:.2} m/s, a part every {:.0} mm: {:.1} parts/s, {:.1} in flight between trigger and ejector",
            spec.speed / 1000.0,
            spec.pitch,
            plan.parts_per_second,
            plan.in_flight
        ),
        String::new(),
        row("picture to ejector", plan.travel_ms, &bar(spec, plan)),
        row("  capture", ms(spec.capture), "exposure and transfer"),
        row(if l.count == 0 { "  inspection" } else { "  inspection p99.9" }, plan.inspection_ms, from),
        row("  valve", ms(spec.valve), "order to effect"),
        row("  margin", ms(spec.margin), ""),
        row("left", plan.left_ms, if plan.left_ms < 0.0 { "TOO LATE" } else { "" }),
        String::new(),
        match l.count {
            0 => format!("inspector busy {:.0} % at most", plan.busy * 100.0),
            _ => {
                format!(
                    "inspector busy {:.0} % (p50 {:.1} ms, p99 {:.1} ms)",
                    plan.busy * 100.0,
                    us(l.p50_us),
                    us(l.p99_us)
                )
            }
        },
        format!("between two parts at the ejector {:.1} ms", plan.gap_ms),
        format!("highest safe speed {} m/s, limited by the {}", speed_below(plan.highest_speed_m_s), plan.limited_by),
    ];
    if plan.problems.is_empty() {
        lines.extend([
            String::new(),
            "for the configuration:".to_owned(),
            format!("  [parts]      deadline_ms = {:.0}", (plan.budget_ms + ms(spec.capture)).floor().max(1.0)),
            format!("  [belt]       speed_m_s = {}", spec.speed / 1000.0),
            format!(
                "  [ejectors.*] distance_mm = {}  part_mm = {}  delay_on_ms = {}",
                spec.reject_at,
                spec.part,
                ms(spec.valve)
            ),
        ]);
    }
    lines.join("\n")
}

fn us(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// The travel as a bar: c capture, # inspection, v valve, m margin, . left.
fn bar(spec: &PlanSpec, plan: &Plan) -> String {
    const CELLS: f64 = 50.0;
    let whole = plan.travel_ms.max(plan.taken_ms + plan.inspection_ms).max(1e-9);
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let parts = [
        ('c', ms(spec.capture)),
        ('#', plan.inspection_ms),
        ('v', ms(spec.valve)),
        ('m', ms(spec.margin)),
        ('.', plan.left_ms.max(0.0)),
    ];
    let (mut text, mut end) = (String::from("["), 0.0);
    for (sign, share) in parts {
        let from = (end / whole * CELLS).round() as usize;
        end += share;
        let to = (end / whole * CELLS).round() as usize;
        text.extend(std::iter::repeat_n(sign, to - from));
    }
    text + "]"
}
