//! The figures of docs/performance.md: `cargo test --release -p andon-io --all-features -- --ignored --nocapture five_million`.
//! `ANDON_ROWS` is the number of rows if not five million, `ANDON_FOLDER` the folder that the files are made in.

use std::time::Instant;

use super::*;

/// What a query of any kind may take.
const ALLOWED: Duration = Duration::from_millis(300);

/// What takes longer, as docs/performance.md says: no index has it.
const SLOW: [&str; 1] = ["passes with a low score, oldest"];

/// Verdict `n` of two cameras at 20 parts a second: 1.5 % rejects, few others, 3 % near misses.
fn one(n: u64) -> RecordRow {
    let (camera, seq) = (["side", "top"][(n % 2) as usize], n / 2);
    let noise = blake3::hash(&n.to_le_bytes());
    let share = |k: usize| f32::from(u16::from_le_bytes([noise.as_bytes()[k], noise.as_bytes()[k + 1]])) / 65_536.0;
    let bell = (0..6).map(|k| share(2 * k)).sum::<f32>() / 6.0;
    let ratio = match share(20) {
        x if x < 0.015 => Some(1.0 + share(22) * 2.0),
        x if x < 0.0155 => None,
        x if x < 0.045 => Some(0.85 + share(22) * 0.149),
        _ => Some(0.2 + bell * 0.7),
    };
    verdict(camera, seq, monday() + (seq * 50) as i64, ratio)
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[test]
#[ignore = "takes minutes and gigabytes; for docs/performance.md"]
fn five_million_rows_answer_in_time() {
    let count: u64 = std::env::var("ANDON_ROWS").map_or(5_000_000, |n| n.parse().unwrap());
    let dir = match std::env::var("ANDON_FOLDER") {
        Ok(folder) => tempfile::tempdir_in(folder).unwrap(),
        Err(_) => tempfile::tempdir().unwrap(),
    };
    let old = dir.path().join("earlier.db");
    let connection = Connection::open(&old).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
    connection.execute_batch(EARLIER).unwrap();
    let begun = Instant::now();
    for from in (0..count).step_by(10_000) {
        add_as_earlier(&connection, &(from..count.min(from + 10_000)).map(one).collect::<Vec<_>>());
    }
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    drop(connection);
    eprintln!("earlier version: {count} rows, {} bytes a part, made in {:.0?}", size(&old) / count, begun.elapsed());
    let begun = Instant::now();
    drop(open(&old).unwrap());
    eprintln!("opening it: {:.1?}", begun.elapsed());
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    migrate(&old, utc(), |_| {
        longest = longest.max(last.elapsed());
        last = Instant::now();
        true
    })
    .unwrap();
    eprintln!(
        "migration: {:.0?}, longest slice of 5000 rows {longest:.1?}, {} bytes a part",
        begun.elapsed(),
        size(&old) / count
    );

    let path = &old;
    let mut connection = open(path).unwrap();
    let mut columns = Columns::new(utc(), vec!["belt".into()]);
    let more: Vec<RecordRow> = (count..count + 50_000).map(one).collect();
    let begun = Instant::now();
    more.chunks(500).for_each(|batch| add(&mut connection, &mut columns, batch));
    eprintln!("insert into the full file: {:.0} rows/s in batches of 500", 50_000.0 / begun.elapsed().as_secs_f64());

    let reviews = Reviews::new(path);
    for n in (0..2000).map(|n| n * (count / 2000)) {
        let (camera, seq) = (["side", "top"][(n % 2) as usize], n / 2);
        let (part, verdict) = (id(camera, seq), if n % 3 == 0 { ReviewVerdict::Bad } else { ReviewVerdict::Good });
        let review = NewReview {
            part,
            verdict,
            defect: Some("scratch".into()),
            comment: None,
            user: "ann".into(),
            expected: Expected::Anything,
        };
        reviews.add(&review).unwrap();
    }
    let history = History::with_limit(path, utc(), Duration::from_secs(60));
    let middle = time(monday() + (count / 4 * 50) as i64);
    let hour = time(monday() + (count / 4 * 50) as i64 + 3_600_000);
    let seq = format!("{}..{}", count / 4, count / 4 + 200);
    let seq_from = format!("{}..", count / 4);
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("newest", &[]),
        ("oldest", &[("order", "oldest")]),
        ("an hour in the middle", &[("from", &middle), ("to", &hour)]),
        ("one camera", &[("camera", "top")]),
        ("two cameras", &[("camera", "top,side")]),
        ("lane and model", &[("lane", "side"), ("model", "flange")]),
        ("rejects", &[("outcome", "reject")]),
        ("rejects of one camera, oldest", &[("outcome", "reject"), ("camera", "top"), ("order", "oldest")]),
        ("uninspected (rare)", &[("outcome", "uninspected")]),
        ("reason late (rare)", &[("reason", "late")]),
        ("reason late among those not passed", &[("reason", "late"), ("outcome", "uninspected,error,reject")]),
        ("error (none)", &[("outcome", "error")]),
        ("part numbers", &[("seq", &seq)]),
        ("part numbers from the middle on", &[("seq", &seq_from)]),
        ("near misses", &[("ratio", "0.85..0.9999")]),
        ("a narrow band of ratios", &[("ratio", "1.99..2.0")]),
        ("ratios over 2.99 (rare)", &[("ratio", "2.99..")]),
        ("ratios over 5 (none)", &[("ratio", "5..")]),
        ("a band of scores", &[("score", "4.2..4.3")]),
        ("a narrow band of scores, one camera", &[("score", "29.9.."), ("camera", "side")]),
        ("reviewed as bad", &[("review", "bad")]),
        ("unreviewed rejects", &[("review", "none"), ("outcome", "reject")]),
        ("passes with a low score, oldest", &[("outcome", "pass"), ("ratio", "..0.3"), ("order", "oldest")]),
    ];
    let mut slow = Vec::new();
    let mut tell = |name: &str, ask: &dyn Fn() -> usize| {
        let mut times: Vec<Duration> = Vec::new();
        let mut rows = 0;
        for _ in 0..5 {
            let begun = Instant::now();
            rows = ask();
            times.push(begun.elapsed());
        }
        times.sort();
        eprintln!("{name:<48} {rows:>5} rows  median {:>9.1?}  longest {:>9.1?}", times[2], times[4]);
        if times[4] > ALLOWED && !SLOW.iter().any(|known| name.starts_with(known)) {
            slow.push(format!("{name}: {:?}", times[4]));
        }
    };
    for (name, pairs) in cases {
        let filter = Filter { limit: Some(200), ..parse(pairs) };
        tell(name, &|| history.query(&filter).unwrap().rows.len());
        let filter = Filter { limit: Some(1000), ..filter };
        let after = history.query(&filter).unwrap().next;
        tell(&format!("{name}, second page of 1000"), &|| {
            history.query(&Filter { after, ..filter.clone() }).unwrap().rows.len()
        });
    }
    let all = Filter::default();
    let newest = history.query(&all).unwrap().rows[0].clone();
    let shift = parse(&[("from", &middle), ("to", &time(monday() + (count / 4 * 50) as i64 + 8 * 3_600_000))]);
    tell("one part by its id", &|| history.part(&newest.id).unwrap().iter().len());
    tell("histogram of everything", &|| history.histogram(&all, 5).unwrap().bins.len());
    tell("histogram of a shift", &|| history.histogram(&shift, 5).unwrap().bins.len());
    let odd = Filter { models: vec!["flange".into()], ..shift.clone() };
    tell("histogram of a shift and its only model", &|| history.histogram(&odd, 5).unwrap().bins.len());
    tell("trend of everything, ten minutes", &|| history.trend(&all, 1).unwrap().len());
    tell("counters by hour", &|| {
        history.counters(Period::Hour, &Filter { limit: Some(1000), ..Filter::default() }).unwrap().len()
    });
    tell("counters by shift", &|| history.counters(Period::Shift, &all).unwrap().len());
    tell("review queue, not passed", &|| history.queue(QueueKind::NotPassed, &all, 1000).unwrap().len());
    tell("review queue, near misses", &|| history.queue(QueueKind::NearMiss, &all, 1000).unwrap().len());
    tell("review queue, every 1000th", &|| history.queue(QueueKind::Sample, &all, 1000).unwrap().len());
    tell("counts of the review queue", &|| {
        history.queue_counts(&all, 1000).unwrap();
        1
    });
    tell("what reviews say", &|| history.review_results(&all).unwrap().by_shift.len());
    assert!(slow.is_empty(), "over {ALLOWED:?}: {slow:#?}");
}
