//! Scores against thresholds that were not in force, the order of the queue, kinds of defect: each against the rows themselves.

use super::*;
use andon_core::{Outcome, Threshold, judge};

#[test]
fn every_threshold_rejects_as_many_stored_scores_as_the_judge_would() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(8640));
    let (reviews, history) = (Reviews::new(&path), History::new(&path, utc()));
    for n in (7..1000).step_by(50) {
        let verdict = if n % 3 == 0 { ReviewVerdict::Good } else { ReviewVerdict::Bad };
        let expected = Expected::Nothing;
        let (defect, comment, user) = (None, None, "ann".to_owned());
        reviews.add(&NewReview { part: id("top", n), verdict, defect, comment, user, expected }).unwrap();
    }
    let filter = parse(&[("from", "2024-11-25T00:00:00Z"), ("camera", "top"), ("model", "012345")]);
    let mut rows: Vec<PartRow> = Vec::new();
    let mut next = Filter { limit: Some(1000), ..filter.clone() };
    loop {
        let page = history.query(&next).unwrap();
        rows.extend(page.rows);
        let Some(after) = page.next else { break };
        next.after = Some(after);
    }
    rows.retain(|row| row.score.is_some());
    // Some are scores that parts have, to the bit.
    let mut thresholds: Vec<f32> = (1..=30).map(|n| n as f32).collect();
    thresholds.extend(rows.iter().step_by(977).filter_map(|row| row.score));
    thresholds.sort_by(f32::total_cmp);
    let spread = history.spread(&filter, &thresholds).unwrap();
    assert_eq!((spread.all.total(), spread.all.bad + spread.all.good), (rows.len() as u64, 20));
    assert_eq!(spread.shifts, 4, "the end of a night, an early and a late one, and the begin of a night");
    for (threshold, counted) in thresholds.iter().zip(&spread.rejected) {
        let limit = Threshold::new(*threshold).unwrap();
        let rejected = |row: &&PartRow| judge(Ok(row.score.unwrap()), limit).outcome == Outcome::Reject;
        let of =
            |states: &[ReviewState]| rows.iter().filter(|r| states.contains(&r.review)).filter(rejected).count() as u64;
        let expected = ReviewCounts {
            bad: of(&[ReviewState::Bad]),
            good: of(&[ReviewState::Good]),
            unknown: of(&[ReviewState::None, ReviewState::Unsure]),
        };
        assert_eq!(*counted, expected, "at {threshold}");
    }
    let (low, high) = (rows[100].score.unwrap(), 10.0);
    let between = history.between(&Filter { limit: Some(1000), ..filter.clone() }, low, high).unwrap();
    let mut expected: Vec<f32> = rows.iter().filter_map(|r| r.score).filter(|s| (low..high).contains(s)).collect();
    expected.sort_by(|a, b| b.total_cmp(a));
    expected.truncate(1000);
    assert_eq!(between.iter().filter_map(|r| r.score).collect::<Vec<_>>(), expected);
    assert!(history.spread(&filter, &[2.0, 1.0]).is_err() && history.spread(&filter, &[f32::NAN, 1.0]).is_err());
}

#[test]
fn the_queue_goes_both_ways_and_kinds_of_defect_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(500));
    let (reviews, history) = (Reviews::new(&path), History::new(&path, utc()));
    let queue = |order| history.queue(QueueKind::NotPassed, &parse(&[("order", order)]), 10).unwrap();
    let mut newest = queue("newest");
    newest.reverse();
    assert!(newest.len() > 5);
    assert_eq!(newest, queue("oldest"));
    for (n, defect) in [(7, "scratch, deep"), (57, "dent"), (107, "dent")] {
        let review = NewReview {
            part: id("top", n),
            verdict: ReviewVerdict::Bad,
            defect: Some(defect.into()),
            comment: None,
            user: "ann".into(),
            expected: Expected::Nothing,
        };
        reviews.add(&review).unwrap();
    }
    assert_eq!(history.defects().unwrap(), ["dent", "scratch, deep"], "the usual one first");
    let seqs = |filter: &Filter| history.query(filter).unwrap().rows.iter().map(|r| r.seq).collect::<Vec<_>>();
    assert_eq!(seqs(&parse(&[("defect", "dent")])), [107, 57]);
    assert_eq!(
        seqs(&Filter { defects: vec!["scratch, deep".into(), "dent".into()], ..Filter::default() }),
        [107, 57, 7]
    );
    let unknown = history.query(&parse(&[("defect", "crack")])).unwrap_err().to_string();
    assert!(unknown.contains("defect=crack: not in the history, which has dent, scratch, deep"), "{unknown}");
}
