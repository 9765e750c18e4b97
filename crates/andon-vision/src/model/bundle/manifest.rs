//! What a model file says of itself: the part that all methods share, and the method with its parameters.

use serde::{Deserialize, Serialize};

use crate::model::accept::Learned;
use crate::model::head::aggregate::Layer;
use crate::model::head::score::Scoring;
use crate::preprocess::InputSpec;

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the part or recipe.
    pub name: String,
    /// When it was learned, RFC 3339 UTC.
    pub created: String,
    /// How pictures are scored.
    pub method: MethodPart,
    /// The network.
    pub backbone: BackboneRef,
    /// What the network wants.
    pub input: InputSpec,
    /// A picture is cut into this many columns and rows, each squashed to the input's size.
    pub tiles: [u32; 2],
    /// Parts are brought into one pose first; the tensor `align` holds its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<Alignment>,
    /// Width and height of the training images, if they all had one size.
    pub frame_size: Option<[u32; 2]>,
    /// What else was learned; `None` in models that were made before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Learned>,
    /// Columns and rows of the anomaly map; a cell of it is a patch.
    pub grid: [u32; 2],
    /// `score < threshold` passes; units of the score.
    pub threshold: f32,
    /// What the threshold promises.
    pub claim: Claim,
    /// Who chose the threshold and by what; `None` for one that learning chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// What it was judged by before, oldest first: what learning chose stays the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Decision>,
    /// How the anomaly map is smoothed and becomes the image's score.
    pub scoring: Scoring,
    /// The heatmap's zero: the map's median over the good pictures.
    pub baseline: f32,
    /// Largest relative difference between an engine's scores and those of the parity set.
    pub parity_tolerance: f32,
    /// How it was learned.
    pub training: Training,
}

/// A method and what it was learned with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodPart {
    /// Its id, as `fit --method` takes it.
    pub id: String,
    /// What it keeps beside its tensors; the method defines and checks it.
    pub params: serde_json::Value,
}

impl MethodPart {
    /// The parameters as the method's own type.
    ///
    /// # Errors
    /// A value is missing, unknown or of another type.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.params.clone()).map_err(|e| format!("{}: {e}", self.id))
    }
}

/// The network inside the bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneRef {
    /// Name.
    pub name: String,
    /// Outputs that become patch features, finest first.
    pub outputs: Vec<String>,
    /// What becomes of each.
    pub layers: Vec<Layer>,
}

/// How well parts fit the pose that they are brought into: 1 less the correlation with the model's picture of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// A part of a larger residual is a fault.
    pub most_residual: f32,
    /// The median of good parts.
    pub usual_residual: f32,
}

/// "With this confidence, at most this share of good parts is rejected."
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Good images that it rests on; where images belong together, groups of them, each as good as its worst image.
    pub images: u32,
    /// How many of them are above the threshold.
    pub above: u32,
    /// Share of good parts.
    pub max_false_reject: f64,
    /// Confidence.
    pub confidence: f64,
}

/// A threshold that was chosen after learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Who.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// By what, such as `--max-false-reject 5%`.
    pub how: String,
    /// Why, in somebody's words; empty if nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The claim rests on reviewed pictures, not on those learned from.
    pub reviewed: bool,
    /// The defects chose it too, so they flatter it: of new ones a little less is found.
    #[serde(default)]
    pub weighed: bool,
    /// The threshold before.
    pub before: f32,
    /// What is known of defects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defects: Option<Found>,
}

/// What a model was judged by until somebody chose another threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The threshold.
    pub threshold: f32,
    /// What it promised.
    pub claim: Claim,
    /// Who had chosen it; `None` if learning had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// Hex digest of the model's file then; empty if there was none yet.
    pub blake3: String,
    /// What the model knew then ([`Training::digest`]).
    pub knew: String,
}

/// "Of defects like these, this share is found": with its 95 % interval (Wilson).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Pictures of defects.
    pub defects: u32,
    /// How many of them are at or above the threshold.
    pub found: u32,
    /// Lower end of the share's interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// How a bundle was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Seed of whatever the method chose at random.
    pub seed: u64,
    /// The share of false rejects that was asked for, and the claim may be weaker; `None` if the threshold was left to learning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_false_reject: Option<f64>,
    /// Engine that made the features.
    pub engine: String,
    /// The images, in the order of `train_scores`.
    pub sources: Vec<String>,
    /// How many of them, the last ones, were added to the finished model.
    pub added: u32,
    /// The number of each image's group, where images belong together; empty where each stands for itself. Those that were added have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// Images that were learned from and have no score of their own, since no model was learned without them; empty where each has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_on: Vec<String>,
}

impl Training {
    /// How many images went into the model.
    pub fn images(&self) -> usize {
        self.sources.len() + self.trained_on.len()
    }

    /// Digest of the names of all images that the model knows, hexadecimal: within the history of one model the same names are the same scores.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for name in self.trained_on.iter().chain(&self.sources) {
            hasher.update(name.as_bytes());
            // No name holds it, so that no two lists are one text.
            hasher.update(&[0]);
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// Whether the image of this name was learned from, or its score is in the model.
    pub fn knows(&self, name: &str) -> bool {
        self.sources.iter().chain(&self.trained_on).any(|known| known == name)
    }
}
