use super::*;
use crate::pictures::{LivePictures, PictureFormat, PictureWriter, PicturesConfig};
use crate::sinks::wire::StationInfo;
use andon_core::{
    AnomalyMap, CameraId, CameraVerdict, FrameView, KeptFor, ModelTag, Mono, Outcome, PictureBuffer, PictureLoss,
    PictureRecord, PictureSink, PixelFormat, Pooled, Reason, Seq, SplitMix64,
};

const LIMITS: RingLimits = RingLimits { max_bytes: 1 << 30, max_days: None };

/// An id of so many milliseconds ago.
fn id(ago_ms: u64, n: u128) -> Ulid {
    Ulid::from_parts(now_ms() - ago_ms, n)
}

fn note(id: Ulid) -> Vec<u8> {
    let picture = serde_json::json!({"file": "png", "pixels": "gray8", "width": 2, "height": 2});
    let verdict = serde_json::json!({"camera": "top", "result": "REJECT", "threshold": 1.0});
    let note = serde_json::json!({"schema": "andon.picture.v1", "id": id.to_string(), "kept_for": "not_passed",
        "picture": picture, "verdict": verdict});
    serde_json::to_vec(&note).unwrap()
}

fn store(ring: &PictureRing, id: Ulid, bytes: usize) {
    ring.store(id, "png", &vec![7; bytes], &note(id)).unwrap();
}

fn on_disk(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for day in fs::read_dir(folder).unwrap().map(|d| d.unwrap().path()).filter(|p| p.is_dir()) {
        all.extend(fs::read_dir(day).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()));
    }
    all.sort();
    all
}

#[test]
fn the_oldest_go_first_when_there_are_too_many_bytes() {
    let dir = tempfile::tempdir().unwrap();
    // Room for three pictures of 5 blocks with a note of one.
    let limits = RingLimits { max_bytes: 3 * 6 * 4096, ..LIMITS };
    let ring = PictureRing::open(dir.path(), limits).unwrap();
    let ids: Vec<Ulid> = (0..10).map(|n| id(10_000 - n as u64, n)).collect();
    for id in &ids {
        store(&ring, *id, 20_000);
        assert!(ring.bytes() <= limits.max_bytes);
    }
    let listed: Vec<String> = ring.newest(&PictureFilter::default(), 9).into_iter().map(|p| p.id).collect();
    assert_eq!(listed, [ids[9], ids[8], ids[7]].map(|id| id.to_string()));
    assert_eq!((on_disk(dir.path()).len(), ring.bytes()), (6, limits.max_bytes));
    // The next start finds the same.
    drop(ring);
    let ring = PictureRing::open(dir.path(), RingLimits { max_bytes: 2 * 6 * 4096, ..LIMITS }).unwrap();
    assert_eq!((ring.len(), ring.bytes()), (2, 2 * 6 * 4096));
    assert!(ring.find(&ids[9].to_string()).is_some() && ring.find(&ids[7].to_string()).is_none());
}

#[test]
fn the_pictures_beside_one_are_found_whether_it_is_there_itself_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let [oldest, middle, newest] = [id(300, 1), id(200, 2), id(100, 3)];
    [oldest, middle, newest].iter().for_each(|id| store(&ring, *id, 10));
    let beside = |id: Ulid| ring.beside(&id.to_string());
    let some = |id: Ulid| Some(id.to_string());
    assert_eq!(beside(middle), [some(newest), some(oldest)]);
    assert_eq!((beside(newest), beside(oldest)), ([None, some(middle)], [some(middle), None]));
    assert_eq!(beside(id(250, 9)), [some(middle), some(oldest)]);
    assert_eq!(ring.beside("../x"), [None, None]);
}

#[test]
fn what_is_older_than_the_limit_goes_and_takes_its_day_with_it() {
    const HOUR: u64 = 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let ids = [id(75 * HOUR, 1), id(73 * HOUR, 2), id(71 * HOUR, 3), id(1, 4)];
    ids.iter().for_each(|id| store(&ring, *id, 10));
    drop(ring);
    let ring = PictureRing::open(dir.path(), RingLimits { max_days: Some(3), ..LIMITS }).unwrap();
    assert_eq!((ring.len(), on_disk(dir.path()).len()), (2, 4));
    assert!(!dir.path().join(day_of(ids[0])).exists() || day_of(ids[0]) == day_of(ids[2]));
    assert!(ring.find(&ids[2].to_string()).is_some() && ring.find(&ids[1].to_string()).is_none());
}

