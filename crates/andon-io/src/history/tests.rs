//! Files of version 0 made of SQL text as that version wrote it, and files of this version, asked in every way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::backfill;
use super::*;

mod measure;
mod spread;

/// The tables as version 0 makes them.
const EARLIER: &str = "
    CREATE TABLE record (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL, pass INTEGER NOT NULL, json BLOB NOT NULL);
    CREATE TABLE cursor (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
    CREATE TABLE way (name TEXT PRIMARY KEY, kinds TEXT NOT NULL, rejects_only INTEGER NOT NULL);
    CREATE TABLE refused (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, record INTEGER NOT NULL, bytes INTEGER NOT NULL,
        why TEXT NOT NULL, at TEXT NOT NULL);";
const BOOT: &str = "01KARBOOT00000000000000000";

fn monday() -> i64 {
    "2024-11-25T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn utc() -> ShiftCalendar {
    let starts = [("early", "06:00"), ("late", "14:00"), ("night", "22:00")];
    let starts = starts.map(|(n, t)| (n.to_owned(), t.to_owned())).into();
    ShiftsConfig { time_zone: Some("UTC".into()), starts, ..ShiftsConfig::default() }.check(&mut Vec::new())
}

fn time(t: i64) -> String {
    format!("{:.6}", jiff::Timestamp::from_millisecond(t).unwrap())
}

/// A row of `record`: kind, whether it passed, JSON as the wire has it.
type RecordRow = (&'static str, bool, String);

/// The id of the verdict number `n` of a camera.
fn id(camera: &str, n: u64) -> String {
    format!("01KAR{:>4}{n:017}", camera.to_uppercase().replace(' ', "0")).replace(' ', "0")
}

/// A verdict at a ratio of the threshold 10; without one it is UNINSPECTED.
fn verdict(camera: &str, n: u64, t: i64, ratio: Option<f32>) -> RecordRow {
    let (result, reason) = match ratio {
        Some(r) if r < 1.0 => ("PASS", "under_threshold"),
        Some(_) => ("REJECT", "over_threshold"),
        None => ("UNINSPECTED", "late"),
    };
    let number = |r: Option<f32>| r.map_or("null".to_owned(), |r| r.to_string());
    let json = format!(
        "{{\"schema\":\"andon.verdict.v1\",\"id\":\"{}\",\"boot\":\"{BOOT}\",\"site\":\"s\",\"line\":\"l\",\"station\":\"st\",\"box\":\"b\",\
         \"seq\":{n},\"camera\":\"{camera}\",\"source_index\":{n},\"t_capture\":\"{}\",\"t_capture_mono_ns\":5023456789012,\
         \"t_trigger_mono_ns\":5023431789012,\"trigger_id\":null,\"encoder\":null,\"t_result\":\"{}\",\"result\":\"{result}\",\
         \"reason\":\"{reason}\",\"score\":{},\"threshold\":10.0,\"threshold_overridden\":false,\"margin\":{},\"regions\":[],\"regions_total\":0,\
         \"model\":{{\"name\":\"flange\",\"blake3\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"engine\":\"ort\"}},\
         \"latency_ms\":{{\"queue\":0.21,\"preprocess\":0.4,\"infer\":8.1,\"aggregate\":0.5,\"score\":8.2,\"total\":17.9}},\
         \"deadline_ms\":250.0,\"deadline_met\":true,\"simulated\":false,\"degraded\":false}}",
        id(camera, n),
        time(t),
        time(t + 18),
        number(ratio.map(|r| r * 10.0)),
        number(ratio),
    );
    ("verdict", result == "PASS", json)
}

fn head(schema: &str, id: &str) -> String {
    format!(
        "\"schema\":\"{schema}\",\"id\":\"{id}\",\"boot\":\"{BOOT}\",\"site\":\"s\",\"line\":\"l\",\"station\":\"st\",\"box\":\"b\""
    )
}

fn part(lane: &str, n: u64, t: i64, result: &str) -> RecordRow {
    let head = head("andon.part.v1", &format!("01KARPART{n:017}"));
    let json = format!(
        "{{{head},\"lane\":\"{lane}\",\"seq\":{n},\"t_trigger\":\"{}\",\"t_trigger_mono_ns\":1,\"trigger_id\":null,\"ticks\":5,\
         \"result\":\"{result}\",\"reason\":\"x\",\"t_result\":\"{}\",\"margin_ms\":3.5}}",
        time(t),
        time(t + 18)
    );
    ("part", result == "PASS", json)
}

fn eject(lane: &str, n: u64, t: i64) -> RecordRow {
    let head = head("andon.eject.v1", &format!("01KAREJCT{n:017}"));
    let json = format!(
        "{{{head},\"lane\":\"{lane}\",\"ejector\":\"jet\",\"seq\":{n},\"t_on\":\"{}\",\"t_on_mono_ns\":1,\"on_ms\":5.0,\"late_ms\":0.0,\
         \"late_off_ms\":0.0}}",
        time(t)
    );
    ("eject", false, json)
}

fn missed(lane: &str, n: u64, t: i64, times: u64) -> RecordRow {
    let head = head("andon.event.v1", &format!("01KAREVNT{n:017}"));
    let json = format!(
        "{{{head},\"lane\":\"{lane}\",\"event\":\"missed_ejection\",\"t\":\"{}\",\"t_mono_ns\":1,\"ejector\":\"jet\",\"seq\":{n},\
         \"times\":{times},\"text\":\"part {n} went past\"}}",
        time(t)
    );
    ("event", false, json)
}

/// A day's records of one camera on one belt, one part in ten seconds: 2 % rejects, some not inspected.
fn day(parts: u64) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    for n in 0..parts {
        let t = monday() + n as i64 * 10_000;
        let ratio = match n % 50 {
            7 => Some(1.0 + (n % 13) as f32 / 10.0),
            31 if n % 100 == 31 => None,
            _ => Some(0.3 + (n * 7919 % 1000) as f32 / 1500.0),
        };
        rows.push(verdict("top", n, t, ratio));
        let result = if ratio.is_some_and(|r| r < 1.0) { "PASS" } else { "REJECT" };
        rows.push(part("belt", n, t - 15, result));
        match (result, n % 3) {
            ("REJECT", 0) => rows.push(missed("belt", n, t + 500, 1)),
            ("REJECT", _) => rows.push(eject("belt", n, t + 500)),
            _ => {}
        }
    }
    rows
}

fn earlier_file(dir: &Path, rows: &[RecordRow]) -> PathBuf {
    let path = dir.join("earlier.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(EARLIER).unwrap();
    add_as_earlier(&connection, rows);
    path
}

fn add_as_earlier(connection: &Connection, rows: &[RecordRow]) {
    connection.execute_batch("BEGIN").unwrap();
    let mut statement =
        connection.prepare("INSERT INTO record (key, kind, pass, json) VALUES (?1, ?2, ?3, ?4)").unwrap();
    for (kind, pass, json) in rows {
        statement.execute(params![format!("andon/s/l/st/x/{kind}"), kind, pass, json.as_bytes()]).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// What the `store` thread does with a batch of rows.
fn add(connection: &mut Connection, columns: &mut Columns, rows: &[RecordRow]) {
    let transaction = connection.transaction().unwrap();
    columns.begin(&transaction).unwrap();
    let mut last = None;
    for (kind, pass, json) in rows {
        let sql = "INSERT INTO record (key, kind, pass, json) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = transaction.prepare_cached(sql).unwrap();
        statement.execute(params![format!("andon/s/l/st/x/{kind}"), kind, pass, json.as_bytes()]).unwrap();
        let record = transaction.last_insert_rowid();
        columns.add(&transaction, record, kind, json.as_bytes()).unwrap();
        last = Some(record);
    }
    columns.finish(&transaction, last).unwrap();
    transaction.commit().unwrap();
}

fn file(dir: &Path, rows: &[RecordRow]) -> PathBuf {
    let path = dir.join("h.db");
    let mut connection = open(&path).unwrap();
    let mut columns = Columns::new(utc(), vec!["belt".into()]);
    for batch in rows.chunks(500) {
        add(&mut connection, &mut columns, batch);
    }
    assert_eq!(columns.not_understood(), 0);
    path
}

fn parse(pairs: &[(&str, &str)]) -> Filter {
    Filter::parse(pairs.iter().copied(), &utc()).unwrap()
}

/// Everything that the history answers about a file, to compare two.
fn everything(path: &Path) -> serde_json::Value {
    let history = History::new(path, utc());
    let mut rows = Vec::new();
    let mut filter = parse(&[("limit", "1000"), ("order", "oldest")]);
    loop {
        let page = history.query(&filter).unwrap();
        assert_eq!(page.without_columns, 0);
        rows.extend(page.rows);
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    let all = parse(&[("limit", "1000")]);
    let counters = [Period::Hour, Period::Shift, Period::Batch].map(|p| history.counters(p, &all).unwrap());
    serde_json::json!({
        "rows": rows, "counters": counters, "histogram": history.histogram(&all, 5).unwrap(),
        "trend": history.trend(&all, 1).unwrap(), "events": history.events(&all).unwrap().rows,
    })
}

fn sums(history: &History, period: Period, camera: Option<&str>) -> [u64; 7] {
    let rows = history.counters(period, &parse(&[("limit", "1000")])).unwrap();
    let mut sums = [0; 7];
    for row in rows.iter().filter(|r| r.camera.as_deref() == camera) {
        assert_eq!(row.offered, row.pass + row.reject + row.uninspected + row.error);
        let all = [row.offered, row.pass, row.reject, row.uninspected, row.error, row.ejected, row.missed];
        sums.iter_mut().zip(all).for_each(|(sum, n)| *sum += n);
    }
    sums
}

#[test]
fn a_file_of_the_earlier_version_gives_the_same_answers_as_one_of_this() {
    let dir = tempfile::tempdir().unwrap();
    let rows = day(2345);
    let (old, new) = (earlier_file(dir.path(), &rows), file(dir.path(), &rows));
    let refused = History::new(&old, utc()).query(&Filter::default()).unwrap_err().to_string();
    assert!(refused.contains("earlier version") && refused.contains("andon history migrate"), "{refused}");
    let mut seen = Vec::new();
    migrate(&old, utc(), |waiting| {
        seen.push(waiting);
        true
    })
    .unwrap();
    assert_eq!(seen.first(), Some(&(rows.len() as u64)));
    assert_eq!(everything(&old), everything(&new));
    let again = migrate(&old, utc(), |waiting| {
        assert_eq!(waiting, 0);
        true
    });
    again.unwrap();
}

#[test]
fn a_migration_that_is_killed_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let rows = day(1500);
    let (old, new) = (earlier_file(dir.path(), &rows), file(dir.path(), &rows));
    for kill in 0..40 {
        let mut connection = open(&old).unwrap();
        let mut columns = Columns::new(utc(), Vec::new());
        let goes_on = slice(&mut connection, &mut columns, 100).unwrap();
        // The next slice is cut off in its middle, as by a kill: nothing of it was committed.
        connection.execute_batch("BEGIN IMMEDIATE; INSERT INTO counter VALUES (0, 0, 'half', 0, 0, 0, 9, 9, 9, 9, 9, 9); DELETE FROM backfill;").unwrap();
        drop(connection);
        if !goes_on {
            assert!(kill > 10);
            assert_eq!(everything(&old), everything(&new));
            return;
        }
        let page = History::new(&old, utc()).query(&Filter::default()).unwrap();
        assert_eq!(page.without_columns, rows.len() as u64 - 100 * (kill + 1), "what is missing is said");
        assert_eq!(page.rows[0].seq, 1499, "the newest rows come first");
    }
    panic!("it never ended");
}

#[test]
fn rows_that_an_earlier_program_wrote_meanwhile_get_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let rows = day(300);
    let path = file(dir.path(), &rows[..400]);
    add_as_earlier(&Connection::open(&path).unwrap(), &rows[400..]);
    migrate(&path, utc(), |_| true).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(everything(&path), everything(&file(dir.path(), &rows)));
}

#[test]
fn a_file_of_a_newer_version_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(3));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    for said in [
        open(&path).unwrap_err().to_string(),
        History::new(&path, utc()).query(&Filter::default()).unwrap_err().to_string(),
        Reviews::new(&path).start_batch("b", "ann").unwrap_err().to_string(),
    ] {
        assert!(
            said.contains("version 2") && said.contains("up to 1") && said.contains("use the andon that wrote it"),
            "{said}"
        );
    }
}

#[test]
fn counters_add_up_by_hour_shift_and_batch_and_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rows = day(8640);
    let path = file(dir.path(), &rows[..7000]);
    let batch = Reviews::new(&path).start_batch("order 7", "ann").unwrap();
    let late = batch.at + 1000;
    let mut connection = open(&path).unwrap();
    let mut columns = Columns::new(utc(), vec!["belt".into()]);
    rows[7000..].chunks(300).for_each(|batch| add(&mut connection, &mut columns, batch));
    add(&mut connection, &mut columns, &[verdict("top", 9000, late, Some(0.5)), missed("belt", 9001, late, 4)]);
    let history = History::new(&path, utc());
    let of_rows = |pick: &dyn Fn(&RecordRow) -> bool| rows.iter().filter(|r| pick(r)).count() as u64;
    let with = |kind: &'static str, text: &'static str| of_rows(&move |r| r.0 == kind && r.2.contains(text));
    let camera = [
        8641,
        1 + with("verdict", "\"PASS\""),
        with("verdict", "\"REJECT\""),
        with("verdict", "\"UNINSPECTED\""),
        0,
        0,
        0,
    ];
    let (ejected, past) = (with("eject", ""), with("event", ""));
    assert!(ejected > 50 && past > 20);
    for period in [Period::Hour, Period::Shift] {
        assert_eq!(sums(&history, period, Some("top")), camera, "{period:?}");
        let lane = sums(&history, period, None);
        assert_eq!((lane[0], lane[5], lane[6]), (8640, ejected, past + 4));
    }
    assert_eq!(sums(&history, Period::Batch, Some("top"))[..2], [1, 1], "what came before belongs to no batch");
    let batches = history.counters(Period::Batch, &Filter::default()).unwrap();
    assert!(batches.iter().all(|b| b.label == "order 7" && b.start == batch.at));
    let shifts = history.counters(
        Period::Shift,
        &parse(&[("from", "2024-11-25T06:00Z"), ("to", "2024-11-25T13:00Z"), ("camera", "top")]),
    );
    let shifts = shifts.unwrap();
    assert_eq!((shifts.len(), shifts[0].label.as_str(), shifts[0].offered), (1, "early", 2880));
}

