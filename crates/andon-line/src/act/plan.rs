//! Whether the times of a line fit together, before anything is built.

use std::time::Duration;

use serde::Serialize;

use andon_core::LatencySummary;

/// Milliseconds that an output needs between two pulses for two parts.
const PAUSE_MS: f64 = 4.0;

/// A line to be. Distances in millimetres from the trigger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanSpec {
    /// Millimetres a second.
    pub speed: f64,
    /// From one part's leading edge to the next.
    pub pitch: f64,
    /// Length of a part along the belt.
    pub part: f64,
    /// Where the picture is taken.
    pub camera_at: f64,
    /// Where the ejector is.
    pub reject_at: f64,
    /// Exposure and transfer of a picture.
    pub capture: Duration,
    /// From the order to the actuator's effect, the output's own delay included.
    pub valve: Duration,
    /// Time that must be left.
    pub margin: Duration,
    /// What an inspection takes on this machine.
    pub latency: LatencySummary,
}

/// What follows from a [`PlanSpec`]. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Parts a second.
    pub parts_per_second: f64,
    /// From the picture to the ejector.
    pub travel_ms: f64,
    /// Of the travel, what capture, valve and margin take.
    pub taken_ms: f64,
    /// What is left for the inspection: `deadline_ms` at most.
    pub budget_ms: f64,
    /// What the slowest of a thousand inspections takes.
    pub inspection_ms: f64,
    /// Budget less inspection; negative when it does not fit.
    pub left_ms: f64,
    /// Parts between the trigger and the ejector.
    pub in_flight: f64,
    /// Share of the time that the inspector is busy.
    pub busy: f64,
    /// Time between two parts at the ejector.
    pub gap_ms: f64,
    /// Metres a second at most with this geometry and machine.
    pub highest_speed_m_s: f64,
    /// What sets that limit: `deadline`, `throughput` or `separation` (the pause between two parts at the ejector).
    pub limited_by: &'static str,
    /// Why it cannot work, each with its remedy; empty if it can.
    pub problems: Vec<String>,
}

impl PlanSpec {
    /// Computes the plan.
    pub fn plan(&self) -> Plan {
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        let way = self.reject_at - self.camera_at;
        let travel = way / self.speed * 1000.0;
        let taken = ms(self.capture) + ms(self.valve) + ms(self.margin);
        let inspection = self.latency.p999_us as f64 / 1000.0;
        let budget = travel - taken;
        let rate = self.speed / self.pitch;
        // The inspector's typical time has to fit into the time between two parts, even when many of its slow ones follow.
        let typical = self.latency.p99_us as f64 / 1000.0;
        let by_deadline = way / (taken + inspection).max(1e-9);
        let by_throughput = self.pitch / typical.max(1e-9);
        let by_separation = (self.pitch - self.part) / PAUSE_MS;
        let limits = [(by_deadline, "deadline"), (by_throughput, "throughput"), (by_separation, "separation")];
        let (highest, limited_by) = limits.into_iter().fold((f64::INFINITY, ""), |a, b| if b.0 < a.0 { b } else { a });
        let gap = (self.pitch - self.part) / self.speed * 1000.0;
        let mut plan = Plan {
            parts_per_second: rate,
            travel_ms: travel,
            taken_ms: taken,
            budget_ms: budget,
            inspection_ms: inspection,
            left_ms: budget - inspection,
            in_flight: self.reject_at / self.pitch,
            busy: rate * self.latency.p50_us as f64 / 1e6,
            gap_ms: gap,
            highest_speed_m_s: highest.max(0.0),
            limited_by,
            problems: Vec::new(),
        };
        plan.problems = self.problems(&plan);
        plan
    }

