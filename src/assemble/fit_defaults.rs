//! What a model is learned with where nothing else is said; chosen by the comparison in docs/accuracy.md.

use andon_vision::model::Backbone;
use andon_vision::model::head::score::{ImageScore, Scoring};

/// Side of the square that pictures are squashed to, in pixels.
pub const SIZE: u32 = 224;

/// How an anomaly map becomes a score.
pub const SCORING: Scoring = Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 };

/// The compiled-in network, for pictures of the default size.
pub fn backbone() -> Backbone {
    let mut backbone = Backbone::embedded();
    backbone.input.width = SIZE;
    backbone.input.height = SIZE;
    backbone
}
