//! From a learned model and what good pictures come to by it to a bundle: manifest, parity set, and what people should look at.

use super::learn::HeldOut;
use super::{PatchHead, PatchModel};
use crate::fit::{
    FeatureSet, FitError, FitOptions, Fitted, Grouping, Picture, ThresholdRule, groups, stands_out_above,
};
use crate::model::bundle::{Alignment, BackboneRef, Bundle, Claim, Manifest, MethodPart, Training};
use crate::model::head::score::Scorer;
use crate::model::{Backbone, Embed};
use andon_core::{AnomalyMap, Fault};

/// Pictures whose held-out maps are kept for people to look at.
const SHOWN: usize = 40;

/// What is known of a model but for its own part.
pub(super) struct Measured {
    /// One entry for each cell: whether it is judged.
    pub mask: Vec<bool>,
    /// The pictures.
    pub set: FeatureSet,
    /// Pictures that were left out, each with the reason.
    pub left_out: Vec<String>,
    /// Which belong together.
    pub grouped: groups::Found,
    /// What they come to.
    pub held_out: HeldOut,
    /// From which score on a part is rejected.
    pub threshold: f32,
    /// What that promises.
    pub claim: Claim,
    /// Pictures that were learned from and are not in `set`.
    pub trained_on: Vec<String>,
}

/// The bundle of the method `id`.
pub(super) fn finish(
    id: &str,
    measured: Measured,
    model: &dyn PatchModel,
    scorer: &mut Scorer,
    embedder: &mut dyn Embed,
    backbone: &Backbone,
    options: &FitOptions,
) -> Result<Fitted, FitError> {
    let Measured { mask, set, left_out, grouped, held_out, threshold: limit, claim, trained_on } = measured;
    let HeldOut { scores, baseline, maps } = held_out;
    let (grid_w, grid_h) = embedder.grid();
    let mut head = model.head(options.threads);
    let (parity_input, parity_score) = parity_set(&set.parity, embedder, scorer, head.as_mut())
        .map_err(|fault| FitError::Embed { name: "parity set".into(), fault })?;
    let (params, tensors) = model.part();
    let manifest = Manifest {
        name: options.name.clone(),
        created: options.created.clone().unwrap_or_else(|| format!("{:.0}", jiff::Timestamp::now())),
        method: MethodPart { id: id.to_owned(), params },
        backbone: BackboneRef {
            name: backbone.name.clone(),
            outputs: backbone.outputs.clone(),
            layers: backbone.layers.clone(),
        },
        input: backbone.input.clone(),
        tiles: backbone.tiles,
        align: backbone
            .align
            .as_ref()
            .map(|a| Alignment { most_residual: a.most_residual, usual_residual: a.usual_residual }),
        frame_size: set.size,
        learned: Some(options.learned),
        grid: [grid_w as u32, grid_h as u32],
        threshold: limit,
        claim,
        chosen: None,
        earlier: Vec::new(),
        scoring: options.scoring,
        baseline,
        parity_tolerance: crate::fit::PARITY_TOLERANCE,
        training: Training {
            seed: options.seed,
            asked_false_reject: match options.rule {
                ThresholdRule::Ordinary { .. } => None,
                ThresholdRule::FalseReject(policy) => Some(policy.max_false_reject),
            },
            engine: options.engine.clone(),
            sources: set.names,
            trained_on,
            added: 0,
            groups: if grouped.count() < scores.len() { grouped.groups.clone() } else { Vec::new() },
        },
    };
    let oddest = oddest(&scores, maps, [grid_w, grid_h], scorer.cells());
    let suspects = suspects(&manifest.training.sources, &scores);
    let bundle = Bundle {
        manifest,
        tensors,
        mask: mask.iter().map(|judged| u8::from(*judged)).collect(),
        train_scores: scores,
        backbone: backbone.onnx.clone(),
        parity_input,
        parity_score,
        align: backbone.align.as_ref().map(|a| a.template.clone()).unwrap_or_default(),
        blake3: String::new(),
    };
    let grouped = Some(grouped).filter(|_| options.grouping != Grouping::Alone);
    Ok(Fitted { bundle, left_out, grouped, suspects, oddest })
}

/// The pixels of the parity pictures, and their scores by the finished model.
pub(crate) fn parity_set(
    pictures: &[Picture],
    embedder: &mut dyn Embed,
    scorer: &mut Scorer,
    head: &mut dyn PatchHead,
) -> Result<(Vec<u8>, Vec<f32>), Fault> {
    let (mut features, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new());
    let mut scores = Vec::new();
    for picture in pictures {
        embedder.embed(&picture.view().ok_or(Fault::BadFrame)?, &mut features)?;
        scorer.keep_cells(&mut features, embedder.dim());
        scores.push(head.score_into(&features, scorer, &mut map, &mut near));
    }
    Ok((pictures.iter().flat_map(|p| &p.rgb).copied().collect(), scores))
}

/// The maps of the pictures with the highest scores, the highest first; 0 where a cell is masked.
fn oddest(
    scores: &[f32],
    mut maps: Vec<Vec<f32>>,
    [width, height]: [usize; 2],
    cells: &[u32],
) -> Vec<(usize, AnomalyMap)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let whole = |image: usize| {
        let mut data = vec![0.0; width * height];
        for (cell, value) in cells.iter().zip(std::mem::take(&mut maps[image])) {
            data[*cell as usize] = value;
        }
        (image, AnomalyMap { width, height, data })
    };
    order.into_iter().take(SHOWN).map(whole).collect()
}

/// Pictures whose score stands out from the others', the highest first.
fn suspects(names: &[String], scores: &[f32]) -> Vec<(String, f32)> {
    let Some(limit) = stands_out_above(scores) else { return Vec::new() };
    let mut found: Vec<(String, f32)> =
        names.iter().cloned().zip(scores.iter().copied()).filter(|(_, score)| *score > limit).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}
