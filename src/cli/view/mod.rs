//! The live view of a line in a terminal: a state that records are fed to, and a drawing of it. Knows nothing of threads.

mod draw;
mod picture;
mod summary;
mod tally;
mod terminal;

use std::collections::VecDeque;

pub use summary::{Report, Summary};
pub use tally::Tally;
pub use terminal::{Colours, Screen};

use andon_core::{AnomalyMap, CameraVerdict, Outcome, Stats};

/// How many parts the strip and the chart remember.
const HISTORY: usize = 120;

/// Everything that the view shows.
#[derive(Debug)]
pub struct Live {
    /// Model, engine and source, for the title.
    pub title: String,
    /// Outcomes against ground truth.
    pub tally: Tally,
    /// The last statistics.
    pub stats: Option<Stats>,
    /// Seconds since the line started.
    pub elapsed: f64,
    /// Parts a second that the belt brings.
    pub rate: f64,
    /// Parts that were ejected.
    pub ejected: u64,
    /// Outcome and margin (score by threshold) of the last parts, newest at the end.
    recent: VecDeque<(Outcome, Option<f32>)>,
    /// The last rejected part.
    shown: Option<Shown>,
    /// Last words, newest at the end.
    events: VecDeque<String>,
}

/// A part's picture and heatmap, as levels on the model's fixed scale.
#[derive(Debug)]
struct Shown {
    caption: String,
    /// Side of the two square pictures.
    side: usize,
    rgb: Vec<[u8; 3]>,
    levels: Vec<u8>,
}

impl Live {
    /// An empty view.
    pub fn new(title: String, rate: f64) -> Live {
        Live {
            title,
            tally: Tally::default(),
            stats: None,
            elapsed: 0.0,
            rate,
            ejected: 0,
            recent: VecDeque::with_capacity(HISTORY),
            shown: None,
            events: VecDeque::new(),
        }
    }

    /// A verdict, and what the part really was: `None` if nobody knows, `Some(None)` for a good part, `Some(kind)` for a
    /// defective one.
    pub fn verdict(&mut self, v: &CameraVerdict, truth: Option<Option<&'static str>>) {
        self.tally.add(v, truth);
        if self.recent.len() == HISTORY {
            self.recent.pop_front();
        }
        self.recent.push_back((v.outcome, v.score.map(|s| s.get() / v.threshold)));
        let margin =
            v.score.map_or(String::new(), |s| format!("  {:.0} % of threshold", 100.0 * s.get() / v.threshold));
        let word = match (v.outcome, truth) {
            (Outcome::Pass(_), Some(Some(kind))) => Some(format!("part {} MISSED {kind}{margin}", v.seq)),
            (Outcome::Reject, Some(None)) => Some(format!("part {} FALSE REJECT{margin}", v.seq)),
            (Outcome::Reject, Some(Some(kind))) => Some(format!("part {} rejected: {kind}{margin}", v.seq)),
            (Outcome::Uninspected | Outcome::Error, _) => {
                Some(format!("part {} {}: {}", v.seq, v.outcome.as_str(), v.reason.as_str()))
            }
            _ => None,
        };
        if let Some(word) = word {
            self.event(word);
        }
    }

    /// Statistics of the line.
    pub fn stats(&mut self, stats: Stats) {
        self.stats = Some(stats);
    }

    /// One line for the list at the bottom.
    pub fn event(&mut self, text: String) {
        if self.events.len() == 8 {
            self.events.pop_front();
        }
        self.events.push_back(text);
    }

    /// The picture (RGB, `picture_side` squared) and anomaly map of a part.
    pub fn show(&mut self, caption: String, rgb: &[u8], picture_side: usize, map: &AnomalyMap, scale: (f32, f32)) {
        if map.width == 0 || map.width != map.height || picture_side == 0 {
            return;
        }
        let side = map.width;
        let mut levels = Vec::new();
        andon_vision::model::heatmap::to_u8(&map.data, scale.0, scale.1, &mut levels);
        let rgb = picture::shrink(rgb, picture_side, side);
        self.shown = Some(Shown { caption, side, rgb, levels });
    }

    /// Draws all of it.
    pub fn draw(&self, frame: &mut ratatui::Frame<'_>, colours: Colours) {
        draw::draw(self, frame, colours);
    }
}

#[cfg(test)]
mod tests;
