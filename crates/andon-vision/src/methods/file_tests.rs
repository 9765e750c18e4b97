use proptest::prelude::*;

use super::*;
use crate::model::bundle::{BackboneRef, Claim, Manifest, MethodPart, Training};
use crate::model::head::aggregate::Layer;
use crate::model::head::score::{ImageScore, Scoring};
use crate::model::tensors::{Tensor, Tensors};
use crate::preprocess::InputSpec;

fn small() -> Bundle {
    Bundle {
        manifest: Manifest {
            name: "screw".into(),
            created: "2026-01-01T00:00:00Z".into(),
            method: MethodPart {
                id: "patchcore".into(),
                params: serde_json::json!({"dim": 3, "local_scale": 0.5, "patches": 4, "spacing": 0.5}),
            },
            backbone: BackboneRef {
                name: "net".into(),
                outputs: vec!["a".into()],
                layers: vec![Layer { pool: 3, weight: 1.0 }],
            },
            input: InputSpec { width: 4, height: 2, mean: [0.0; 3], scale: [1.0; 3], range: None },
            tiles: [1, 1],
            align: None,
            frame_size: Some([8, 4]),
            learned: None,
            grid: [2, 1],
            threshold: 2.5,
            chosen: None,
            earlier: Vec::new(),
            claim: Claim { images: 2, above: 0, max_false_reject: 0.78, confidence: 0.95 },
            baseline: 1.0,
            scoring: Scoring { smoothing: 1.0, image: ImageScore::Max, min_area: 0 },
            parity_tolerance: 1e-3,
            training: Training {
                seed: 7,
                asked_false_reject: Some(0.01),
                added: 0,
                groups: Vec::new(),
                trained_on: Vec::new(),
                engine: "rten".into(),
                sources: vec!["a.png".into(), "b.png".into()],
            },
        },
        tensors: bank(2, 3, vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0], vec![0, 1], vec![0, 1], vec![1.0, 0.5]),
        mask: vec![1, 0],
        train_scores: vec![1.5, 2.0],
        backbone: vec![1u8, 2, 3].into(),
        parity_input: vec![9; 4 * 2 * 3],
        parity_score: vec![1.25],
        align: Vec::new(),
        blake3: String::new(),
    }
}

fn bank(rows: usize, dim: usize, bank: Vec<f32>, source: Vec<u32>, cell: Vec<u32>, weight: Vec<f32>) -> Tensors {
    let mut tensors = Tensors::default();
    tensors.insert("bank", Tensor::f32(&[rows, dim], bank));
    tensors.insert("source", Tensor::u32(&[rows], source));
    tensors.insert("cell", Tensor::u32(&[rows], cell));
    tensors.insert("weight", Tensor::f32(&[rows], weight));
    tensors
}

#[test]
fn what_is_written_is_read_back_and_equal_bundles_are_equal_bytes() {
    let mut bundle = small();
    let bytes = bundle.to_bytes().unwrap();
    assert_eq!(Bundle::from_bytes(&bytes, "x").unwrap(), bundle);
    assert_eq!(small().to_bytes().unwrap(), bytes);
    assert_eq!(bundle.blake3.len(), 64);
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let bytes = small().to_bytes().unwrap();
    for cut in 0..bytes.len() {
        assert!(Bundle::from_bytes(&bytes[..cut], "cut.andon").unwrap_err().to_string().contains("cut.andon"));
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert!(Bundle::from_bytes(&longer, "x").is_err());
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = small().to_bytes().unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Bundle::from_bytes(&flipped, "x").is_err(), "bit {bit}");
    }
}

#[test]
fn another_version_says_which_one_is_read() {
    let bytes = small().to_bytes().unwrap();
    let place = b"\"version\":\"3\"";
    let at = bytes.windows(place.len()).position(|w| w == place).unwrap() + 11;
    let mut other = bytes.clone();
    other[at] = b'9';
    let message = Bundle::from_bytes(&other, "old.andon").unwrap_err().to_string();
    assert!(
        message.contains("old.andon") && message.contains("version 9") && message.contains("reads versions 2 and 3"),
        "{message}"
    );
}

/// A file as the version before wrote it, put together here by the container's own library.
#[test]
fn a_file_of_the_version_before_is_read_as_what_it_is() {
    use safetensors::tensor::{Dtype, TensorView};
    let floats = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let words = |values: &[u32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let tensors = [
        ("bank", Dtype::F32, vec![2, 3], floats(&[0.5, -1.0, 2.0, 3.0, 4.0, 5.0])),
        ("bank_source", Dtype::U32, vec![2], words(&[0, 1])),
        ("bank_cell", Dtype::U32, vec![2], words(&[0, 1])),
        ("bank_weight", Dtype::F32, vec![2], floats(&[1.0, 0.5])),
        ("mask", Dtype::U8, vec![1, 2], vec![1, 0]),
        ("train_scores", Dtype::F32, vec![2], floats(&[1.5, 2.0])),
        ("backbone", Dtype::U8, vec![3], vec![1, 2, 3]),
        ("parity_input", Dtype::U8, vec![1, 2, 4, 3], vec![9; 4 * 2 * 3]),
        ("parity_score", Dtype::F32, vec![1], floats(&[1.25])),
    ];
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()))
        .collect();
    let manifest = r#"{"name":"screw","created":"2026-01-01T00:00:00Z","method":"patchcore",
        "backbone":{"name":"net","outputs":["a"],"layers":[{"pool":3,"weight":1.0}]},
        "input":{"width":4,"height":2,"mean":[0.0,0.0,0.0],"scale":[1.0,1.0,1.0]},"tiles":[1,1],"frame_size":[8,4],"grid":[2,1],
        "dim":3,"threshold":2.5,"claim":{"images":2,"above":0,"max_false_reject":0.78,"confidence":0.95},
        "scoring":{"local_scale":0.5,"smoothing":1.0,"image":"max","min_area":0},"typical":1.0,"parity_tolerance":0.001,
        "training":{"patches":4,"seed":7,"asked_false_reject":0.01,"spacing":0.5,"engine":"rten","sources":["a.png","b.png"],
        "added":0}}"#;
    let metadata = [
        ("format", "andon.bundle".to_owned()),
        ("version", "2".to_owned()),
        ("blake3", "0".repeat(64)),
        ("manifest", manifest.to_owned()),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
    let mut bytes = safetensors::serialize(views, Some(metadata.into())).unwrap();
    let key = b"\"blake3\":\"";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len();
    let digest = blake3::hash(&bytes).to_hex();
    bytes[at..at + 64].copy_from_slice(digest.as_bytes());

    let mut read = Bundle::from_bytes(&bytes, "old.andon").unwrap();
    assert_eq!(read.blake3, digest.as_str());
    let mut small = small();
    small.manifest.parity_tolerance = 0.001;
    assert_eq!(read.to_bytes().unwrap(), small.to_bytes().unwrap(), "written anew, it is a file of this version");
}

