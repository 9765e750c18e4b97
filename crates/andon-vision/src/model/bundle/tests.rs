use proptest::prelude::*;

use super::*;
use crate::model::head::aggregate::Layer;
use crate::model::head::score::{ImageScore, Scoring};
use crate::preprocess::InputSpec;

pub(super) fn small() -> Bundle {
    Bundle {
        manifest: Manifest {
            name: "screw".into(),
            created: "2026-01-01T00:00:00Z".into(),
            method: Method::Patchcore,
            backbone: BackboneRef {
                name: "net".into(),
                outputs: vec!["a".into()],
                layers: vec![Layer { pool: 3, weight: 1.0 }],
            },
            input: InputSpec { width: 4, height: 2, mean: [0.0; 3], scale: [1.0; 3], range: None },
            tiles: [1, 1],
            frame_size: Some([8, 4]),
            learned: None,
            grid: [2, 1],
            dim: 3,
            threshold: 2.5,
            claim: Claim { images: 2, above: 0, max_false_reject: 0.78, confidence: 0.95 },
            typical: 1.0,
            scoring: Scoring { local_scale: 0.5, smoothing: 1.0, image: ImageScore::Max, min_area: 0 },
            parity_tolerance: 1e-3,
            training: Training {
                patches: 4,
                seed: 7,
                asked_false_reject: 0.01,
                spacing: 0.5,
                added: 0,
                engine: "rten".into(),
                sources: vec!["a.png".into(), "b.png".into()],
            },
        },
        bank: vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0].into(),
        bank_source: vec![0, 1],
        bank_cell: vec![0, 1],
        bank_weight: vec![1.0, 0.5],
        mask: vec![1, 0],
        train_scores: vec![1.5, 2.0],
        backbone: vec![1u8, 2, 3].into(),
        parity_input: vec![9; 4 * 2 * 3],
        parity_score: vec![1.25],
        blake3: String::new(),
    }
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
    let place = b"\"version\":\"2\"";
    let at = bytes.windows(place.len()).position(|w| w == place).unwrap() + 11;
    let mut other = bytes.clone();
    other[at] = b'9';
    let message = Bundle::from_bytes(&other, "old.andon").unwrap_err().to_string();
    assert!(
        message.contains("old.andon") && message.contains("version 9") && message.contains("reads version 2"),
        "{message}"
    );
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
    let break_it: [fn(&mut Bundle); 17] = [
        |b| b.bank_cell = vec![0, 2],
        |b| b.bank_cell = vec![0],
        |b| b.bank_weight = vec![1.0, 0.0],
        |b| b.mask = vec![0, 0],
        |b| b.mask = vec![1],
        |b| b.manifest.backbone.layers = vec![],
        |b| b.manifest.backbone.layers[0].pool = 2,
        |b| b.manifest.tiles = [0, 1],
        |b| b.manifest.scoring.local_scale = 2.0,
        |b| b.manifest.threshold = f32::NAN,
        |b| b.manifest.threshold = 0.0,
        |b| b.bank = vec![f32::INFINITY; 6].into(),
        |b| b.bank_source = vec![1, 0],
        |b| b.bank_source = vec![0, 9],
        |b| b.parity_score = vec![1.0, 2.0],
        |b| b.manifest.dim = 0,
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
        bundle.manifest.dim = dim as u32;
        bundle.bank = vec![value; rows * dim].into();
        bundle.bank_source = (0..rows).map(|i| u32::from(i > rows / 2)).collect();
        bundle.bank_cell = (0..rows).map(|i| (i % 2) as u32).collect();
        bundle.bank_weight = vec![0.25; rows];
        let bytes = bundle.to_bytes().unwrap();
        prop_assert_eq!(Bundle::from_bytes(&bytes, "x").unwrap(), bundle);
    }

    #[test]
    fn noise_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Bundle::from_bytes(&bytes, "x").is_err());
    }
}
