use std::collections::HashMap;

use proptest::prelude::*;

use super::super::EjectOn;
use super::*;
use crate::decide::{FrameSeen, LaneRules, Ledger, LedgerEvent, Matching, Moment, Observed};
use andon_core::judge;
use andon_core::{FrameNo, Outcome, Reason, Threshold};

fn ms(n: u64) -> Mono {
    Mono(n * 1_000_000)
}

fn jet() -> EjectorSpec {
    EjectorSpec {
        distance: 1000,
        length: 100,
        before: 10,
        after: 20,
        shape: PulseShape::Window,
        delay_on: Duration::from_millis(20),
        delay_off: Duration::from_millis(10),
        min_on: Duration::from_millis(5),
        min_gap: Duration::from_millis(5),
        max_on: Duration::from_secs(1),
        max_duty: 1.0,
        causes: EjectOn::ALL,
        confirm_within: None,
    }
}

fn part(seq: u64, ticks: i64) -> Part {
    Part { seq: Seq(seq), at: Mono(0), ticks: Ticks(ticks), id: None }
}

fn pass() -> Outcome {
    judge(Ok(0.5), Threshold::new(1.0).unwrap()).outcome
}

/// A belt of 1 tick a millisecond that is at tick `n` at millisecond `n`.
fn steady(n: u64) -> Belt {
    Belt { at: ms(n), ticks: Ticks(n as i64), rate: 1000.0 }
}

/// Drives a schedule from wake to wake, as the stage does; the edges, the fired parts and the notices.
struct Run {
    edges: Vec<(u64, bool)>,
    fired: Vec<(u64, u64)>,
    notices: Vec<(EventKind, Detail)>,
}

fn run(schedule: &mut Schedule, from: u64, to: u64, belt: impl Fn(u64) -> Belt) -> Run {
    let mut run = Run { edges: Vec::new(), fired: Vec::new(), notices: Vec::new() };
    let mut at = from;
    while at <= to {
        let belt = belt(at);
        schedule.step(ms(at), &belt, &mut |act| match act {
            ActuatorAction::Set { on, .. } => run.edges.push((at, on)),
            ActuatorAction::Ejection(f) => run.fired.push((f.seq.0, f.late_ns / 1_000_000)),
            ActuatorAction::Event(n) => run.notices.push((n.kind, n.detail)),
        });
        let next = schedule.next(ms(at), &belt).map_or(10, |d| d.as_millis() as u64);
        at += next.clamp(1, 10);
    }
    run
}

#[test]
fn a_part_is_ejected_at_its_place_unless_it_passes() {
    let mut schedule = Schedule::new([jet()]);
    assert_eq!((schedule.commit(), schedule.lead()), (Some(990), Duration::from_millis(20)));
    schedule.arm(&part(0, 0));
    schedule.arm(&part(1, 500));
    schedule.arm(&part(2, 1000));
    schedule.settle(Seq(0), &Outcome::Reject, Reason::OverThreshold);
    schedule.settle(Seq(1), &pass(), Reason::UnderThreshold);
    // Part 2 was never settled: it is ejected too. On 20 ms before tick 990, off 10 ms before tick 1120.
    let run = run(&mut schedule, 0, 3000, steady);
    assert_eq!(run.edges, [(970, true), (1110, false), (1970, true), (2110, false)]);
    assert_eq!(run.fired, [(0, 0), (2, 0)]);
    assert!(run.notices.is_empty() && schedule.is_idle());
}

#[test]
fn the_window_follows_a_belt_that_slows_and_stops_and_runs_back() {
    let mut schedule = Schedule::new([EjectorSpec { max_on: Duration::from_secs(10), ..jet() }]);
    schedule.arm(&part(0, 0));
    // Stands at tick 980 for two seconds, runs back to 880 and comes again at half the speed.
    let belt = |n: u64| match n {
        0..980 => steady(n),
        980..2980 => Belt { at: ms(n), ticks: Ticks(980), rate: 0.0 },
        2980..3080 => Belt { at: ms(n), ticks: Ticks(980 - (n as i64 - 2980)), rate: -1000.0 },
        _ => Belt { at: ms(n), ticks: Ticks(880 + (n as i64 - 3080) / 2), rate: 500.0 },
    };
    let run = run(&mut schedule, 0, 4000, belt);
    // At speed 1 the jet opened at 970; standing, its window begins at 990 only, so it closes; at half the speed it opens
    // at 980 and closes at 1115.
    assert_eq!(run.edges, [(970, true), (980, false), (3280, true), (3550, false)]);
    assert_eq!(run.fired, [(0, 0)]);
}