    fn problems(&self, plan: &Plan) -> Vec<String> {
        let mut found = Vec::new();
        if self.part >= self.pitch {
            found.push(format!(
                "parts of {:.0} mm do not fit a pitch of {:.0} mm: they touch, and no ejector can tell them apart",
                self.part, self.pitch
            ));
        }
        if self.reject_at <= self.camera_at {
            found.push(format!(
                "the ejector at {:.0} mm is not behind the camera at {:.0} mm: move it down the belt",
                self.reject_at, self.camera_at
            ));
            return found;
        }
        if plan.left_ms < 0.0 {
            let needed = plan.taken_ms + plan.inspection_ms;
            let need = self.camera_at + self.speed * needed / 1000.0;
            found.push(format!(
                "a verdict would come {:.1} ms too late: from the picture to the ejector it is {:.1} ms, and capture, inspection \
                 (p99.9), valve and margin take {:.1} ms; put the ejector at {:.0} mm or farther, run at {} m/s or slower, \
                 or learn with --time-budget",
                -plan.left_ms,
                plan.travel_ms,
                needed,
                need.ceil(),
                speed_below((self.reject_at - self.camera_at) / needed)
            ));
        }
        let period = 1000.0 / plan.parts_per_second;
        let typical = self.latency.p99_us as f64 / 1000.0;
        if typical > period {
            found.push(format!(
                "a part comes every {period:.1} ms and an inspection takes {typical:.1} ms (p99): parts would be left out; \
                 learn with --time-budget, or use more cores or a GPU"
            ));
        }
        if self.part < self.pitch && plan.gap_ms < PAUSE_MS {
            found.push(format!(
                "only {:.1} ms lie between two parts at the ejector, less than the {PAUSE_MS:.0} ms that a pause of its output \
                 needs: a reject would hit its neighbour; run at {} m/s or slower, or spread the parts",
                plan.gap_ms,
                speed_below((self.pitch - self.part) / PAUSE_MS)
            ));
        }
        found
    }
}

/// A limit of the speed in metres a second, rounded down, because the speed that is named has to work: two decimals, and more where two
/// would leave nothing of it.
pub fn speed_below(m_s: f64) -> String {
    let decimals = if m_s >= 0.1 { 2 } else { 4 };
    let factor = 10f64.powi(decimals as i32);
    format!("{:.decimals$}", (m_s * factor).floor() / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> PlanSpec {
        PlanSpec {
            speed: 800.0,
            pitch: 60.0,
            part: 40.0,
            camera_at: 0.0,
            reject_at: 450.0,
            capture: Duration::from_millis(10),
            valve: Duration::from_millis(20),
            margin: Duration::from_millis(5),
            latency: LatencySummary { count: 1000, p50_us: 12_000, p99_us: 16_000, p999_us: 20_000, max_us: 30_000 },
        }
    }

    #[test]
    fn the_figures_of_a_line_that_works() {
        let plan = line().plan();
        assert!(plan.problems.is_empty(), "{plan:?}");
        assert_eq!((plan.travel_ms, plan.taken_ms, plan.budget_ms, plan.left_ms), (562.5, 35.0, 527.5, 507.5));
        assert_eq!(plan.in_flight, 7.5);
        assert!((plan.parts_per_second - 13.333).abs() < 1e-3 && (plan.busy - 0.16).abs() < 1e-3);
        // 60 mm every 16 ms.
        assert_eq!((plan.highest_speed_m_s, plan.limited_by), (3.75, "throughput"));
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        let said = |spec: PlanSpec| spec.plan().problems.join("; ");
        let late = said(PlanSpec { reject_at: 40.0, ..line() });
        assert!(late.contains("5.0 ms too late") && late.contains("44 mm") && late.contains("0.72 m/s"), "{late}");
        assert!(said(PlanSpec { part: 60.0, ..line() }).contains("touch"));
        assert!(said(PlanSpec { camera_at: 500.0, ..line() }).contains("not behind the camera"));
        assert!(said(PlanSpec { speed: 4000.0, ..line() }).contains("every 15.0 ms"));
        assert!(said(PlanSpec { part: 58.0, ..line() }).contains("2.5 ms lie between"));
        // At the highest speed there is no problem, just over it there is, whatever sets it.
        assert_eq!([speed_below(0.269), speed_below(0.0047), speed_below(3.75)], ["0.26", "0.0047", "3.75"]);
        let specs = [(20.0, 80.0, "deadline"), (10.0, 450.0, "throughput"), (54.0, 450.0, "separation")];
        for (part, reject_at, limited_by) in specs {
            let spec = PlanSpec { part, reject_at, ..line() };
            let plan = spec.plan();
            assert_eq!(plan.limited_by, limited_by, "{plan:?}");
            let highest = plan.highest_speed_m_s * 1000.0;
            assert!(said(PlanSpec { speed: highest * 0.999, ..spec }).is_empty());
            assert!(!said(PlanSpec { speed: highest * 1.001, ..spec }).is_empty());
            let named = speed_below(plan.highest_speed_m_s).parse::<f64>().unwrap() * 1000.0;
            assert!(named > 0.0 && said(PlanSpec { speed: named, ..spec }).is_empty(), "{named}");
        }
    }
}