#[test]
fn every_row_comes_once_while_others_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(1000));
    let mut connection = open(&path).unwrap();
    let mut columns = Columns::new(utc(), vec!["belt".into()]);
    let history = History::new(&path, utc());
    for (order, camera) in [("newest", None), ("oldest", None), ("newest", Some("top"))] {
        let mut pairs = vec![("limit", "37"), ("order", order), ("to", "2024-12-05")];
        pairs.extend(camera.map(|c| ("camera", c)));
        let mut filter = parse(&pairs);
        let mut seen = std::collections::HashSet::new();
        for turn in 0.. {
            let page = history.query(&filter).unwrap();
            let sorted =
                page.rows.windows(2).all(|w| if order == "newest" { w[0].t >= w[1].t } else { w[0].t <= w[1].t });
            assert!(sorted && page.rows.len() <= 37);
            for row in &page.rows {
                assert!(seen.insert(row.id.clone()), "{} twice", row.id);
            }
            // Some now, and some at the very time at which the page ended.
            let (n, end) = (100_000 + seen.len() as u64, page.rows.last().map_or(0, |r| r.t));
            let camera = format!("c{order}{turn}{}", camera.is_some());
            add(
                &mut connection,
                &mut columns,
                &[verdict(&camera, n, end, Some(0.4)), verdict(&camera, n + 1, monday() + 9 * 86_400_000, None)],
            );
            filter.after = page.next;
            if filter.after.is_none() {
                break;
            }
        }
        let known = (0..1000).filter(|n| seen.contains(&id("top", *n))).count();
        assert_eq!(known, 1000, "{order}");
    }
}

