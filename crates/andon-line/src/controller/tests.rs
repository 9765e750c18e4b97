use super::*;
use crate::act::{EjectOn, PulseShape};
use andon_core::{Fault, NearestGood, Outcome, Reason, Region, Regions, SplitMix64, Threshold};

const MS: u64 = 1_000_000;

/// An ejector 200 ms behind a photo eye, a stop relay and a heartbeat; the clock is the belt, in microseconds.
fn setup() -> LaneSetup {
    LaneSetup {
        cameras: vec![CameraId(3)],
        continuous: Vec::new(),
        matching: Matching::Window { from_ns: 0, to_ns: 20 * MS as i64 },
        budget: Duration::from_millis(400),
        review: None,
        min_pitch: 1000,
        margin: Duration::from_millis(2),
        has_encoder: false,
        ejectors: vec![EjectorSpec {
            distance: 200_000,
            length: 10_000,
            before: 1000,
            after: 1000,
            shape: PulseShape::Window,
            delay_on: Duration::from_millis(5),
            delay_off: Duration::from_millis(5),
            min_on: Duration::from_millis(1),
            min_gap: Duration::from_millis(1),
            max_on: Duration::from_secs(1),
            max_duty: 1.0,
            causes: EjectOn::ALL,
            confirm_within: None,
        }],
        line_stop: true,
        heartbeat: true,
        alarms: AlarmSpec { consecutive: 3, share_n: 0, share_of: 0 },
        tolerated: Vec::new(),
    }
}

/// A lane with a clock of its own.
struct Bench {
    lane: LaneController,
    now: u64,
    done: Vec<(u64, LaneAction)>,
    tape: Vec<TapeEntry>,
}

impl Bench {
    fn new(setup: LaneSetup) -> Bench {
        Bench { lane: LaneController::new(setup), now: 1000, done: Vec::new(), tape: Vec::new() }
    }

    fn feed(&mut self, input: LaneInput) {
        let at = Mono(self.now * MS);
        let (belt, done, now) = (Belt::of_time(at), &mut self.done, self.now);
        self.tape.push(TapeEntry { lane: 0, at, belt, input });
        self.lane.handle(input, at, belt, &mut |action| done.push((now, action)));
    }

    /// Lets time pass, from wake to wake.
    fn until(&mut self, ms: u64) {
        while self.now < ms {
            let at = Mono(self.now * MS);
            let wait = self.lane.next(at, Belt::of_time(at)).as_nanos() as u64;
            self.now = (self.now + wait.div_ceil(MS).max(1)).min(ms);
            self.feed(LaneInput::Step);
        }
    }

    fn part(&mut self, frame: u64, result: Option<Result<f32, Fault>>) {
        let at = Mono(self.now * MS);
        self.feed(LaneInput::Trigger(Trigger { at, ticks: Belt::of_time(at).ticks, id: None }));
        let ticks = Belt::of_time(at).ticks;
        let seen = FrameSeen { frame: FrameNo(frame), t_capture: at, ticks, source_index: Some(frame) };
        self.feed(LaneInput::Frame { place: 0, seen });
        if let Some(result) = result {
            self.feed(LaneInput::Observed { place: 0, seen: observed(frame, result) });
        }
    }

    /// When the output was switched, and how.
    fn switched(&self, number: usize) -> Vec<(u64, bool)> {
        let set = |(at, action): &(u64, LaneAction)| match action {
            LaneAction::Set { output, on } if *output == number => Some((*at, *on)),
            _ => None,
        };
        self.done.iter().filter_map(set).collect()
    }

    fn settled(&self) -> Vec<(Outcome, Reason)> {
        let end = |(_, action): &(u64, LaneAction)| match action {
            LaneAction::Settled { end, record: true } => Some((end.outcome, end.reason)),
            _ => None,
        };
        self.done.iter().filter_map(end).collect()
    }

