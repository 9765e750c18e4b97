//! Where ONNX Runtime's shared library may be.

use std::path::{Path, PathBuf};

use super::EngineError;

const NAME: &str = "libonnxruntime.so";

/// The explicit path alone if there is one; otherwise `ORT_DYLIB_PATH`, the folders `onnxruntime/` and `lib/andon/` beside
/// the program and up to two folders above it (`target/release/andon` finds `target/onnxruntime/`), and the system's.
pub(super) fn find(explicit: Option<&Path>) -> Result<PathBuf, EngineError> {
    let candidates = match explicit {
        Some(path) => vec![path.to_owned()],
        None => usual_places(),
    };
    candidates.iter().find(|p| p.is_file()).cloned().ok_or(EngineError::NoLibrary { searched: candidates })
}

fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).into_iter().collect();
    if let Ok(program) = std::env::current_exe() {
        for folder in program.ancestors().skip(1).take(3) {
            places.push(folder.join("onnxruntime").join(NAME));
            places.push(folder.join("lib/andon").join(NAME));
        }
    }
    places.extend(["/usr/lib/andon", "/usr/local/lib", "/usr/lib"].map(|folder| Path::new(folder).join(NAME)));
    places
}
