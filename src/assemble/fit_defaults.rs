//! What a model is learned with where nothing else is said; chosen by the comparison in docs/accuracy.md.

use andon_vision::fit::{Augment, FitOptions, Policy};
use andon_vision::methods::patchcore;
use andon_vision::model::head::score::{ImageScore, Scoring};
use andon_vision::model::{Backbone, Learned};

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

/// PatchCore with the settings of `andon fit`: change what is wanted otherwise. `engine` is the name of the engine that makes the
/// features, `learned` what kind of pictures come.
pub fn options(name: &str, engine: &str, learned: Learned) -> FitOptions {
    FitOptions {
        name: name.to_owned(),
        method: patchcore::ID.to_owned(),
        params: patchcore::Params::default().to_value(),
        seed: 1,
        scoring: SCORING,
        policy: Policy::default(),
        mask: None,
        augment: Augment::default(),
        folds: 5,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        created: None,
        engine: engine.to_owned(),
        learned,
    }
}
