//! Another threshold, tried over a real socket, against the judge itself.

use super::kept::{Kept, parts_of};
use super::*;
use andon_io::history::{PartRow, ReviewState};

/// What stands in an attribute, with its characters as they were.
fn attribute(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("{name}=\"")).unwrap_or_else(|| unreachable!("{name} is not in {page}"));
    let text = rest.split('"').next().unwrap();
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn another_threshold_counts_what_the_line_would_have_done_part_by_part() {
    let kept = Kept::with(450);
    let mut ana = kept.client("ana", Role::Operator);
    for row in kept.rows().iter().filter(|r| r.seq % 20 == 3 || r.seq % 40 == 8) {
        let verdict = if row.seq % 3 == 0 { "good" } else { "bad" };
        assert_eq!(ana.post(&format!("/review/{}", row.id), &format!("verdict={verdict}&expected=")).status, 303);
    }
    let rows = kept.rows();
    let page = ana.get("/whatif?span=week&at=88").body;
    let steps: serde_json::Value = serde_json::from_str(&attribute(&page, "data-steps")).unwrap();
    let thresholds: Vec<f32> =
        steps["thresholds"].as_array().unwrap().iter().map(|t| t.as_f64().unwrap() as f32).collect();
    assert_eq!((thresholds.len(), thresholds[100]), (201, 10.0), "the one in force is in the middle");
    for (n, threshold) in thresholds.iter().enumerate().skip(1) {
        let limit = andon_core::Threshold::new(*threshold).unwrap();
        let rejected =
            |r: &&PartRow| andon_core::judge(Ok(r.score.unwrap()), limit).outcome == andon_core::Outcome::Reject;
        let count = |state: Option<ReviewState>| {
            rows.iter().filter(|r| state.is_none_or(|s| r.review == s)).filter(rejected).count()
        };
        let expected = [count(None), count(Some(ReviewState::Bad)), count(Some(ReviewState::Good))];
        assert_eq!(steps["rejected"][n], serde_json::json!(expected), "at {threshold}");
    }
    // The parts that would change, highest score first; what is said of them comes from the same rows.
    let mut flips: Vec<&PartRow> = rows.iter().filter(|r| (thresholds[88]..10.0).contains(&r.score.unwrap())).collect();
    flips.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(b.t.cmp(&a.t)));
    let wanted: Vec<String> = flips.iter().take(24).map(|r| r.id.clone()).collect();
    assert!(wanted.len() > 5);
    let (_, listed) = page.split_once("id=\"flips\"").unwrap();
    assert_eq!(parts_of(listed), wanted);
    assert_eq!(parts_of(&ana.get("/whatif/parts?span=week&at=88").body), wanted);
    let more = flips.len();
    assert!(page.contains(&format!("<b id=\"more-rejects\">+{more}</b>")), "{more} in {page}");
    assert!(page.contains("It promises nothing"));
    // Applying it needs the role, and a reason, and is the act that is there already.
    assert!(!page.contains("action=\"/threshold/0\""));
    assert_eq!(ana.post("/threshold/0", "value=8.8&reason=x").status, 403);
    let mut quinn = kept.client("quinn", Role::Quality);
    let value =
        attribute(&quinn.get("/whatif?span=week&at=88").body, "id=\"value\" type=\"hidden\" name=\"value\" value");
    assert_eq!(value.parse::<f32>().unwrap(), thresholds[88], "to the bit");
    assert_eq!(quinn.post("/threshold/0", &format!("value={value}&reason=tried")).status, 303);
    assert_eq!(kept.on.line.threshold(CameraId(0)), thresholds[88]);
}
