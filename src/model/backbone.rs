//! The network that is compiled in.

use std::sync::Arc;

use crate::preprocess::InputSpec;

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
}

impl Backbone {
    /// EfficientNet-Lite0 trunk, strides 8 and 16 (40 + 112 channels), 256x256. Apache-2.0; see `models/README.md`.
    pub fn embedded() -> Backbone {
        Backbone {
            name: "efficientnet_lite0".to_owned(),
            onnx: Arc::from(&include_bytes!("../../models/efficientnet_lite0_features.onnx")[..]),
            input: InputSpec { width: 256, height: 256, mean: [127.0; 3], scale: [1.0 / 128.0; 3] },
            outputs: vec!["stride8".to_owned(), "stride16".to_owned()],
        }
    }
}
