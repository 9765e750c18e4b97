use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use andon_core::{CameraId, ModelTag, Mono, Reason, Score, Seq, StageTimes, Threshold, judge};

fn verdict(seq: u64, score: Option<f32>) -> CameraVerdict {
    let limit = Threshold::new(10.0).unwrap();
    let (outcome, reason) = match score {
        Some(raw) => {
            let judgement = judge(Ok(raw), limit);
            (judgement.outcome, judgement.reason)
        }
        None => (Outcome::Uninspected, Reason::Late),
    };
    CameraVerdict {
        camera: CameraId(0),
        seq: Seq(seq),
        t_trigger: Mono(0),
        trigger_id: None,
        encoder: None,
        source_index: Some(seq),
        outcome,
        reason,
        score: score.and_then(Score::new),
        threshold: 10.0,
        regions: Default::default(),
        t_capture: Mono(0),
        t_verdict: Mono(1_000_000),
        deadline: Mono(2_000_000),
        queue_ns: 0,
        times: StageTimes::default(),
        model: Arc::new(ModelTag {
            name: "m".into(),
            blake3: String::new(),
            engine: "rten".into(),
            threshold: 10.0,
            baseline: 0.0,
            picture_size: [0; 2],
            sources: Vec::new(),
            recipe: None,
        }),
        degraded: false,
    }
}

fn live() -> Live {
    let mut live = Live::new("flange · rten".into(), 10.0);
    for seq in 0..40 {
        live.verdict(&verdict(seq, Some(5.0)), Some(None));
    }
    live.verdict(&verdict(40, Some(25.0)), Some(Some("scratch")));
    live.verdict(&verdict(41, Some(4.0)), Some(Some("smear")));
    live.verdict(&verdict(42, Some(11.0)), Some(None));
    live.verdict(&verdict(43, None), Some(None));
    let map = AnomalyMap { width: 32, height: 32, data: (0..1024).map(|i| i as f32 / 50.0).collect() };
    live.show("part 40 scratch".into(), &vec![120; 64 * 64 * 3], 64, &map, (2.0, 10.0));
    live
}

fn screen(width: u16, height: u16, colours: Colours) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| live().draw(frame, colours)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn the_usual_terminal_shows_counters_truth_and_a_heatmap() {
    let text = screen(80, 24, Colours::True);
    for word in [
        "PASS             41",
        "REJECT            2",
        "UNINSPECTED       1",
        "missed        1 of 2",
        "false rejects 1 of 41",
        "▀▀▀▀",
    ] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(screen(140, 40, Colours::Indexed).contains("heatmap"));
    assert!(!screen(80, 24, Colours::None).contains('▀'));
}

#[test]
fn no_size_is_too_small() {
    for (w, h) in [(40, 10), (20, 5), (3, 2), (1, 1), (300, 3), (10, 100)] {
        screen(w, h, Colours::True);
    }
}

#[test]
fn parts_that_were_not_judged_are_neither_missed_nor_falsely_rejected() {
    let mut tally = Tally::default();
    tally.add(&verdict(0, None), Some(Some("crack")));
    tally.add(&verdict(1, None), Some(None));
    assert_eq!((tally.bad(), tally.good, tally.outcomes), (0, (0, 0), [0, 0, 2, 0]));
}

#[test]
fn colours_follow_the_terminal() {
    let with = |pairs: &'static [(&str, &str)]| {
        Colours::detect(|name| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
    };
    assert_eq!(with(&[("COLORTERM", "truecolor")]), Colours::True);
    assert_eq!(with(&[("TERM", "xterm-256color")]), Colours::Indexed);
    assert_eq!(with(&[("COLORTERM", "truecolor"), ("NO_COLOR", "1")]), Colours::None);
}
