//! A model that is nothing but a memory bank, for tests that bring their own engine.

use std::sync::Arc;

use andon_vision::model::Backbone;
use andon_vision::model::bundle::{BackboneRef, Bundle, Claim, Manifest, Method, Training};
use andon_vision::model::head::score::{ImageScore, Scoring};

/// One row of the bank for each `dim` values, without scaling and smoothing.
pub fn bundle(backbone: &Backbone, grid: (usize, usize), dim: usize, bank: Vec<f32>) -> Arc<Bundle> {
    let rows = bank.len() / dim;
    Arc::new(Bundle {
        manifest: Manifest {
            name: "bank".into(),
            created: "2026-01-01T00:00:00Z".into(),
            method: Method::Patchcore,
            backbone: BackboneRef {
                name: backbone.name.clone(),
                outputs: backbone.outputs.clone(),
                layers: backbone.layers.clone(),
            },
            input: backbone.input.clone(),
            tiles: backbone.tiles,
            frame_size: None,
            learned: None,
            grid: [grid.0 as u32, grid.1 as u32],
            dim: dim as u32,
            threshold: 1.0,
            claim: Claim { images: 1, above: 0, max_false_reject: 0.95, confidence: 0.95 },
            scoring: Scoring { local_scale: 0.0, smoothing: 0.0, image: ImageScore::Max, min_area: 0 },
            typical: 0.5,
            parity_tolerance: 1e-3,
            training: Training {
                patches: rows as u64,
                seed: 0,
                asked_false_reject: 0.01,
                spacing: 0.0,
                engine: "none".into(),
                sources: vec!["a.png".into()],
                added: 0,
            },
        },
        bank: bank.into(),
        bank_source: vec![0; rows],
        bank_cell: vec![0; rows],
        bank_weight: vec![1.0; rows],
        mask: vec![1; grid.0 * grid.1],
        train_scores: vec![1.0],
        backbone: backbone.onnx.clone(),
        parity_input: Vec::new(),
        parity_score: Vec::new(),
        blake3: String::new(),
    })
}