#[test]
fn other_files_are_named_as_such() {
    let refusal = |bytes: &[u8]| Bundle::from_bytes(bytes, "f").unwrap_err().to_string();
    assert!(refusal(b"").contains("is empty"));
    assert!(refusal(b"\x89PNG\r\n\x1a\n and so on").contains("not an andon model"));
    assert!(refusal(&[0xff; 64]).contains("not an andon model"));
    assert!(refusal(&(u64::MAX >> 1).to_le_bytes()).contains("not an andon model"));
    let folder = tempfile::tempdir().unwrap();
    assert!(Bundle::open(folder.path()).unwrap_err().to_string().contains("folder"));
    let absent = folder.path().join("none.andon");
    assert!(Bundle::open(&absent).unwrap_err().to_string().contains("none.andon"));
}

#[test]
fn a_bundle_that_contradicts_itself_is_neither_written_nor_read() {
    let break_it: [fn(&mut Bundle); 25] = [
        |b| b.tensors.insert("cell", Tensor::u32(&[2], vec![0, 2])),
        |b| b.tensors.insert("cell", Tensor::u32(&[1], vec![0])),
        |b| b.tensors.insert("weight", Tensor::f32(&[2], vec![1.0, 0.0])),
        |b| b.tensors.insert("weight", Tensor::u32(&[2], vec![1, 1])),
        |b| b.mask = vec![0, 0],
        |b| b.mask = vec![1],
        |b| b.manifest.backbone.layers = vec![],
        |b| b.manifest.backbone.layers[0].pool = 2,
        |b| b.manifest.tiles = [0, 1],
        |b| b.manifest.training.groups = vec![0; b.manifest.training.sources.len() + 1],
        |b| b.align = vec![0; 128 * 128],
        |b| b.manifest.align = Some(crate::model::bundle::Alignment { most_residual: 0.5, usual_residual: 0.1 }),
        |b| b.manifest.method.params["local_scale"] = 2.0.into(),
        |b| b.manifest.method.params["unknown"] = 2.0.into(),
        |b| b.manifest.method.params = serde_json::Value::Null,
        |b| b.manifest.method.id = "padim".into(),
        |b| b.manifest.method.id = "of-tomorrow".into(),
        |b| b.manifest.threshold = f32::NAN,
        |b| b.manifest.threshold = 0.0,
        |b| b.tensors.insert("bank", Tensor::f32(&[2, 3], vec![f32::INFINITY; 6])),
        |b| b.tensors.insert("source", Tensor::u32(&[2], vec![1, 0])),
        |b| b.tensors.insert("source", Tensor::u32(&[2], vec![0, 9])),
        |b| b.parity_score = vec![1.0, 2.0],
        |b| b.manifest.method.params["dim"] = 0.into(),
        |b| b.train_scores = vec![],
    ];
    for change in break_it {
        let mut bundle = small();
        change(&mut bundle);
        assert!(bundle.to_bytes().is_err());
    }
}

#[test]
fn writing_replaces_the_old_file_whole_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("part.andon");
    std::fs::write(&path, "old").unwrap();
    let mut bundle = small();
    bundle.write(&path).unwrap();
    assert_eq!(Bundle::open(&path).unwrap(), bundle);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let nowhere = dir.path().join("no/such/folder/part.andon");
    assert!(bundle.write(&nowhere).unwrap_err().to_string().contains("nothing was changed"));
}

proptest! {
    #[test]
    fn any_consistent_bundle_survives_the_round_trip(
        rows in 1usize..20, dim in 1usize..9, name in "\\PC{0,20}", value in -1e30f32..1e30,
    ) {
        let mut bundle = small();
        bundle.manifest.name = name;
        bundle.manifest.method.params["dim"] = dim.into();
        let (source, cell) = ((0..rows).map(|i| u32::from(i > rows / 2)), (0..rows).map(|i| (i % 2) as u32));
        bundle.tensors = bank(rows, dim, vec![value; rows * dim], source.collect(), cell.collect(), vec![0.25; rows]);
        let bytes = bundle.to_bytes().unwrap();
        prop_assert_eq!(Bundle::from_bytes(&bytes, "x").unwrap(), bundle);
    }

    #[test]
    fn noise_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Bundle::from_bytes(&bytes, "x").is_err());
    }
}