#[test]
fn filters_find_what_counting_by_hand_finds() {
    let dir = tempfile::tempdir().unwrap();
    let rows = day(3000);
    let path = file(dir.path(), &rows);
    let history = History::new(&path, utc());
    let all = {
        let mut all = Vec::new();
        let mut filter = parse(&[("limit", "1000")]);
        loop {
            let page = history.query(&filter).unwrap();
            all.extend(page.rows);
            filter.after = page.next;
            if filter.after.is_none() {
                break all;
            }
        }
    };
    assert_eq!(all.len(), 3000);
    type Pick = fn(&PartRow) -> bool;
    let cases: [(&[(&str, &str)], Pick); 8] = [
        (&[("outcome", "reject")], |r| r.outcome == OutcomeKind::Reject),
        (&[("outcome", "reject,uninspected"), ("seq", "500..1500")], |r| {
            r.outcome != OutcomeKind::Pass && (500..=1500).contains(&r.seq)
        }),
        (&[("reason", "late")], |r| r.reason == "late"),
        (&[("ratio", "0.9..")], |r| r.ratio.is_some_and(|x| x >= 0.9)),
        (&[("score", "5..5.5"), ("camera", "top")], |r| r.score.is_some_and(|x| (5.0..=5.5).contains(&x))),
        (&[("seq", "17")], |r| r.seq == 17),
        (&[("model", "01234567"), ("from", "2024-11-25T01:00Z"), ("to", "2024-11-25T02:00Z")], |r| {
            (monday() + 3_600_000..monday() + 7_200_000).contains(&r.t)
        }),
        (&[("lane", "belt"), ("boot", BOOT), ("review", "none"), ("outcome", "pass"), ("ratio", "..0.35")], |r| {
            r.ratio.is_some_and(|x| x <= 0.35)
        }),
    ];
    for (pairs, pick) in cases {
        let page = history.query(&Filter { limit: Some(1000), ..parse(pairs) }).unwrap();
        let by_hand: Vec<&PartRow> = all.iter().filter(|r| pick(r)).collect();
        assert!(!by_hand.is_empty() && by_hand.len() < 1000, "{pairs:?} {}", by_hand.len());
        assert_eq!(page.rows.iter().collect::<Vec<_>>(), by_hand, "{pairs:?}");
    }
    let whole = history.histogram(&Filter::default(), 5).unwrap();
    let by_rows = history.histogram(&parse(&[("seq", "0..")]), 5).unwrap();
    assert!(whole.from_counts && !by_rows.from_counts);
    assert_eq!((&whole.bins, whole.without_score), (&by_rows.bins, by_rows.without_score));
    let in_bins: u64 = whole.bins.iter().map(|b| b.pass + b.not_passed).sum();
    assert_eq!(in_bins + whole.without_score.not_passed, 3000);
    let trend = history.trend(&Filter::default(), 6).unwrap();
    assert_eq!((trend.len(), trend[0].offered, trend[0].start), (9, 360, monday()));
    let mut passes: Vec<f32> = all
        .iter()
        .filter(|r| r.t < monday() + 3_600_000 && r.outcome == OutcomeKind::Pass)
        .filter_map(|r| r.ratio)
        .collect();
    passes.sort_by(f32::total_cmp);
    let median = f64::from(passes[passes.len().div_ceil(2) - 1]);
    assert!((trend[0].ratio_p50.unwrap() - median).abs() <= 0.006, "{median} {:?}", trend[0]);
}

