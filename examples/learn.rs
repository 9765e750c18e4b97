//! Learns a model from a folder of pictures of good parts, as `andon fit` does:
//! `cargo run --release --example learn good/ part.andon`. Then `examples/judge.rs` judges others with it.

#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use std::error::Error;
use std::path::Path;

use andon::assemble::fit_defaults;
use andon_vision::fit::{FitJob, list_images, read_in_range, survey};
use andon_vision::methods;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::EngineOptions;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(model)) = (args.next(), args.next()) else {
        return Err("usage: learn FOLDER MODEL".into());
    };
    let files = list_images(Path::new(&folder))?.pictures;
    // Pictures of several kinds are refused by name; 16-bit values get the range that holds them all.
    let kind = survey(&files, &[], false, None, &mut |_| {})?;

    let backbone = fit_defaults::backbone();
    let (mut embedder, _) = PatchEmbedder::open(&backbone, &EngineOptions::default())?;
    let options = fit_defaults::options("part", embedder.engine_name(), kind.learned);
    let mut pictures = files.iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        read_in_range(path, kind.range).map(|picture| (name, picture))
    });
    let mut fitted = methods::fit(FitJob {
        pictures: &mut pictures,
        skip_bad: false,
        embedder: &mut embedder,
        backbone: &backbone,
        options: &options,
        progress: &mut |phase, done, total| {
            if done == total {
                println!("{}: {total}", phase.as_str());
            }
        },
    })?;
    for line in &fitted.left_out {
        println!("left out: {line}");
    }
    fitted.bundle.write(Path::new(&model))?;

    let m = &fitted.bundle.manifest;
    println!("{model}: threshold {:.3} from {} pictures", m.threshold, m.claim.images);
    println!(
        "with {} % confidence, at most {:.1} % of good parts like these are rejected",
        m.claim.confidence * 100.0,
        m.claim.max_false_reject * 100.0
    );
    Ok(())
}