#[test]
fn what_a_kill_has_left_is_removed_and_strangers_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let (whole, torn, noteless, hidden) = (id(4, 1), id(3, 2), id(2, 3), id(1, 4));
    [whole, torn, noteless].iter().for_each(|id| store(&ring, *id, 10));
    drop(ring);
    let day = dir.path().join(day_of(whole));
    let at = |id: Ulid, ending: &str| dir.path().join(day_of(id)).join(format!("{id}.{ending}"));
    fs::remove_file(at(torn, "png")).unwrap();
    fs::remove_file(at(noteless, "json")).unwrap();
    fs::write(day.join(format!(".{hidden}.png.Xy12")), b"half").unwrap();
    fs::write(day.join("notes of the shift.txt"), b"x").unwrap();
    fs::create_dir(dir.path().join("mine")).unwrap();
    fs::write(dir.path().join("mine/01ARZ3NDEKTSV4RRFFQ69G5FAV.png"), b"x").unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    assert_eq!(ring.len(), 1);
    let left = on_disk(dir.path());
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(ring.find(&whole.to_string()).is_some());
    // A note that somebody damaged hides its picture and nothing else.
    fs::write(at(whole, "json"), b"{").unwrap();
    assert!(ring.find(&whole.to_string()).is_none() && ring.newest(&PictureFilter::default(), 5).is_empty());
}

#[test]
fn an_id_that_is_none_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let good = id(1, 1);
    store(&ring, good, 10);
    let (text, lower) = (good.to_string(), good.to_string().to_lowercase());
    assert!(ring.find(&text).is_some());
    let traversal = format!("../{}/{text}", day_of(good));
    let hostile =
        ["", ".", "..", "../../etc/passwd", "/etc/passwd", "%2e%2e", "\0", "a/b", ".lock", &traversal, &lower];
    let long = "0".repeat(10_000);
    let padded = [format!("{text} "), format!("{text}.png"), format!("{text}\0"), "é".repeat(26), long];
    for wrong in hostile.into_iter().chain(padded.iter().map(String::as_str)) {
        assert!(ring.find(wrong).is_none(), "{wrong:?}");
        let filter = PictureFilter { before: Some(wrong.to_owned()), ..PictureFilter::default() };
        assert!(ring.newest(&filter, 5).is_empty(), "{wrong:?}");
    }
}

#[test]
fn two_programs_do_not_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let why = PictureRing::open(dir.path(), LIMITS).unwrap_err().to_string();
    assert!(why.contains("pictures.path"), "{why}");
    drop(ring);
    assert!(PictureRing::open(dir.path(), LIMITS).is_ok());
}

fn record(n: u64, outcome: Outcome, side: usize) -> PictureRecord {
    let mut random = SplitMix64::new(n);
    let data: Vec<u8> = (0..side * side * 3).map(|_| random.next_u64() as u8).collect();
    let mut buffer = PictureBuffer::default();
    buffer.frame.copy_from(&FrameView::new(PixelFormat::Bgr8, side, side, side * 3, &data).unwrap());
    buffer.map = AnomalyMap { width: 2, height: 2, data: vec![1.0, 2.5, f32::NAN, 0.1] };
    let model = ModelTag {
        name: "m".into(),
        blake3: String::new(),
        engine: "e".into(),
        threshold: 2.0,
        baseline: 1.0,
        picture_size: [0; 2],
        sources: Vec::new(),
        recipe: None,
    };
    let verdict = CameraVerdict {
        camera: CameraId(0),
        seq: Seq(n),
        source_index: None,
        t_trigger: Mono::now(),
        trigger_id: None,
        encoder: None,
        outcome,
        reason: Reason::OverThreshold,
        score: andon_core::Score::new(0.1),
        threshold: 2.0,
        regions: Default::default(),
        t_capture: Mono::now(),
        t_verdict: Mono::now(),
        deadline: Mono::now(),
        queue_ns: 0,
        times: Default::default(),
        model: std::sync::Arc::new(model),
        degraded: false,
    };
    let shown = n.is_multiple_of(2);
    PictureRecord {
        verdict,
        picture: Pooled::alone(buffer),
        kept_for: Some(KeptFor::NotPassed),
        shown,
        collected: false,
    }
}

fn writer(ring: &PictureRing, config: &PicturesConfig) -> (PictureWriter, LivePictures, StationInfo) {
    let station = StationInfo { cameras: vec!["top".into()], ..StationInfo::default() };
    let live = LivePictures::new(1, Default::default());
    live.keep_recent(true);
    (PictureWriter::new(config, Some(ring.clone()), live.clone(), station.clone()), live, station)
}

