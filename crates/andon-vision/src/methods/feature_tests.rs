//! What holds for every method that scores patch features. Their distances are set beside numpy's in `tests/it/methods.rs`.

use serde_json::{Value, json};

use super::patches::{FeatureMethod, Learning, PatchModel};
use super::{fapm, fastrecon, inreach, pni, sinbad, spade, subspace};
use crate::fit::{Augment, FeatureSet, FitOptions, Grouping, ThresholdRule};
use crate::model::bundle::{BackboneRef, Bundle, Claim, Manifest, MethodPart, Training};
use crate::model::head::aggregate::Layer;
use crate::model::head::score::{ImageScore, Scorer, Scoring};
use crate::model::tensors::{Tensor, Tensors};
use crate::model::{Colour, Learned};
use crate::preprocess::InputSpec;
use andon_core::SplitMix64;

const GRID: [usize; 2] = [5, 4];
const DIM: usize = 9;
const SCORING: Scoring = Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: 0 };

/// Random features, each place with a mean of its own; one cell is masked.
fn features(blocks: usize) -> FeatureSet {
    let mut random = SplitMix64::new(7);
    let mut value = || (random.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
    let cells: Vec<u32> = (0..(GRID[0] * GRID[1]) as u32).filter(|cell| *cell != 6).collect();
    let means: Vec<f32> = (0..cells.len() * DIM).map(|_| 3.0 * value()).collect();
    let mut values = Vec::new();
    for _ in 0..blocks {
        values.extend(means.iter().map(|m| m + value()));
    }
    FeatureSet {
        names: (0..blocks).map(|b| format!("{b}.png")).collect(),
        values,
        cells,
        grid: GRID,
        dim: DIM,
        blocks: (0..blocks as u32).map(|b| (b, true)).collect(),
        size: None,
        thumbnails: Vec::new(),
        parity: Vec::new(),
    }
}

fn options(id: &str, params: Value, threads: usize) -> FitOptions {
    FitOptions {
        name: "t".into(),
        method: id.into(),
        params,
        seed: 0,
        scoring: SCORING,
        rule: ThresholdRule::default(),
        mask: None,
        augment: Augment::default(),
        folds: 5,
        grouping: Grouping::Alone,
        threads,
        created: None,
        engine: "none".into(),
        learned: Learned { any_size: false, colour: Colour::Colour },
    }
}

fn learn<M: FeatureMethod>(set: &FeatureSet, params: &Value, without: usize, threads: usize) -> Box<dyn PatchModel> {
    let options = options(M::ID, params.clone(), threads);
    let blocks = (0..set.blocks.len()).filter(|b| *b != without).collect();
    let params = options.params::<M::Params>().unwrap();
    M::check(&params).unwrap();
    M::learn(&params, &Learning { set, blocks, options: &options }, &mut |_, _, _| {}).unwrap()
}

fn bundle(id: &str, model: &dyn PatchModel, set: &FeatureSet) -> Bundle {
    let (params, tensors) = model.part();
    let images = set.names.len();
    Bundle {
        manifest: Manifest {
            name: "t".into(),
            created: "2026-01-01T00:00:00Z".into(),
            method: MethodPart { id: id.into(), params },
            backbone: BackboneRef {
                name: "net".into(),
                outputs: vec!["a".into()],
                layers: vec![Layer { pool: 3, weight: 1.0 }],
            },
            input: InputSpec { width: 10, height: 8, mean: [0.0; 3], scale: [1.0; 3], range: None },
            tiles: [1, 1],
            align: None,
            frame_size: Some([10, 8]),
            learned: None,
            grid: GRID.map(|side| side as u32),
            threshold: 9.0,
            chosen: None,
            earlier: Vec::new(),
            claim: Claim { images: images as u32, above: 0, max_false_reject: 0.5, confidence: 0.95 },
            baseline: 1.0,
            scoring: SCORING,
            parity_tolerance: 1e-3,
            training: Training {
                seed: 0,
                asked_false_reject: None,
                added: 0,
                groups: Vec::new(),
                trained_on: Vec::new(),
                engine: "none".into(),
                sources: set.names.clone(),
            },
        },
        tensors,
        mask: (0..(GRID[0] * GRID[1]) as u32).map(|cell| u8::from(set.cells.contains(&cell))).collect(),
        train_scores: vec![1.0; images],
        backbone: vec![1u8].into(),
        parity_input: vec![9; 10 * 8 * 3],
        parity_score: vec![1.0],
        align: Vec::new(),
        blake3: String::new(),
    }
}

fn judge(model: &dyn PatchModel, threads: usize, features: &[f32], set: &FeatureSet) -> (f32, Vec<f32>) {
    let mask: Vec<bool> = (0..(GRID[0] * GRID[1]) as u32).map(|cell| set.cells.contains(&cell)).collect();
    let mut scorer = Scorer::new(SCORING, GRID[0], GRID[1], &mask);
    let (mut map, mut near) = (Vec::new(), Vec::new());
    let mut head = model.head(threads);
    let first = head.score_into(features, &mut scorer, &mut map, &mut near);
    // A second picture must not depend on what the first left behind.
    let again = head.score_into(features, &mut scorer, &mut map, &mut near);
    assert_eq!(first.to_bits(), again.to_bits());
    for (cell, near) in set.cells.iter().zip(&near) {
        let (source, _) = model.nearest_good(near.index).unwrap();
        assert!((source as usize) < set.names.len() && map[*cell as usize].to_bits() == near.distance.to_bits());
    }
    (first, map)
}

fn holds_of<M: FeatureMethod>(params: &Value) {
    let set = features(12);
    let (one, many) = (learn::<M>(&set, params, 3, 1), learn::<M>(&set, params, 3, 4));
    assert_eq!(one.part(), many.part(), "{}: threads change the model", M::ID);
    let mut bundle = bundle(M::ID, one.as_ref(), &set);
    let bytes = bundle.to_bytes().unwrap();
    let read = M::model(&Bundle::from_bytes(&bytes, "t").unwrap()).unwrap();
    let len = set.cells.len() * DIM;
    let unseen = &set.values[3 * len..4 * len];
    let (score, map) = judge(one.as_ref(), 1, unseen, &set);
    assert!(score.is_finite() && score > 0.0 && map[6] == 0.0, "{}: {score}", M::ID);
    let (again, same) = judge(read.as_ref(), 4, unseen, &set);
    assert_eq!((score.to_bits(), map), (again.to_bits(), same), "{}: the file or threads change the score", M::ID);
    for at in 0..len {
        for wrong in [f32::NAN, f32::INFINITY] {
            let mut broken = unseen.to_vec();
            broken[at] = wrong;
            assert!(!judge(one.as_ref(), 1, &broken, &set).0.is_finite(), "{}: {wrong} at {at} has a score", M::ID);
        }
    }
    // A file that lacks a tensor, or has one of another shape, is no model.
    let names: Vec<String> = bundle.tensors.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let mut other = bundle.clone();
        other.tensors.insert(&name, Tensor::f32(&[1, 1, 1], vec![1.0]));
        assert!(other.to_bytes().is_err(), "{}: {name} of another shape", M::ID);
    }
    bundle.tensors = Tensors::default();
    assert!(bundle.to_bytes().is_err());
}

