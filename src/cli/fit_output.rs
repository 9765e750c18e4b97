//! What `andon fit` says: what the network will see and how long it takes before, the result after, and the page.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use super::{claim, fit_groups, output};
use andon_core::{FrameView, PixelFormat};
use andon_vision::eval::write_fit_report;
use andon_vision::fit::{FitOptions, Fitted, ThresholdRule};
use andon_vision::methods::{Cost, Facts, FitSize};
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::{Backbone, Embed};

/// The result for people.
pub(super) fn print(model: &Path, fitted: &Fitted, facts: &Facts, seconds: f64) -> std::io::Result<()> {
    let m = &fitted.bundle.manifest;
    output::line(&format!("{}: learned from {} pictures in {seconds:.1} s", model.display(), m.training.images()))?;
    output::line(&format!("  {:<13} {}", facts.label, facts.text))?;
    let above = match m.claim.above {
        0 => "above every held-out score".to_owned(),
        n => format!("{n} of {} held-out scores lie above", m.claim.images),
    };
    output::line(&format!("  threshold     {:.4} ({above})", m.threshold))?;
    if let Some(line) = claim::set_by(&fitted.bundle) {
        output::line(&line)?;
    }
    for line in claim::lines(m) {
        output::line(&line)?;
    }
    if !fitted.suspects.is_empty() {
        output::line(
            "  look at       these stand out from the others; are they good parts? (--exclude NAME, or --denoise)",
        )?;
        for (name, score) in fitted.suspects.iter().take(10) {
            output::line(&format!("                {score:10.4}  {name}"))?;
        }
        if fitted.suspects.len() > 10 {
            output::line(&format!("                and {} more (--json lists all)", fitted.suspects.len() - 10))?;
        }
    }
    Ok(())
}

/// The result for programs.
pub(super) fn as_json(
    model: &Path,
    fitted: &Fitted,
    facts: &Facts,
    seconds: f64,
    report: Option<&Path>,
    search: Option<Value>,
) -> Value {
    let (b, m) = (&fitted.bundle, &fitted.bundle.manifest);
    let told = |(image, score): &(String, f32)| serde_json::json!({"image": image, "score": score});
    let suspects: Vec<_> = fitted.suspects.iter().map(told).collect();
    let mut scores: Vec<_> = m.training.sources.iter().cloned().zip(b.train_scores.iter().copied()).collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    serde_json::json!({
        "model": model, "blake3": b.blake3, "method": m.method.id, "images": m.training.images(), "groups": m.claim.images,
        "bank": facts.bank_rows, "seconds": seconds,
        "threshold": m.threshold, "claim": m.claim, "left_out": fitted.left_out, "suspects": suspects, "report": report,
        "train_scores": scores.iter().map(told).collect::<Vec<_>>(),
        "search": search,
    })
}

/// The page of `--report`.
pub(super) fn write_page(
    folder: &Path,
    fitted: &Fitted,
    rule: ThresholdRule,
    good: &Path,
    files: &[PathBuf],
) -> anyhow::Result<PathBuf> {
    let named: HashMap<_, _> = files.iter().map(|f| (fit_groups::name(good, f), f)).collect();
    let file = |name: &str| named.get(name).map(|f| f.to_path_buf());
    write_fit_report(folder, fitted, rule, &file)
        .with_context(|| format!("cannot write the report into {}", folder.display()))
}

/// What the network makes of the pictures' resolution.
pub(super) fn what_is_seen(picture: [u32; 2], backbone: &Backbone, grid: (usize, usize)) -> String {
    let [w, h] = picture;
    let [seen_w, seen_h] = backbone.picture_size();
    let patch = |side: u32, cells: usize| (f64::from(side) / cells as f64).round();
    let tiles = match backbone.tiles {
        [1, 1] => String::new(),
        [columns, rows] => format!(" in {columns}x{rows} tiles"),
    };
    format!(
        "pictures of {w}x{h} are seen at {seen_w}x{seen_h}{tiles}: one patch is {} x {} of their pixels; what is much smaller than that is \
         seen poorly (--size, --tiles)",
        patch(w, grid.0),
        patch(h, grid.1)
    )
}

/// How much there is to learn from.
pub(super) fn size(pictures: usize, embedder: &PatchEmbedder, options: &FitOptions) -> FitSize {
    let (columns, rows) = embedder.grid();
    let cells = options.mask.as_ref().map_or(columns * rows, |m| m.iter().filter(|judged| **judged).count());
    FitSize { pictures, cells, dim: embedder.dim() }
}

/// Memory and time before the work: the network is timed, the rest follows from counts.
pub(super) fn estimate(
    size: &FitSize,
    cost: Cost,
    embedder: &mut PatchEmbedder,
    backbone: &Backbone,
    options: &FitOptions,
) -> String {
    let [w, h] = backbone.picture_size().map(|n| n as usize);
    let grey = vec![127u8; w * h];
    let mut features = Vec::new();
    let start = Instant::now();
    for _ in 0..3 {
        if let Some(view) = FrameView::new(PixelFormat::Gray8, w, h, w, &grey)
            && embedder.embed(&view, &mut features).is_err()
        {
            break;
        }
    }
    let network = start.elapsed().as_secs_f64() / 3.0;
    let blocks = size.pictures * options.augment.count();
    let seconds = blocks as f64 * network * 1.2 + cost.seconds;
    format!(
        "{} pictures, {} patches of {} values: about {:.0} MB of memory and {seconds:.0} s",
        size.pictures,
        blocks * size.cells,
        size.dim,
        cost.bytes / 1e6
    )
}