#[test]
fn everything_about_a_part_is_found_by_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = day(500);
    rows.push(verdict("side", 7, monday() + 70_003, Some(0.5)));
    let history = History::new(&file(dir.path(), &rows), utc());
    let part = history.part(&id("top", 7)).unwrap().unwrap();
    assert_eq!(
        (part.row.seq, part.row.outcome, part.verdict.as_ref().unwrap()["seq"].as_u64()),
        (7, OutcomeKind::Reject, Some(7))
    );
    assert_eq!(part.others.iter().map(|o| o.camera.as_str()).collect::<Vec<_>>(), ["side"]);
    assert_eq!(
        (part.part.unwrap()["result"].as_str(), part.ejections.len(), part.events.len()),
        (Some("REJECT"), 1, 0)
    );
    let past = history.part(&id("top", 57)).unwrap().unwrap();
    assert_eq!((past.ejections.len(), past.events.len()), (0, 1));
    assert!(history.part("01KARNOBODY").unwrap().is_none());
    let events =
        history.events(&parse(&[("kind", "event,eject"), ("limit", "3"), ("what", "missed_ejection,jet")])).unwrap();
    assert_eq!((events.rows.len(), events.next.is_some()), (3, true));
    assert!(events.rows.windows(2).all(|w| w[0].t >= w[1].t));
}

