//! `andon sim`: a line in a simulated clock.

use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::{limits, output, units};
use andon_line::act::AlarmSpec;
use andon_sim::{SimLine, SimReport};

/// `andon sim`.
#[derive(Debug, Args)]
pub(super) struct SimCommand {
    /// Parts on the belt.
    #[arg(long, default_value_t = 10_000, value_parser = limits::whole(1..=10_000_000u64))]
    parts: u64,
    /// The same seed gives the same run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Speed of the belt: 0.8m/s.
    #[arg(long, value_parser = units::speed, default_value = "0.8m/s")]
    speed: f64,
    /// From one part to the next on average.
    #[arg(long, value_parser = units::length, default_value = "80mm")]
    pitch: f64,
    /// Length of a part.
    #[arg(long, value_parser = units::length, default_value = "40mm")]
    part: f64,
    /// From the photo eye to the ejector.
    #[arg(long, value_parser = units::length, default_value = "450mm")]
    reject_at: f64,
    /// Counts a millimetre of the encoder; 0 for a line without one.
    #[arg(long, default_value_t = 10.0)]
    counts_per_mm: f64,
    /// What an inspection takes: median.
    #[arg(long, value_parser = units::time, default_value = "15ms")]
    latency: Duration,
    /// And the slowest of a hundred.
    #[arg(long, value_parser = units::time, default_value = "40ms")]
    latency_p99: Duration,
    /// Delay of the ejector.
    #[arg(long, value_parser = units::time, default_value = "8ms")]
    valve: Duration,
    /// Share of defective parts: 10% or 0.1, as all shares.
    #[arg(long, default_value = "0.1", value_parser = units::share)]
    defects: f64,
    /// Share of frames that never arrive.
    #[arg(long, default_value = "0", value_parser = units::share)]
    lost_frames: f64,
    /// Share of results that never come or say that the engine failed.
    #[arg(long, default_value = "0", value_parser = units::share)]
    lost_results: f64,
    /// Share of triggers that come twice.
    #[arg(long, default_value = "0", value_parser = units::share)]
    double_triggers: f64,
    /// Share of parts that the photo eye does not see.
    #[arg(long, default_value = "0", value_parser = units::share)]
    missed_triggers: f64,
    /// Stops of the belt a minute.
    #[arg(long, default_value_t = 0.0)]
    stops: f32,
    /// Runs backwards a minute.
    #[arg(long, default_value_t = 0.0)]
    reversals: f32,
    /// Restarts of the encoder's count a minute.
    #[arg(long, default_value_t = 0.0)]
    encoder_resets: f32,
    /// Encoder slip, as a share of the distance.
    #[arg(long, default_value = "0", value_parser = units::share)]
    slip: f64,
    /// Share by which the speed varies.
    #[arg(long, default_value = "0", value_parser = units::share)]
    unsteady: f64,
    /// Stop the line after so many parts in a row that did not pass; 0 for never.
    #[arg(long, default_value_t = 0, value_name = "N")]
    consecutive: u32,
    /// Stop the line when N of the last M parts did not pass.
    #[arg(long, value_name = "N/M", value_parser = n_of_m)]
    reject_share: Option<(u32, u32)>,
    /// The figures as JSON.
    #[arg(long)]
    json: bool,
}

/// `N/M`, such as 5/20.
fn n_of_m(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "write it as N/M, such as 5/20, with N at most M and M at most 10000".to_owned();
    let (n, m) = text.split_once('/').ok_or_else(wrong)?;
    match (n.parse::<u32>(), m.parse::<u32>()) {
        (Ok(n), Ok(m)) if (1..=m).contains(&n) && m <= 10_000 => Ok((n, m)),
        _ => Err(wrong()),
    }
}

impl SimCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        let usage = |why: &str| Failure::new(Exit::Usage, anyhow::anyhow!("{why}"));
        if self.speed <= 0.0 || self.part <= 0.0 || self.pitch <= self.part {
            return Err(usage("--speed and --part have to be above zero and --pitch larger than --part"));
        }
        let days = self.parts as f64 * self.pitch / self.speed / 86_400.0;
        if days > 31.0 {
            return Err(usage(&format!(
                "{} parts every {} mm at {} mm/s are {days:.0} days on the belt, and at most 31 are simulated; fewer --parts",
                self.parts, self.pitch, self.speed
            )));
        }
        if self.reject_at < 40.0 {
            return Err(usage("--reject-at has to be 40mm at least: the camera stands at 20mm"));
        }
        if [self.stops, self.reversals, self.encoder_resets].iter().any(|n| !(0.0..=100.0).contains(n)) {
            return Err(usage("--stops, --reversals and --encoder-resets lie between 0 and 100 a minute"));
        }
        if !(0.0..=1000.0).contains(&self.counts_per_mm) {
            return Err(usage("--counts-per-mm lies between 0 and 1000"));
        }
        let line = SimLine {
            seed: self.seed,
            parts: self.parts,
            speed: self.speed,
            pitch: self.pitch,
            part: self.part,
            reject_at: self.reject_at,
            encoder: (self.counts_per_mm > 0.0).then_some((self.counts_per_mm, Duration::from_millis(1))),
            latency: self.latency,
            latency_p99: self.latency_p99,
            delay: self.valve,
            defects: self.defects as f32,
            lost_frames: self.lost_frames as f32,
            lost_results: self.lost_results as f32,
            double_triggers: self.double_triggers as f32,
            missed_triggers: self.missed_triggers as f32,
            stops: self.stops,
            reversals: self.reversals,
            encoder_resets: self.encoder_resets,
            slip: self.slip,
            unsteady: self.unsteady,
            alarms: AlarmSpec {
                consecutive: self.consecutive,
                share_n: self.reject_share.map_or(0, |(n, _)| n),
                share_of: self.reject_share.map_or(0, |(_, m)| m),
            },
        };
        let report = line.run();
        if self.json {
            output::json(&report)?
        } else {
            output::line(&table(&report))?
        }
        if !report.counts.adds_up() || report.counts.in_flight > 0 {
            return Err(anyhow::anyhow!("parts are unaccounted for: {:?}; please report this", report.counts).into());
        }
        Ok(if report.ejections.all_right() { Exit::Ok } else { Exit::Failed })
    }
}

fn table(r: &SimReport) -> String {
    let (c, e) = (&r.counts, &r.ejections);
    let row = |name: &str, n: u64, note: &str| format!("{name:<24}{n:>8}  {note}");
    let mut lines = vec![
        format!("{:.0} s on the belt, simulated", r.seconds),
        row("parts announced", c.offered, ""),
        row("  PASS", c.pass, ""),
        row("  REJECT", c.reject, ""),
        row("  UNINSPECTED", c.uninspected, ""),
        row("  ERROR", c.error, ""),
        row("late results", c.late_results, "counted and ignored"),
        String::new(),
        row("went on untouched", e.passed, "as they should"),
        row("ejected", e.ejected, "as they should"),
        row("wrong part ejected", e.wrong, ""),
        row("ejection missed", e.missed, ""),
        row("ejected too late", e.late, ""),
        row("never announced", e.unannounced, "no trigger came for them"),
        row("defects that went on", r.defects_through, "defective parts that were not ejected"),
        String::new(),
        format!("margin to the deadline: smallest {:.1} ms, median {:.1} ms", r.margin_ms[0], r.margin_ms[1]),
    ];
    lines.extend(r.notices.iter().map(|(name, n)| row(name, *n, "")));
    lines.join("\n")
}