#[test]
fn models_come_back_from_their_files_threads_change_no_bit_and_what_is_not_finite_has_no_score() {
    for params in [json!({}), json!({"variance": 0.5})] {
        holds_of::<subspace::Subspace>(&params);
    }
    for params in [json!({}), json!({"share": 0.3, "pull": 0.0})] {
        holds_of::<fastrecon::FastRecon>(&params);
    }
    for params in [json!({}), json!({"pictures": 4, "neighbors": 2, "reach": 0}), json!({"reach": 1000})] {
        holds_of::<spade::Spade>(&params);
    }
    for params in [json!({}), json!({"bank": 40, "regions": 2, "reach": 0}), json!({"bank": 3, "regions": 64})] {
        // Regions smaller than a cell leave some without patches; with few patches each still has one.
        holds_of::<fapm::Fapm>(&params);
    }
    for params in [json!({}), json!({"bank": 20, "reach": 0}), json!({"bank": 1})] {
        holds_of::<pni::Pni>(&params);
    }
    for params in [json!({}), json!({"depth": 2, "shortest": 5}), json!({"shortest": 100})] {
        holds_of::<inreach::InReaCh>(&params);
    }
    for params in [json!({}), json!({"projections": 3, "thresholds": 2, "shrinkage": 1.0})] {
        holds_of::<sinbad::Sinbad>(&params);
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    fn refused<M: FeatureMethod>(params: Value, word: &str) {
        let options = options(M::ID, params, 1);
        let size = super::FitSize { pictures: 9, cells: 9, dim: 9 };
        let why = M::instance().learner().unwrap().cost(&size, &options).unwrap_err().to_string();
        assert!(why.contains(word), "{}: {why}", M::ID);
    }
    use super::Method;
    refused::<subspace::Subspace>(json!({"variance": 1.0}), "variance");
    refused::<subspace::Subspace>(json!({"bank": 1}), "`bank`");
    refused::<fastrecon::FastRecon>(json!({"share": 0.0}), "share");
    refused::<fastrecon::FastRecon>(json!({"pull": -1}), "pull");
    refused::<spade::Spade>(json!({"neighbors": 0}), "neighbors");
    refused::<fapm::Fapm>(json!({"regions": 65}), "regions");
    refused::<pni::Pni>(json!({"bank": 0}), "bank");
    refused::<inreach::InReaCh>(json!({"deviations": 0}), "deviations");
    refused::<inreach::InReaCh>(json!({"depth": 0}), "depth");
    refused::<sinbad::Sinbad>(json!({"shrinkage": 0.0}), "shrinkage");
    refused::<sinbad::Sinbad>(json!({"projections": 400, "thresholds": 16}), "projections times thresholds");
}

/// Patches on a line in space, and one that leaves it: what is left of the first is nothing, of the second its distance to the line.
#[test]
fn what_is_left_outside_a_subspace_is_the_distance_to_it() {
    let mut set = features(12);
    let direction: Vec<f32> = (0..DIM).map(|d| if d < 2 { 0.6 + 0.2 * d as f32 } else { 0.0 }).collect();
    for (i, patch) in set.values.chunks_exact_mut(DIM).enumerate() {
        let along = (i * 37 % 101) as f32 / 10.0;
        patch.iter_mut().zip(&direction).for_each(|(v, d)| *v = 1.0 + along * d);
    }
    let model = learn::<subspace::Subspace>(&set, &json!({}), 0, 1);
    let mut x = set.values[..set.cells.len() * DIM].to_vec();
    let (on, _) = judge(model.as_ref(), 1, &x, &set);
    assert!(on < 1e-4, "{on}");
    x[DIM + 5] += 2.0;
    let (off, map) = judge(model.as_ref(), 1, &x, &set);
    assert!((off - 2.0).abs() < 1e-4 && map[1] == off, "{off}");
}

/// Half of the good parts lack what the others have: it recurs, and is remembered. What a single picture shows is not.
#[test]
fn what_recurs_is_remembered_and_what_one_picture_shows_is_not() {
    let mut set = features(12);
    let len = set.cells.len() * DIM;
    let odd: Vec<f32> = (0..DIM).map(|d| 50.0 + d as f32).collect();
    set.values[2 * len..2 * len + DIM].copy_from_slice(&odd);
    let mut shown = set.values[4 * len..5 * len].to_vec();
    shown[..DIM].copy_from_slice(&odd);
    let score = |method: Box<dyn PatchModel>| judge(method.as_ref(), 1, &shown, &set).1[0];
    let remembers_all = score(learn::<pni::Pni>(&set, &json!({}), 99, 1));
    let recurring = score(learn::<inreach::InReaCh>(&set, &json!({}), 99, 1));
    assert!(remembers_all < 1e-3 && recurring > 20.0, "{remembers_all} {recurring}");
}

/// A patch that is common at one end of the picture, seen at the other.
#[test]
fn what_is_in_the_wrong_place_is_far_from_what_belongs_there() {
    let set = features(12);
    let (len, last) = (set.cells.len() * DIM, set.cells.len() - 1);
    let mut moved = set.values[3 * len..4 * len].to_vec();
    let (usual, there) = (moved.clone(), moved[last * DIM..].to_vec());
    moved[..DIM].copy_from_slice(&there);
    let bound = |model: &dyn PatchModel| {
        let (_, usual) = judge(model, 1, &usual, &set);
        let (_, moved) = judge(model, 1, &moved, &set);
        (usual[0], moved[0])
    };
    for near in [json!({"reach": 0}), json!({"reach": 1})] {
        let (usual, moved) = bound(learn::<pni::Pni>(&set, &near, 99, 1).as_ref());
        assert!(usual < 1e-3 && moved > 0.3, "pni {near}: {usual} {moved}");
        let (usual, moved) = bound(learn::<spade::Spade>(&set, &near, 99, 1).as_ref());
        assert!(usual < 1e-3 && moved > 0.3, "spade {near}: {usual} {moved}");
    }
    let (usual, moved) = bound(learn::<fapm::Fapm>(&set, &json!({"regions": 3}), 99, 1).as_ref());
    assert!(usual < 1e-3 && moved > 0.3, "fapm: {usual} {moved}");
    // Without places, it is as common as anything.
    assert!(bound(learn::<pni::Pni>(&set, &json!({"reach": 100}), 99, 1).as_ref()).1 < 1e-3);
}

/// Good pictures have as many patches of one kind as of another, in any order. One has only patches of the first kind: each is a good patch, and no memory bank would see it.
#[test]
fn a_set_without_one_of_its_kinds_is_odd_although_every_patch_is_a_good_one() {
    let mut set = features(12);
    let mut random = SplitMix64::new(3);
    let mut patch = |kind: usize| -> Vec<f32> {
        (0..DIM).map(|i| if i % 2 == kind { 5.0 } else { 1.0 } + random.unit() as f32 * 0.2).collect()
    };
    let cells = set.cells.len();
    set.values =
        (0..12).flat_map(|block| (0..cells).map(move |cell| (cell + block) % 2)).flat_map(&mut patch).collect();
    let model = learn::<sinbad::Sinbad>(&set, &json!({"projections": 10}), 3, 1);
    let good: Vec<f32> = (0..cells).map(|cell| (cell + 1) % 2).flat_map(&mut patch).collect();
    let odd: Vec<f32> = (0..cells).map(|_| 0).flat_map(&mut patch).collect();
    let [good, odd] = [good, odd].map(|features| judge(model.as_ref(), 1, &features, &set).0);
    assert!(odd > 3.0 * good, "{odd} {good}");
}