#[test]
fn pulses_that_come_near_are_merged_and_pauses_are_kept() {
    let near = EjectorSpec { min_gap: Duration::from_millis(40), ..jet() };
    let mut schedule = Schedule::new([near]);
    for (n, at) in [0, 170, 400].into_iter().enumerate() {
        schedule.arm(&part(n as u64, at));
        schedule.settle(Seq(n as u64), &Outcome::Reject, Reason::OverThreshold);
    }
    let run = run(&mut schedule, 0, 3000, steady);
    assert_eq!(run.edges, [(970, true), (1280, false), (1370, true), (1510, false)]);
    assert_eq!(run.fired.len(), 3);
}

#[test]
fn a_pusher_gives_one_pulse_and_a_guard_cuts_what_lasts_too_long() {
    let pusher = EjectorSpec { shape: PulseShape::Pulse(Duration::from_millis(30)), ..jet() };
    let mut schedule = Schedule::new([pusher]);
    schedule.arm(&part(0, 0));
    assert_eq!(run(&mut schedule, 0, 2000, steady).edges, [(1030, true), (1060, false)]);
    let mut schedule = Schedule::new([EjectorSpec { max_on: Duration::from_millis(500), ..jet() }]);
    schedule.arm(&part(0, 0));
    let stands = |n: u64| if n < 1000 { steady(n) } else { Belt { at: ms(n), ticks: Ticks(1000), rate: 0.0 } };
    let run = run(&mut schedule, 0, 3000, stands);
    assert_eq!(run.edges, [(970, true), (1470, false)]);
    assert_eq!(run.notices, [(EventKind::StuckOn, Detail::None)]);
}

#[test]
fn a_coil_that_is_on_too_often_is_switched_off_and_said() {
    let mut schedule = Schedule::new([EjectorSpec { max_duty: 0.05, ..jet() }]);
    for n in 0..10 {
        schedule.arm(&part(n, 200 * n as i64));
    }
    let run = run(&mut schedule, 0, 4000, steady);
    // 140 ms of every 200: the half second that 5 % of ten seconds allow, and a little that is filled meanwhile.
    let on: u64 = run.edges.chunks(2).map(|e| e[1].0 - e[0].0).sum();
    assert!((500..620).contains(&on), "{on} ms on");
    assert!(run.notices.iter().any(|n| n.0 == EventKind::OverDuty));
    assert!(run.notices.iter().any(|n| n.0 == EventKind::MissedEjection), "what was not ejected is said");
}

#[test]
fn ejectors_by_cause_and_the_sensor_behind() {
    let second = EjectorSpec { distance: 2000, causes: EjectOn::new(false, true, true), ..jet() };
    let within = Some(Duration::from_millis(200));
    let first = EjectorSpec { causes: EjectOn::new(true, false, false), confirm_within: within, ..jet() };
    let mut schedule = Schedule::new([first, second]);
    let outcomes = [Outcome::Reject, Outcome::Error, Outcome::Reject, Outcome::Uninspected];
    for (n, outcome) in outcomes.iter().enumerate() {
        schedule.arm(&part(n as u64, 300 * n as i64));
        schedule.settle(Seq(n as u64), outcome, Reason::OverThreshold);
    }
    let mut notices = Vec::new();
    let (mut fired, mut seen) = (Vec::new(), false);
    for at in 0..4000 {
        schedule.step(ms(at), &steady(at), &mut |act| match act {
            ActuatorAction::Ejection(f) => fired.push((f.ejector, f.seq.0)),
            ActuatorAction::Event(n) => notices.push((n.kind, n.detail)),
            ActuatorAction::Set { .. } => {}
        });
        if at == 1100 || at == 1150 {
            schedule.confirm(0, ms(at), &mut |act| seen |= matches!(act, ActuatorAction::Event(_)));
            assert_eq!(seen, at == 1150, "one part, two edges: the second is nobody's");
        }
    }
    assert_eq!(fired, [(0, 0), (0, 2), (1, 1), (1, 3)]);
    assert_eq!(notices, [(EventKind::RejectUnconfirmed, Detail::Part(Seq(2)))]);
}

#[test]
fn borderline_parts_go_to_the_ejector_that_names_them() {
    let review = EjectorSpec { distance: 2000, causes: EjectOn::default().and_borderline(true), ..jet() };
    let reject = EjectorSpec { causes: EjectOn::new(true, true, true), ..jet() };
    let mut schedule = Schedule::new([reject, review]);
    for (n, reason) in [Reason::OverThreshold, Reason::Borderline].into_iter().enumerate() {
        schedule.arm(&part(n as u64, 300 * n as i64));
        schedule.settle(Seq(n as u64), &Outcome::Reject, reason);
    }
    let mut fired = Vec::new();
    for at in 0..4000 {
        schedule.step(ms(at), &steady(at), &mut |act| {
            if let ActuatorAction::Ejection(f) = act {
                fired.push((f.ejector, f.seq.0));
            }
        });
    }
    assert_eq!(fired, [(0, 0), (1, 1)]);
    assert!(EjectOn::ALL.has(&Outcome::Reject, Reason::Borderline));
}

