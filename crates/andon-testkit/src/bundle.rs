//! A model that is nothing but a memory bank, for tests that bring their own engine.

use std::sync::Arc;

use andon_vision::model::Backbone;
use andon_vision::model::bundle::{BackboneRef, Bundle, Claim, Manifest, MethodPart, Training};
use andon_vision::model::head::score::{ImageScore, Scoring};
use andon_vision::model::tensors::{Tensor, Tensors};

/// One row of the bank for each `dim` values, without scaling and smoothing.
pub fn bank_only(backbone: &Backbone, grid: (usize, usize), dim: usize, bank: Vec<f32>) -> Arc<Bundle> {
    let rows = bank.len() / dim;
    let mut tensors = Tensors::default();
    tensors.insert("bank", Tensor::f32(&[rows, dim], bank));
    tensors.insert("source", Tensor::u32(&[rows], vec![0; rows]));
    tensors.insert("cell", Tensor::u32(&[rows], vec![0; rows]));
    tensors.insert("weight", Tensor::f32(&[rows], vec![1.0; rows]));
    Arc::new(Bundle {
        manifest: Manifest {
            name: "bank".into(),
            created: "2026-01-01T00:00:00Z".into(),
            method: MethodPart {
                id: "patchcore".into(),
                params: serde_json::json!({"dim": dim, "local_scale": 0.0, "patches": rows, "spacing": 0.0}),
            },
            backbone: BackboneRef {
                name: backbone.name.clone(),
                outputs: backbone.outputs.clone(),
                layers: backbone.layers.clone(),
            },
            input: backbone.input.clone(),
            tiles: backbone.tiles,
            align: None,
            frame_size: None,
            learned: None,
            grid: [grid.0 as u32, grid.1 as u32],
            threshold: 1.0,
            claim: Claim { images: 1, above: 0, max_false_reject: 0.95, confidence: 0.95 },
            chosen: None,
            earlier: Vec::new(),
            scoring: Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 },
            baseline: 0.5,
            parity_tolerance: 1e-3,
            training: Training {
                seed: 0,
                asked_false_reject: Some(0.01),
                engine: "none".into(),
                sources: vec!["a.png".into()],
                added: 0,
                groups: Vec::new(),
                trained_on: Vec::new(),
            },
        },
        tensors,
        mask: vec![1; grid.0 * grid.1],
        train_scores: vec![1.0],
        backbone: backbone.onnx.clone(),
        parity_input: Vec::new(),
        parity_score: Vec::new(),
        align: Vec::new(),
        blake3: String::new(),
    })
}
