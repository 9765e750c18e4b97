use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use andon_core::{Belt, Fault, ReviewBand, Threshold};

const BUDGET: Duration = Duration::from_millis(100);

fn ms(n: u64) -> Mono {
    Mono(n * 1_000_000)
}

fn now(at: u64) -> Moment {
    Moment::of_time(ms(at))
}

fn free() -> Ledger {
    Ledger::new(rule(Matching::Free, 1))
}

fn rule(matching: Matching, cameras: usize) -> LaneRules {
    LaneRules { cameras, matching, budget: BUDGET, commit: None, min_pitch: 10_000, encoder: false, review: None }
}

fn frame(n: u64, at: u64) -> FrameSeen {
    let t_capture = ms(at);
    FrameSeen { frame: FrameNo(n), t_capture, ticks: Belt::of_time(t_capture).ticks, source_index: Some(n) }
}

fn says(n: u64, result: Result<f32, Fault>) -> Observed {
    let (times, regions) = Default::default();
    let threshold = Threshold::new(1.0).unwrap();
    Observed { frame: FrameNo(n), result, threshold, model: 0, recipe: 0, queue_ns: 0, times, regions }
}

fn trigger(at: u64) -> Trigger {
    Trigger { at: ms(at), ticks: Belt::of_time(ms(at)).ticks, id: None }
}

/// Collects by kind.
#[derive(Default)]
struct Heard {
    offered: Vec<Part>,
    ended: Vec<CameraEnding>,
    settled: Vec<PartVerdict>,
    notices: Vec<EventKind>,
}

impl Heard {
    fn tell(&mut self) -> impl FnMut(LedgerEvent) {
        |told| match told {
            LedgerEvent::Offered(p) => self.offered.push(p),
            LedgerEvent::Ended(e) => self.ended.push(e),
            LedgerEvent::Settled(s) => self.settled.push(s),
            LedgerEvent::Orphan { .. } => self.notices.push(EventKind::FrameWithoutPart),
            LedgerEvent::Event(n) => self.notices.push(n.kind),
        }
    }

    fn outcomes(&self) -> Vec<(u64, &'static str, Reason)> {
        self.settled.iter().map(|s| (s.part.seq.0, s.outcome.as_str(), s.reason)).collect()
    }
}

#[test]
fn a_result_in_time_is_judged_and_a_late_pass_does_not_release_the_part() {
    let (mut ledger, mut heard) = (free(), Heard::default());
    ledger.frame(0, frame(0, 0), &now(0), &mut heard.tell());
    ledger.frame(0, frame(1, 0), &now(0), &mut heard.tell());
    ledger.observed(0, says(0, Ok(0.5)), &now(100), &mut heard.tell());
    ledger.observed(0, says(1, Ok(0.5)), &now(101), &mut heard.tell());
    ledger.observed(0, says(1, Ok(0.5)), &now(102), &mut heard.tell());
    assert_eq!(heard.outcomes(), [(0, "PASS", Reason::UnderThreshold), (1, "UNINSPECTED", Reason::Late)]);
    assert_eq!(ledger.counts(0), Counts { offered: 2, pass: 1, uninspected: 1, late_results: 2, ..Counts::default() });
}

#[test]
fn a_score_in_the_review_band_rejects_as_borderline_and_a_sure_defect_outweighs_it() {
    let band = ReviewBand::from_share(0.9);
    let window = Matching::Window { from_ns: 0, to_ns: 5_000_000 };
    let mut ledger = Ledger::new(LaneRules { review: band, ..rule(window, 2) });
    let mut heard = Heard::default();
    for (n, scores) in [[0.5, 0.95], [0.95, 1.5], [1.5, 0.95], [0.5, 0.89]].into_iter().enumerate() {
        let (n, at) = (n as u64, 20 * n as u64);
        ledger.trigger(trigger(at), &now(at), &mut heard.tell());
        for (camera, score) in scores.into_iter().enumerate() {
            ledger.frame(camera, frame(n, at), &now(at), &mut heard.tell());
            ledger.observed(camera, says(n, Ok(score)), &now(at), &mut heard.tell());
        }
    }
    assert_eq!(
        heard.outcomes(),
        [
            (0, "REJECT", Reason::Borderline),
            (1, "REJECT", Reason::OverThreshold),
            (2, "REJECT", Reason::OverThreshold),
            (3, "PASS", Reason::UnderThreshold)
        ]
    );
}

