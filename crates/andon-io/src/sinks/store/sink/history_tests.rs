//! The history behind the sink: what its thread writes, over restarts and sweeps, and while a file of an earlier version is brought up to
//! date.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::history::{
    Expected, Filter, History, NewReview, OutcomeKind, Period, ReviewVerdict, Reviews, ShiftCalendar,
};
use crate::sinks::wire::StationInfo;
use andon_core::{
    CameraId, CameraVerdict, Ejection, EventKind, LineEvent, ModelTag, Reason, Seq, StageTimes, Threshold, judge,
};

fn names() -> StationInfo {
    StationInfo {
        site: "s".into(),
        line: "l".into(),
        station: "st".into(),
        cameras: vec!["top".into()],
        lanes: vec!["belt".into()],
        ejectors: vec![vec!["jet".into()]],
        boot: ulid::Ulid::generate(),
        ..StationInfo::default()
    }
}

fn verdict(n: u64, score: f32) -> Record {
    let now = Mono::now();
    let judged = judge(Ok(score), Threshold::new(10.0).unwrap());
    Record::Verdict(CameraVerdict {
        camera: CameraId(0),
        seq: Seq(n),
        source_index: None,
        t_trigger: now,
        trigger_id: None,
        encoder: None,
        outcome: judged.outcome,
        reason: if score < 10.0 { Reason::UnderThreshold } else { Reason::OverThreshold },
        score: judged.score,
        threshold: 10.0,
        regions: Default::default(),
        t_capture: now,
        t_verdict: now,
        deadline: now + Duration::from_millis(100),
        queue_ns: 1,
        times: StageTimes::default(),
        model: Arc::new(ModelTag {
            name: "m".into(),
            blake3: "0123456789abcdef01".into(),
            engine: "rten".into(),
            threshold: 10.0,
            baseline: 0.0,
            picture_size: [0; 2],
            sources: Vec::new(),
            recipe: None,
        }),
        degraded: false,
    })
}

fn options(path: &Path, max_rows: u64) -> StoreOptions {
    StoreOptions { path: path.to_owned(), max_rows, max_bytes: 1 << 30 }
}

fn sums(path: &Path) -> [u64; 4] {
    let rows = History::new(path, ShiftCalendar::default()).counters(Period::Hour, &Filter::default()).unwrap();
    let mut sums = [0; 4];
    for row in rows {
        let camera = if row.camera.is_some() { [row.pass, row.reject] } else { [0, 0] };
        [camera[0], camera[1], row.ejected, row.missed].iter().enumerate().for_each(|(n, count)| sums[n] += count);
    }
    sums
}

#[test]
fn counters_are_right_after_a_restart_and_a_sweep_and_a_reviewed_part_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    for start in 0..3 {
        let mut store = StoreSink::start(options(&path, 1_000_000), names()).unwrap();
        for n in 0..100 {
            assert_eq!(store.offer(&verdict(n, if n % 10 == 0 { 12.0 } else { 5.0 })), Accepted::Taken);
        }
        let at = Mono::now();
        let ejection = Ejection { ejector: 0, seq: Seq(10), on: at, off: at, late_ns: 0, late_off_ns: 0 };
        assert_eq!(store.offer(&Record::Ejection(0, ejection)), Accepted::Taken);
        let missed = LineEvent { times: 2, ..LineEvent::new(EventKind::MissedEjection, at) };
        assert_eq!(store.offer(&Record::Event(0, missed)), Accepted::Taken);
        store.close();
        let so_far = start + 1;
        assert_eq!(sums(&path), [90 * so_far, 10 * so_far, so_far, 2 * so_far]);
    }
    let history = History::new(&path, ShiftCalendar::default());
    let oldest = Filter::parse([("order", "oldest"), ("limit", "1")], history.calendar()).unwrap();
    let first = history.query(&oldest).unwrap().rows[0].clone();
    assert_eq!((first.outcome, first.score, first.lane.as_str()), (OutcomeKind::Reject, Some(12.0), "belt"));
    let review = NewReview {
        part: first.id.clone(),
        verdict: ReviewVerdict::Bad,
        defect: None,
        comment: None,
        user: "ann".into(),
        expected: Expected::Nothing,
    };
    Reviews::new(&path).add(&review).unwrap();
    let connection = open(&path).unwrap();
    sweep(&connection, &options(&path, 50), &Delivery::default()).unwrap();
    let left: i64 = connection.query_row("SELECT count(*) FROM record", [], |r| r.get(0)).unwrap();
    assert_eq!((left, sums(&path)), (50, [270, 30, 3, 6]));
    let all = history.query(&Filter::default()).unwrap().rows;
    assert_eq!((all.len(), all.last().unwrap().id.as_str()), (49, first.id.as_str()), "48 of the last 50 rows, and it");
    let part = history.part(&first.id).unwrap().unwrap();
    assert!(part.verdict.is_none() && part.reviews.len() == 1);
}

#[test]
fn many_rows_are_removed_some_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let connection = open(&path).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             INSERT INTO record (key, kind, pass, json) SELECT 'k', 'event', 0, '{}' FROM n",
        )
        .unwrap();
    let (mut turns, keep) = (0, options(&path, 1000));
    while sweep(&connection, &keep, &Delivery::default()).unwrap().is_more {
        turns += 1;
        let left: i64 = connection.query_row("SELECT count(*) FROM record", [], |r| r.get(0)).unwrap();
        assert_eq!(left, 20_000 - 5000 * turns);
    }
    assert_eq!(turns, 3);
}

#[test]
fn the_line_writes_on_while_a_file_of_an_earlier_version_gets_its_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let station = names();
    // What the earlier version left: rows without columns.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE record (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL, pass INTEGER NOT NULL,
                 json BLOB NOT NULL); BEGIN",
        )
        .unwrap();
    for n in 0..5000 {
        let (_, json) = wire::json(&station, &verdict(n, 5.0)).unwrap();
        connection
            .execute("INSERT INTO record (key, kind, pass, json) VALUES ('k', 'verdict', 1, ?1)", [json])
            .unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    drop(connection);
    let mut store = StoreSink::start(options(&path, 1_000_000), station).unwrap();
    let history = History::new(&path, ShiftCalendar::default());
    let until = Mono::now() + Duration::from_secs(30);
    let mut offered = 0;
    while history.query(&Filter::default()).unwrap().without_columns > 0 && Mono::now() < until {
        assert_eq!(store.offer(&verdict(5000 + offered, 12.0)), Accepted::Taken);
        offered += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    store.close();
    assert_eq!(store.lost(), 0);
    assert_eq!(sums(&path), [5000, offered, 0, 0]);
    assert!(offered > 0);
}
