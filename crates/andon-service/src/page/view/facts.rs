//! What people see of a judged part, whether the board knows it or only the note beside its picture does.

use jiff::Timestamp;
use serde_json::Value;

use crate::live::SeenPart;
use andon_core::Reason;

/// Facts about a judged part.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::page) struct Facts {
    pub id: String,
    pub camera: String,
    pub seq: u64,
    pub trigger_id: Option<u64>,
    /// When the picture was taken, milliseconds since 1970.
    pub at_ms: u64,
    /// `PASS`, `REJECT`, `UNINSPECTED` or `ERROR`.
    pub result: &'static str,
    pub reason: Option<Reason>,
    pub score: Option<f64>,
    pub threshold: f64,
    /// Left, top, width, height in pixels of the frame; the worst first.
    pub regions: Vec<[u32; 4]>,
    /// All that were found, also those that are not listed.
    pub regions_total: u64,
    /// Name of the good picture that the worst region is nearest to.
    pub nearest: Option<String>,
    /// Milliseconds that were left until the deadline; negative when it was missed.
    pub left_ms: f64,
    pub model: String,
    pub engine: String,
}

impl Facts {
    /// Of a part that the board knows.
    pub fn of(part: &SeenPart) -> Facts {
        let v = &part.verdict;
        Facts {
            id: part.id.clone(),
            camera: part.camera.clone(),
            seq: v.seq.0,
            trigger_id: v.trigger_id,
            at_ms: part.at_ms,
            result: v.outcome.as_str(),
            reason: Some(v.reason),
            score: v.score.map(|score| f64::from(score.get())),
            threshold: f64::from(v.threshold),
            regions: v.regions.as_slice().iter().map(|r| [r.x, r.y, r.width, r.height]).collect(),
            regions_total: u64::from(v.regions.total),
            nearest: part.nearest().map(str::to_owned),
            left_ms: part.left_ms(),
            model: v.model.name.clone(),
            engine: v.model.engine.clone(),
        }
    }

    /// Of a verdict as it is on the wire; `None` if it is none.
    pub fn of_wire(json: &str) -> Option<Facts> {
        let record: Value = serde_json::from_str(json).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let named = |key: &str| record[key].as_str();
        let number = |key: &str| record[key].as_f64();
        let at: Timestamp = named("t_capture")?.parse().ok()?;
        let side = |region: &Value, key: &str| region[key].as_u64().and_then(|n| u32::try_from(n).ok());
        let area = |r: &Value| Some([side(r, "x")?, side(r, "y")?, side(r, "width")?, side(r, "height")?]);
        let regions = record["regions"].as_array().map(Vec::as_slice).unwrap_or_default();
        Some(Facts {
            id: named("id")?.to_owned(),
            camera: named("camera")?.to_owned(),
            seq: record["seq"].as_u64()?,
            trigger_id: record["trigger_id"].as_u64(),
            at_ms: u64::try_from(at.as_millisecond()).ok()?,
            result: ["PASS", "REJECT", "UNINSPECTED", "ERROR"]
                .into_iter()
                .find(|word| named("result") == Some(word))?,
            reason: Reason::ALL.into_iter().find(|reason| named("reason") == Some(reason.as_str())),
            score: number("score"),
            threshold: number("threshold")?,
            regions: regions.iter().filter_map(area).collect(),
            regions_total: record["regions_total"].as_u64().unwrap_or(regions.len() as u64),
            nearest: regions
                .first()
                .and_then(|region| text(&region["nearest"]["image"]))
                .filter(|name| !name.is_empty()),
            left_ms: number("deadline_ms").unwrap_or_default()
                - record["latency_ms"]["total"].as_f64().unwrap_or_default(),
            model: text(&record["model"]["name"]).unwrap_or_default(),
            engine: text(&record["model"]["engine"]).unwrap_or_default(),
        })
    }

    /// The score in percent of the threshold; `None` without a score.
    pub fn percent(&self) -> Option<f64> {
        Some(self.score? / self.threshold * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::PageRecord;
    use crate::live::tests::{board, verdict};
    use andon_core::{NearestGood, Region, Regions};
    use andon_io::sinks::wire;

    #[test]
    fn a_verdict_says_the_same_from_memory_and_from_its_note() {
        let board = board();
        let mut v = verdict(1204, 12.5, 0);
        let region = Region {
            x: 3,
            y: 4,
            width: 50,
            height: 60,
            nearest: Some(NearestGood { source: 0, at: [0.5, 0.5] }),
            ..Region::default()
        };
        v.regions = Regions::default();
        v.regions.push(region);
        v.model = std::sync::Arc::new(andon_core::ModelTag { sources: vec!["good_07".into()], ..(*v.model).clone() });
        v.trigger_id = Some(9);
        let note = serde_json::to_string(&wire::verdict(&board.station, &board.station.clock.now(), &v)).unwrap();
        board.take(PageRecord::Verdict(v));
        let seen = Facts::of(&board.snapshot().strip[0]);
        let read = Facts::of_wire(&note).unwrap();
        assert_eq!(seen.nearest.as_deref(), Some("good_07"));
        assert!((read.left_ms - seen.left_ms).abs() < 0.01 && read.at_ms.abs_diff(seen.at_ms) <= 1);
        assert_eq!(Facts { left_ms: seen.left_ms, at_ms: seen.at_ms, ..read }, seen);
        assert_eq!(Facts::of_wire("{}"), None);
        assert_eq!(Facts::of_wire(&note.replace("\"REJECT\"", "\"GOOD\"")), None);
    }
}
