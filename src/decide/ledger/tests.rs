use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const BUDGET: Duration = Duration::from_millis(100);

fn ms(n: u64) -> Mono {
    Mono(n * 1_000_000)
}

fn part(seq: u64, at: u64) -> Admitted {
    Admitted { seq: Seq(seq), t_capture: ms(at), source_index: None }
}

fn limit() -> Threshold {
    Threshold::new(1.0).unwrap()
}

#[test]
fn a_result_in_time_is_judged() {
    let (mut ledger, mut ended) = (Ledger::new(BUDGET), Vec::new());
    ledger.admit(part(0, 0), ms(0), &mut |e| ended.push(e));
    ledger.observed(Observed { seq: Seq(0), result: Ok(0.5) }, limit(), ms(100), &mut |e| ended.push(e));
    assert!(matches!(ended[..], [Ending { outcome: Outcome::Pass(_), .. }]));
    assert_eq!(ledger.counts(), Counts { offered: 1, pass: 1, ..Counts::default() });
}

#[test]
fn late_pass_does_not_release_the_part() {
    let (mut ledger, mut ended) = (Ledger::new(BUDGET), Vec::new());
    ledger.admit(part(0, 0), ms(0), &mut |e| ended.push(e));
    ledger.observed(Observed { seq: Seq(0), result: Ok(0.5) }, limit(), ms(101), &mut |e| ended.push(e));
    assert_eq!((ended[0].outcome, ended[0].reason), (Outcome::Uninspected, Reason::Late));
    ledger.observed(Observed { seq: Seq(0), result: Ok(0.5) }, limit(), ms(102), &mut |e| ended.push(e));
    assert_eq!(ended.len(), 1);
    assert_eq!(ledger.counts().late_results, 2);
}

#[test]
fn silence_ends_at_the_deadline() {
    let (mut ledger, mut ended) = (Ledger::new(BUDGET), Vec::new());
    ledger.admit(part(0, 5), ms(6), &mut |e| ended.push(e));
    assert_eq!(ledger.next_deadline(), Some(ms(105)));
    ledger.expire(ms(105), &mut |e| ended.push(e));
    assert!(ended.is_empty(), "the deadline itself is still in time");
    ledger.expire(ms(106), &mut |e| ended.push(e));
    assert_eq!((ended[0].outcome, ended[0].reason), (Outcome::Uninspected, Reason::Late));
    assert_eq!(ledger.next_deadline(), None);
}

#[test]
fn skipped_numbers_are_parts_whose_frame_is_missing() {
    let (mut ledger, mut ended) = (Ledger::new(BUDGET), Vec::new());
    ledger.admit(part(0, 0), ms(0), &mut |e| ended.push(e));
    ledger.admit(part(3, 1), ms(1), &mut |e| ended.push(e));
    let missing: Vec<u64> = ended.iter().map(|e| e.part.seq.0).collect();
    assert_eq!(missing, [1, 2]);
    assert!(ended.iter().all(|e| e.reason == Reason::FrameMissing));
    assert_eq!(ledger.counts().offered, 4);
    assert!(ledger.counts().adds_up());
}

#[test]
fn a_full_ring_ends_its_oldest_part_and_never_grows() {
    let (mut ledger, mut ended) = (Ledger::new(BUDGET), Vec::new());
    for n in 0..Ledger::CAPACITY as u64 + 10 {
        ledger.admit(part(n, 0), ms(0), &mut |e| ended.push(e));
    }
    assert_eq!(ended.len(), 10);
    assert!(ended.iter().all(|e| e.reason == Reason::Overflow));
    assert_eq!(ledger.ring.capacity(), Ledger::CAPACITY);
    ledger.stop(ms(1), &mut |e| ended.push(e));
    assert_eq!(ended.len(), Ledger::CAPACITY + 10);
    assert!(ledger.counts().adds_up() && ledger.counts().in_flight == 0);
}

#[derive(Clone, Debug)]
enum Event {
    Admit { skip: u64 },
    Missing { count: u64 },
    Observe { back: u64, raw: u32 },
    Fault { back: u64 },
    Evict { back: u64 },
    Expire,
    Wait { ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => prop_oneof![9 => Just(0u64), 1 => 1..4u64].prop_map(|skip| Event::Admit { skip }),
        1 => (1..5u64).prop_map(|count| Event::Missing { count }),
        4 => (0..6u64, any::<u32>()).prop_map(|(back, raw)| Event::Observe { back, raw }),
        1 => (0..6u64).prop_map(|back| Event::Fault { back }),
        1 => (0..6u64).prop_map(|back| Event::Evict { back }),
        2 => Just(Event::Expire),
        3 => (0..60u64).prop_map(|ms| Event::Wait { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: every offered part ends exactly once, a PASS has a finite score under the
    /// threshold and came in time, and the counters add up after every event.
    #[test]
    fn every_part_ends_exactly_once(events in proptest::collection::vec(event(), 1..60)) {
        let mut ledger = Ledger::new(BUDGET);
        let mut ended: HashMap<u64, Ending> = HashMap::new();
        let mut twice = None;
        let (mut now, mut next) = (ms(0), 0u64);
        {
            let mut end = |e: Ending| if let Some(old) = ended.insert(e.part.seq.0, e) { twice = Some(old) };
            for event in events {
                match event {
                    Event::Admit { skip } => {
                        next += skip;
                        ledger.admit(part(next, now.0 / 1_000_000), now, &mut end);
                        next += 1;
                    }
                    Event::Missing { count } => {
                        ledger.missing(count, now, now, &mut end);
                        next += count;
                    }
                    Event::Observe { back, raw } => ledger.observed(
                        Observed { seq: Seq(next.saturating_sub(back)), result: Ok(f32::from_bits(raw)) },
                        limit(), now, &mut end),
                    Event::Fault { back } => ledger.observed(
                        Observed { seq: Seq(next.saturating_sub(back)), result: Err(Fault::BadFrame) },
                        limit(), now, &mut end),
                    Event::Evict { back } => ledger.evicted(Seq(next.saturating_sub(back)), now, &mut end),
                    Event::Expire => ledger.expire(now, &mut end),
                    Event::Wait { ms: n } => now = now + Duration::from_millis(n),
                }
                prop_assert!(ledger.counts().adds_up());
            }
            ledger.stop(now, &mut end);
        }
        prop_assert!(twice.is_none(), "ended twice: {twice:?}");
        prop_assert_eq!(ledger.counts().offered, next);
        prop_assert_eq!(ended.len() as u64, next);
        prop_assert_eq!(ledger.counts().in_flight, 0);
        for e in ended.values() {
            if let Outcome::Pass(token) = e.outcome {
                prop_assert!(token.score().get() < token.threshold().get());
                prop_assert!(e.at <= e.deadline);
            }
        }
    }
}
