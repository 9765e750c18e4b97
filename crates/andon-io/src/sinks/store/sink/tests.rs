use std::path::Path;

use super::*;
use andon_core::{Detail, EventKind, LineEvent, Seq};

fn names() -> StationInfo {
    StationInfo {
        site: "s".into(),
        line: "l".into(),
        station: "st".into(),
        cameras: vec!["top".into()],
        lanes: vec!["belt".into()],
        ejectors: vec![Vec::new()],
        simulated: true,
        boot: ulid::Ulid::generate(),
        ..StationInfo::default()
    }
}

fn notice(value: u64) -> Record {
    Record::Event(0, LineEvent::new(EventKind::MissedEjection, Mono::now()).with(Detail::Part(Seq(value))))
}

fn options(path: &Path) -> StoreOptions {
    StoreOptions { path: path.to_owned(), max_rows: 1_000_000, max_bytes: 1 << 30 }
}

fn values(rows: &[Outgoing]) -> Vec<u64> {
    rows.iter()
        .map(|r| serde_json::from_slice::<serde_json::Value>(&r.json).unwrap()["seq"].as_u64().unwrap())
        .collect()
}

fn kinds(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn rows_wait_for_each_way_out_by_itself_and_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let mut store = StoreSink::start(options(&path), names()).unwrap();
    let first = Outbox::open(&path, "mqtt", &kinds(&["event"]), false, &Delivery::default()).unwrap();
    assert!(first.next(None, 10).unwrap().is_empty());
    for n in 0..5 {
        assert_eq!(store.offer(&notice(n)), Accepted::Taken);
    }
    store.close();
    let rows = first.next(None, 3).unwrap();
    assert_eq!((values(&rows), rows[0].key.as_str()), (vec![0, 1, 2], "andon/s/l/st/belt/event"));
    first.taken(rows[1].id, 2).unwrap();
    assert_eq!(values(&first.next(Some(rows[2].id), 9).unwrap()), [3, 4], "behind what was read already");
    drop(first);
    let again = Outbox::open(&path, "mqtt", &kinds(&["event"]), false, &Delivery::default()).unwrap();
    assert_eq!(values(&again.next(None, 9).unwrap()), [2, 3, 4], "behind what was taken");
    let late = Outbox::open(&path, "webhook", &kinds(&["event"]), false, &Delivery::default()).unwrap();
    assert!(late.next(None, 9).unwrap().is_empty(), "a new way out does not get the past");
    let other = Outbox::open(&path, "mqtt", &kinds(&["verdict", "part"]), false, &Delivery::default()).unwrap();
    assert!(other.next(None, 9).unwrap().is_empty(), "other kinds only");
}

#[test]
fn the_oldest_rows_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let mut store = StoreSink::start(options(&path), names()).unwrap();
    let delivery = Delivery::default();
    let outbox = Outbox::open(&path, "x", &kinds(&["event"]), false, &delivery).unwrap();
    (0..100).for_each(|n| assert_eq!(store.offer(&notice(n)), Accepted::Taken));
    store.close();
    let connection = open(&path).unwrap();
    sweep(&connection, &StoreOptions { max_rows: 30, ..options(&path) }, &delivery).unwrap();
    assert_eq!(values(&outbox.next(None, 200).unwrap()), (70..100).collect::<Vec<u64>>());
    assert_eq!(delivery.sinks()[0].shed, 70, "what was removed unsent is lost to the peer, and counted");
    sweep(&connection, &StoreOptions { max_bytes: 1, ..options(&path) }, &delivery).unwrap();
    assert_eq!(values(&outbox.next(None, 200).unwrap())[0], 73);
}

#[test]
fn a_full_disk_or_a_missing_folder_is_said_and_stops_nothing() {
    let missing = StoreSink::start(options(Path::new("/nowhere/h.db")), names()).err().unwrap().to_string();
    assert!(missing.contains("/nowhere/h.db") && missing.contains("the folder /nowhere does not exist"), "{missing}");
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| StoreSink::start(options(path), names()).err().unwrap().to_string();
    assert!(refused(dir.path()).contains("this is a folder"), "{}", refused(dir.path()));
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "no SQLite file, but longer than a header has to be ".repeat(9)).unwrap();
    assert!(refused(&text).contains("no intact SQLite file"), "{}", refused(&text));
    let path = dir.path().join("h.db");
    let mut store = StoreSink::start(options(&path), names()).unwrap();
    // Somebody else holds the file: nothing can be written, as on a full disk.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(store.offer(&notice(0)), Accepted::Taken);
    let until = Mono::now() + Duration::from_secs(10);
    while store.lost() == 0 && Mono::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(store.lost(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.offer(&notice(1)), Accepted::Taken);
    store.close();
    assert_eq!(store.lost(), 1, "it goes on when the disk does");
    assert!(store.names.delivery.troubles().is_empty());
}

#[test]
fn a_way_out_that_takes_few_records_does_not_read_the_others_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.db");
    let mut store = StoreSink::start(options(&path), names()).unwrap();
    let delivery = Delivery::default();
    let outbox = Outbox::open(&path, "x", &kinds(&["part"]), false, &delivery).unwrap();
    let events = Outbox::open(&path, "y", &kinds(&["event"]), false, &delivery).unwrap();
    (0..50).for_each(|n| assert_eq!(store.offer(&notice(n)), Accepted::Taken));
    let until = Mono::now() + Duration::from_secs(10);
    while events.next(None, 99).unwrap().len() < 50 && Mono::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(outbox.next(None, 9).unwrap().is_empty());
    assert_eq!(outbox.reads_from().unwrap(), 50, "nothing of its kind up to there");
    assert_eq!(events.reads_from().unwrap(), 0, "those wait");
    // What was removed, or set aside, is not looked at again either.
    events.set_aside(1, 200, "too large").unwrap();
    assert_eq!(values(&events.next(None, 99).unwrap())[0], 1);
    let y = delivery.sinks().into_iter().find(|s| s.sink == "y").unwrap();
    assert_eq!((y.set_aside, y.taken), (1, 0));
    let again = Outbox::open(&path, "y", &kinds(&["event"]), false, &delivery).unwrap();
    assert_eq!(delivery.sinks().into_iter().find(|s| s.sink == "y").unwrap().waiting, Some(49));
    assert_eq!(values(&again.next(None, 99).unwrap()).len(), 49, "also over a restart");
}
