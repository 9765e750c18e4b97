//! Model files of version 2, from before there was more than one method: PatchCore's numbers and tensors stood among the common ones. They
//! are read as what they are, and written as the present version.

use serde::Deserialize;
use serde_json::json;

use super::manifest::{BackboneRef, Claim, Manifest, MethodPart, Training};
use crate::model::accept::Learned;
use crate::model::head::score::{ImageScore, Scoring};
use crate::preprocess::InputSpec;

/// The version that this file reads.
pub(super) const VERSION: u32 = 2;

/// Names of tensors, then and now.
pub(super) type Renamed = &'static [(&'static str, &'static str)];

const RENAMED: Renamed =
    &[("bank", "bank"), ("bank_source", "source"), ("bank_cell", "cell"), ("bank_weight", "weight")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest2 {
    name: String,
    created: String,
    method: String,
    backbone: BackboneRef,
    input: InputSpec,
    tiles: [u32; 2],
    frame_size: Option<[u32; 2]>,
    #[serde(default)]
    learned: Option<Learned>,
    grid: [u32; 2],
    dim: u32,
    threshold: f32,
    claim: Claim,
    scoring: Scoring2,
    typical: f32,
    parity_tolerance: f32,
    training: Training2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scoring2 {
    local_scale: f32,
    smoothing: f32,
    image: ImageScore,
    min_area: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Training2 {
    patches: u64,
    seed: u64,
    asked_false_reject: f64,
    spacing: f32,
    engine: String,
    sources: Vec<String>,
    added: u32,
}

/// The manifest as it would be written now, and how its tensors are called now.
///
/// # Errors
/// It is no manifest of this version.
pub(super) fn manifest(text: &str) -> Result<(Manifest, Option<Renamed>), serde_json::Error> {
    let m: Manifest2 = serde_json::from_str(text)?;
    let manifest = Manifest {
        name: m.name,
        created: m.created,
        method: MethodPart {
            id: m.method,
            params: json!({
                "dim": m.dim,
                "local_scale": m.scoring.local_scale,
                "patches": m.training.patches,
                "spacing": m.training.spacing,
            }),
        },
        backbone: m.backbone,
        input: m.input,
        tiles: m.tiles,
        align: None,
        frame_size: m.frame_size,
        learned: m.learned,
        grid: m.grid,
        threshold: m.threshold,
        claim: m.claim,
        chosen: None,
        earlier: Vec::new(),
        scoring: Scoring { smoothing: m.scoring.smoothing, image: m.scoring.image, min_area: m.scoring.min_area },
        baseline: m.typical,
        parity_tolerance: m.parity_tolerance,
        training: Training {
            seed: m.training.seed,
            asked_false_reject: Some(m.training.asked_false_reject),
            engine: m.training.engine,
            sources: m.training.sources,
            trained_on: Vec::new(),
            groups: Vec::new(),
            added: m.training.added,
        },
    };
    Ok((manifest, Some(RENAMED)))
}