#[test]
fn a_part_whose_cameras_judge_by_different_recipes_is_not_inspected() {
    let window = Matching::Window { from_ns: 0, to_ns: 5_000_000 };
    let mut ledger = Ledger::new(rule(window, 2));
    let mut heard = Heard::default();
    for (n, recipes) in [[0, 0], [0, 1], [1, 1], [1, 0]].into_iter().enumerate() {
        let (n, at) = (n as u64, 20 * n as u64);
        ledger.trigger(trigger(at), &now(at), &mut heard.tell());
        for (camera, recipe) in recipes.into_iter().enumerate() {
            ledger.frame(camera, frame(n, at), &now(at), &mut heard.tell());
            ledger.observed(camera, Observed { recipe, ..says(n, Ok(0.5)) }, &now(at), &mut heard.tell());
        }
    }
    let half = |n| (n, "UNINSPECTED", Reason::RecipeChanged);
    let whole = |n| (n, "PASS", Reason::UnderThreshold);
    assert_eq!(heard.outcomes(), [whole(0), half(1), whole(2), half(3)]);
}

#[test]
fn silence_ends_at_the_deadline() {
    let (mut ledger, mut heard) = (free(), Heard::default());
    ledger.frame(0, frame(0, 5), &now(6), &mut heard.tell());
    assert_eq!(ledger.next_deadline(&now(6)), Some(Duration::from_millis(99)));
    ledger.expire(&now(105), &mut heard.tell());
    assert!(heard.ended.is_empty(), "the deadline itself is still in time");
    ledger.expire(&now(106), &mut heard.tell());
    assert_eq!(heard.outcomes(), [(0, "UNINSPECTED", Reason::Late)]);
    assert_eq!(ledger.next_deadline(&now(106)), None);
}

#[test]
fn a_part_is_late_when_it_nears_the_ejector_whatever_the_time() {
    let mut ledger = Ledger::new(LaneRules { commit: Some(100), encoder: true, ..rule(Matching::Free, 1) });
    let mut heard = Heard::default();
    let at = |t: u64, ticks: i64, rate: f64| {
        let belt = Belt { at: ms(t), ticks: Ticks(ticks), rate };
        Moment { at: ms(t), belt, lead: Duration::from_millis(10) }
    };
    for n in 0..3 {
        let seen = FrameSeen { ticks: Ticks(0), ..frame(n, 0) };
        ledger.frame(0, seen, &at(0, 0, 1000.0), &mut heard.tell());
    }
    // 1,000 ticks/s: the lead of 10 ms is 10 ticks, so position 90 is too late and 89 is not.
    ledger.observed(0, says(0, Ok(0.5)), &at(1, 89, 1000.0), &mut heard.tell());
    ledger.observed(0, says(1, Ok(0.5)), &at(1, 90, 1000.0), &mut heard.tell());
    // The belt stands: the same position is in time again, until the budget is over.
    ledger.observed(0, says(2, Ok(0.5)), &at(1, 95, 0.0), &mut heard.tell());
    let said: Vec<_> = heard.settled.iter().map(|s| (s.outcome.as_str(), s.slack_ns)).collect();
    assert_eq!(said, [("PASS", 1_000_000), ("UNINSPECTED", 0), ("PASS", 99_000_000)]);
    assert!(heard.ended.iter().all(|e| matches!(e.outcome, Outcome::Pass(_)) == (e.at <= e.deadline)));
}

