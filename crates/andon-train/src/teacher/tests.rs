//! Teachers from elsewhere. `reference/teacher_*.pt` were written by PyTorch 2.15 (`scripts/teachers.py`), a state dictionary and a whole module.

use super::*;
use crate::networks::Pdn;
use andon_core::SplitMix64;
use std::io::Write;
use zip::write::SimpleFileOptions;

/// Weights as the files hold them: the generator's numbers of the seed 5, as the scripts draw them.
fn weights() -> Vec<Weight> {
    Pdn::new(Size::Xs).start(PREFIX, &mut SplitMix64::new(5))
}

fn read(bytes: &[u8]) -> Result<Teacher, String> {
    foreign::read(bytes, Size::Xs)
}

#[test]
fn state_dictionaries_and_whole_modules_of_pytorch_are_read_without_executing_them() {
    for bytes in [
        include_bytes!("../../reference/teacher_state.pt").as_slice(),
        include_bytes!("../../reference/teacher_module.pt").as_slice(),
    ] {
        let teacher = read(bytes).unwrap();
        for (got, want) in teacher.weights.iter().zip(weights()) {
            assert_eq!((&got.name, &got.shape), (&want.name, &want.shape));
            // The files are in half precision, to be small.
            assert!(
                got.values.iter().zip(&want.values).all(|(a, b)| (a - b).abs() <= 5e-4 * b.abs() + 1e-6),
                "{}",
                got.name
            );
        }
        assert!(teacher.about["from"].contains("PyTorch"));
        let why = foreign::read(bytes, Size::S).unwrap_err();
        assert!(why.contains("holds 6 convolutions, not 4") && why.contains("size s"), "{why}");
    }
}

#[test]
fn onnx_and_safetensors_are_read_in_the_order_of_the_network() {
    let networks_onnx = {
        let mut tape = crate::tape::Tape::new("teacher");
        let x = tape.input("picture", &[1, 3, 64, 64]);
        let y = Pdn::new(Size::Xs).forward(&mut tape, x, &mut crate::trainer::Frozen(&weights()), PREFIX, false);
        tape.output(y, "says");
        tape.finish()
    };
    let own = weights();
    // Out of order, and 10 after 9.
    let renamed = |i: usize| format!("net.{}.{}", 3 * (i / 2), ["weight", "bias"][i % 2]);
    let mut named: Vec<(String, TensorView<'_>)> = Vec::new();
    let bytes: Vec<Vec<u8>> = own.iter().map(|w| w.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    for (i, (w, bytes)) in own.iter().zip(&bytes).enumerate().rev() {
        named.push((renamed(i), TensorView::new(Dtype::F32, w.shape.clone(), bytes).unwrap()));
    }
    let safe = safetensors::serialize(named, None).unwrap();
    for bytes in [networks_onnx, safe] {
        assert_eq!(read(&bytes).unwrap().weights, own);
    }
}

/// Whatever is cut or changed in a file, there is an error or another network, and never a panic.
#[test]
fn broken_files_are_refused() {
    let whole = include_bytes!("../../reference/teacher_state.pt");
    for cut in (0..whole.len()).step_by(whole.len() / 97) {
        assert!(read(&whole[..cut]).is_err(), "{cut}");
    }
    let mut random = SplitMix64::new(3);
    for _ in 0..300 {
        let mut changed = whole.to_vec();
        let at = random.below(2000) as usize;
        changed[at] = random.next_u64() as u8;
        drop(read(&changed));
    }
    for (bytes, word) in [(&b""[..], "none of ONNX"), (b"PK\x03\x04", "archive"), (b"GIF89a..", "none of ONNX")] {
        let why = read(bytes).unwrap_err();
        assert!(why.to_lowercase().contains(&word.to_lowercase()), "{why}");
    }
}

/// Pickles that no state dictionary is made of.
#[test]
fn pickles_of_other_things_are_refused_by_name() {
    for (code, word) in [
        (&b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."[..], "holds 0 convolutions"),
        (b"\x80\x02I1\n.", "operation"),
        (b"\x80\x02h\x07.", "broken"),
        (b"\x80\x02u.", "broken"),
        (b"", "broken"),
    ] {
        let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        file.start_file("archive/data.pkl", stored).unwrap();
        file.write_all(code).unwrap();
        let why = read(&file.finish().unwrap().into_inner()).unwrap_err();
        assert!(why.contains(word), "{why}");
    }
}