#[test]
fn of_two_reviewers_the_second_learns_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(200));
    let (reviews, history) = (Reviews::new(&path), History::new(&path, utc()));
    let say = |verdict, user: &str, expected| {
        reviews.add(&NewReview {
            part: id("top", 7),
            verdict,
            defect: Some("scratch".into()),
            comment: None,
            user: user.into(),
            expected,
        })
    };
    let first = say(ReviewVerdict::Bad, "ann", Expected::Nothing).unwrap();
    let conflict = say(ReviewVerdict::Good, "bob", Expected::Nothing).unwrap_err();
    assert!(matches!(&conflict, ReviewError::Conflict { current: Some(c), .. } if **c == first), "{conflict}");
    assert!(conflict.to_string().contains("by ann meanwhile"));
    assert_eq!(
        history.part(&id("top", 7)).unwrap().unwrap().reviews,
        std::slice::from_ref(&first),
        "nothing was written"
    );
    let second = say(ReviewVerdict::Good, "bob", Expected::Review(first.id)).unwrap();
    let third = say(ReviewVerdict::Unsure, "cid", Expected::Anything).unwrap();
    assert_eq!((second.previous, third.previous), (Some(first.id), Some(second.id)));
    assert_eq!(history.query(&parse(&[("review", "unsure")])).unwrap().rows[0].review_id, Some(third.id));
    let undone = say(ReviewVerdict::Withdrawn, "cid", Expected::Review(third.id)).unwrap();
    let part = history.part(&id("top", 7)).unwrap().unwrap();
    assert_eq!(
        (part.row.review, part.row.review_id, part.reviews.len()),
        (ReviewState::None, Some(undone.id), 4),
        "all are kept"
    );
    assert!(matches!(say(ReviewVerdict::Withdrawn, "cid", Expected::Anything), Err(ReviewError::NothingToWithdraw(_))));
    let gone = NewReview {
        part: "01KARNOBODY".into(),
        verdict: ReviewVerdict::Bad,
        defect: None,
        comment: None,
        user: "ann".into(),
        expected: Expected::Anything,
    };
    assert!(matches!(reviews.add(&gone), Err(ReviewError::NoSuchPart(_))));
    let hostile = NewReview { part: id("top", 1), user: "a\x1b[2J".into(), ..gone };
    assert!(matches!(reviews.add(&hostile), Err(ReviewError::Text { field: "user", .. })));
    let connection = Connection::open(&path).unwrap();
    for sql in ["DELETE FROM review", "UPDATE review SET verdict = 2"] {
        assert!(connection.execute(sql, []).unwrap_err().to_string().contains("only added"));
    }
    assert_eq!(
        history.reviews(None, 10).unwrap().iter().map(|r| r.id).collect::<Vec<_>>(),
        [undone.id, third.id, second.id, first.id]
    );
}