#[test]
fn skipped_numbers_are_parts_whose_frame_is_missing() {
    let (mut ledger, mut heard) = (free(), Heard::default());
    ledger.frame(0, frame(0, 0), &now(0), &mut heard.tell());
    ledger.frame(0, frame(3, 1), &now(1), &mut heard.tell());
    let missing = |n| (n, "UNINSPECTED", Reason::FrameMissing);
    assert_eq!(heard.outcomes(), [missing(1), missing(2)]);
    assert_eq!(heard.offered.len(), 4);
}

#[test]
fn a_full_ring_ends_its_oldest_part_and_never_grows() {
    let (mut ledger, mut heard) = (free(), Heard::default());
    for n in 0..Ledger::CAPACITY as u64 + 10 {
        ledger.frame(0, frame(n, 0), &now(0), &mut heard.tell());
    }
    assert!(heard.settled.len() == 10 && heard.settled.iter().all(|e| e.reason == Reason::Overflow));
    assert!(ledger.slots.capacity() == Ledger::CAPACITY && ledger.cameras[0].frames.capacity() == Ledger::FRAMES);
    ledger.stop(&now(1), &mut heard.tell());
    assert_eq!(heard.settled.len(), Ledger::CAPACITY + 10);
    assert!(ledger.counts(0).adds_up() && ledger.counts(0).in_flight == 0);
}

#[test]
fn a_part_is_good_only_if_all_of_its_cameras_say_so() {
    let mut ledger = Ledger::new(rule(Matching::Window { from_ns: 0, to_ns: 5_000_000 }, 2));
    let mut heard = Heard::default();
    for (n, second) in [Ok(0.5), Ok(2.0), Err(Fault::BadFrame)].into_iter().enumerate() {
        let (n, at) = (n as u64, 20 * n as u64);
        ledger.trigger(trigger(at), &now(at), &mut heard.tell());
        ledger.frame(0, frame(n, at + 1), &now(at + 2), &mut heard.tell());
        ledger.frame(1, frame(n, at + 2), &now(at + 2), &mut heard.tell());
        ledger.observed(1, says(n, second), &now(at + 9), &mut heard.tell());
        assert_eq!(heard.settled.len(), n as usize, "one camera is not all");
        ledger.observed(0, says(n, Ok(0.1)), &now(at + 10), &mut heard.tell());
    }
    let said: Vec<_> = heard.settled.iter().map(|s| s.outcome.as_str()).collect();
    assert_eq!(said, ["PASS", "REJECT", "ERROR"]);
    assert_eq!(ledger.counts(0).pass, 3);
}

#[test]
fn frames_find_their_trigger_whichever_comes_first() {
    let mut ledger = Ledger::new(rule(Matching::Window { from_ns: 0, to_ns: 5_000_000 }, 1));
    let mut heard = Heard::default();
    // The frame and even its result are here before the slow trigger input has spoken.
    ledger.frame(0, frame(0, 12), &now(13), &mut heard.tell());
    ledger.observed(0, says(0, Ok(0.5)), &now(20), &mut heard.tell());
    assert!(heard.settled.is_empty());
    ledger.trigger(trigger(10), &now(25), &mut heard.tell());
    assert_eq!(heard.outcomes(), [(0, "PASS", Reason::UnderThreshold)]);
    // Frames outside of every window are nobody's, and are named when their time is over.
    ledger.frame(0, frame(1, 40), &now(41), &mut heard.tell());
    ledger.observed(0, says(1, Ok(9.0)), &now(42), &mut heard.tell());
    ledger.trigger(trigger(60), &now(60), &mut heard.tell());
    ledger.expire(&now(200), &mut heard.tell());
    assert_eq!(heard.outcomes()[1..], [(1, "UNINSPECTED", Reason::FrameMissing)]);
    assert_eq!(heard.notices, [EventKind::TriggerWithoutFrame, EventKind::FrameWithoutPart]);
}