#[test]
fn a_kept_picture_gives_back_its_pixels_its_map_and_its_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let (mut writer, live, station) = writer(&ring, &PicturesConfig::default());
    let given = record(4, Outcome::Reject, 33);
    let v = &given.verdict;
    let wire = wire_json(&station, v);
    let (want, map) = (given.picture.frame.clone(), given.picture.map.clone());
    writer.take(given);
    let listed = ring.newest(&PictureFilter { camera: Some("top".into()), ..PictureFilter::default() }, 5);
    let id = &listed[0].id;
    assert_eq!((id.as_str(), listed[0].kept_for.as_str()), (wire["id"].as_str().unwrap(), "not_passed"));
    let picture = ring.find(id).unwrap();
    assert!(picture.frame().unwrap() == want && picture.is_lossless());
    let (kept, baseline, threshold) = picture.map().unwrap().unwrap();
    assert!(kept.data.iter().zip(&map.data).all(|(a, b)| a.to_bits() == b.to_bits()));
    assert_eq!((baseline, threshold), (1.0, 2.0));
    let mut said: serde_json::Value = serde_json::from_str(&picture.verdict_json()).unwrap();
    said["t_capture"] = wire["t_capture"].clone();
    said["t_result"] = wire["t_result"].clone();
    assert_eq!(said, wire);
    assert!(picture.verdict_json().contains("\"score\":0.1,"), "numbers as on the wire: {}", picture.verdict_json());
    let small = image::load_from_memory(&picture.thumbnail(16).unwrap()).unwrap();
    assert_eq!((small.width(), small.height()), (16, 16));
    assert!(picture.heatmap_png().unwrap().is_some() && picture.jpeg().unwrap().starts_with(&[0xff, 0xd8]));
    let shown = live.latest(CameraId(0)).unwrap();
    assert_eq!((&shown.id, shown.seq, shown.result), (id, 4, "REJECT"));
    assert_eq!(live.recent(CameraId(0)).len(), 1);
    let other = PictureFilter { camera: Some("side".into()), ..PictureFilter::default() };
    assert!(ring.newest(&other, 5).is_empty());
}

fn wire_json(station: &StationInfo, v: &CameraVerdict) -> serde_json::Value {
    let record = crate::sinks::wire::verdict(station, &station.clock.now(), v);
    serde_json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap()
}

#[test]
fn a_jpeg_is_small_and_says_that_it_is_none_to_judge_by() {
    let dir = tempfile::tempdir().unwrap();
    let ring = PictureRing::open(dir.path(), LIMITS).unwrap();
    let config = PicturesConfig { format: PictureFormat::Jpeg, anomaly_map: false, ..PicturesConfig::default() };
    let (mut writer, ..) = writer(&ring, &config);
    writer.take(record(1, Outcome::Reject, 64));
    let picture = ring.find(&ring.newest(&PictureFilter::default(), 1)[0].id).unwrap();
    assert!(!picture.is_lossless() && picture.heatmap_png().unwrap().is_none());
    assert_eq!((picture.file().unwrap().1, picture.frame().unwrap().size()), ("image/jpeg", (64, 64)));
}

#[test]
fn many_pictures_stay_within_the_ring_and_each_that_is_left_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let limits = RingLimits { max_bytes: 2_000_000, max_days: Some(1) };
    let ring = PictureRing::open(dir.path(), limits).unwrap();
    let (mut writer, _, station) = writer(&ring, &PicturesConfig::default());
    for n in 0..300 {
        writer.take(record(2 * n + 1, Outcome::Reject, 64));
        assert!(ring.bytes() <= limits.max_bytes);
    }
    let counts = station.delivery.pictures();
    assert_eq!((counts.kept.load(Relaxed), counts.lost_in_all()), (300, 0));
    let left = ring.newest(&PictureFilter::default(), 1000);
    assert!(left.len() > 50 && left.len() == ring.len(), "{}", left.len());
    assert!(left.iter().all(|p| ring.find(&p.id).unwrap().frame().is_ok()));
    assert_eq!(on_disk(dir.path()).len(), 2 * left.len());
    assert_eq!(counts.bytes.load(Relaxed), ring.bytes());
}

#[test]
fn a_folder_that_is_lost_is_told_once_counted_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("ring");
    let ring = PictureRing::open(&folder, LIMITS).unwrap();
    let (mut writer, _, station) = writer(&ring, &PicturesConfig::default());
    fs::remove_dir_all(&folder).unwrap();
    (0..3).for_each(|n| writer.take(record(2 * n + 1, Outcome::Reject, 8)));
    assert_eq!(station.delivery.pictures().lost(PictureLoss::Disk), 3);
    assert!(station.delivery.troubles()[0].contains("pictures cannot be kept"), "{:?}", station.delivery.troubles());
    fs::create_dir(&folder).unwrap();
    writer.take(record(9, Outcome::Reject, 8));
    assert!(station.delivery.troubles().is_empty() && ring.len() == 1);
    assert_eq!(station.delivery.pictures().kept.load(Relaxed), 1);
}
