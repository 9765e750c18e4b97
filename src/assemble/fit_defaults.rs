//! What a model is learned with where nothing else is said; chosen by the comparison in docs/accuracy.md.

use andon_vision::fit::{Augment, FitOptions, Grouping, ThresholdRule};
use andon_vision::methods::patchcore;
use andon_vision::model::head::score::{ImageScore, Scoring};
use andon_vision::model::{Backbone, Learned};

/// Side of the square that pictures are squashed to where their shape is not known, in pixels.
pub const SIZE: u32 = 224;

/// The size that pictures of this shape are squashed to: their own shape as far as the network's steps allow, with about as many pixels as the
/// square has, so that it costs about the same.
pub fn input_size(picture: [u32; 2]) -> [u32; 2] {
    /// The coarsest stride of the compiled-in network.
    const STEP: f64 = 16.0;
    let [width, height] = picture.map(|n| f64::from(n.max(1)));
    let scale = f64::from(SIZE) / (width * height).sqrt();
    // A network of a handful of columns would see nothing of them.
    [width, height].map(|side| ((side * scale / STEP).round().clamp(4.0, 64.0) * STEP) as u32)
}

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
        rule: ThresholdRule::default(),
        mask: None,
        augment: Augment::default(),
        folds: 5,
        grouping: Grouping::Found,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        created: None,
        engine: engine.to_owned(),
        learned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_shape_at_about_the_cost_of_the_square() {
        assert_eq!(input_size([400, 400]), [224, 224]);
        assert_eq!(input_size([780, 360]), [336, 160]);
        assert_eq!(input_size([576, 768]), [192, 256]);
        assert_eq!(input_size([250, 625]), [144, 352]);
        assert_eq!(input_size([10_000, 1]), [1024, 64], "a line camera's picture is still squashed");
        for shape in [[640, 480], [1920, 1080], [1024, 200]] {
            let [w, h] = input_size(shape);
            let pixels = f64::from(w * h) / f64::from(SIZE * SIZE);
            assert!((0.85..1.15).contains(&pixels), "{shape:?}: {w}x{h}");
        }
    }
}