#[test]
fn the_queue_and_what_reviews_say_agree_with_counting_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(8640));
    let (reviews, history) = (Reviews::new(&path), History::new(&path, utc()));
    let all = Filter { limit: Some(1000), ..Filter::default() };
    let counts = history.queue_counts(&Filter::default(), 50).unwrap();
    let queue = |kind| history.queue(kind, &all, 50).unwrap();
    let (rejects, near, samples) = (queue(QueueKind::NotPassed), queue(QueueKind::NearMiss), queue(QueueKind::Sample));
    assert_eq!((counts.not_passed, counts.samples), (rejects.len() as u64, samples.len() as u64));
    assert!(counts.near_misses >= 1000 && near.iter().all(|q| q.row.ratio.is_some_and(|r| (0.85..1.0).contains(&r))));
    assert!(samples.iter().all(|q| q.row.seq % 50 == 0 && q.row.ratio.is_some_and(|r| r < 0.85)));
    assert!(history.queue(QueueKind::Sample, &all, 7).unwrap_err().to_string().contains("a multiple of 10"));
    let say = |row: &PartRow, verdict, defect: Option<&str>| {
        let (part, user) = (row.id.clone(), "ann".to_owned());
        reviews
            .add(&NewReview {
                part,
                verdict,
                defect: defect.map(str::to_owned),
                comment: None,
                user,
                expected: Expected::Nothing,
            })
            .unwrap();
    };
    let judged: Vec<&PartRow> =
        rejects.iter().map(|q| &q.row).filter(|r| r.outcome == OutcomeKind::Reject).take(20).collect();
    judged[..5].iter().for_each(|r| say(r, ReviewVerdict::Good, None));
    judged[5..].iter().for_each(|r| say(r, ReviewVerdict::Bad, Some("scratch")));
    near[..10].iter().for_each(|q| say(&q.row, ReviewVerdict::Good, None));
    say(&near[10].row, ReviewVerdict::Bad, Some("scratch"));
    say(&near[11].row, ReviewVerdict::Unsure, None);
    let after = history.queue_counts(&Filter::default(), 50).unwrap();
    assert_eq!(
        (after.not_passed, after.near_misses, after.samples),
        (counts.not_passed - 20, counts.near_misses - 12, counts.samples)
    );
    let results = history.review_results(&Filter::default()).unwrap();
    assert_eq!(results.all.false_rejects, Some(andon_core::wilson(5, 20)));
    assert_eq!((results.all.misses, results.all.unsure), (Some(andon_core::wilson(1, 11)), 1));
    assert_eq!(results.by_defect.len(), 1);
    assert_eq!(
        (results.by_defect[0].group.as_str(), results.by_defect[0].found),
        ("scratch", andon_core::wilson(15, 16))
    );
    let of_shifts: u64 = results.by_shift.iter().map(|s| s.false_rejects.unwrap().of).sum();
    assert!(
        of_shifts == 20 && results.by_shift.iter().all(|s| s.group.starts_with("2024-11-25T")),
        "{:?}",
        results.by_shift
    );
    let histogram = history.histogram(&Filter::default(), 10).unwrap();
    let by_rows = history.histogram(&parse(&[("seq", "0..")]), 10).unwrap();
    assert_eq!(histogram.bins, by_rows.bins, "reviewed parts are told from the others");
    assert_eq!(histogram.bins.iter().map(|b| b.bad).sum::<u64>(), 16);
}

