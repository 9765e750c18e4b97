//! The network that is compiled in.

use std::sync::Arc;

use super::head::aggregate::Layer;
use crate::preprocess::InputSpec;
use crate::preprocess::align::Reference;

/// A feature extractor with everything that is needed to run it.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// Name in manifests.
    pub name: String,
    /// The ONNX file's bytes.
    pub onnx: Arc<[u8]>,
    /// Its input.
    pub input: InputSpec,
    /// The outputs that become patch features, finest first.
    pub outputs: Vec<String>,
    /// What becomes of each output.
    pub layers: Vec<Layer>,
    /// A picture is cut into this many columns and rows, each piece squashed to the input's size.
    pub tiles: [u32; 2],
    /// The pose that parts are brought into first; `None` leaves them as they lie.
    pub align: Option<Arc<Reference>>,
}

impl Backbone {
    /// EfficientNet-Lite0 trunk, strides 8 and 16 (40 + 112 channels). Apache-2.0; see `models/README.md`.
    pub fn embedded() -> Backbone {
        Backbone {
            name: "efficientnet_lite0".to_owned(),
            onnx: Arc::from(&include_bytes!("../../../../models/efficientnet_lite0_features.onnx")[..]),
            input: InputSpec { width: 256, height: 256, mean: [127.0; 3], scale: [1.0 / 128.0; 3], range: None },
            outputs: vec!["stride8".to_owned(), "stride16".to_owned()],
            layers: vec![Layer { pool: 3, weight: 1.0 }; 2],
            tiles: [1, 1],
            align: None,
        }
    }

    /// Width and height of a picture at which no pixel is lost or made up: the input's size times the tiles.
    pub fn picture_size(&self) -> [u32; 2] {
        [self.input.width * self.tiles[0], self.input.height * self.tiles[1]]
    }
}