#[test]
fn numbers_and_positions_match_too() {
    let mut heard = Heard::default();
    let mut by_id = Ledger::new(rule(Matching::Id { offset: -100 }, 1));
    by_id.trigger(Trigger { id: Some(107), ..trigger(0) }, &now(0), &mut heard.tell());
    by_id.trigger(Trigger { id: Some(108), ..trigger(20) }, &now(20), &mut heard.tell());
    by_id.frame(0, frame(8, 21), &now(21), &mut heard.tell());
    by_id.observed(0, says(8, Ok(0.5)), &now(22), &mut heard.tell());
    assert_eq!(heard.outcomes(), [(1, "PASS", Reason::UnderThreshold)]);
    let mut by_place = Ledger::new(rule(Matching::Range { from: 400, to: 600 }, 1));
    let mut heard = Heard::default();
    by_place.trigger(Trigger { ticks: Ticks(1000), ..trigger(0) }, &now(0), &mut heard.tell());
    by_place.trigger(Trigger { ticks: Ticks(20_000), ..trigger(1) }, &now(1), &mut heard.tell());
    by_place.frame(0, FrameSeen { ticks: Ticks(1500), ..frame(0, 3) }, &now(3), &mut heard.tell());
    by_place.observed(0, says(0, Ok(2.0)), &now(4), &mut heard.tell());
    assert_eq!(heard.outcomes(), [(0, "REJECT", Reason::OverThreshold)]);
}

#[test]
fn a_duplicate_trigger_is_named_and_a_dead_encoder_is_recognised() {
    let mut ledger =
        Ledger::new(LaneRules { encoder: true, min_pitch: 100, ..rule(Matching::Range { from: 0, to: 50 }, 1) });
    let mut heard = Heard::default();
    let mut edge = |at: u64, ticks: i64| {
        ledger.trigger(Trigger { ticks: Ticks(ticks), ..trigger(at) }, &now(at), &mut heard.tell());
    };
    edge(0, 0);
    edge(1, 1); // contacts bounce
    edge(50, 200);
    edge(100, 140); // the belt ran back
    edge(150, 199);
    edge(200, 400);
    edge(260, 400); // nothing moves any more, and parts keep coming
    edge(320, 400);
    assert_eq!(heard.offered.len(), 3);
    let duplicates = heard.notices.iter().filter(|n| **n == EventKind::DuplicateTrigger).count();
    assert_eq!((duplicates, heard.notices.last()), (5, Some(&EventKind::EncoderSilent)));
    let mut edge = |at: u64, ticks: i64| {
        ledger.trigger(Trigger { ticks: Ticks(ticks), ..trigger(at) }, &now(at), &mut heard.tell());
    };
    edge(400, 600);
    edge(450, 800);
    let back = heard.notices.iter().filter(|n| **n == EventKind::EncoderBack).count();
    assert_eq!((heard.offered.len(), back), (5, 1), "it moves again, which is said once");
}

