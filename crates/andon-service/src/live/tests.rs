use std::sync::Arc;

use super::*;
use andon_core::{
    Accepted, CameraId, CameraVerdict, Detail, EventKind, LineEvent, ModelTag, Mono, Outcome, Reason, Record, Regions,
    Score, Seq, Sink, StageTimes, Subject, Threshold, judge,
};
use andon_io::sinks::wire::StationInfo;

/// A verdict of camera 0 at a score against the threshold 10, taken now plus `seconds`.
pub(crate) fn verdict(seq: u64, score: f32, seconds: u64) -> CameraVerdict {
    let judged = judge(Ok(score), Threshold::new(10.0).unwrap());
    let tag = ModelTag {
        name: "m".into(),
        blake3: "0".into(),
        engine: "rten".into(),
        threshold: 10.0,
        baseline: 0.0,
        picture_size: [0; 2],
        sources: vec![],
        recipe: None,
    };
    let at = Mono(Mono::now().0 + seconds * 1_000_000_000);
    CameraVerdict {
        camera: CameraId(0),
        seq: Seq(seq),
        source_index: None,
        t_trigger: at,
        trigger_id: None,
        encoder: None,
        outcome: judged.outcome,
        reason: judged.reason,
        score: Score::new(score),
        threshold: 10.0,
        regions: Regions::default(),
        t_capture: at,
        t_verdict: Mono(at.0 + 12_000_000),
        deadline: Mono(at.0 + 250_000_000),
        queue_ns: 0,
        times: StageTimes::default(),
        model: Arc::new(tag),
        degraded: false,
    }
}

pub(crate) fn board() -> Board {
    let station = StationInfo { cameras: vec!["top".into()], lanes: vec!["top".into()], ..StationInfo::default() };
    Board::new(station, &[Some([640, 480])])
}

#[test]
fn a_reject_stays_until_the_next_one_and_the_strip_keeps_thirty() {
    let board = board();
    board.take(PageRecord::Verdict(verdict(1, 12.0, 0)));
    for seq in 2..5 {
        board.take(PageRecord::Verdict(verdict(seq, 5.0, 0)));
    }
    let lost = CameraVerdict { outcome: Outcome::Uninspected, reason: Reason::Late, score: None, ..verdict(5, 5.0, 0) };
    board.take(PageRecord::Verdict(lost));
    let now = board.snapshot();
    let camera = &now.cameras[0];
    assert_eq!(camera.rejected.as_ref().unwrap().verdict.seq, Seq(1));
    assert_eq!(camera.last.as_ref().unwrap().verdict.seq, Seq(5));
    assert_eq!(now.strip.iter().map(|p| p.verdict.seq.0).collect::<Vec<_>>(), [5, 1], "passes are not in it");
    for seq in 6..60 {
        board.take(PageRecord::Verdict(verdict(seq, 11.0, 0)));
    }
    let now = board.snapshot();
    assert_eq!((now.strip.len(), now.strip[0].verdict.seq.0), (30, 59));
    assert!((now.strip[0].percent().unwrap() - 110.0).abs() < 1e-9);
}

#[test]
fn a_full_channel_sheds_the_newest_and_never_waits() {
    let (mut sink, mut records) = page_sink();
    let taken = (0..600).filter(|&n| sink.offer(&Record::Verdict(verdict(n, 5.0, 0))) == Accepted::Taken).count();
    assert_eq!(taken, 512);
    let Ok(PageRecord::Verdict(first)) = records.try_recv() else { unreachable!("it was taken") };
    assert_eq!(first.seq, Seq(0), "the oldest are kept");
    drop(records);
    assert_eq!(sink.offer(&Record::Verdict(verdict(0, 5.0, 0))), Accepted::Shed, "a page that is gone is no fault");
}

#[test]
fn alarms_stand_until_they_end_and_stay_until_somebody_saw_them() {
    let board = board();
    let camera = Subject::Camera(CameraId(0));
    let down = LineEvent::new(EventKind::CameraDown, Mono::now()).about(camera);
    board.take(PageRecord::Event(0, down));
    board.take(PageRecord::Event(0, LineEvent { times: 3, ..down }));
    let stop = LineEvent::new(EventKind::LineStop, Mono::now()).with(Detail::Cause(EventKind::OutputFault));
    board.take(PageRecord::Event(0, stop));
    let now = board.snapshot();
    assert_eq!(
        now.alarms.iter().map(|a| a.event.kind).collect::<Vec<_>>(),
        [EventKind::LineStop, EventKind::CameraDown]
    );
    assert_eq!((now.alarms[1].count, now.alarms[1].standing, now.line_stop), (4, true, true));
    board.take(PageRecord::Event(0, LineEvent::new(EventKind::CameraBack, Mono::now()).about(camera)));
    let over = board.snapshot().alarms.into_iter().find(|a| a.event.kind == EventKind::CameraDown).unwrap();
    assert!(!over.standing, "over, and nobody saw it");
    board.acknowledge(over.id, "ana").unwrap();
    assert_eq!(board.snapshot().alarms.len(), 1);
    assert_eq!(board.acknowledge(over.id, "ana").unwrap_err(), AlarmError::NoAlarm);
    // Seen first, then over: it goes with its end. Again: it is unseen again.
    let id = board.snapshot().alarms[0].id;
    board.acknowledge(id, "ana").unwrap();
    board.take(PageRecord::Event(0, stop));
    assert!(board.snapshot().alarms[0].seen.is_none());
    board.acknowledge(id, "ana").unwrap();
    board.take(PageRecord::Event(0, LineEvent::new(EventKind::LineReleased, Mono::now())));
    let now = board.snapshot();
    assert!(now.alarms.is_empty() && !now.line_stop);
    assert_eq!(now.log.len(), 6, "everything stands in the log");
}

#[test]
fn alarms_do_not_grow_without_end() {
    let board = board();
    for n in 0..=255 {
        board.take(PageRecord::Event(n, LineEvent::new(EventKind::ConfirmUnexpected, Mono(u64::from(n)))));
    }
    board.take(PageRecord::Event(0, LineEvent::new(EventKind::MissedEjection, Mono::now()).with(Detail::Part(Seq(4)))));
    let now = board.snapshot();
    assert_eq!((now.alarms.len(), now.missed), (100, 1));
    assert_eq!(now.alarms[0].event.kind, EventKind::MissedEjection, "worst first");
    assert_eq!(now.log.len(), 200);
}

#[test]
fn the_trend_is_the_share_of_rejects_in_ten_minutes_and_the_scores_of_good_parts() {
    let board = board();
    // One part every ten seconds for twenty minutes: in the first ten every second one is rejected, then none.
    for n in 0..120 {
        let score = if n < 60 && n % 2 == 0 { 12.0 } else { 4.0 + (n % 3) as f32 };
        board.take(PageRecord::Verdict(verdict(n, score, 10 * n)));
    }
    let points = board.trend(0);
    assert!((40..=42).contains(&points.len()), "{}", points.len());
    assert!((points[15].rejected - 50.0).abs() < 4.0, "{:?}", points[15]);
    let last = points.last().unwrap();
    assert!(last.rejected < 4.0, "{last:?}");
    assert!((40.0..=60.0).contains(&last.median.unwrap()) && last.p99.unwrap() <= 60.0, "{last:?}");
    assert!(points.is_sorted_by_key(|p| p.t));
    assert!(board.trend(7).is_empty());
}
