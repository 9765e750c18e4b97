use super::*;
use andon_core::EventKind;

fn run(spec: &SimLine) -> SimReport {
    let report = spec.run();
    assert!(report.counts.adds_up() && report.counts.in_flight == 0, "{report:?}");
    let e = &report.ejections;
    assert_eq!(e.passed + e.ejected + e.wrong + e.missed + e.late + e.unannounced, spec.parts, "{report:?}");
    report
}

fn count(report: &SimReport, kind: EventKind) -> u64 {
    report.notices.iter().find(|(name, _)| *name == kind.as_str()).map_or(0, |(_, n)| *n)
}

#[test]
fn a_quiet_line_puts_every_part_where_it_belongs() {
    let spec = SimLine::default();
    let report = run(&spec);
    assert!(report.ejections.all_right() && report.defects_through == 0 && report.notices.is_empty(), "{report:?}");
    assert_eq!((report.counts.offered, report.counts.uninspected), (1000, 0));
    assert!(report.margin_ms[0] > 400.0, "450 mm at 0.8 m/s, less 8 ms of valve and the inspection: {report:?}");
    let again = run(&spec);
    assert_eq!(format!("{report:?}"), format!("{again:?}"), "the same line, byte for byte");
}

#[test]
fn stops_reversals_slip_and_an_unsteady_belt_do_not_move_the_ejector() {
    let spec = SimLine { stops: 6.0, reversals: 6.0, unsteady: 0.2, slip: 0.01, parts: 1500, ..SimLine::default() };
    let report = run(&spec);
    assert!(report.ejections.all_right() && report.defects_through == 0, "{report:?}");
    assert_eq!(report.counts.offered, 1500, "a part that comes back is no second one");
}

#[test]
fn a_slow_inspector_loses_parts_to_the_safe_side_only() {
    // From the picture, 20 mm behind the eye, it is 525 ms until the valve has to open: half of the results come later.
    let late = Duration::from_millis(524);
    let report = run(&SimLine { latency: late, latency_p99: late + Duration::from_millis(60), ..SimLine::default() });
    assert!(report.counts.uninspected > 100 && report.counts.pass > 100, "{report:?}");
    assert!(report.ejections.all_right() && report.defects_through == 0, "{report:?}");
    assert_eq!(report.counts.late_results, report.counts.uninspected, "each late result was counted");
}

#[test]
fn lost_frames_lost_results_and_double_triggers_hit_no_neighbour() {
    let spec =
        SimLine { lost_frames: 0.05, lost_results: 0.05, double_triggers: 0.1, parts: 2000, ..SimLine::default() };
    let report = run(&spec);
    assert!(report.ejections.all_right() && report.defects_through == 0, "{report:?}");
    assert!(count(&report, EventKind::DuplicateTrigger) > 100 && count(&report, EventKind::TriggerWithoutFrame) > 50);
    assert!(report.counts.error > 20 && report.counts.uninspected > 50);
    assert_eq!(report.counts.offered, 2000);
}

#[test]
fn parts_that_the_eye_does_not_see_are_named_by_their_frames() {
    let report = run(&SimLine { missed_triggers: 0.05, parts: 2000, ..SimLine::default() });
    let unseen = report.ejections.unannounced;
    assert!(unseen > 50 && report.ejections.all_right(), "{report:?}");
    assert_eq!(count(&report, EventKind::FrameWithoutPart), unseen);
}

#[test]
fn an_encoder_that_is_reset_is_bridged() {
    let spec = SimLine { encoder_resets: 20.0, parts: 1500, unsteady: 0.05, ..SimLine::default() };
    let report = run(&spec);
    assert!(count(&report, EventKind::EncoderReset) > 20, "{report:?}");
    assert!(report.ejections.all_right() && report.defects_through == 0, "{report:?}");
}

#[test]
fn without_an_encoder_a_steady_belt_is_served_and_an_unsteady_one_is_not() {
    let steady = SimLine { encoder: None, ..SimLine::default() };
    assert!(run(&steady).ejections.all_right());
    let stops = run(&SimLine { stops: 6.0, ..steady });
    assert!(!stops.ejections.all_right(), "a belt that stops needs an encoder, and the simulation shows it: {stops:?}");
}

/// A third of the parts is bad: three in a row come soon, and the PLC stops the belt for each alarm.
#[test]
fn alarms_over_many_parts_stop_the_simulated_line() {
    let bad = SimLine { parts: 400, defects: 0.34, ..SimLine::default() };
    let count = |report: &SimReport, kind: &str| report.notices.iter().find(|(k, _)| *k == kind).map_or(0, |(_, n)| *n);
    let quiet = bad.run();
    assert_eq!(count(&quiet, "line_stop"), 0, "{:?}", quiet.notices);
    for (alarms, kind) in [
        (AlarmSpec { consecutive: 3, share_n: 0, share_of: 0 }, "consecutive_rejects"),
        (AlarmSpec { consecutive: 0, share_n: 8, share_of: 20 }, "reject_share"),
    ] {
        let report = SimLine { alarms, ..bad.clone() }.run();
        let (raised, stops) = (count(&report, kind), count(&report, "line_stop"));
        assert!(raised > 3 && stops > 3 && stops <= raised, "{:?}", report.notices);
        assert!(report.counts.adds_up() && report.seconds > quiet.seconds + stops as f64 * 0.9, "{report:?}");
        assert_eq!(report.counts.offered, quiet.counts.offered);
    }
}