#[derive(Clone, Debug)]
struct Step {
    /// Milliseconds until the stage wakes again.
    wait: u64,
    /// Ticks a millisecond meanwhile.
    speed: i64,
    /// A part comes.
    part: bool,
    /// A result for the frame so many before the newest: this raw score.
    result: Option<(u64, f32)>,
}

fn step() -> impl Strategy<Value = Step> {
    let speed = prop_oneof![6 => Just(2i64), 2 => 0..5i64, 1 => Just(0i64), 1 => -2..0i64];
    let result = proptest::option::weighted(0.6, (0..8u64, prop_oneof![Just(0.5f32), Just(2.0), Just(f32::NAN)]));
    (1..25u64, speed, any::<bool>(), result).prop_map(|(wait, speed, part, result)| Step { wait, speed, part, result })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The ledger and the schedule together, with results in any order, late or never, and a belt that stops and runs back:
    /// every part settles once; a part that passed is never ejected; every other part is ejected once or named as missed;
    /// a PASS never comes after the output had to be on.
    #[test]
    fn no_late_release_no_double_fire_nothing_forgotten(steps in proptest::collection::vec(step(), 1..40)) {
        let spec = EjectorSpec { distance: 300, length: 20, before: 5, after: 5, min_gap: Duration::ZERO, ..jet() };
        let mut schedule = Schedule::new([spec, EjectorSpec { distance: 400, ..spec }]);
        let margin = Duration::from_millis(25);
        let rule = LaneRules {
            cameras: 1, matching: Matching::Free, budget: Duration::from_secs(60), commit: schedule.commit(), min_pitch: 1, encoder: true,
            review: None,
        };
        let mut ledger = Ledger::new(rule);
        let (mut at, mut ticks, mut frames) = (ms(0), 0i64, 0u64);
        let (mut settled, mut done, mut offered) = (HashMap::new(), HashMap::<(u8, u64), u32>::new(), 0u64);
        let mut told: Vec<LedgerEvent> = Vec::new();
        // At the end the belt runs on until everything is past the last ejector.
        let rest = std::iter::repeat_n(Step { wait: 10, speed: 2, part: false, result: None }, 60);
        for step in steps.into_iter().chain(rest) {
            at = at + Duration::from_millis(step.wait);
            ticks += step.wait as i64 * step.speed;
            let belt = Belt { at, ticks: Ticks(ticks), rate: step.speed as f64 * 1000.0 };
            let now = Moment { at, belt, lead: schedule.lead() + margin };
            ledger.expire(&now, &mut |t| told.push(t));
            if step.part {
                let seen = FrameSeen { frame: FrameNo(frames), t_capture: at, ticks: Ticks(ticks), source_index: None };
                ledger.frame(0, seen, &now, &mut |t| told.push(t));
                frames += 1;
            }
            if let Some((back, raw)) = step.result {
                let (times, regions) = Default::default();
                let frame = FrameNo(frames.saturating_sub(1 + back));
                let threshold = Threshold::new(1.0).unwrap();
                let seen = Observed { frame, result: Ok(raw), threshold, model: 0, recipe: 0, queue_ns: 0, times, regions };
                ledger.observed(0, seen, &now, &mut |t| told.push(t));
            }
            for t in told.drain(..) {
                match t {
                    LedgerEvent::Offered(part) => {
                        offered += 1;
                        schedule.arm(&part);
                    }
                    LedgerEvent::Settled(end) => {
                        prop_assert!(settled.insert(end.part.seq.0, end.outcome).is_none(), "settled twice");
                        if matches!(end.outcome, Outcome::Pass(_)) {
                            let on = end.part.ticks + spec.commit() + -belt.ticks_in(spec.delay_on);
                            prop_assert!(belt.ticks < on, "released after the output had to be on");
                        }
                        schedule.settle(end.part.seq, &end.outcome, end.reason);
                    }
                    LedgerEvent::Ended(_) | LedgerEvent::Orphan { .. } | LedgerEvent::Event(_) => {}
                }
            }
            schedule.step(at, &belt, &mut |act| match act {
                ActuatorAction::Ejection(f) => *done.entry((f.ejector, f.seq.0)).or_default() += 1,
                ActuatorAction::Event(LineEvent { kind: EventKind::MissedEjection, subject: Subject::Ejector(e), detail: Detail::Part(seq), .. }) => {
                    *done.entry((e, seq.0)).or_default() += 1;
                }
                _ => {}
            });
        }
        prop_assert_eq!(settled.len() as u64, offered);
        for (seq, outcome) in &settled {
            for ejector in 0..2 {
                let times = done.get(&(ejector, *seq)).copied().unwrap_or(0);
                let want = u32::from(!matches!(outcome, Outcome::Pass(_)));
                prop_assert_eq!(times, want, "part {} at ejector {}", seq, ejector);
            }
        }
    }
}