#[test]
fn a_query_that_takes_too_long_is_ended_and_the_next_one_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(8640));
    let history = History::with_limit(&path, utc(), Duration::ZERO);
    let slow = history.histogram(&parse(&[("seq", "0..")]), 1).unwrap_err();
    assert!(matches!(slow, HistoryError::TooSlow(_)) && slow.to_string().contains("narrow it"), "{slow}");
    let history = History::with_limit(&path, utc(), Duration::from_secs(20));
    assert!(history.histogram(&parse(&[("seq", "0..")]), 1).is_ok());
    let missing = History::new(Path::new("/nowhere/h.db"), utc()).query(&Filter::default()).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/h.db") && missing.contains("store.enabled"), "{missing}");
}

#[test]
fn a_parameter_that_cannot_be_used_is_named() {
    let cases = [
        ("from", "yesterday-ish", "2026-11-30T06:00"),
        ("seq", "5..x", "LOW..HIGH"),
        ("outcome", "MAYBE", "PASS, REJECT"),
        ("score", "nan..", "finite"),
        ("limit", "many", "1 to 1000"),
        ("limit", "1001", "go on with `after`"),
        ("limit", "0", "1 to 1000"),
        ("after", "x", "`next`"),
        ("camera", ",", "empty"),
        ("colour", "red", "no such parameter"),
        ("order", "up", "newest or oldest"),
    ];
    for (name, value, word) in cases {
        let said = Filter::parse([(name, value)], &utc()).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{name}={value}")) && said.contains(word), "{said}");
    }
    let said = Filter::parse([("from", "2024-11-25"), ("to", "2024-11-24")], &utc()).unwrap_err().to_string();
    assert!(said.contains("not after `from`"), "{said}");
    let hostile = Filter::parse([("kind", "\x1b[2J")], &utc()).unwrap_err().to_string();
    assert!(!hostile.contains('\x1b'), "{hostile:?}");
    let dir = tempfile::tempdir().unwrap();
    let history = History::new(&file(dir.path(), &day(10)), utc());
    let said = history.query(&parse(&[("camera", "topp")])).unwrap_err().to_string();
    assert!(said.contains("camera=topp") && said.contains("which has top"), "{said}");
    let local = parse(&[("from", "2024-11-25T06:00"), ("to", "2024-11-25T06:00:00.5Z")]);
    assert_eq!((local.from, local.to), (Some(monday() + 21_600_000), Some(monday() + 21_600_500)));
    let ago = parse(&[("from", "8h")]).from.unwrap() - jiff::Timestamp::now().as_millisecond();
    assert!((-28_810_000..=-28_799_000).contains(&ago), "{ago}");
}

