//! What several tests need.

use andon_vision::model::engine::{EngineChoice, EngineOptions, find_ort_library};

/// The engines that can be tried here: rten, and ONNX Runtime where its library is.
pub fn engines() -> Vec<EngineOptions> {
    let with = |choice| EngineOptions { choice, threads: 2, ..EngineOptions::default() };
    let mut all = vec![with(EngineChoice::Rten)];
    if find_ort_library(None).is_ok() {
        all.push(with(EngineChoice::Ort));
    }
    all
}
