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

/// The line judges a part by the threshold that it has.
fn judged(on: &mut Bench, seq: u64, score: f32) {
    let threshold = on.line.threshold(CameraId(0));
    on.sink.offer(&Record::Verdict(andon_core::CameraVerdict { threshold, ..verdict(seq, score, 0) }));
}

fn until(what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !look() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_threshold_on_trial_gives_way_by_itself_when_its_parts_were_judged() {
    let mut on = start();
    on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    on.accounts.add_user("quinn", Role::Quality, "long enough").unwrap();
    let mut ana = Client::of(&on);
    ana.post("/login", "name=ana&password=4711");
    assert_eq!(ana.post("/threshold/0", "value=8&reason=x&keep=trial&parts=3").status, 403);
    let mut quinn = Client::of(&on);
    quinn.post("/login", "name=quinn&password=long+enough");
    for parts in ["0", "", "many", "100001"] {
        let refused = quinn.post("/threshold/0", &format!("value=8&reason=x&keep=trial&parts={parts}"));
        assert_eq!((refused.status, on.line.threshold(CameraId(0))), (422, 10.0), "{parts}");
        assert!(refused.body.contains("a trial has 1 to 100000 parts"), "{}", refused.body);
    }
    assert_eq!(quinn.post("/threshold/0", "value=8&reason=x&keep=trial&parts=3").status, 303);
    assert_eq!(on.line.threshold(CameraId(0)), 8.0);
    let again = quinn.post("/threshold/0", "value=7&reason=x&keep=trial&parts=3");
    assert_eq!((again.status, on.line.threshold(CameraId(0))), (409, 8.0));
    for (seq, score) in [(1, 9.0), (2, 5.0)] {
        judged(&mut on, seq, score);
    }
    until("two parts on the page", || ana.get("/threshold").body.contains("<b>2</b> / 3"));
    assert!(ana.get("/").body.contains("Threshold on trial"), "who stands at the line sees it");
    assert!(!ana.get("/threshold").body.contains("/threshold/0/end"));
    judged(&mut on, 3, 12.0);
    until("the threshold from before", || on.line.threshold(CameraId(0)) == 10.0);
    until("its end on the page", || quinn.get("/threshold").body.contains("The threshold was on trial"));
    assert!(!quinn.get("/").body.contains("Threshold on trial"));
    until("its end in the audit", || {
        quinn.get("/audit.csv").body.contains("10: 3 of 3 parts judged, 2 rejected, 1 otherwise than before")
    });
    assert_eq!(quinn.post("/threshold/0/end", "").status, 409, "none runs");
}

#[test]
fn a_trial_is_ended_by_hand_and_what_is_set_meanwhile_stays() {
    let mut on = start();
    on.accounts.add_user("quinn", Role::Quality, "long enough").unwrap();
    let mut quinn = Client::of(&on);
    quinn.post("/login", "name=quinn&password=long+enough");
    let trial = "value=8&reason=x&keep=trial&parts=2";
    quinn.post("/threshold/0", trial);
    assert_eq!(quinn.post("/threshold/0/end", "").status, 303);
    assert_eq!(on.line.threshold(CameraId(0)), 10.0);

    quinn.post("/threshold/0", trial);
    assert_eq!(quinn.post("/threshold/0", "value=9&reason=better").status, 303);
    assert!(quinn.get("/threshold").body.contains("another threshold was set meanwhile"));
    for seq in 1..5 {
        judged(&mut on, seq, 12.0);
    }
    until("four parts", || on.board.snapshot().cameras[0].last.as_ref().is_some_and(|last| last.verdict.seq.0 == 4));
    assert_eq!(on.line.threshold(CameraId(0)), 9.0);

    // By a way that is no act, as when a model with a threshold of its own takes over.
    quinn.post("/threshold/0", trial);
    *on.line.0.lock().unwrap() = 9.5;
    assert_eq!(quinn.post("/threshold/0/end", "").status, 303);
    assert_eq!(on.line.threshold(CameraId(0)), 9.5);
    assert_eq!(quinn.post("/threshold/7/end", "").status, 404);
}