#[test]
fn a_row_that_is_not_understood_is_kept_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let mut connection = open(&path).unwrap();
    let mut columns = Columns::new(utc(), vec!["belt".into()]);
    let odd: RecordRow = ("verdict", true, "{\"seq\":1}".into());
    add(
        &mut connection,
        &mut columns,
        &[odd, verdict("top", 1, monday(), Some(0.5)), verdict("top", 1, monday(), Some(0.5))],
    );
    assert_eq!((columns.not_understood(), backfill::waiting(&connection).unwrap()), (1, 0));
    let history = History::new(&path, utc());
    assert_eq!(history.query(&Filter::default()).unwrap().rows.len(), 1, "the same verdict twice is one part");
    assert_eq!(sums(&history, Period::Hour, Some("top"))[0], 1);
}

#[test]
fn a_band_of_scores_finds_the_same_parts_whatever_thresholds_were_active() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<RecordRow> =
        (0..200u64).map(|n| verdict("top", n, monday() + 1000 * n as i64, Some(0.5 + n as f32 / 60.0))).collect();
    let path = file(dir.path(), &all);
    let history = History::new(&path, utc());
    let found = |pairs: &[(&str, &str)]| -> Vec<u64> {
        history.query(&parse(pairs)).unwrap().rows.iter().map(|row| row.seq).collect()
    };
    let plan = |pairs: &[(&str, &str)]| {
        let connection = Connection::open(&path).unwrap();
        super::select::verdicts(&connection, &parse(pairs)).unwrap().index
    };
    assert_eq!(found(&[("score", "29.9..")]), (150..200).rev().collect::<Vec<u64>>());
    assert_eq!(plan(&[("score", "29.9..")]), "verdict_ratio", "over 2.99 times the only threshold");
    assert_eq!(plan(&[("score", "8.4..")]), "verdict_time", "that is under what the index holds");
    // Another threshold for a while: what was 2.99 of the old one is 1.5 of it.
    let mut connection = open(&path).unwrap();
    let higher =
        verdict("top", 900, monday() + 300_000, Some(3.0)).2.replace("\"threshold\":10.0", "\"threshold\":20.0");
    let higher = higher.replace("\"margin\":3,", "\"margin\":1.5,").replace("\"margin\":3.0,", "\"margin\":1.5,");
    add(&mut connection, &mut Columns::new(utc(), vec!["belt".into()]), &[("verdict", false, higher)]);
    assert_eq!(found(&[("score", "29.9..")])[0], 900);
    assert_eq!(found(&[("score", "29.9..")]).len(), 51);
    assert_eq!(plan(&[("score", "16..")]), "verdict_time", "0.8 of the higher threshold");
    // Of a file whose earlier rows say nothing of their thresholds, nothing is concluded.
    connection.execute("DELETE FROM word WHERE kind = 8 AND text = '10'", []).unwrap();
    assert_eq!(plan(&[("score", "29.9..")]), "verdict_time");
    assert_eq!(found(&[("score", "29.9..")]).len(), 51);
}

#[test]
fn a_model_that_judged_everything_is_counted_like_all_and_one_of_two_by_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), &day(600));
    let history = History::new(&path, utc());
    let all = history.histogram(&Filter::default(), 5).unwrap();
    let of = |name: &str| history.histogram(&parse(&[("model", name)]), 5).unwrap();
    assert!(of("flange").from_counts && of("flange").bins == all.bins);
    // A day later another one: each has its own parts, and one day of the first is still its own.
    let mut connection = open(&path).unwrap();
    let later: Vec<RecordRow> = (0..50)
        .map(|n| {
            let (kind, pass, json) = verdict("top", 5000 + n, monday() + 86_400_000 + n as i64, Some(0.5));
            (kind, pass, json.replace("\"flange\"", "\"ring\"").replace("0123456789abcdef0123", "ffff456789abcdef0123"))
        })
        .collect();
    add(&mut connection, &mut Columns::new(utc(), vec!["belt".into()]), &later);
    assert!(!of("flange").from_counts && of("flange").bins == all.bins);
    assert_eq!(of("ring").bins.iter().map(|b| b.pass).sum::<u64>(), 50);
    let first_day = parse(&[("model", "flange"), ("to", &time(monday() + 86_400_000))]);
    assert!(history.histogram(&first_day, 5).unwrap().from_counts);
}