    fn notices(&self) -> Vec<EventKind> {
        let kind = |(_, action): &(u64, LaneAction)| match action {
            LaneAction::Event(notice) => Some(notice.kind),
            _ => None,
        };
        self.done.iter().filter_map(kind).collect()
    }
}

fn observed(frame: u64, result: Result<f32, Fault>) -> Observed {
    let mut regions = Regions::default();
    regions.push(Region {
        x: 1,
        peak: 0.1,
        nearest: Some(NearestGood { source: 7, at: [0.3, 0.7] }),
        ..Region::default()
    });
    Observed {
        frame: FrameNo(frame),
        result,
        threshold: Threshold::new(1.0).unwrap(),
        model: 3,
        recipe: 2,
        queue_ns: 5,
        times: Default::default(),
        regions,
    }
}

#[test]
fn a_part_is_ejected_unless_its_pass_comes_in_time() {
    let mut bench = Bench::new(setup());
    bench.part(0, Some(Ok(0.5)));
    bench.until(1050);
    bench.part(1, Some(Ok(2.0)));
    bench.until(1100);
    bench.part(2, None);
    bench.until(1600);
    let ends: Vec<_> = bench.settled().into_iter().map(|(outcome, reason)| (outcome.as_str(), reason)).collect();
    assert_eq!(
        ends,
        [("PASS", Reason::UnderThreshold), ("REJECT", Reason::OverThreshold), ("UNINSPECTED", Reason::Late)]
    );
    // On 1 ms before the part and 5 ms for the valve; off 1 ms behind it, and 5 ms for the valve.
    assert_eq!(bench.switched(0), [(1244, true), (1256, false), (1294, true), (1306, false)]);
    assert!(bench.lane.counts(0).adds_up() && bench.lane.counts(0).in_flight == 0);
}

#[test]
fn three_rejects_in_a_row_ask_the_line_to_stop_until_somebody_releases_it() {
    let mut bench = Bench::new(setup());
    for n in 0..3 {
        bench.part(n, Some(Ok(9.0)));
        bench.until(bench.now + 50);
    }
    assert!(bench.lane.stopped());
    assert_eq!(bench.notices(), [EventKind::ConsecutiveRejects, EventKind::LineStop]);
    assert_eq!(bench.switched(1), [(1100, true)]);
    bench.feed(LaneInput::Release);
    assert!(!bench.lane.stopped());
    assert_eq!(bench.switched(1), [(1100, true), (1150, false)]);
    bench.feed(LaneInput::Release);
    assert_eq!(bench.notices().last(), Some(&EventKind::LineReleased), "released once");
    assert_eq!(bench.notices().len(), 3);
}

#[test]
fn what_is_tolerated_is_told_and_stops_nothing() {
    let mut bench = Bench::new(LaneSetup { tolerated: vec![EventKind::ConsecutiveRejects], ..setup() });
    for n in 0..3 {
        bench.part(n, Some(Err(Fault::Engine("lost"))));
        bench.until(bench.now + 50);
    }
    assert!(!bench.lane.stopped());
    assert_eq!(bench.notices(), [EventKind::ConsecutiveRejects]);
}

#[test]
fn the_heartbeat_beats_while_the_lane_is_stepped() {
    let mut bench = Bench::new(setup());
    bench.until(2000);
    let beats = bench.switched(2);
    assert_eq!(beats.len(), 5, "{beats:?}");
    assert!(beats.windows(2).all(|pair| pair[1].0 - pair[0].0 == 200 && pair[1].1 != pair[0].1), "{beats:?}");
}

#[test]
fn a_camera_that_takes_pictures_all_the_time_is_counted_and_not_told() {
    for (continuous, told) in [(vec![CameraId(3)], 0), (Vec::new(), 1)] {
        let mut bench = Bench::new(LaneSetup { continuous, ..setup() });
        let at = Mono(1000 * MS);
        let seen = FrameSeen { frame: FrameNo(0), t_capture: at, ticks: Belt::of_time(at).ticks, source_index: None };
        bench.feed(LaneInput::Frame { place: 0, seen });
        bench.until(3000);
        let odd = bench.notices().iter().filter(|kind| **kind == EventKind::FrameWithoutPart).count();
        assert_eq!((odd, bench.lane.frames_without_part(0)), (told, 1));
    }
}