#[derive(Clone, Debug)]
enum Event {
    Trigger,
    Frame { camera: usize, skip: u64 },
    Observe { camera: usize, back: u64, raw: u32 },
    Fault { camera: usize, back: u64 },
    Evict { camera: usize, back: u64 },
    Expire,
    Wait { ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let camera = 0..2usize;
    prop_oneof![
        3 => Just(Event::Trigger),
        4 => (camera.clone(), prop_oneof![9 => Just(0u64), 1 => 1..4u64]).prop_map(|(camera, skip)| Event::Frame { camera, skip }),
        4 => (camera.clone(), 0..6u64, any::<u32>()).prop_map(|(camera, back, raw)| Event::Observe { camera, back, raw }),
        1 => (camera.clone(), 0..6u64).prop_map(|(camera, back)| Event::Fault { camera, back }),
        1 => (camera, 0..6u64).prop_map(|(camera, back)| Event::Evict { camera, back }),
        2 => Just(Event::Expire),
        3 => (0..60u64).prop_map(|ms| Event::Wait { ms }),
    ]
}

fn matching() -> impl Strategy<Value = Matching> {
    prop_oneof![
        Just(Matching::Free),
        Just(Matching::Window { from_ns: -1_000_000, to_ns: 20_000_000 }),
        Just(Matching::Range { from: 0, to: 20_000 }),
        Just(Matching::Id { offset: 0 }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: every offered part ends exactly once for each camera and settles exactly once, a
    /// PASS has a finite score under the threshold from every camera and came in time, and the counters always add up.
    #[test]
    fn every_part_ends_exactly_once(matching in matching(), events in proptest::collection::vec(event(), 1..40)) {
        let cameras = if matching == Matching::Free { 1 } else { 2 };
        let mut ledger = Ledger::new(LaneRules { min_pitch: 1, ..rule(matching, cameras) });
        let (mut offered, mut ended, mut settled) = (Vec::new(), HashMap::new(), HashMap::new());
        let mut twice = None;
        let (mut clock, mut next, mut id) = (ms(0), [0u64; 2], 0u64);
        {
            let mut tell = |told: LedgerEvent| match told {
                LedgerEvent::Offered(p) => offered.push(p.seq.0),
                LedgerEvent::Ended(e) => if let Some(old) = ended.insert((e.part.seq.0, e.camera), e) { twice = Some(old.part) },
                LedgerEvent::Settled(s) => if let Some(old) = settled.insert(s.part.seq.0, s) { twice = Some(old.part) },
                LedgerEvent::Orphan { .. } | LedgerEvent::Event(_) => {}
            };
            for event in events {
                let now = Moment::of_time(clock);
                match event {
                    Event::Trigger => {
                        let trigger = Trigger { at: clock, ticks: now.belt.ticks, id: Some(id) };
                        id += 1;
                        if matching != Matching::Free {
                            ledger.trigger(trigger, &now, &mut tell);
                        }
                    }
                    Event::Frame { camera, skip } => {
                        let camera = camera % cameras;
                        next[camera] += skip;
                        ledger.frame(camera, frame(next[camera], clock.0 / 1_000_000), &now, &mut tell);
                        next[camera] += 1;
                    }
                    Event::Observe { camera, back, raw } => {
                        let n = next[camera % cameras].saturating_sub(back);
                        ledger.observed(camera % cameras, says(n, Ok(f32::from_bits(raw))), &now, &mut tell);
                    }
                    Event::Fault { camera, back } => {
                        let n = next[camera % cameras].saturating_sub(back);
                        ledger.observed(camera % cameras, says(n, Err(Fault::BadFrame)), &now, &mut tell);
                    }
                    Event::Evict { camera, back } => {
                        let n = next[camera % cameras].saturating_sub(back);
                        ledger.evicted(camera % cameras, FrameNo(n), &now, &mut tell);
                    }
                    Event::Expire => ledger.expire(&now, &mut tell),
                    Event::Wait { ms: n } => clock = clock + Duration::from_millis(n),
                }
                prop_assert!((0..cameras).all(|c| ledger.counts(c).adds_up()));
            }
            ledger.stop(&Moment::of_time(clock), &mut tell);
        }
        prop_assert!(twice.is_none(), "ended twice: {twice:?}");
        prop_assert!(offered.iter().copied().eq(0..offered.len() as u64), "numbers without gaps");
        prop_assert_eq!(ended.len(), offered.len() * cameras);
        prop_assert_eq!(settled.len(), offered.len());
        prop_assert!((0..cameras).all(|c| ledger.counts(c).in_flight == 0 && ledger.counts(c).offered == offered.len() as u64));
        for e in ended.values() {
            if let Outcome::Pass(token) = e.outcome {
                prop_assert!(token.score().get() < token.threshold().get());
                prop_assert!(e.at <= e.deadline);
            }
        }
        for s in settled.values() {
            let all = (0..cameras).all(|c| matches!(ended[&(s.part.seq.0, c)].outcome, Outcome::Pass(_)));
            prop_assert_eq!(matches!(s.outcome, Outcome::Pass(_)), all);
        }
    }
}