/// Anything that can happen to a lane, at random.
fn anything(random: &mut SplitMix64, bench: &mut Bench, frame: &mut u64) {
    let at = Mono(bench.now * MS);
    match random.below(14) {
        0..5 => {
            let result = match random.below(8) {
                0 => None,
                1 => Some(Err(Fault::WrongSize { got_w: 1, got_h: 2, want_w: 3, want_h: 4 })),
                2 => Some(Err(Fault::OutOfRange { got: 9, white: 8 })),
                3 => Some(Ok(f32::NAN)),
                4 => Some(Ok(3.5)),
                _ => Some(Ok(0.1 + random.below(100) as f32 / 123.0)),
            };
            bench.part(*frame, result);
            *frame += 1;
        }
        5 => bench.feed(LaneInput::Missing { place: 0, count: 1, at, ticks: Belt::of_time(at).ticks }),
        6 => bench.feed(LaneInput::Evicted { place: 0, frame: FrameNo(frame.saturating_sub(1)) }),
        7 => bench.feed(LaneInput::InputWorks { input: 1, works: random.below(2) == 0 }),
        8 => bench.feed(LaneInput::OutputWorks { output: 0, works: random.below(2) == 0 }),
        9 => bench.feed(LaneInput::CameraWorks { place: 0, works: random.below(2) == 0 }),
        10 => bench.feed(LaneInput::Encoder(
            [EncoderFault::Reset, EncoderFault::Lost, EncoderFault::Back][random.below(3) as usize],
        )),
        11 => bench.feed(LaneInput::Release),
        13 => bench.feed(LaneInput::Challenge { place: 0, sign: ChallengeSign::ALL[random.below(3) as usize] }),
        12 => bench.feed(LaneInput::Confirm { ejector: 0, at }),
        _ => bench.until(bench.now + random.below(300)),
    }
}

/// A recording, written and read again, makes a fresh lane decide the same, to the last bit.
#[test]
fn a_replay_decides_what_was_decided() {
    for seed in 0..200 {
        let mut random = SplitMix64::new(seed);
        let (mut bench, mut frame) = (Bench::new(setup()), 0);
        for _ in 0..60 {
            anything(&mut random, &mut bench, &mut frame);
            bench.until(bench.now + 1 + random.below(20));
        }
        bench.feed(LaneInput::Stop);
        let mut file = Vec::new();
        bench.tape.iter().for_each(|entry| entry.write(&mut file).unwrap());
        let entries = TapeEntry::read_all(&mut file.as_slice()).unwrap();
        let mut replay = Replay::new(0, setup());
        let mut again = Vec::new();
        replay.run(&entries, &mut |action| again.push(format!("{action:?}")));
        let before: Vec<String> = bench.done.iter().map(|(_, action)| format!("{action:?}")).collect();
        assert_eq!(again, before, "seed {seed}");
        let counts = replay.controller().counts(0);
        assert!(counts.adds_up() && counts.in_flight == 0 && counts == bench.lane.counts(0), "{counts:?}");
    }
}

#[test]
fn a_recording_that_is_none_is_refused_with_its_line() {
    let mut bench = Bench::new(setup());
    bench.part(0, Some(Ok(0.5)));
    let mut file = Vec::new();
    bench.tape.iter().for_each(|entry| entry.write(&mut file).unwrap());
    file.extend(b"{\"lane\":0}\n");
    let why = TapeEntry::read_all(&mut file.as_slice()).unwrap_err().to_string();
    assert!(why.starts_with("line 4 of the recording"), "{why}");
}
